"""What a method writes into behind the call of a helper: a tensor that is given has to stay as it is.

A result that the method computes itself is its own, and may be changed in place. As an optional input it
belongs to the caller, who may give it again; so such a method keeps computing it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from codegen.rewrite.library import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.reach import Reaching
from codegen.rewrite.recognise.effects import VIEWS

_PARTS = ("T", "mT", "H", "real", "data")
"""Attributes of a tensor that share its memory."""
_PASSING = ("enumerate", "zip", "reversed", "list", "tuple", "iter", "next")
"""Builtins whose results hold what they are given."""


def written_in_place(
    function: Function, reaching: Reaching, statement: ast.stmt, names: Collection[str]
) -> ast.stmt | None:
    """The first statement behind another one that writes into what names hold there, None without one.

    What may share the memory of a result counts as that result: parts, views, items of a loop.
    """
    start = statement.lineno, statement.col_offset
    statements = [n for n in walk(function) if isinstance(n, ast.stmt) and n is not function]
    behind = [n for n in statements if (n.lineno, n.col_offset) > start]
    known, sources, size = set(names), {id(statement)}, -1
    while size < len(sources):
        size = len(sources)
        for node in behind:
            for target, value in _bindings(node):
                if _shares(value, known):
                    sources.add(id(node))
                    known |= _names(target)
    for node in behind:
        inside = {
            name
            for target, value in _bindings_inside(node)
            if _shares(value, known)
            for name in _names(target)
        }
        for value in _written(node):
            held = {name for name in _names(value) if sources & reaching.definitions(node, name)}
            if _shares(value, known) and (held or _names(value) & inside):
                return node
    return None


def _names(node: ast.expr) -> set[str]:
    return {child.id for child in walk(node) if isinstance(child, ast.Name)}


def _head(node: ast.stmt) -> Iterator[ast.AST]:
    """A statement and what is below it, without the blocks that it holds."""
    fields = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
    blocks = (ast.excepthandler, ast.match_case)
    for child in fields:
        if not isinstance(child, blocks):
            yield from walk(child)


def _bindings(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets with the expressions that are bound to them."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        yield node.target, node.iter
    yield from _bindings_inside(node)


def _bindings_inside(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Those of the expressions of a statement, which hold while it runs."""
    for child in _head(node):
        if isinstance(child, ast.NamedExpr):
            yield child.target, child.value
        elif isinstance(child, ast.comprehension):
            yield child.target, child.iter


def _written(node: ast.stmt) -> Iterator[ast.expr]:
    """Expressions whose value a statement changes in place."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield ast.Name(node.target.id, ast.Load())
    for child in _head(node):
        if isinstance(child, (ast.Subscript, ast.Attribute)) and not isinstance(
            child.ctx, ast.Load
        ):
            yield child.value
        elif isinstance(child, ast.Call):
            yield from (keyword.value for keyword in child.keywords if keyword.arg == "out")
            called = child.func
            if isinstance(called, ast.Attribute) and called.attr.endswith("_"):
                yield called.value
                yield from child.args[:1]


def _shares(value: ast.expr, known: Collection[str]) -> bool:
    """Tell whether the value of an expression may share the memory of what names hold."""
    if isinstance(value, ast.Name):
        return value.id in known
    if isinstance(value, (ast.Subscript, ast.Starred, ast.NamedExpr)):
        return _shares(value.value, known)
    if isinstance(value, ast.Attribute):
        return value.attr in _PARTS and _shares(value.value, known)
    if isinstance(value, (ast.Tuple, ast.List)):
        return any(_shares(item, known) for item in value.elts)
    if isinstance(value, ast.IfExp):
        return _shares(value.body, known) or _shares(value.orelse, known)
    if isinstance(value, ast.BoolOp):
        return any(_shares(item, known) for item in value.values)
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    if isinstance(called, ast.Name):
        return called.id in _PASSING and any(_shares(arg, known) for arg in value.args)
    if not isinstance(called, ast.Attribute) or called.attr.rstrip("_") not in VIEWS:
        return False
    return any(_shares(part, known) for part in (called.value, *value.args[:1]))
