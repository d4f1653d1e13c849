"""Operators of the probe interpreter: what binary operators, comparisons and loops give on its values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.trace import Bound, Config
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    PLAIN,
    Arr,
    Dtype,
    Freq,
    InvFreq,
    Module,
    Once,
    Unsupported,
    array,
    broadcast,
    held,
    inexact,
    is_late,
    narrowed,
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
_NUMBERS = (bool, int, float)
_COMPARED = frozenset((*_NUMBERS, str))
"""What a value is looked for among as it is."""
_TENSORS = frozenset((Arr, *_NUMBERS))
"""What most operands are."""
_SMALL = 2**62
"""Two integers less than that give one with few digits, but for powers."""


def binary(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """``left <kind> right``."""
    if left.__class__ is int and right.__class__ is int and kind in _BINARY:
        if kind is ast.Pow or not (-_SMALL < left < _SMALL and -_SMALL < right < _SMALL):
            _ask_digits(kind, left, right)
        return _BINARY[kind](left, right)
    is_known = left.__class__ in _TENSORS and right.__class__ in _TENSORS and kind in _BINARY
    if is_known and (left.__class__ is Arr or right.__class__ is Arr):
        return _of_tensors(kind, left, right)
    if _is_opaque(left) or _is_opaque(right):
        return LATE
    if kind not in _BINARY:
        raise Unsupported(f"operator {kind.__name__}")
    if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS):
        _ask_digits(kind, left, right)
        return _BINARY[kind](left, right)
    if isinstance(left, (list, tuple)):
        return _sequence(kind, left, right)
    if left.__class__ is Arr or right.__class__ is Arr:
        return _of_tensors(kind, left, right)
    if isinstance(left, (str, bytes)) or isinstance(right, (str, bytes)):
        # What is written has no influence on numbers, and can be long.
        return LATE
    if OPAQUE in (left, right):
        return OPAQUE
    return _sequence(kind, left, right)


def _of_tensors(kind: type[ast.operator], left: Any, right: Any) -> Arr:
    """What an operator gives of numbers of which some are a tensor."""
    low, high = array(left), array(right)
    broadcast(low, high)
    by_zero = (kind is ast.FloorDiv or kind is ast.Mod) and not high.all()
    if by_zero and low.dtype.kind in "bi" and high.dtype.kind in "bi":
        raise Unsupported("division by zero")
    late = is_late(left) or is_late(right)
    result = narrowed(np.asarray(_BINARY[kind](low, high)), low, high)
    if left.__class__ is int or right.__class__ is int:
        result = _as_wide(result, low if right.__class__ is int else high)
    if kind is ast.Mult or kind is ast.Pow:
        held(result)
    if (kind is ast.Mult or kind is ast.Div) and not late:
        result = inexact(result, low, high)
    return Arr(result, late)


def _as_wide(result: np.ndarray, tensor: np.ndarray) -> np.ndarray:
    """Whole numbers that a tensor of one of them gives with a plain number, which does not widen it."""
    short = tensor.dtype == np.int32 and result.dtype == np.int64
    return result.astype(np.int32) if short else result


def _is_opaque(value: Any) -> bool:
    """Whether nothing can be computed with a value: its class is all that is asked of most."""
    kind = value.__class__
    return (
        kind not in PLAIN
        and kind is not Arr
        and (value is LATE or isinstance(value, (Freq, InvFreq, Module, Bound)))
    )


def _ask_digits(kind: type[ast.operator], left: Any, right: Any) -> None:
    """Ask for the integer that two numbers give."""
    if isinstance(left, float) or isinstance(right, float):
        return
    if kind is ast.Pow and right > 0:
        budget.bits(left.bit_length() * right)
    elif kind is ast.Mult:
        budget.bits(left.bit_length() + right.bit_length())
    else:
        budget.bits(max(left.bit_length(), right.bit_length()))


def _sequence(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """Lists and tuples, repeated or joined."""
    if kind is ast.Add and type(left) is type(right) and isinstance(left, (list, tuple)):
        budget.items(len(left) + len(right))
        return left + right
    if kind is ast.Mult:
        items, count = (left, right) if isinstance(left, (list, tuple)) else (right, left)
        if isinstance(items, (list, tuple)):
            budget.items(len(items) * max(scalar(count), 0))
            return items * scalar(count)
    raise Unsupported(f"operator {kind.__name__} of these values")


def binary_add(left: Any, right: Any) -> Any:
    """``left + right``."""
    return binary(ast.Add, left, right)


def compare(op: ast.cmpop, left: Any, right: Any) -> Any:
    """``left <op> right``, one link of a comparison."""
    if left.__class__ is int and right.__class__ is int and type(op) in _COMPARE:
        return _COMPARE[type(op)](left, right)
    if isinstance(op, (ast.Is, ast.IsNot)):
        if left is LATE or right is LATE:
            return LATE
        return (left is right) == isinstance(op, ast.Is)
    if any(
        v is LATE or v is OPAQUE or isinstance(v, (Freq, Module, Config)) for v in (left, right)
    ):
        return LATE
    if isinstance(op, (ast.In, ast.NotIn)):
        return _contains(left, right) == isinstance(op, ast.In)
    if isinstance(left, Arr) or isinstance(right, Arr):
        numbers = array(left), array(right)
        broadcast(*numbers)
        return Arr(np.asarray(_COMPARE[type(op)](*numbers)), is_late((left, right)))
    if not all(v is None or isinstance(v, (*_NUMBERS, str, Dtype)) for v in (left, right)):
        left, right = _comparable(left), _comparable(right)
    return _COMPARE[type(op)](left, right)


def _comparable(value: Any) -> Any:
    """A flat sequence of numbers, which takes its length to compare."""
    if isinstance(value, (list, tuple)):
        budget.items(len(value))
        if all(isinstance(item, _NUMBERS) for item in value):
            return value
    raise Unsupported("comparison of these values")


def _contains(item: Any, items: Any) -> bool:
    """``item in items`` among numbers."""
    number = item.data.item() if isinstance(item, Arr) and item.data.size == 1 else item
    if not isinstance(number, (*_NUMBERS, str)):
        raise Unsupported("membership of such a value")
    if isinstance(items, range) and isinstance(number, int):
        return number in items
    listed = items if isinstance(items, (list, tuple)) and not isinstance(items, Once) else None
    if listed is None:
        raise Unsupported("membership in such a value")
    budget.items(len(listed))
    if _COMPARED.issuperset(map(type, listed)):
        return number in listed
    known = [array(entry).item() if isinstance(entry, Arr) else entry for entry in listed]
    if not all(isinstance(entry, (*_NUMBERS, str)) for entry in known):
        raise Unsupported("membership among such values")
    return number in known


def iterate(value: Any) -> list[Any] | None:
    """Items to loop over; None for a late iterable."""
    if isinstance(value, Arr):
        budget.items(4 * len(value.data))
        # Rows share the memory of their tensor, single numbers too.
        return [Arr(value.data[i, ...], value.late) for i in range(len(value.data))]
    if isinstance(value, (list, tuple)):
        budget.items(len(value))
        listed = list(value)
        if isinstance(value, Once):
            value.clear()
        return listed
    if isinstance(value, range):
        # The length of a range can be longer than ``len`` is able to say.
        budget.items(max(0, -((value.start - value.stop) // value.step)))
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
