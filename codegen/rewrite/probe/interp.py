"""A small interpreter that runs a method on a probe and keeps late values opaque.

Only what index arithmetic needs is understood. A statement that is not understood makes the names it
assigns late, with the reason kept; so an analysis never fails, it only recognises less.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from codegen.rewrite.library import ClassInfo, Function, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.expressions import Expressions
from codegen.rewrite.probe.operators import binary, iterate, truth
from codegen.rewrite.probe.trace import Break, Continue, Flow, Return, Trace, assigned_names
from codegen.rewrite.probe.values import LATE, OPAQUE, Arr, Module, Unsupported, array, is_late


class Interpreter(Expressions):
    """Runs methods of one class on one probe: frames, statements and assignment."""

    def run(
        self, cls: ClassInfo, function: Function, owner: ClassInfo, given: dict[str, Any]
    ) -> Trace:
        """Interpret ``function`` of an instance of ``cls`` and record each top-level statement."""
        env = self._frame(function, Module(cls, "self"), [], given)
        self._module = owner.module
        try:
            for number, statement in enumerate(function.body):
                self._top_statement(number, statement, env)
        except Return as returned:
            self.trace.result = returned.value
        return self.trace

    def _top_statement(self, number: int, statement: ast.stmt, env: dict[str, Any]) -> None:
        try:
            self._safely(statement, env)
        except Unsupported as problem:
            self.trace.reasons[number] = str(problem)
        names = assigned_names(statement)
        self.trace.snapshots[number] = {name: _frozen(env[name]) for name in names if name in env}

    def _safely(self, statement: ast.stmt, env: dict[str, Any]) -> None:
        """Run a statement; if that fails its names become late and the failure is reported."""
        try:
            self._statement(statement, env)
        except (Return, Flow):
            raise
        except Unsupported:
            env.update(dict.fromkeys(assigned_names(statement), LATE))
            raise
        except Exception as problem:  # any numpy error means: not this idiom
            env.update(dict.fromkeys(assigned_names(statement), LATE))
            raise Unsupported(f"{type(problem).__name__}: {problem}") from problem

    def _block(self, body: Iterable[ast.stmt], env: dict[str, Any]) -> None:
        for statement in body:
            self._statement(statement, env)

    def _statement(self, node: ast.stmt, env: dict[str, Any]) -> None:
        self._step()
        handler = getattr(self, f"_stmt_{type(node).__name__}", None)
        if handler is None:
            raise Unsupported(f"statement {type(node).__name__}")
        handler(node, env)

    def _stmt_Pass(self, node: ast.Pass, env: dict[str, Any]) -> None:
        pass

    def _stmt_Raise(self, node: ast.Raise, env: dict[str, Any]) -> None:
        raise Unsupported("raise is reached on the probe")

    def _stmt_Assert(self, node: ast.Assert, env: dict[str, Any]) -> None:
        pass

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
        value = binary(type(node.op), current, self._eval(node.value, env))
        self._bind(node.target, value, env)

    def _stmt_If(self, node: ast.If, env: dict[str, Any]) -> None:
        test = self._eval(node.test, env)
        if is_late(test) or test is OPAQUE:
            env.update(dict.fromkeys(assigned_names(node), LATE))
            if any(isinstance(child, ast.Return) for child in walk(node)):
                raise Return(LATE)
            return
        self._block(node.body if truth(test) else node.orelse, env)

    def _stmt_With(self, node: ast.With, env: dict[str, Any]) -> None:
        self._block(node.body, env)

    def _stmt_For(self, node: ast.For, env: dict[str, Any]) -> None:
        items = iterate(self._eval(node.iter, env))
        if items is None:
            env.update(dict.fromkeys(assigned_names(node), LATE))
            return
        for item in items:
            self._bind(node.target, item, env)
            try:
                self._block(node.body, env)
            except Break:
                break
            except Continue:
                continue

    def _bind(self, target: ast.expr, value: Any, env: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
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
        elif not isinstance(target, ast.Attribute):
            raise Unsupported(f"assignment to {type(target).__name__}")

    def _store(self, base: Any, target: ast.Subscript, value: Any, env: dict[str, Any]) -> None:
        if base is LATE:
            return
        key = self._key(target.slice, env)
        if isinstance(base, Arr):
            if value is LATE:
                raise Unsupported("late value written into an early tensor")
            base.data[key] = array(value)
            base.late = base.late or is_late(value)
        elif isinstance(base, (list, dict)):
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


def _loaded(node: ast.expr) -> ast.expr:
    """The same place, read instead of written."""
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    return node


def _frozen(value: Any) -> Any:
    """A copy that later in-place changes do not reach."""
    if isinstance(value, Arr):
        return Arr(value.data.copy(), value.late)
    if isinstance(value, list):
        return [_frozen(item) for item in value]
    return value
