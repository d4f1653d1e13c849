"""What a method writes into behind the call of a helper: a tensor that is given has to stay as it is.

A result that the method computes itself is its own, and may be changed in place. As an optional input it
belongs to the caller, who may give it again; so such a method keeps computing it. The same holds for one
that hands it to a method, a module or a function that writes into it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.reach import ENTRY, Reaching
from codegen.rewrite.recognise.effects import VIEWS

_PARTS = ("T", "mT", "H", "real", "data")
"""Attributes of a tensor that share its memory."""
_PASSING = ("enumerate", "zip", "reversed", "list", "tuple", "iter", "next")
"""Builtins whose results hold what they are given."""


Callees = Callable[[Function, ast.Call], Sequence[tuple[Function, bool]]]
"""The functions that a call in a function may enter, as far as they are known, each with whether it is given ``self``."""
Seen = set[tuple[int, frozenset[str]]]
"""Functions with the parameters that were followed in them."""


@dataclass(frozen=True)
class Written:
    """A statement that changes a result in place, and the function that does so if it only calls it."""

    statement: ast.stmt
    through: str = ""


@dataclass
class _Shared:
    """Names that may share the memory of a result, and the statements that bind them."""

    function: Function
    reaching: Reaching
    names: set[str]
    sources: set[int]
    behind: list[ast.stmt] = field(default_factory=list)

    def follow(self) -> None:
        """Add what the statements behind bind to it: parts, views, items of a loop."""
        size = -1
        while size < len(self.sources):
            size = len(self.sources)
            for node in self.behind:
                for target, value in _bindings(node):
                    if shares_memory(value, self.names):
                        self.sources.add(id(node))
                        self.names |= _names(target)

    def holds(self, node: ast.stmt, value: ast.expr) -> bool:
        """Tell whether an expression in a statement may be, or contain, what shares that memory."""
        if not shares_memory(value, self.names):
            return False
        roots = _names(value)
        if any(self.sources & self.reaching.definitions(node, root) for root in roots):
            return True
        inside = [t for t, bound in _bindings_inside(node) if shares_memory(bound, self.names)]
        return any(roots & _names(target) for target in inside)


def written_in_place(
    function: Function,
    reaching: Reaching,
    statement: ast.stmt,
    names: Collection[str],
    callees: Callees = lambda function, call: (),
) -> Written | None:
    """The first statement behind another one that writes into what names hold there, None without one.

    What may share the memory of a result counts as that result, also in what ``callees`` says is called.
    """
    start = statement.lineno, statement.col_offset
    behind = [n for n in _statements(function) if (n.lineno, n.col_offset) > start]
    shared = _Shared(function, reaching, set(names), {id(statement)}, behind)
    return _written_into(shared, callees, set())


def _written_into(shared: _Shared, callees: Callees, seen: Seen) -> Written | None:
    shared.follow()
    for node in shared.behind:
        if any(shared.holds(node, value) for value in _written(node)):
            return Written(node)
    for node in shared.behind:
        for call in _head(node):
            if isinstance(call, ast.Call) and (name := _writer(shared, node, call, callees, seen)):
                return Written(node, name)
    return None


def _writer(shared: _Shared, node: ast.stmt, call: ast.Call, callees: Callees, seen: Seen) -> str:
    """The function that a call hands the memory to and that writes into it, empty without one."""
    if not any(shared.holds(node, value) for value in (*call.args, *_values(call))):
        return ""
    for function, is_bound in callees(shared.function, call):
        plain = [*function.args.posonlyargs, *function.args.args][is_bound:]
        known = {arg.arg for arg in (*plain, *function.args.kwonlyargs)}
        given = [(arg.arg, value) for arg, value in zip(plain, call.args)]
        given += [(k.arg, k.value) for k in call.keywords if k.arg is not None and k.arg in known]
        names = {name for name, value in given if shared.holds(node, value)}
        key = id(function), frozenset(names)
        if not names or key in seen:
            continue
        seen.add(key)
        inner = _Shared(function, Reaching(function), names, {ENTRY}, _statements(function))
        if _written_into(inner, callees, seen) is not None:
            return function.name
    return ""


def _values(call: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in call.keywords]


def _names(node: ast.expr) -> set[str]:
    return {child.id for child in walk(node) if isinstance(child, ast.Name)}


def _statements(function: Function) -> list[ast.stmt]:
    return [n for n in walk(function) if isinstance(n, ast.stmt) and n is not function]


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


def shares_memory(value: ast.expr, known: Collection[str]) -> bool:
    """Tell whether the value of an expression may share the memory of what names hold."""
    if isinstance(value, ast.Name):
        return value.id in known
    if isinstance(value, (ast.Subscript, ast.Starred, ast.NamedExpr)):
        return shares_memory(value.value, known)
    if isinstance(value, ast.Attribute):
        return value.attr in _PARTS and shares_memory(value.value, known)
    if isinstance(value, (ast.Tuple, ast.List)):
        return any(shares_memory(item, known) for item in value.elts)
    if isinstance(value, ast.IfExp):
        return shares_memory(value.body, known) or shares_memory(value.orelse, known)
    if isinstance(value, ast.BoolOp):
        return any(shares_memory(item, known) for item in value.values)
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    if isinstance(called, ast.Name):
        return called.id in _PASSING and any(shares_memory(arg, known) for arg in value.args)
    if not isinstance(called, ast.Attribute) or called.attr.rstrip("_") not in VIEWS:
        return False
    return any(shares_memory(part, known) for part in (called.value, *value.args[:1]))
