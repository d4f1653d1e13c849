"""Which names the module level of a source binds, and which it uses without binding them."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator, Sequence


def undefined_names(text: str) -> list[str]:
    """Global names that a module uses without ever binding them."""
    table = symtable.symtable(text, "<definition>", "exec")
    bound = {
        item.get_name() for item in table.get_symbols() if item.is_assigned() or item.is_imported()
    }
    used: set[str] = set()
    pending = [table]
    while pending:
        scope = pending.pop()
        pending += scope.get_children()
        for item in scope.get_symbols():
            if item.is_referenced() and (item.is_global() or scope is table):
                used.add(item.get_name())
            if item.is_global() and item.is_assigned():
                bound.add(item.get_name())
    return sorted(used - bound - vars(builtins).keys() - {"__class__", "__file__", "__name__"})


def defined_names(text: str) -> dict[str, ast.stmt]:
    """What the statements of a module bind, imports left out, with the statement that does."""
    found: dict[str, ast.stmt] = {}

    def visit(body: Sequence[ast.stmt], top: ast.stmt | None) -> None:
        for node in body:
            home = top or node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found[node.name] = home
                continue
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            for inner in _blocks(node):
                visit(inner, home)
            for name in _targets(node):
                found[name] = home

    visit(ast.parse(text).body, None)
    return found


def imported_names(text: str) -> set[str]:
    """Names that any import of a module binds, those under conditions included."""
    kinds = (ast.Import, ast.ImportFrom)
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return {item.asname or item.name.partition(".")[0] for node in imports for item in node.names}


def bound_names(text: str) -> list[str]:
    """Everything that the module level binds, imported names included."""
    return list(dict.fromkeys([*defined_names(text), *sorted(imported_names(text))]))


def _blocks(node: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    for key in ("body", "orelse", "finalbody"):
        yield getattr(node, key, [])
    for handler in getattr(node, "handlers", []):
        yield handler.body


def _targets(node: ast.stmt) -> Iterator[str]:
    """Names that a simple statement, or the head of a compound one, binds."""
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return
    heads: list[ast.AST] = []
    for key in ("targets", "target", "items", "value", "test"):
        part = getattr(node, key, None)
        heads += part if isinstance(part, list) else [part] if isinstance(part, ast.AST) else []
    for head in heads:
        for inner in ast.walk(head):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id
