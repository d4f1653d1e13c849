"""Deletion markers: members of a definition that only say that the parent's is not wanted."""

from __future__ import annotations

import ast

from codegen.text.read_body import BodyItem

#: Methods that raise AttributeError as their ordinary work.
_RAISING = frozenset({"__getattr__", "__getattribute__", "__delattr__", "__setattr__"})


def is_marker(item: BodyItem) -> bool:
    """``width = AttributeError()``, or a plain method that does nothing but raise AttributeError."""
    node = item.node
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and _makes_error(node.value)
    return isinstance(node, ast.FunctionDef) and is_marker_method(node)


def is_marker_method(node: ast.FunctionDef) -> bool:
    """Whether a method does nothing but raise AttributeError."""
    if node.decorator_list or node.name in _RAISING:
        return False
    statement = node.body[0]
    if len(node.body) > 1 or not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    return _makes_error(statement.exc)


def _makes_error(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "AttributeError"
    )
