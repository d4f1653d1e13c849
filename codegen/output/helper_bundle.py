"""The runtime helpers as one module: what a model's folder needs to stand alone.

The sources are the modules of this repository's ``utils/`` (inside an installed package:
``codegen/runtime``). They are read as text, never imported. Of their definitions only those are kept
that the given names need, in an order in which nothing stands before what it uses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codegen.text.lines import LineMap

_PREFIX = "utils."


@dataclass(frozen=True, slots=True)
class HelperDefinition:
    """A function, class or constant of a helper module: its source and the names it uses."""

    text: str
    uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class HelperModule:
    """A helper module: what it imports from elsewhere (bound name to statement), what it defines."""

    imports: Mapping[str, str]
    definitions: Mapping[str, HelperDefinition]


def helper_folder() -> Path:
    """Where the helper modules are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "runtime"
    return inside if inside.is_dir() else package.parent / "utils"


def bundle_helpers(names: Iterable[str]) -> str:
    """Source of one module that defines the helpers ``names`` and all that they need (unformatted).

    Raises:
        KeyError: there is no helper of a name.
    """
    modules = _modules()
    definitions = {name: found for module in modules for name, found in module.definitions.items()}
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += definitions[name].uses & definitions.keys()
    imports: dict[str, None] = {}
    parts: dict[str, None] = {}  # a statement that binds several names is printed once
    for module in modules:
        for name, found in module.definitions.items():
            if name in needed:
                parts[found.text] = None
                imports |= {
                    module.imports[use]: None for use in sorted(found.uses & module.imports.keys())
                }
    return "\n".join(["from __future__ import annotations\n", *imports, "", *parts])


@cache
def _modules() -> tuple[HelperModule, ...]:
    """All helper modules, each behind those that it imports from."""
    trees = {path.stem: path.read_text(encoding="utf-8") for path in helper_folder().glob("*.py")}
    parsed = {name: (LineMap(text), ast.parse(text)) for name, text in sorted(trees.items())}
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for node in parsed[name][1].body:
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PREFIX):
                    visit((node.module or "").removeprefix(_PREFIX))
            order[name] = None

    for name in parsed:
        visit(name)
    return tuple(_read(*parsed[name]) for name in order)


def _read(lines: LineMap, tree: ast.Module) -> HelperModule:
    imports: dict[str, str] = {}
    definitions: dict[str, HelperDefinition] = {}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= _outer_imports(node)
            continue
        if isinstance(node, ast.If):  # imports for annotations only
            whole = lines.text[slice(*lines.statement_lines(node))].rstrip()
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    imports |= dict.fromkeys(
                        _outer_imports(inner), f"from typing import TYPE_CHECKING\n\n{whole}\n"
                    )
            continue
        names = list(_bound(node))
        if names and names != ["__all__"]:
            found = HelperDefinition(_source(lines, node), frozenset(_uses(node)) - set(names))
            definitions |= dict.fromkeys(names, found)
    return HelperModule(imports, definitions)


def _outer_imports(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Bound name -> statement, for what is not imported from another helper module."""
    if isinstance(node, ast.Import):
        return {
            (alias.asname or alias.name).split(".")[0]: f"import {_spell(alias)}"
            for alias in node.names
        }
    module = node.module or ""
    if module.startswith(_PREFIX) or module == "__future__":
        return {}
    return {
        alias.asname or alias.name: f"from {module} import {_spell(alias)}" for alias in node.names
    }


def _spell(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in targets:
        for inner in ast.walk(target) if target is not None else ():
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id


def _uses(node: ast.stmt) -> Iterator[str]:
    """Names that a definition uses, those of helpers that it imports when it runs included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.ImportFrom) and _is_inner_import(inner):
            yield from (alias.name for alias in inner.names)


def _is_inner_import(node: ast.ImportFrom) -> bool:
    return (node.module or "").startswith(_PREFIX)


def _source(lines: LineMap, node: ast.stmt) -> str:
    """The whole lines of a statement with its decorators and leading comments, without the imports
    inside it that the bundle makes needless."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    while first > 1 and lines.lines[first - 2].startswith("#"):
        first -= 1
    gone: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and _is_inner_import(inner):
            gone.update(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    kept = range(first, (node.end_lineno or node.lineno) + 1)
    return "".join(lines.lines[number - 1] for number in kept if number not in gone) + "\n"
