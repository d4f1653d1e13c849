"""Expressions of the probe interpreter, apart from calls."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from codegen.rewrite.probe.calls import Calls
from codegen.rewrite.probe.functions import DTYPES
from codegen.rewrite.probe.operators import binary, compare, iterate, truth
from codegen.rewrite.probe.trace import Bound, Config, Embedding
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Arr,
    Freq,
    Module,
    Unsupported,
    array,
    is_late,
    scalar,
)


class Expressions(Calls):
    """Evaluates expressions; a handler per kind of node."""

    def _eval(self, node: ast.expr, env: dict[str, Any]) -> Any:
        self._step()
        handler = getattr(self, f"_expr_{type(node).__name__}", None)
        if handler is None:
            raise Unsupported(f"expression {type(node).__name__}")
        return handler(node, env)

    def _expr_Constant(self, node: ast.Constant, env: dict[str, Any]) -> Any:
        return node.value

    def _expr_JoinedStr(self, node: ast.JoinedStr, env: dict[str, Any]) -> Any:
        return OPAQUE

    def _expr_Name(self, node: ast.Name, env: dict[str, Any]) -> Any:
        if node.id in env:
            return env[node.id]
        if node.id == "config":
            return Config()
        return Bound(None, node.id)

    def _expr_List(self, node: ast.List, env: dict[str, Any]) -> Any:
        return self._items(node.elts, env)

    def _expr_Tuple(self, node: ast.Tuple, env: dict[str, Any]) -> Any:
        return tuple(self._items(node.elts, env))

    def _items(self, nodes: list[ast.expr], env: dict[str, Any]) -> list[Any]:
        """Values of the elements of a display, ``*others`` unfolded."""
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                others = iterate(self._eval(node.value, env))
                if others is None:
                    raise Unsupported("starred expression")
                items += others
            else:
                items.append(self._eval(node, env))
        return items

    def _expr_Dict(self, node: ast.Dict, env: dict[str, Any]) -> Any:
        return LATE

    def _expr_IfExp(self, node: ast.IfExp, env: dict[str, Any]) -> Any:
        test = self._eval(node.test, env)
        if is_late(test) or test is OPAQUE:
            return LATE
        return self._eval(node.body if truth(test) else node.orelse, env)

    def _expr_BoolOp(self, node: ast.BoolOp, env: dict[str, Any]) -> Any:
        value: Any = None
        for item in node.values:
            value = self._eval(item, env)
            if is_late(value) or value is OPAQUE:
                return LATE
            if truth(value) != isinstance(node.op, ast.And):
                return value
        return value

    def _expr_UnaryOp(self, node: ast.UnaryOp, env: dict[str, Any]) -> Any:
        value = self._eval(node.operand, env)
        if value is LATE or value is OPAQUE:
            return value
        if isinstance(node.op, ast.Not):
            return not truth(value)
        data = -array(value) if isinstance(node.op, ast.USub) else ~array(value)
        return Arr(data, is_late(value)) if isinstance(value, Arr) else data.item()

    def _expr_BinOp(self, node: ast.BinOp, env: dict[str, Any]) -> Any:
        return binary(type(node.op), self._eval(node.left, env), self._eval(node.right, env))

    def _expr_Compare(self, node: ast.Compare, env: dict[str, Any]) -> Any:
        left = self._eval(node.left, env)
        result: Any = True
        for op, comparator in zip(node.ops, node.comparators):
            right = self._eval(comparator, env)
            result = compare(op, left, right)
            if is_late(result) or result is OPAQUE or (not isinstance(result, Arr) and not result):
                return result
            left = right
        return result

    def _expr_ListComp(self, node: ast.ListComp, env: dict[str, Any]) -> Any:
        return self._comprehension(node.elt, node.generators, env)

    def _expr_GeneratorExp(self, node: ast.GeneratorExp, env: dict[str, Any]) -> Any:
        return self._comprehension(node.elt, node.generators, env)

    def _comprehension(
        self, element: ast.expr, loops: list[ast.comprehension], env: dict[str, Any]
    ) -> Any:
        found: list[Any] = []

        def walk(depth: int, scope: dict[str, Any]) -> bool:
            if depth == len(loops):
                found.append(self._eval(element, scope))
                return True
            items = iterate(self._eval(loops[depth].iter, scope))
            if items is None:
                return False
            for item in items:
                inner = dict(scope)
                self._bind(loops[depth].target, item, inner)
                wanted = all(truth(self._eval(test, inner)) for test in loops[depth].ifs)
                if wanted and not walk(depth + 1, inner):
                    return False
            return True

        return found if walk(0, env) else LATE

    def _expr_Attribute(self, node: ast.Attribute, env: dict[str, Any]) -> Any:
        base = self._eval(node.value, env)
        name = node.attr
        if isinstance(base, Bound) and base.target is None:
            return (
                DTYPES.get(name, Bound(base, name)) if base.name == "torch" else Bound(base, name)
            )
        if name in ("device", "dtype") and not isinstance(base, Config):
            return OPAQUE
        if isinstance(base, Module):
            return self._module_attribute(base, name)
        if isinstance(base, Config):
            return self._config_attribute(base, name)
        if isinstance(base, Embedding):
            return Arr(base.rows.copy(), True) if name == "weight" else LATE
        if isinstance(base, Arr):
            if name == "shape":
                return tuple(base.data.shape)
            if name == "T":
                return Arr(base.data.T, base.late)
            if name == "ndim":
                return base.data.ndim
            return Bound(base, name)
        if base is LATE and name == "T":
            return LATE
        return Bound(base, name)

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
        if isinstance(base, Freq):
            if base.table and isinstance(key, np.ndarray):
                self.trace.lookups.append((node, base.origin))
                return Freq(base.positions[key])
            return LATE
        if isinstance(base, Arr):
            return Arr(np.asarray(base.data[key]), base.late)
        if isinstance(base, (list, tuple, dict, range)):
            return base[key]
        return LATE

    def _late_rows(self, node: ast.Subscript, env: dict[str, Any]) -> Any:
        """``hidden[start:end]`` with known bounds: hidden rows take part with probe content."""
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        if not isinstance(first, ast.Slice) or first.lower is None or first.upper is None:
            return None
        low, high = self._eval(first.lower, env), self._eval(first.upper, env)
        if is_late(low) or is_late(high):
            return None
        assert isinstance(node.value, ast.Name)
        return Arr(self.rows_of(node.value.id)[scalar(low) : scalar(high)].copy(), True)

    def _key(self, node: ast.expr, env: dict[str, Any]) -> Any:
        if isinstance(node, ast.Tuple):
            return tuple(self._key(item, env) for item in node.elts)
        if isinstance(node, ast.Slice):
            bounds = [node.lower, node.upper, node.step]
            return slice(*[None if b is None else scalar(self._eval(b, env)) for b in bounds])
        value = self._eval(node, env)
        if isinstance(value, Arr):
            return value.data if value.data.ndim else int(value.data)
        if value is LATE:
            raise Unsupported("late index")
        return value

    def _expr_Starred(self, node: ast.Starred, env: dict[str, Any]) -> Any:
        raise Unsupported("starred expression")
