"""Which definitions of a name reach a statement, and under which conditions a statement is reached.

The flow analysis behind every move: a value that is computed at one place may be computed at another
only if the names it is computed from mean the same there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from codegen.rewrite.nodes import children, walk
from codegen.rewrite.probe.trace import assigned_names

ENTRY = 0
"""The definition that a parameter has when its function is entered."""
UNBOUND = -1
"""A path on which a name has no value."""

Env = Mapping[str, frozenset[int]]

_SKIPPING = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, eq=False)
class Spot:
    """Where an expression is evaluated: its innermost statement and the blocks around it.

    ``path`` are these blocks from the function's body inwards, each with the statement that contains
    the expression. ``always`` tells that the expression is evaluated, once, whenever its statement is
    reached; ``loops`` are the loops around it.
    """

    statement: ast.stmt
    path: tuple[tuple[Sequence[ast.stmt], ast.stmt], ...]
    always: bool
    loops: tuple[ast.stmt, ...]

    @property
    def is_at_top(self) -> bool:
        """Whether the statement stands in the body of the function itself."""
        return len(self.path) == 1

    def follows(self, other: Spot) -> bool:
        """Tell whether the other statement has run whenever this one is reached."""
        block, earlier = other.path[-1]
        for own, statement in self.path:
            if own is block:
                return block.index(earlier) <= block.index(statement)
        return False


def spot_of(function: ast.FunctionDef, node: ast.AST) -> Spot | None:
    """The spot of an expression of a function; None inside a nested function."""
    return spots(function).get(id(node))


@lru_cache(maxsize=512)
def spots(function: ast.FunctionDef) -> Mapping[int, Spot]:
    """Spots of all calls of a function, by the identity of the node."""
    found: dict[int, Spot] = {}
    _visit_block(function.body, (), (), found)
    return found


def _visit_block(
    block: Sequence[ast.stmt],
    path: tuple[tuple[Sequence[ast.stmt], ast.stmt], ...],
    loops: tuple[ast.stmt, ...],
    found: dict[int, Spot],
) -> None:
    for statement in block:
        here = (*path, (block, statement))
        inner = (*loops, statement) if isinstance(statement, _LOOPS) else loops
        if isinstance(statement, _SCOPES):
            continue
        repeated = isinstance(statement, ast.While)
        for child in children(statement):
            if not isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
                always = not repeated and not _is_elif(path, statement)
                around = inner if repeated else loops
                _visit_expression(child, Spot(statement, here, always, around), found)
        for inside in _blocks(statement):
            _visit_block(inside, here, inner, found)


def _is_elif(path: tuple[tuple[Sequence[ast.stmt], ast.stmt], ...], node: ast.stmt) -> bool:
    """Tell whether nothing can be put in front of an if statement because it is an ``elif``."""
    parent = path[-1][1] if path else None
    same_column = parent is not None and parent.col_offset == node.col_offset
    return isinstance(node, ast.If) and isinstance(parent, ast.If) and same_column


def _blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _visit_expression(node: ast.AST, spot: Spot, found: dict[int, Spot]) -> None:
    if isinstance(node, ast.Call):
        found[id(node)] = spot
    maybe = Spot(spot.statement, spot.path, False, spot.loops) if spot.always else spot
    for child in children(node):
        _visit_expression(child, maybe if _may_be_skipped(node, child) else spot, found)


def _may_be_skipped(node: ast.AST, child: ast.AST) -> bool:
    """Tell whether part of an expression runs later, repeatedly or not at all."""
    if isinstance(node, ast.IfExp):
        return child is not node.test
    if isinstance(node, ast.BoolOp):
        return child is not node.values[0]
    if isinstance(node, ast.Compare):
        return child not in (node.left, node.comparators[0])
    return isinstance(node, _SKIPPING)


def may_leave_before(function: ast.FunctionDef, statement: ast.stmt) -> bool:
    """Tell whether the function can return or refuse its inputs before a statement at its top."""
    for node in function.body:
        if node is statement:
            return False
        if any(isinstance(child, (ast.Return, ast.Raise, ast.Assert)) for child in _own(node)):
            return True
    return True


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but for what is inside nested functions and classes."""
    if not isinstance(node, _SCOPES):
        yield node
        for child in children(node):
            yield from _own(child)


# -- reaching definitions -------------------------------------------------------------------------


@dataclass
class _Frame:
    """States in which a loop is left or begun anew."""

    breaks: list[Env] = field(default_factory=list)
    continues: list[Env] = field(default_factory=list)


