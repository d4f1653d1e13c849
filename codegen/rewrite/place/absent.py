"""What a method reads of sizes that are None, where everything that follows from them is given.

Tests of parameters decide what runs then:

    if cu_seqlens is None:                        not reached: what is given is not None
        cu_seqlens = get_vision_cu_seqlens(grid)
    if is_tracing() or grid is None: ...; return  reached, and nothing behind it
    self.rot_pos_emb(grid, rotary_pos_ids=ids)    reads it if that method does, given the same
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import held_module
from codegen.rewrite.helpers import TAKE_NO_GRID, is_input
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import children, walk
from codegen.rewrite.place.bindings import GIVEN, bound_arguments

Names = frozenset[str]
Read = tuple[str, ast.expr]
"""A parameter and the expression that reads it."""
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Call:
    """How a method is called: parameters that are ``absent`` (None) and optional inputs that are ``given``."""

    absent: Names
    given: Names

    def truth(self, test: ast.expr) -> bool | None:
        """The value of a condition, None where it depends on anything else."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.truth(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.BoolOp):
            decides = isinstance(test.op, ast.Or)
            parts = [self.truth(value) for value in test.values]
            if decides in parts:
                return decides
            return None if None in parts else not decides
        name = tested(test)
        if name not in self.absent | self.given:
            return None
        assert isinstance(test, ast.Compare)
        return isinstance(test.ops[0], ast.Is) == (name in self.absent)


def tested(node: ast.AST) -> str:
    """``x`` of ``x is None`` and ``x is not None``, empty for anything else."""
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.Is, ast.IsNot)):
        return ""
    none = isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None
    return node.left.id if none and isinstance(node.left, ast.Name) else ""


