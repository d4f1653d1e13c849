"""Refusals of what tensors hold: checked in the graph, with a fixed message, while tracing.

    if count != rows.shape[0]:                      if is_tracing():
        raise ValueError(f"{count} tokens")             refuse_in_graph(count != rows.shape[0], "count tokens")
                                              ->    elif count != rows.shape[0]: ...

A graph cannot branch on a value, but it can check one; it formats no values: the message names them instead.
"""

from __future__ import annotations

import ast
import builtins

from codegen.rewrite.capture.checks import fixed_message
from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Branch, Edit
from codegen.rewrite.library import ClassInfo, Function, Index
from codegen.rewrite.nodes import resolved, walk

Found = tuple[list[Edit], tuple[str, ...], str]
REFUSE = "refuse_in_graph"


def refusals_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Give every such refusal of a method a second form."""
    edits: list[Edit] = []
    for node in walk(function):
        if not isinstance(node, ast.If) or not _counts(function, node.test):
            continue
        message = refusal_message(node)
        if message is None:
            continue
        if any(isinstance(inner, (ast.NamedExpr, ast.Await)) for inner in walk(node.test)):
            return Left(node, "a refusal of what a tensor holds: it assigns a name")
        condition = _in_tensors(cls.module.text.source(node.test), node.test)
        edits.append(Branch((node,), "is_tracing()", refusal_lines(condition, message)))
    reason = "refusal of what a tensor holds: checked in the graph while tracing"
    return (edits, ("is_tracing", REFUSE), reason) if edits else None


def refusal_lines(condition: str, message: str) -> tuple[str, ...]:
    """The check of a condition in a graph."""
    return (f"{REFUSE}(", f"    {condition},", f"    {message},", ")")


def refusal_message(node: ast.If) -> str | None:
    """The literal of a message, without values, of an ``if`` that only raises; None for any other."""
    if len(node.body) != 1 or node.orelse or not isinstance(node.body[0], ast.Raise):
        return None
    raised = node.body[0].exc
    if not isinstance(raised, ast.Call) or len(raised.args) != 1 or raised.keywords:
        return None
    kind = getattr(builtins, ast.unparse(raised.func), None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return None
    return fixed_message(raised.args[0])


def _counts(function: Function, test: ast.expr) -> bool:
    """Tell whether a condition compares numbers of elements that a tensor holds: ``mask.sum() != n``."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    if not isinstance(test.ops[0], (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
        return False
    sides = (test.left, *test.comparators)
    return any(_is_sum(resolved(function, side)) or _listed(side) is not None for side in sides)


def _is_sum(node: ast.expr) -> bool:
    """``x.sum()``."""
    match node:
        case ast.Call(func=ast.Attribute(attr="sum"), args=[], keywords=[]):
            return True
    return False


def _listed(node: ast.expr) -> ast.Name | None:
    """``lengths`` of ``sum(lengths.tolist())``, which the host adds up."""
    match node:
        case ast.Call(
            func=ast.Name(id="sum"),
            args=[ast.Call(func=ast.Attribute(value=ast.Name() as of, attr="tolist"), args=[])],
            keywords=[],
        ):
            return of
    return None


def _in_tensors(text: str, test: ast.expr) -> str:
    """The condition, with what the host adds up added up by a tensor."""
    assert isinstance(test, ast.Compare)
    if all(_listed(side) is None for side in (test.left, *test.comparators)):
        return text
    parts = []
    for side in (test.left, *test.comparators):
        of = _listed(side)
        parts.append(ast.unparse(side) if of is None else f"{of.id}.sum()")
    operator = ast.unparse(test).removeprefix(ast.unparse(test.left))
    operator = operator.removesuffix(ast.unparse(test.comparators[0])).strip()
    return f"{parts[0]} {operator} {parts[1]}"