class Reaching:
    """For every statement of a function, the definitions of names that may hold in front of it.

    A definition is known by the identity of the statement that makes it (:data:`ENTRY` for parameters).
    What changes a value in place (``x[i] = ...``, ``x.append``, ``x.clamp_()``) counts as one, too.
    """

    def __init__(self, function: ast.FunctionDef) -> None:
        args = function.args
        names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
        names += [a.arg for a in (args.vararg, args.kwarg) if a is not None]
        self._before: dict[int, Env] = {}
        self._frames: list[_Frame] = []
        self._block(function.body, {name: frozenset({ENTRY}) for name in names})

    def definitions(self, statement: ast.stmt, name: str) -> frozenset[int]:
        """Definitions of a name that may hold in front of a statement; empty for one never assigned."""
        return self._before.get(id(statement), {}).get(name, frozenset())

    def is_reached(self, statement: ast.stmt) -> bool:
        """Tell whether any path leads to a statement."""
        return id(statement) in self._before

    def _block(self, block: Iterable[ast.stmt], env: Env | None) -> Env | None:
        for statement in block:
            if env is None:
                return None
            known = self._before.get(id(statement))
            self._before[id(statement)] = env if known is None else _join(known, env)
            env = self._statement(statement, env)
        return env

    def _statement(self, node: ast.stmt, env: Env) -> Env | None:
        if isinstance(node, ast.If):
            env = _defined(env, node, _stored(node.test))
            return _joined(self._block(node.body, env), self._block(node.orelse, env))
        if isinstance(node, _LOOPS):
            return self._loop(node, env)
        if isinstance(node, ast.Try):
            return self._try(node, env)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            names = frozenset[str]().union(*(_stored(item) for item in node.items))
            return self._block(node.body, _defined(env, node, names))
        if isinstance(node, ast.Match):
            env = _defined(env, node, _stored(node.subject))
            ends = [
                self._block(c.body, _defined(env, node, _captured(c.pattern))) for c in node.cases
            ]
            return _joined(env, *ends)
        if isinstance(node, (ast.Return, ast.Raise)):
            return None
        if isinstance(node, (ast.Break, ast.Continue)) and self._frames:
            frame = self._frames[-1]
            (frame.breaks if isinstance(node, ast.Break) else frame.continues).append(env)
            return None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return _defined(env, node, {node.name} | _nonlocal(node))
        return _defined(env, node, changed_names(node))

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, env: Env) -> Env | None:
        head: Env = env
        target = _stored(node.test) if isinstance(node, ast.While) else _stored(node.target)
        while True:
            self._frames.append(_Frame())
            end = self._block(node.body, _defined(head, node, target))
            frame = self._frames.pop()
            again = _joined(head, end, *frame.continues)
            assert again is not None
            if again == head:
                break
            head = again
        after = self._block(node.orelse, head)
        return _joined(after, *frame.breaks)

    def _try(self, node: ast.Try, env: Env) -> Env | None:
        end = self._block(node.body, env)
        # An exception may come from any statement: whatever the body assigns may hold, or not.
        changed = frozenset[str]().union(*(changed_names(child) for child in node.body))
        inside = _join(env, _defined(env, node, changed))
        ends = [self._block(node.orelse, end) if node.orelse else end]
        for handler in node.handlers:
            names = {handler.name} if handler.name else frozenset()
            ends.append(self._block(handler.body, _defined(inside, handler, names)))
        if not node.finalbody:
            return _joined(*ends)
        left = _joined(*ends)
        after = self._block(node.finalbody, _join(left, inside) if left is not None else inside)
        return after if left is not None else None


def _join(left: Env, right: Env) -> Env:
    if left is right:
        return left
    nothing = frozenset({UNBOUND})
    return {name: left.get(name, nothing) | right.get(name, nothing) for name in {**left, **right}}


def _joined(*envs: Env | None) -> Env | None:
    found: Env | None = None
    for env in envs:
        if env is not None:
            found = env if found is None else _join(found, env)
    return found


def _defined(env: Env, node: ast.AST, names: Collection[str]) -> Env:
    return {**env, **dict.fromkeys(names, frozenset({id(node)}))} if names else env


def _stored(node: ast.AST) -> frozenset[str]:
    return frozenset(
        n.id for n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )


def _captured(node: ast.AST) -> frozenset[str]:
    names = {getattr(n, "name", None) for n in walk(node)} | {
        getattr(n, "rest", None) for n in walk(node)
    }
    return frozenset(name for name in names if name)


def _nonlocal(node: ast.AST) -> set[str]:
    found = (n for n in walk(node) if isinstance(n, (ast.Nonlocal, ast.Global)))
    return {name for statement in found for name in statement.names}


def read_names(node: ast.AST) -> frozenset[str]:
    """Names whose value a statement or expression reads."""
    added = {
        n.target.id
        for n in walk(node)
        if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }
    loaded = (n for n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return frozenset(n.id for n in loaded) | added


@lru_cache(maxsize=8192)
def changed_names(node: ast.AST) -> frozenset[str]:
    """Names that a statement binds, or whose value it changes in place."""
    found = set()
    for child in walk(node):
        kind = child.__class__
        if kind is ast.Call:
            called = child.func  # type: ignore[attr-defined]
            if (
                isinstance(called, ast.Attribute)
                and called.attr.endswith("_")
                and not called.attr.endswith("__")
                and isinstance(called.value, ast.Name)
            ):
                found.add(called.value.id)
        elif kind is ast.alias:
            found.add((child.asname or child.name).partition(".")[0])  # type: ignore[attr-defined]
    return assigned_names(node) | found
