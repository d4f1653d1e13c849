"""The statements of a method that make two results at its end, where a graph is to get them from a helper."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.guards import refuses


@dataclass(frozen=True)
class Branch:
    """``statements`` end with the return of two ``names``; ``before`` run in front of them in every case."""

    before: tuple[ast.stmt, ...]
    statements: tuple[ast.stmt, ...]
    names: tuple[str, str]


def positions_branch(function: Function) -> Branch | None:
    """The branch at the end of a method that has its loop: the method itself, or one side of an ``if``."""
    body = [s for s in function.body if not _is_text(s)]
    before: list[ast.stmt] = []
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        sides = [side for side in (last.body, last.orelse) if _has_loop(side)]
        if len(sides) != 1:
            return None
        before, body = body[:-1], sides[0]
    else:
        while body and refuses(body[0]):
            before.append(body.pop(0))
    names = _returned(body[-1]) if body else None
    return None if names is None else Branch(tuple(before), tuple(body), names)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _has_loop(body: Iterable[ast.stmt]) -> bool:
    return any(isinstance(node, ast.For) for statement in body for node in walk(statement))


def _returned(statement: ast.stmt) -> tuple[str, str] | None:
    value = statement.value if isinstance(statement, ast.Return) else None
    match value:
        case ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]):
            return first, second
    return None


def made_like(branch: Branch, like: str) -> str | Objection:
    """The dtype of the first result, as written; both have to be made on the device of a parameter."""
    first, second = (_made(branch.statements, name) for name in branch.names)
    last = branch.statements[-1]
    if first is None or second is None:
        return Objection(last, "how its results are made is not known")
    if (
        _keyword(first, "device") != f"{like}.device"
        or _keyword(second, "device") != f"{like}.device"
    ):
        return Objection(first, f"its results are not made on the device of {like}")
    dtype = _keyword(first, "dtype")
    if dtype != f"{like}.dtype" and not dtype.startswith("torch."):
        return Objection(first, f"the dtype of its positions is not written, or that of {like}")
    return dtype


def _made(statements: Sequence[ast.stmt], name: str) -> ast.Assign | None:
    """The only assignment to a name that is no list."""
    found = [
        node
        for statement in statements
        for node in walk(statement)
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]
    ]
    return found[0] if len(found) == 1 else None


def _keyword(made: ast.Assign, name: str) -> str:
    """What a call in an assignment is given by a keyword, the outermost first."""
    calls = (node for node in walk(made.value) if isinstance(node, ast.Call))
    keywords = (k for call in calls for k in call.keywords if k.arg == name)
    return next((ast.unparse(k.value) for k in keywords), "")


# -- coverage --------------------------------------------------------------------------------------


def unshown(
    body: Sequence[ast.stmt], ran: set[ast.AST], outcomes: Mapping[ast.AST, set[bool]]
) -> Objection | None:
    """A statement or value of a body that no run shows; conditions may come out one way."""
    full = {id(node) for node in _never_else(body)}
    nodes = [node for statement in body for node in walk(statement)]
    for node in nodes:
        if isinstance(node, ast.stmt) and not _is_text(node) and node not in ran:
            return Objection(node, "no probe runs it")
    for node in nodes:
        seen = outcomes.get(node, set())
        if isinstance(node, ast.IfExp) and id(node) not in full:
            if len(outcomes.get(node.test, ())) < 2:
                return Objection(node, "no probe shows both of its values")
        elif isinstance(node, (ast.BinOp, ast.AugAssign, ast.Subscript)):
            if node in outcomes and True not in seen:
                return Objection(node, "no probe is large enough to show what it does")
        elif isinstance(node, (ast.Call, ast.keyword)) and node in outcomes and len(seen) < 2:
            return Objection(node, "no probe shows both sides of it")
    return None


def _never_else(
    body: Sequence[ast.stmt], filled: frozenset[str] = frozenset()
) -> Iterator[ast.IfExp]:
    """``a if len(x) > 0 else b`` behind ``x.append(...)`` in the same block, or one around it."""
    for statement in body:
        inner = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        blocks = [block for block in inner if block]
        if not blocks:
            yield from (n for n in walk(statement) if isinstance(n, ast.IfExp) and _asks(n, filled))
        for block in blocks:
            yield from _never_else(block, filled - _bound(statement))
        appended, bound = _appended(statement), _bound(statement)
        if isinstance(statement, ast.Expr):  # what it appends is made first
            filled = filled - bound | appended
        else:
            filled = (filled | appended) - bound


def _asks(node: ast.IfExp, filled: frozenset[str]) -> bool:
    match node.test:
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]),
            ops=[ast.Gt()],
            comparators=[ast.Constant(value=0)],
        ):
            return name in filled
    return False


def _appended(statement: ast.stmt) -> frozenset[str]:
    """Names of lists to which a statement appends in every case."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"))):
            return frozenset((name,))
        case ast.If(body=body, orelse=[_, *_] as orelse):
            sides = [frozenset().union(*map(_appended, side)) for side in (body, orelse)]
            return frozenset(sides[0] & sides[1])
    return frozenset()


def _bound(statement: ast.stmt) -> frozenset[str]:
    """Names that a statement binds, or from which it takes something away."""
    found: set[str] = set()
    for node in walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in ("pop", "clear", "remove")
            or isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Del)
        ):
            found |= {node.value.id} if isinstance(node.value, ast.Name) else set()
    return frozenset(found)
