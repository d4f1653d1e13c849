"""Expressions of the probe interpreter, apart from calls."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.budget import items, numbers
from codegen.rewrite.probe.calls import TORCH_ROOTS, Calls
from codegen.rewrite.probe.functions import DTYPES
from codegen.rewrite.probe.operators import binary, compare, iterate, truth
from codegen.rewrite.probe.tensor_methods import ask_index
from codegen.rewrite.probe.trace import Bound, Config, Embedding
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Arr,
    Freq,
    Module,
    Once,
    Unsupported,
    array,
    broadcast,
    dtype_of,
    is_late,
    scalar,
)


class Expressions(Calls):
    """Evaluates expressions; a handler per kind of node."""

    def _eval(self, node: ast.expr, env: dict[str, Any]) -> Any:
        meter = self.meter
        meter.steps -= 1
        if meter.steps < 0:
            meter.step(0)
        kind = node.__class__
        if kind is ast.Name:
            if node.id in env:  # type: ignore[attr-defined]
                return env[node.id]  # type: ignore[attr-defined]
        elif kind is ast.Constant:
            value = node.value  # type: ignore[attr-defined]
            if value.__class__ is int or value.__class__ is float:
                self._number(value)
            return value
        handler = self._expressions.get(kind)
        if handler is None:
            raise Unsupported(f"expression {kind.__name__}")
        return handler(self, node, env)

    def _expr_JoinedStr(self, node: ast.JoinedStr, env: dict[str, Any]) -> Any:
        return OPAQUE

    def _expr_Name(self, node: ast.Name, env: dict[str, Any]) -> Any:
        if node.id in env:
            return env[node.id]
        if node.id == "config":
            return Config()
        constant = None if self._module is None else self._module.constants.get(node.id)
        if constant is not None:
            self._number(constant)
            return constant
        if node.id in TORCH_ROOTS and self._is_other(node.id):
            return LATE
        return Bound(None, node.id)

    def _is_other(self, name: str) -> bool:
        """Tell whether the module calls something else ``torch``, ``nn`` or ``F``."""
        info = self._module
        return info is not None and name in info.names and name not in info.aliases

    def _expr_List(self, node: ast.List, env: dict[str, Any]) -> Any:
        return self._items(node.elts, env)

    def _expr_Tuple(self, node: ast.Tuple, env: dict[str, Any]) -> Any:
        return tuple(self._items(node.elts, env))

    def _items(self, nodes: list[ast.expr], env: dict[str, Any]) -> list[Any]:
        """Values of the elements of a display, ``*others`` unfolded."""
        found: list[Any] = []
        items(len(nodes))
        for node in nodes:
            if isinstance(node, ast.Starred):
                others = iterate(self._eval(node.value, env))
                if others is None:
                    raise Unsupported("starred expression")
                found += others
            else:
                found.append(self._eval(node, env))
        return found

    def _expr_Dict(self, node: ast.Dict, env: dict[str, Any]) -> Any:
        return LATE

    def _expr_IfExp(self, node: ast.IfExp, env: dict[str, Any]) -> Any:
        test = self._eval(node.test, env)
        if is_late(test) or test is OPAQUE:
            return LATE
        holds = truth(test)
        self._note(node.test, holds)
        return self._eval(node.body if holds else node.orelse, env)

    def _expr_BoolOp(self, node: ast.BoolOp, env: dict[str, Any]) -> Any:
        value: Any = None
        for item in node.values:
            value = self._eval(item, env)
            if is_late(value) or value is OPAQUE:
                return LATE
            holds = truth(value)
            self._note(item, holds)
            if holds != isinstance(node.op, ast.And):
                return value
        return value

    def _expr_UnaryOp(self, node: ast.UnaryOp, env: dict[str, Any]) -> Any:
        value = self._eval(node.operand, env)
        if value is LATE or value is OPAQUE:
            return value
        if isinstance(node.op, ast.Not):
            return not truth(value)
        if isinstance(node.op, ast.UAdd):
            return value
        if value.__class__ is int and isinstance(node.op, ast.USub) and abs(value) < 2**62:
            numbers(1)
            return -value
        numbers(array(value).size)
        data = -array(value) if isinstance(node.op, ast.USub) else ~array(value)
        return Arr(np.asarray(data), is_late(value)) if isinstance(value, Arr) else data.item()

    def _expr_BinOp(self, node: ast.BinOp, env: dict[str, Any]) -> Any:
        left, right = self._eval(node.left, env), self._eval(node.right, env)
        kind = node.op.__class__
        if kind is ast.Mod or kind is ast.FloorDiv:
            self._note_operator(node, node.op, left, right)
        return binary(kind, left, right)

    def _note_operator(self, node: ast.AST, op: ast.operator, left: Any, right: Any) -> None:
        """A remainder or quotient shows what it is only for numbers above the divisor."""
        if op.__class__ is not ast.Mod and op.__class__ is not ast.FloorDiv:
            return
        if left.__class__ is int and right.__class__ is int and max(abs(left), abs(right)) < 2**62:
            numbers(1)
            self._note(node, abs(left) >= abs(right))
        elif all(isinstance(v, (int, float, Arr)) and not is_late(v) for v in (left, right)):
            low, high = array(left), array(right)
            broadcast(low, high)
            self._note(node, bool((np.abs(low) >= np.abs(high)).any()))

    def _expr_Compare(self, node: ast.Compare, env: dict[str, Any]) -> Any:
        left = self._eval(node.left, env)
        if len(node.ops) == 1:
            (op,) = node.ops
            result = compare(op, left, self._eval(node.comparators[0], env))
            self._note_comparison(node, op, result)
            return result
        result = True
        for op, comparator in zip(node.ops, node.comparators):
            right = self._eval(comparator, env)
            result = compare(op, left, right)
            if is_late(result) or result is OPAQUE or (not isinstance(result, Arr) and not result):
                break
            left = right
        # Of a chain only the whole is a condition: that one link holds shows nothing of it.
        self._note_comparison(node, op, result)
        return result

    def _note_comparison(self, node: ast.Compare, op: ast.cmpop, result: Any) -> None:
        if result is LATE:
            return
        if isinstance(result, Arr) and not result.late and result.data.size == 1:
            self._note(node, bool(result.data.item()))
        elif isinstance(result, Arr) and not result.late:
            self._note(node, *{bool(v) for v in (result.data.any(), result.data.all())})
        elif isinstance(result, bool) and not isinstance(op, (ast.Is, ast.IsNot)):
            self._note(node, result)

    def _expr_ListComp(self, node: ast.ListComp, env: dict[str, Any]) -> Any:
        return self._comprehension(node.elt, node.generators, env)

    def _expr_GeneratorExp(self, node: ast.GeneratorExp, env: dict[str, Any]) -> Any:
        found = self._comprehension(node.elt, node.generators, env)
        return Once(found) if isinstance(found, list) else found

    def _comprehension(
        self, element: ast.expr, loops: list[ast.comprehension], env: dict[str, Any]
    ) -> Any:
        found: list[Any] = []

        def run(depth: int, scope: dict[str, Any]) -> bool:
            if depth == len(loops):
                found.append(self._eval(element, scope))
                return True
            listed = iterate(self._eval(loops[depth].iter, scope))
            if listed is None:
                return False
            for item in listed:
                inner = dict(scope)
                self._bind(loops[depth].target, item, inner)
                wanted = all(self._holds(test, inner) for test in loops[depth].ifs)
                if wanted and not run(depth + 1, inner):
                    return False
            return True

        return found if run(0, env) else LATE

    def _holds(self, test: ast.expr, env: dict[str, Any]) -> bool:
        """A condition of a comprehension."""
        value = self._eval(test, env)
        if is_late(value) or value is OPAQUE:
            raise Unsupported("late condition")
        self._note(test, truth(value))
        return truth(value)

    def _expr_Attribute(self, node: ast.Attribute, env: dict[str, Any]) -> Any:
        return self._attribute(self._eval(node.value, env), node.attr)

    def _attribute(self, base: Any, name: str) -> Any:
        kind = base.__class__
        if kind is Arr:
            return self._tensor_attribute(base, name)
        if kind is Bound and base.target is None:
            dtype = DTYPES.get(name) if base.name == "torch" else None
            return Bound(base, name) if dtype is None else dtype
        if kind is not Config and (name == "device" or name == "dtype"):
            return OPAQUE if name == "device" else dtype_of(base)
        if kind is Module:
            return self._module_attribute(base, name)
        if kind is Config:
            return self._config_attribute(base, name)
        if isinstance(base, Embedding):
            numbers(base.rows.size)
            return Arr(base.rows.copy(), True) if name == "weight" else LATE
        if base is LATE and name == "T":
            return LATE
        return Bound(base, name)

    @staticmethod
    def _tensor_attribute(base: Arr, name: str) -> Any:
        if name == "shape":
            return tuple(base.data.shape)
        if name == "T":
            return Arr(base.data.T, base.late)
        if name == "ndim":
            return base.data.ndim
        if name == "device":
            return OPAQUE
        return dtype_of(base) if name == "dtype" else Bound(base, name)

    def _expr_Subscript(self, node: ast.Subscript, env: dict[str, Any]) -> Any:
        base = self._eval(node.value, env)
        if base is LATE and isinstance(node.value, ast.Name):
            rows = self._late_rows(node, env)
            if rows is None:
                self._key(node.slice, env)
                return LATE
            return rows
        if base is LATE:
            return LATE
        key = self._key(node.slice, env)
        if key.__class__ is int and (base.__class__ is list or base.__class__ is tuple):
            return base[key]  # most are, of a row of numbers
        if isinstance(base, Freq):
            if base.table and isinstance(key, np.ndarray):
                ask_index(base.positions, key)
                rows = base.positions[key]  # a table that is too short is no table of these rows
                self.trace.lookups.append((node, base.origin))
                self.trace.buffers[node] = base.buffer
                return Freq(rows, base.buffer)
            return LATE
        if isinstance(base, (Arr, list, tuple)):
            self._note_cut(node, key, base, env)
        if isinstance(base, Arr):
            if key.__class__ is int or key.__class__ is slice:
                return Arr(np.asarray(base.data[key, ...]), base.late)
            ask_index(base.data, key)
            # With an ellipsis a single number is a view, too.
            whole = key if isinstance(key, tuple) else (key,)
            plain = any(part is Ellipsis for part in whole) or not _is_basic(whole)
            return Arr(np.asarray(base.data[key if plain else (*whole, ...)]), base.late)
        if isinstance(base, Once):
            raise Unsupported("a part of a generator")
        if isinstance(base, (list, tuple, range)):
            if isinstance(key, slice) and not isinstance(base, range):
                items(len(base))
            return base[key]
        return LATE

    def _note_cut(self, node: ast.Subscript, key: Any, base: Any, env: dict[str, Any]) -> None:
        """``x[:65]`` shows what it is only for something longer."""
        if not isinstance(node.slice, (ast.Slice, ast.Tuple)):
            return
        lengths = base.data.shape if isinstance(base, Arr) else (len(base),)
        nodes = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        parts = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis or part is None for part in parts):
            return
        for bound, part, length in zip(nodes, parts, lengths):
            if not isinstance(bound, ast.Slice) or bound.upper is None or part.stop < 0:
                continue
            read = {n.id for n in walk(bound.upper) if isinstance(n, ast.Name)} - {"self"}
            if env.keys().isdisjoint(read):
                self._note(node, part.stop < length)

    def _late_rows(self, node: ast.Subscript, env: dict[str, Any]) -> Any:
        """``hidden[start:end]`` with known bounds: hidden rows take part with probe content."""
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        if not isinstance(first, ast.Slice) or first.lower is None or first.upper is None:
            return None
        low, high = self._eval(first.lower, env), self._eval(first.upper, env)
        if is_late(low) or is_late(high):
            return None
        assert isinstance(node.value, ast.Name)
        rows = self.rows_of(node.value.id)[scalar(low) : scalar(high)]
        numbers(rows.size)
        return Arr(rows.copy(), True)

    def _key(self, node: ast.expr, env: dict[str, Any]) -> Any:
        kind = node.__class__
        if kind is ast.Tuple:
            return tuple([self._key(item, env) for item in node.elts])  # type: ignore[attr-defined]
        if isinstance(node, ast.Slice):
            return slice(*[self._limit(part, env) for part in (node.lower, node.upper, node.step)])
        value = self._eval(node, env)
        if value.__class__ is int:
            return value
        if value.__class__ is Arr:
            return value.data if value.data.ndim else int(value.data)
        if isinstance(value, list):
            return array(value)
        if value is LATE or isinstance(value, (tuple, str)):
            raise Unsupported("index of that kind")
        return value

    def _limit(self, node: ast.expr | None, env: dict[str, Any]) -> int | None:
        return None if node is None else scalar(self._eval(node, env))

    def _expr_Starred(self, node: ast.Starred, env: dict[str, Any]) -> Any:
        raise Unsupported("starred expression")


def _is_basic(key: tuple[Any, ...]) -> bool:
    """Tell whether a key selects by numbers and slices only, which gives a view."""
    return all(isinstance(part, (int, slice, type(None))) for part in key) and not any(
        isinstance(part, bool) for part in key
    )
