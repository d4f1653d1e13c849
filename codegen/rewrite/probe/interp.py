"""A small interpreter that runs a method on a probe and keeps late values opaque.

Only what index arithmetic needs is understood. A statement that is not understood makes the names it
assigns late, with the reason kept; so an analysis never fails, it only recognises less.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import complete, walk
from codegen.rewrite.probe.budget import OverBudget, items, metered, numbers
from codegen.rewrite.probe.expressions import Expressions
from codegen.rewrite.probe.operators import binary, iterate, truth
from codegen.rewrite.probe.tensor_methods import ask_index, write
from codegen.rewrite.probe.trace import (
    RESULT,
    Break,
    Continue,
    Flow,
    Refused,
    Return,
    Trace,
    assigned_names,
)
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    PLAIN,
    Arr,
    Module,
    Once,
    Unsupported,
    is_late,
)

_DEEPEST = 8
"""Lists in lists further down are not looked at."""


class Interpreter(Expressions):
    """Runs methods of one class on one probe: frames, statements and assignment."""

    def run(
        self,
        cls: ClassInfo,
        function: Function,
        owner: ClassInfo,
        given: dict[str, Any],
        only: Container[int] | None = None,
    ) -> Trace:
        """Interpret ``function`` of an instance of ``cls`` and record each top-level statement.

        ``only`` are the numbers of the statements to run, where the others do not matter.
        """
        self._module = owner.module
        trace = self.trace
        with metered(self.meter), np.errstate(all="ignore"):
            try:
                trace.result = self._kept(self._body(cls, function, given, only))
            except Flow:
                trace.refused = "a break or continue outside of a loop"
            except OverBudget as problem:
                trace.cost, trace.stopped = str(problem), self._top
        return trace

    def _body(
        self,
        cls: ClassInfo,
        function: Function,
        given: dict[str, Any],
        only: Container[int] | None,
    ) -> Any:
        """Run the top-level statements; the value that they return."""
        env = self._frame(function, Module(cls, "self"), [], given)
        try:
            for number, statement in enumerate(function.body):
                if only is not None and number not in only:
                    continue
                self._top = number
                self._top_statement(number, statement, env)
        except Return as returned:
            if isinstance(function.body[self._top], ast.Return):
                self.trace.snapshots[self._top] = {RESULT: self._kept(returned.value)}
            return returned.value
        return None

    def _top_statement(self, number: int, statement: ast.stmt, env: dict[str, Any]) -> None:
        try:
            self._safely(statement, env)
        except Unsupported as problem:
            self.trace.reasons[number] = str(problem)
        except Refused as problem:
            self._forget(statement, env)
            self.trace.reasons[number] = self.trace.refused = str(problem)
            self.trace.stopped = number
        names = assigned_names(statement)
        self.trace.snapshots[number] = {n: self._kept(env[n]) for n in names if n in env}

    @staticmethod
    def _kept(value: Any) -> Any:
        """A copy that later in-place changes do not reach."""
        try:
            return _frozen(value)
        except RecursionError:
            return LATE

    def _safely(self, statement: ast.stmt, env: dict[str, Any]) -> None:
        """Run a statement; if that fails its names become late and the failure is reported."""
        try:
            self._statement(statement, env)
        except (Return, Flow, Refused, OverBudget):
            raise
        except Unsupported:
            self._forget(statement, env)
            raise
        except Exception as problem:  # any numpy error means: not this idiom
            self._forget(statement, env)
            self.trace.errors.append(type(problem))
            raise Unsupported(f"{type(problem).__name__}: {problem}") from problem

    @staticmethod
    def _forget(statement: ast.stmt, env: dict[str, Any]) -> None:
        """Make late what a statement was to assign, and what shares memory with it."""
        names = assigned_names(statement)
        old = [env[name] for name in names if isinstance(env.get(name), (Arr, list))]
        for name, value in list(env.items()):
            if any(_shared(value, other) for other in old):
                env[name] = LATE
        env.update(dict.fromkeys(names, LATE))

    def _block(self, body: Iterable[ast.stmt], env: dict[str, Any]) -> None:
        for statement in body:
            self._statement(statement, env)

    def _statement(self, node: ast.stmt, env: dict[str, Any]) -> None:
        meter = self.meter
        meter.steps -= 1
        if meter.steps < 0:
            meter.step(0)
        ran = self.trace.ran.get(self._top)
        if ran is None:
            ran = self.trace.ran[self._top] = set()
        ran.add(node)
        handler = self._statements.get(node.__class__)
        if handler is None:
            complete(node)  # a function of a text that has been edited, not looked into so far
            handler = self._statements.get(node.__class__)
        if handler is None:
            raise Unsupported(f"statement {type(node).__name__}")
        handler(self, node, env)

    def _stmt_Pass(self, node: ast.Pass, env: dict[str, Any]) -> None:
        pass

    def _stmt_Raise(self, node: ast.Raise, env: dict[str, Any]) -> None:
        raise Refused(f"raise in line {node.lineno}")

    def _stmt_Assert(self, node: ast.Assert, env: dict[str, Any]) -> None:
        """Where it fails there is nothing to compute; elsewhere it computes nothing."""

    def _stmt_Break(self, node: ast.Break, env: dict[str, Any]) -> None:
        raise Break

    def _stmt_Continue(self, node: ast.Continue, env: dict[str, Any]) -> None:
        raise Continue

    def _stmt_Expr(self, node: ast.Expr, env: dict[str, Any]) -> None:
        self._eval(node.value, env)

    def _stmt_Return(self, node: ast.Return, env: dict[str, Any]) -> None:
        raise Return(None if node.value is None else self._eval(node.value, env))

    def _stmt_Assign(self, node: ast.Assign, env: dict[str, Any]) -> None:
        value = self._eval(node.value, env)
        for target in node.targets:
            self._bind(target, value, env)

    def _stmt_AnnAssign(self, node: ast.AnnAssign, env: dict[str, Any]) -> None:
        if node.value is not None:
            self._bind(node.target, self._eval(node.value, env), env)

    def _stmt_AugAssign(self, node: ast.AugAssign, env: dict[str, Any]) -> None:
        current = self._eval(_loaded(node.target), env)
        added = self._eval(node.value, env)
        if isinstance(current, list) and isinstance(node.op, ast.Add):
            current.extend(self._early_items(added))
            return
        self._note_operator(node, node.op, current, added)
        value = binary(type(node.op), current, added)
        if isinstance(current, Arr) and isinstance(node.target, (ast.Name, ast.Attribute)):
            # In place, so that what shares the memory changes, too.
            if not isinstance(value, Arr) or value.data.shape != current.data.shape:
                raise Unsupported("a tensor changed in place by what is not known")
            if value.data.dtype.kind != current.data.dtype.kind:
                raise Unsupported("a tensor changed in place to another dtype")
            write(current, ..., value)
            return
        self._bind(node.target, value, env)

    def _stmt_If(self, node: ast.If, env: dict[str, Any]) -> None:
        test = self._eval(node.test, env)
        if is_late(test) or test is OPAQUE:
            self._forget(node, env)
            if any(isinstance(child, ast.Return) for child in walk(node)):
                raise Return(LATE)
            return
        holds = truth(test)
        self._note(node.test, holds)
        self._block(node.body if holds else node.orelse, env)

    def _stmt_With(self, node: ast.With, env: dict[str, Any]) -> None:
        self._block(node.body, env)

    def _stmt_For(self, node: ast.For, env: dict[str, Any]) -> None:
        value = self._eval(node.iter, env)
        items = self._looped(value)
        if items is None:
            self._forget(node, env)
            return
        for item in items:
            self._bind(node.target, item, env)
            try:
                self._block(node.body, env)
            except Break:
                if isinstance(value, Once) and isinstance(node.iter, ast.Name):
                    raise Unsupported("a generator that is left before its end") from None
                return
            except Continue:
                continue
        self._block(node.orelse, env)

    def _looped(self, value: Any) -> Iterable[Any] | None:
        """What a loop goes through; None where it is late."""
        return iterate(value)

    def _bind(self, target: ast.expr, value: Any, env: dict[str, Any]) -> None:
        if target.__class__ is ast.Name:
            env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = iterate(value)
            if items is None:
                items = [LATE] * len(target.elts)
            if len(items) != len(target.elts):
                raise Unsupported("unpacking of another length")
            for element, item in zip(target.elts, items):
                self._bind(element, item, env)
        elif isinstance(target, ast.Subscript):
            self._store(self._eval(_loaded(target.value), env), target, value, env)
        elif isinstance(target, ast.Attribute):
            base = self._eval(_loaded(target.value), env)
            if isinstance(base, Module):
                self._written[f"{base.text}.{target.attr}"] = value
        else:
            raise Unsupported(f"assignment to {type(target).__name__}")

    @staticmethod
    def _early_items(value: Any) -> list[Any]:
        """What an early list is extended by."""
        items = iterate(value)
        if items is None:
            raise Unsupported("late values in an early list")
        return items

    def _store(self, base: Any, target: ast.Subscript, value: Any, env: dict[str, Any]) -> None:
        if base is LATE:
            return
        key = self._key(target.slice, env)
        if isinstance(base, Arr):
            if value is LATE:
                raise Unsupported("late value written into an early tensor")
            ask_index(base.data, key)
            write(base, key, value)
        elif isinstance(base, list) and isinstance(key, int):
            base[key] = value
        else:
            raise Unsupported("item assignment")

    def _invoke(
        self,
        function: Function,
        this: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        module: ModuleInfo,
    ) -> Any:
        if self._depth > 6:
            return LATE
        saved, self._module = self._module, module
        self.trace.entered.setdefault(self._top, set()).add(function)
        if self._call is not None:
            self.trace.calls.setdefault(self._call, set()).add(function)
        marks = len(self.trace.lookups)
        self._depth += 1
        env = self._frame(function, this, args, kwargs)
        try:
            for statement in function.body:
                try:
                    self._safely(statement, env)
                except Unsupported:
                    continue
        except Return as returned:
            return returned.value
        finally:
            self._module = saved
            self._depth -= 1
            del self.trace.lookups[marks:]
        return None


def _shared(value: Any, other: Any) -> bool:
    """Tell whether a change in place of one value can be seen in the other."""
    if isinstance(value, Arr) and isinstance(other, Arr):
        return np.may_share_memory(value.data, other.data)
    return value is other


def _loaded(node: ast.expr) -> ast.expr:
    """The same place, read instead of written."""
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    return node


def _frozen(value: Any, depth: int = 0) -> Any:
    if isinstance(value, Arr):
        numbers(value.data.size)
        return Arr(value.data.copy(), value.late)
    if isinstance(value, (list, tuple)):
        if depth > _DEEPEST:
            return LATE
        items(len(value))
        return type(value)([v if v.__class__ in PLAIN else _frozen(v, depth + 1) for v in value])
    return value
