"""Values of the probe interpreter: numpy arrays for tensors, and what stands for weights and hidden rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget


class Unsupported(Exception):
    """The interpreter does not know a construct, or a run failed on the probe."""


class Late:
    """A value that depends on weights or hidden states; nothing is known about it."""

    def __repr__(self) -> str:
        return "LATE"


class Opaque:
    """A device, a dtype or another early value that has no influence on numbers."""

    def __repr__(self) -> str:
        return "OPAQUE"


LATE = Late()
OPAQUE = Opaque()
"""A device and the like."""


@dataclass(frozen=True)
class Dtype:
    """An integer, boolean or floating dtype; empty where it is that of a tensor nothing is known of.

    ``narrow`` ones cannot hold every number of a probe; ``bits`` are those of integers.
    """

    kind: str
    narrow: bool = False
    bits: int = 64


@dataclass
class Freq:
    """Rows of a rotary table: ``positions[...]`` times the (late) inverse frequencies.

    ``flat`` tells that the axes after the first were flattened into one; ``table`` that it is the
    whole table ``0 .. n-1``, built by the module that ``origin`` names. ``buffer`` is the attribute
    that holds the inverse frequencies.
    """

    positions: np.ndarray
    buffer: str
    table: bool = False
    flat: bool = False
    origin: str = ""


@dataclass(frozen=True)
class InvFreq:
    """The inverse frequencies of a rotary module, and the attribute that holds them."""

    buffer: str


@dataclass(eq=False, slots=True)
class Arr:
    """A tensor with known values; ``late`` where they stand for weights or hidden rows."""

    data: np.ndarray
    late: bool = False


class Once(list[Any]):
    """What a generator, ``zip`` and the like give: items that are there for one loop."""


@dataclass
class Module:
    """A submodule: its class (any object the evaluator understands) and the text that reaches it."""

    cls: Any
    text: str
    bound: dict[str, Any] = field(default_factory=dict)


PLAIN = frozenset((int, float, bool, str, type(None)))
"""Kinds of values that most are: nothing in them is late, or can be changed."""


def is_late(value: Any) -> bool:
    """Tell whether a value is or contains something late."""
    if value.__class__ in PLAIN:
        return False
    if value.__class__ is Arr:
        return value.late
    if value is LATE or isinstance(value, (Freq, InvFreq)):
        return True
    if isinstance(value, (list, tuple)):
        # Lists that hold each other many times are long to walk, though short to make.
        budget.steps(1 + len(value) // 16)
        if PLAIN.issuperset(map(type, value)):
            return False
        return any(item.__class__ not in PLAIN and is_late(item) for item in value)
    return False


def array(value: Any) -> np.ndarray:
    """The numbers of a tensor or python value."""
    if value.__class__ is Arr:
        return value.data
    if isinstance(value, (bool, int, float)):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise Unsupported("an integer that no tensor holds")
        return np.array(value)
    if isinstance(value, (list, tuple)):
        budget.items(len(value))
        if value and {*map(type, value)} == {int}:
            if min(value) < -(2**63) or max(value) >= 2**63:
                raise Unsupported("an integer that no tensor holds")
            budget.numbers(len(value))
            return np.array(value, dtype=np.int64)
        if value and {*map(type, value)} == {float}:
            budget.numbers(len(value))
            return np.array(value)
        parts = [array(item) for item in value]
        budget.numbers(sum(part.size for part in parts))
        return np.array(parts)
    raise Unsupported(f"a number is needed, got {type(value).__name__}")


def scalar(value: Any) -> int:
    """A python int of a number or 0-d tensor."""
    if value.__class__ is int:
        return value
    if isinstance(value, Arr) and value.data.size == 1:
        return int(value.data.item())
    if isinstance(value, (bool, int, np.integer)):
        return int(value)
    # A float is none, even a whole one: neither torch nor a list takes it.
    raise Unsupported(f"an integer is needed, got {type(value).__name__}")


def sizes(args: Sequence[Any]) -> list[int]:
    """Shape arguments given one by one or as one sequence."""
    if len(args) == 1 and isinstance(args[0], (list, tuple)):
        args = args[0]
    budget.items(len(args))
    return [scalar(arg) for arg in args]


def volume(shape: Sequence[int]) -> int:
    """The number of elements of a shape, asked for before a tensor of it is made."""
    count = math.prod(shape)
    if count < 0 or min(shape, default=0) < 0:
        count = 0
    return budget.numbers(count, len(shape))


def broadcast(*arrays: np.ndarray) -> None:
    """Ask for a tensor that arrays are broadcast to."""
    if len(arrays) == 2:
        left, right = arrays[0].shape, arrays[1].shape
        if left == right or not right or not left:
            shape = left or right
            budget.numbers(math.prod(shape), len(shape))
            return
    shapes = {item.shape for item in arrays}
    if len(shapes) > 1:
        shapes.discard(())
    if len(shapes) != 1:
        shapes = {np.broadcast_shapes(*[item.shape for item in arrays])}
    volume(shapes.pop())


_MOST = 2**31 - 1
"""The largest number of tensors that many encoders compute with."""


def held(result: np.ndarray) -> np.ndarray:
    """A product or power of whole numbers.

    Raises:
        Unsupported: tensors of 32 bits, of which nothing is known here, do not hold it.
    """
    if result.dtype.kind != "i" or not result.size:
        return result
    # One number is looked at many times faster than it is reduced to itself.
    most = abs(result.item()) if result.size == 1 else max(result.max(), -result.min())
    if most > _MOST:
        raise Unsupported("a number that 32 bits do not hold")
    return result


_ONLY_SHORT = {np.dtype(np.int32)}


def narrowed(result: np.ndarray, *operands: np.ndarray) -> np.ndarray:
    """A result with the bits that torch gives it: numbers without an axis do not widen those that have one."""
    if result.dtype != np.int64 or not result.ndim:
        return result
    deciding = {item.dtype for item in operands if item.ndim}
    return result.astype(np.int32) if deciding == _ONLY_SHORT else result


_OFF = 2.0**-22
"""How far, relatively, a product of numbers is off that 32 bits have rounded."""


def inexact(result: np.ndarray, *factors: np.ndarray) -> np.ndarray:
    """A product or quotient as it may come out where numbers have 32 bits: one side off, then the other.

    Tensors of floats hold 32 bits, arrays here 64. Where a factor is none that 32 bits hold, what is cut
    down to a whole number behind it depends on luck: nothing that a helper could be said to agree with.
    """
    if result.dtype.kind != "f" or result.size < 2 or any(_is_power(f) for f in factors):
        return result
    if all(f.dtype.kind != "f" or (f == f.astype(np.float32)).all() for f in factors):
        return result
    sides = np.where(np.arange(result.size) % 2, 1 + _OFF, 1 - _OFF)
    return np.asarray(result * sides.reshape(result.shape))


def _is_power(factor: np.ndarray) -> bool:
    """Tell whether a factor moves the point only: a power of two."""
    return factor.size == 1 and bool(abs(np.frexp(factor.reshape(-1)[0])[0]) == 0.5)


def plain(value: np.ndarray) -> Any:
    """Python numbers (nested lists) of an array, as ``tolist`` gives them."""
    budget.items(value.size)
    return value.tolist()


def dtype_of(value: Any) -> Dtype:
    """The dtype of a tensor, as far as it is known."""
    if isinstance(value, (InvFreq, Freq)):
        return Dtype("float")
    if not isinstance(value, Arr):
        return Dtype("")
    kinds = {"i": "int", "u": "int", "b": "bool", "f": "float"}
    kind = kinds.get(value.data.dtype.kind, "")
    return Dtype(kind, bits=32 if value.data.dtype == np.int32 else 64)


def cast(data: np.ndarray, dtype: Dtype) -> np.ndarray:
    """Convert numbers to a dtype kind; truncation as torch does it. What has that kind is not copied."""
    if dtype.narrow:
        raise Unsupported("a dtype that holds small numbers only")
    if not dtype.kind:
        if data.dtype.kind != "f":
            raise Unsupported("a dtype that is not known")
        return data
    if dtype.kind == "int":
        data = np.trunc(data) if data.dtype.kind == "f" else data
        width = np.dtype(np.int32 if dtype.bits == 32 else np.int64)
        return data if data.dtype == width else data.astype(width)
    wanted = np.dtype(bool if dtype.kind == "bool" else np.float64)
    return data if data.dtype == wanted else data.astype(wanted)
