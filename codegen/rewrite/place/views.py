"""Names that share their numbers with another one: what is changed through them changes that, too."""

from __future__ import annotations

import ast
from collections.abc import Collection

from codegen.rewrite.library import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.recognise.grids import Match


def change_through_view(function: Function, match: Match) -> ast.AST | None:
    """Where a name that is a part of another, or the same, is changed in place behind a match."""
    number = max(match.statement, match.last)
    value = getattr(function.body[number], "value", None)
    if not isinstance(value, (ast.Subscript, ast.Name)):
        return None
    names = set(match.names)
    later = function.body[number + 1 :]
    return next((node for s in later for node in walk(s) if _changes(node, names)), None)


def _changes(node: ast.AST, names: Collection[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        target, name = node.func.value, node.func.attr
        return name.endswith("_") and not name.endswith("__") and _root(target) in names
    if isinstance(node, ast.AugAssign):
        return _root(node.target) in names
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, (ast.Store, ast.Del))
        and _root(node) in names
    )


def _root(node: ast.AST) -> str:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