class AbsentReads:
    """Answers for the methods of a library; each is looked at once for each way to call it."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._known: dict[tuple[int, int, Call], Mapping[str, ast.expr]] = {}

    def of(self, cls: ClassInfo, function: Function, call: Call) -> Mapping[str, ast.expr]:
        """Absent parameters with the first expression that needs their value, in an instance of a class."""
        key = id(cls.node), id(function), call
        if key not in self._known:
            # A method that calls itself adds nothing to what it reads.
            self._known[key] = {}
            found: dict[str, ast.expr] = {}
            for name, node in _Walk(self, cls, call).block(function.body)[0]:
                found.setdefault(name, node)
            self._known[key] = found
        return self._known[key]

    def own(self, cls: ClassInfo, function: Function, call: Call) -> list[Read]:
        """All such expressions of a method itself: what it calls of the instance answers for itself."""
        return _Walk(self, cls, call, trusts=True).block(function.body)[0]

    def through(self, cls: ClassInfo, call: ast.Call, how: Call) -> Names:
        """The absent parameters that are arguments of a call, and that the called method needs."""
        handed = {n.id for n in _arguments(call) if isinstance(n, ast.Name)} & how.absent
        if not handed or (isinstance(call.func, ast.Name) and call.func.id in TAKE_NO_GRID):
            return frozenset()
        target = self._target(cls, call.func)
        bound = bound_arguments(call, target[1]) if target is not None else None
        if target is None or bound is None:
            return frozenset(handed)
        owner, function = target
        names = {k: v.id for k, v in bound.items() if isinstance(v, ast.Name)}
        absent = {name: names[name] for name in names if names[name] in how.absent}
        inputs = {name for name in parameters(function) if is_input(name)}
        given = frozenset(inputs & (bound.keys() | _given(call, inputs)))
        read = self.of(owner, function, Call(frozenset(absent), given))
        # What is bound to no parameter goes to keywords, of which nothing is known.
        lost = handed - set(absent.values())
        return frozenset({absent[name] for name in read} | lost)

    def _target(self, cls: ClassInfo, called: ast.expr) -> tuple[ClassInfo, Function] | None:
        """The class of the object and the method that ``self.x(...)`` or ``self.x.y(...)`` calls."""
        name = self_attribute(called)
        own = self.index.method(cls, name) if name else None
        if own is not None:
            return cls, own[1]
        method = "forward"
        if not name and isinstance(called, ast.Attribute):
            name, method = self_attribute(called.value), called.attr
        held = held_module(self.index, cls, name) if name else None
        found = self.index.method(held, method) if held is not None else None
        return (held, found[1]) if held is not None and found is not None else None


def _given(call: ast.Call, inputs: set[str]) -> set[str]:
    """Which of some parameters a call gives; of keywords that it hands on all are expected."""
    found = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    for keyword in call.keywords:
        value = keyword.value
        if keyword.arg is not None:
            continue
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == GIVEN:
            found |= {inner.arg for inner in value.keywords if inner.arg is not None}
        else:
            found |= inputs
    return found


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _refuses(block: Sequence[ast.stmt]) -> bool:
    return bool(block) and isinstance(block[-1], ast.Raise)


def _is_of_instance(called: ast.expr) -> bool:
    """Tell whether something is called that is reached through ``self``."""
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id == "self"


@dataclass(frozen=True)
class _Walk:
    """The reads of one method, called in one way."""

    reads: AbsentReads
    cls: ClassInfo
    call: Call
    trusts: bool = False

    def block(self, statements: Iterable[ast.stmt]) -> tuple[list[Read], bool]:
        """What some statements read, and whether what stands behind them is not reached."""
        found: list[Read] = []
        for statement in statements:
            if isinstance(statement, ast.If):
                found += self.expression(statement.test)
                truth = self.call.truth(statement.test)
                taken = [self.block(statement.body)] if truth is not False else []
                taken += [self.block(statement.orelse)] if truth is not True else []
                found += [read for reads, _ in taken for read in reads]
                if truth is not None and _refuses(statement.body if truth else statement.orelse):
                    found += self._named(statement.test)
                if all(left for _, left in taken):
                    return found, True
                continue
            if isinstance(statement, ast.Assert) and self.call.truth(statement.test) is False:
                found += self._named(statement.test)
            found += self._other(statement)
            if isinstance(statement, _LEAVES):
                return found, True
        return found, False

    def _named(self, test: ast.expr) -> list[Read]:
        """Absent parameters that a refusal asks for."""
        names = (node for node in walk(test) if isinstance(node, ast.Name))
        return [(node.id, node) for node in names if node.id in self.call.absent]

    def _other(self, statement: ast.stmt) -> Iterator[Read]:
        """What a statement reads that is no condition, and what the statements in it read."""
        nodes = [*children(statement)]
        inner = [node for node in nodes if isinstance(node, ast.stmt)]
        for node in nodes:
            if isinstance(node, ast.expr):
                yield from self.expression(node)
            elif not isinstance(node, ast.stmt):
                parts = [*children(node)]
                yield from (
                    read for n in parts if isinstance(n, ast.expr) for read in self.expression(n)
                )
                inner += [part for part in parts if isinstance(part, ast.stmt)]
        yield from self.block(inner)[0]

    def expression(self, node: ast.AST) -> Iterator[Read]:
        """What an expression reads."""
        if isinstance(node, ast.Name):
            if node.id in self.call.absent and isinstance(node.ctx, ast.Load):
                yield node.id, node
            return
        if tested(node):
            return
        parts: Iterable[ast.AST] = children(node)
        if isinstance(node, ast.IfExp):
            truth = self.call.truth(node.test)
            parts = [node.test, *([node.body] if truth is not False else [])]
            parts += [node.orelse] if truth is not True else []
        elif isinstance(node, ast.BoolOp):
            parts = self._until_decided(node)
        elif isinstance(node, ast.Call):
            if not (self.trusts and _is_of_instance(node.func)):
                needed = self.reads.through(self.cls, node, self.call)
                yield from ((name, node) for name in sorted(needed))
            parts = [node.func, *(n for n in _arguments(node) if not isinstance(n, ast.Name))]
        for part in parts:
            yield from self.expression(part)

    def _until_decided(self, node: ast.BoolOp) -> list[ast.expr]:
        """The operands up to the one that decides."""
        decides = isinstance(node.op, ast.Or)
        for number, value in enumerate(node.values, 1):
            if self.call.truth(value) is decides:
                return node.values[:number]
        return node.values
