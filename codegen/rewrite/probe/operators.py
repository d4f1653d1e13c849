"""Operators of the probe interpreter: what binary operators, comparisons and loops give on its values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from codegen.rewrite.probe.trace import Bound, Config
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Arr,
    Dtype,
    Freq,
    InvFreq,
    Module,
    Unsupported,
    array,
    is_late,
    scalar,
)

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def binary(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """``left <kind> right``."""
    if any(v is LATE or isinstance(v, (Freq, InvFreq, Module, Bound)) for v in (left, right)):
        return LATE
    if kind not in _BINARY:
        raise Unsupported(f"operator {kind.__name__}")
    if kind is ast.Mult and isinstance(left, list):
        return left * scalar(right)
    if isinstance(left, Arr) or isinstance(right, Arr):
        result = _BINARY[kind](array(left), array(right))
        return Arr(np.asarray(result), is_late(left) or is_late(right))
    if OPAQUE in (left, right):
        return OPAQUE
    return _BINARY[kind](left, right)


def compare(op: ast.cmpop, left: Any, right: Any) -> Any:
    """``left <op> right``, one link of a comparison."""
    if isinstance(op, (ast.Is, ast.IsNot)):
        if left is LATE or right is LATE:
            return LATE
        return (left is right) == isinstance(op, ast.Is)
    if any(
        v is LATE or v is OPAQUE or isinstance(v, (Freq, Module, Config)) for v in (left, right)
    ):
        return LATE
    if isinstance(op, (ast.In, ast.NotIn)):
        return (left in right) == isinstance(op, ast.In)
    if isinstance(left, Arr) or isinstance(right, Arr):
        return Arr(
            np.asarray(_COMPARE[type(op)](array(left), array(right))), is_late((left, right))
        )
    return _COMPARE[type(op)](left, right)


def iterate(value: Any) -> list[Any] | None:
    """Items to loop over; None for a late iterable."""
    if isinstance(value, Arr):
        return [Arr(np.asarray(item), value.late) for item in value.data]
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, (list, tuple, range)):
        return list(value)
    if value is LATE or isinstance(value, (Module, Freq, Bound)):
        return None
    raise Unsupported(f"loop over {type(value).__name__}")


def truth(value: Any) -> bool:
    """Whether a condition holds; a value without a known truth is unsupported."""
    if isinstance(value, Arr):
        if value.data.size != 1:
            raise Unsupported("truth of several numbers")
        return bool(value.data.reshape(()))
    if isinstance(value, (Bound, Config, Module, Dtype)):
        raise Unsupported("truth of an unknown value")
    return bool(value)
