"""What a definition names and nothing defines: modules, classes, functions, exports; with what may be meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from codegen.errors import Diagnostic, Location
from codegen.expansion.model import Definition, ParsedModule
from codegen.trees.names import FILE_TYPES
from codegen.trees.tree import Tree


def missing_names(
    definition: Definition, parents: Mapping[str, ParsedModule]
) -> Iterator[Diagnostic]:
    """Imported names that a parent does not mention; the expansion looks for bases itself."""
    bases = {base for statement in definition.classes for base in statement.bases}
    for item in definition.parents:
        parent = parents[item.module]
        if item.name in bases or item.name in parent.symbols or "__getattr__" in parent.symbols:
            continue
        if not re.search(rf"\b{item.name}\b", parent.lexed.code):
            hint = _meant(item.name, list(parent.symbols)) or "remove it from the import"
            place = Location(definition.module.source.path, item.line)
            message = f"{item.module} does not define {item.name}"
            yield Diagnostic("missing-name", message, place, hint)


def missing_exports(definition: Definition, texts: Iterable[str]) -> Iterator[Diagnostic]:
    """Entries of ``__all__`` that no generated file defines."""
    bound: set[str] = set()
    for text in texts:
        try:
            bound |= _bound(ast.parse(text))
        except SyntaxError:
            return  # the formatter says what is wrong
    if "__getattr__" in bound:
        return
    own = sorted(name for name in bound if not name.startswith("__"))
    for name in definition.exports:
        if name not in bound:
            line = _export_line(definition, name)
            place = Location(definition.module.source.path, line)
            message = f"__all__ lists {name}, which is not defined"
            hint = _meant(name, own) or "remove it from __all__"
            yield Diagnostic("missing-export", message, place, hint)


def missing_module_hint(tree: Tree, module: str, path: str | None) -> str:
    """What to do about a parent module that does not exist."""
    if path is None:
        package = module.partition(".")[0]
        return f"install {package} (a pre-commit hook finds it in its additional_dependencies)"
    close = _similar_modules(tree, module, tree.root / path)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"expected at {path}: check the spelling, or sync the model that generates it"


def _similar_modules(tree: Tree, module: str, path: Path) -> list[str]:
    """Modules of nearly that name: of the same kind, where its folder or that of its model is."""
    folder, _, name = module.rpartition(".")
    above = folder.rpartition(".")[0]
    kind = next((item for item in FILE_TYPES if name.startswith(f"{item}_")), "")
    files = path.parent.glob(f"{kind}*.py")
    found = {file.stem: f"{folder}.{file.stem}" for file in files}
    if not path.parent.is_dir() and kind:
        for file in path.parent.parent.glob(f"*/{kind}_*.py"):
            found[file.stem] = f"{above}.{file.parent.name}.{file.stem}"
        if tree.kind == "project":
            for item in tree.definitions:
                home = item.target.replace("/", ".")
                found.setdefault(f"{kind}_{item.model}", f"{home}.{kind}_{item.model}")
    rest = {stem.removeprefix(kind): module for stem, module in found.items()}
    return [rest[item] for item in get_close_matches(name.removeprefix(kind), sorted(rest), 3, 0.7)]


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 3)
    return f"did you mean {' or '.join(close)}?" if close else ""


def _bound(tree: ast.Module) -> set[str]:
    """Names that the statements of a module bind at its level, or may bind."""
    found: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(item.asname or item.name).partition(".")[0] for item in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        pending += ast.iter_child_nodes(node)
    return found


def _export_line(definition: Definition, name: str) -> int:
    for node in ast.walk(ast.parse(definition.module.source.text)):
        if not isinstance(node, (ast.Assign, ast.AugAssign)) or node.value is None:
            continue
        for item in ast.walk(node.value) if "__all__" in ast.unparse(node) else ():
            if isinstance(item, ast.Constant) and item.value == name:
                return item.lineno
    return 0
