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
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import resolved, walk

Found = tuple[list[Edit], tuple[str, ...], str]
REFUSE = "refuse_in_graph"


def refusals_edits(index: Index, cls: ClassInfo, function: Function) -> list[Found | Left] | None:
    """Give every such refusal of a method a second form; those that cannot have one are left by themselves."""
    edits: list[Edit] = []
    found: list[Found | Left] = []
    for node in walk(function):
        if not isinstance(node, ast.If) or not _counts(function, node.test):
            continue
        if not any(isinstance(statement, ast.Raise) for statement in node.body):
            continue
        message = _failing(node) or _message(node)
        if isinstance(message, Left):
            found.append(Left(node, f"a refusal of what a tensor holds: {message.reason}"))
            continue
        condition = _in_tensors(cls.module.text.source(node.test), node.test)
        edits.append(Branch((node,), "is_tracing()", refusal_lines(condition, message)))
    if edits:
        reason = "refusal of what a tensor holds: checked in the graph while tracing"
        found.append((edits, ("is_tracing", REFUSE), reason))
    return found or None


def refusal_lines(condition: str, message: str) -> tuple[str, ...]:
    """The check of a condition in a graph."""
    return (f"{REFUSE}(", f"    {condition},", f"    {message},", ")")


def refusal_message(node: ast.If) -> str | None:
    """The literal of a message, without values, of an ``if`` that only raises; None for any other."""
    message = _message(node)
    return message if isinstance(message, str) else None


def _message(node: ast.If) -> str | Left:
    """The literal of a message, without values, of an ``if`` that only raises; or why it has none."""
    if len(node.body) != 1 or not isinstance(node.body[0], ast.Raise):
        return Left(node, "it does more than raise")
    if node.orelse:
        return Left(node, "it has an else")
    raised = node.body[0].exc
    if not isinstance(raised, ast.Call) or len(raised.args) != 1 or raised.keywords:
        return Left(node, "it does not raise an exception with a message alone")
    name = ast.unparse(raised.func)
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return Left(node, f"{name} is no exception of Python itself")
    message = fixed_message(raised.args[0])
    if message is None:
        return Left(node, f"its message {ast.unparse(raised.args[0])} is no literal")
    return message


def _failing(node: ast.If) -> Left | None:
    """Why a condition on what is counted cannot be asked in a graph; None if it can."""
    if isinstance(node.test, ast.Compare) and len(node.test.ops) != 1:
        return Left(node, "it compares more than two numbers")
    if any(isinstance(inner, (ast.NamedExpr, ast.Await)) for inner in walk(node.test)):
        return Left(node, "it assigns a name")
    return None


def _counts(function: Function, test: ast.expr) -> bool:
    """Tell whether a condition compares numbers of elements that a tensor holds: ``mask.sum() != n``."""
    ordered = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    if not isinstance(test, ast.Compare) or not all(isinstance(op, ordered) for op in test.ops):
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
    left, (right,) = test.left, test.comparators
    if _listed(left) is None and _listed(right) is None:
        return text
    operator = ast.unparse(test).removeprefix(ast.unparse(left)).removesuffix(ast.unparse(right))
    return f"{_added(left)} {operator.strip()} {_added(right)}"


def _added(side: ast.expr) -> str:
    """One side of it."""
    of = _listed(side)
    return ast.unparse(side) if of is None else f"{of.id}.sum()"
