"""Read a modular file: its parents, its classes, its exports, and what of it is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from codegen.errors import CodegenError, Diagnostic, Location, fail
from codegen.expansion.checks import check_imports
from codegen.expansion.model import (
    BaseClass,
    Definition,
    ParentImport,
    ParsedModule,
    SourceFile,
)
from codegen.expansion.parse import parse_module, parse_source
from codegen.text.imports import ImportGuard, PoolEntry
from codegen.text.lines import LineMap
from codegen.trees.conventions import Convention
from codegen.trees.names import module_file_type
from codegen.trees.reexports import Home

_NESTED = re.compile(r"^[ \t]+(?:class[ \t]|from[ \t]+(?:\.|transformers))", re.MULTILINE)
_MODEL_NAME = re.compile(r"modular_(.*)\.py$")


def model_name(path: str) -> str | None:
    """Model name of a definition, from its file name; None for other files."""
    match = _MODEL_NAME.search(path)
    return match.group(1) if match else None


def parse_definition(source: SourceFile, convention: Convention) -> Definition:
    """Parse a definition and check what can be checked without its parents."""
    tree = parse_source(source)
    module = parse_module(source, frozenset(), tree, strong=("class", "function"))
    check_imports(module)
    strict = not convention.dialect.python_meaning
    if strict:
        _check_guards(module)
    # Walking the whole tree is only worth it when something of interest may be nested in it.
    nested = _NESTED.search(module.lexed.code)
    nodes: list[ast.AST] = list(ast.walk(tree)) if nested else list(tree.body)
    classes = tuple(_classes(nodes))
    if strict:
        _check_names(module, classes)
    else:
        # What a function imports when it runs, it imports from the generated file, too.
        imports = list(outer_imports(tree))
        nodes = [node for node in nodes if not isinstance(node, ast.ImportFrom) or node in imports]
    exports, texts = _exports(source, tree)
    listed = module.symbols.get("__all__")
    lead = source.text[listed.start : listed.lead_end] if listed else ""
    name = model_name(source.path)
    assert name is not None
    return Definition(
        name,
        module,
        tuple(_parent_imports(source, nodes, convention)),
        classes,
        exports,
        lead,
        texts,
    )


def _check_guards(module: ParsedModule) -> None:
    """Refuse conditions of imports under which other statements stand, too."""
    for entry in module.imports:
        if isinstance(entry, ImportGuard) and entry.mixed:
            raise fail(
                "mixed-guard",
                f"`if {entry.condition}:` mixes imports with other statements",
                module.source.path,
                entry.line,
                "keep only imports in the `if` block",
            )


def _check_names(module: ParsedModule, classes: Sequence[BaseClass]) -> None:
    """Refuse classes whose names something else has in the end."""
    for item in classes:
        if module.symbols[item.name].kind != "class":
            raise fail(
                "redefined-class",
                f"class {item.name} shares its name with a function of the definition",
                module.source.path,
                item.line,
                "rename one of them",
            )


def outer_imports(node: ast.AST) -> Iterator[ast.ImportFrom]:
    """The ``from`` imports that run when a module is imported, those in blocks and classes included."""
    if isinstance(node, ast.ImportFrom):
        yield node
    elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                yield from outer_imports(inner)


def import_pool(definition: Definition, convention: Convention) -> list[PoolEntry]:
    """The definition's own imports, without those that are read as parents."""
    return [
        entry
        for entry in definition.module.imports
        if isinstance(entry, ImportGuard)
        or entry.module is None
        or convention.stays_import(entry.module)
    ]


def _parent_imports(
    source: SourceFile, nodes: Sequence[ast.AST], convention: Convention
) -> list[ParentImport]:
    found: list[ParentImport] = []
    problems: list[Diagnostic] = []
    bases = _base_names(nodes)
    for node in nodes:
        if not isinstance(node, ast.ImportFrom):
            continue
        spelled = "." * node.level + (node.module or "")
        problem = convention.import_problem(spelled, [item.name for item in node.names])
        if problem:
            place = Location(source.path, node.lineno)
            problems.append(Diagnostic("unsupported-import", problem[0], place, problem[1]))
            continue
        module = convention.parent_module(spelled)
        if module is None:
            for home in bases_from_elsewhere(node, bases, convention):
                if isinstance(home, ParentImport):
                    found.append(home)
                else:
                    place = Location(source.path, node.lineno)
                    problems.append(Diagnostic("missing-name", home[0], place, home[1]))
            continue
        if module_file_type(module) is None:
            place = Location(source.path, node.lineno)
            message = f"cannot inherit from {spelled}: its name begins with no known file type"
            problems.append(Diagnostic("unsupported-import", message, place))
            continue
        found += [ParentImport(item.name, item.asname, module, node.lineno) for item in node.names]
    if problems:
        raise CodegenError(*problems)
    return sorted(found, key=lambda item: item.line)


def imported_bases(tree: ast.Module, convention: Convention) -> list[ParentImport]:
    """Base classes that a definition takes from packages, or from modules without a model's name."""
    bases = _base_names(tree.body)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [
        home
        for node in imports
        if convention.parent_module("." * node.level + (node.module or "")) is None
        for home in bases_from_elsewhere(node, bases, convention)
        if isinstance(home, ParentImport)
    ]


def bases_from_elsewhere(
    node: ast.ImportFrom, bases: frozenset[str], convention: Convention
) -> Iterator[ParentImport | tuple[str, str]]:
    """The parents of an import that names no parent module; message and hint for what is missing."""
    spelled = "." * node.level + (node.module or "")
    for item in node.names:
        bound = item.asname or item.name
        home = convention.base_home(spelled, item.name) if bound in bases else None
        if isinstance(home, Home):
            alias = bound if bound != home.name else None
            yield ParentImport(home.name, alias, home.module, node.lineno, home.via)
        elif home is not None:
            yield home


def _base_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(
        base.id
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    )


def _classes(nodes: Iterable[ast.AST]) -> list[BaseClass]:
    """All classes in source order; of a repeated name the last statement, at the first place."""
    found: dict[str, BaseClass] = {}
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    for node in sorted(classes, key=lambda item: item.lineno):
        bases = tuple(ast.unparse(base) for base in node.bases)
        found[node.name] = BaseClass(node.name, bases, node.lineno)
    return list(found.values())


def _exports(source: SourceFile, tree: ast.Module) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entries of the last ``__all__`` list, and the same as quoted in the source."""
    entries: list[ast.Constant] = []
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.List):
            continue
        if [ast.unparse(target) for target in node.targets] == ["__all__"]:
            constants = [item for item in node.value.elts if isinstance(item, ast.Constant)]
            entries = [item for item in constants if isinstance(item.value, str)]
    lines = LineMap(source.text)
    spans = [lines.span(item) for item in entries]
    texts = tuple(source.text[start:end] for start, end in spans)
    return tuple(str(item.value) for item in entries), texts
