"""Values of the probe interpreter: numpy arrays with the tensor methods that index arithmetic uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


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


@dataclass(frozen=True)
class Dtype:
    """An integer, boolean or floating dtype."""

    kind: str


@dataclass
class Freq:
    """Rows of a rotary table: ``positions[...]`` times the (late) inverse frequencies.

    ``flat`` tells that the axes after the first were flattened into one; ``table`` that it is the
    whole table ``0 .. n-1``, built by the module that ``origin`` names.
    """

    positions: np.ndarray
    table: bool = False
    flat: bool = False
    origin: str = ""


class InvFreq:
    """The inverse frequencies of a rotary module."""


@dataclass
class Arr:
    """A tensor with known values; ``late`` where they stand for weights or hidden rows."""

    data: np.ndarray
    late: bool = False


@dataclass
class Module:
    """A submodule: its class (any object the evaluator understands) and the text that reaches it."""

    cls: Any
    text: str
    bound: dict[str, Any] = field(default_factory=dict)


def is_late(value: Any) -> bool:
    """Tell whether a value is or contains something late."""
    if value is LATE or isinstance(value, (Freq, InvFreq)):
        return True
    if isinstance(value, Arr):
        return value.late
    if isinstance(value, (list, tuple)):
        return any(is_late(item) for item in value)
    return False


def array(value: Any) -> np.ndarray:
    """The numbers of a tensor or python value."""
    if isinstance(value, Arr):
        return value.data
    if isinstance(value, (bool, int, float)):
        return np.array(value)
    if isinstance(value, (list, tuple)):
        return np.array([array(item) for item in value])
    raise Unsupported(f"a number is needed, got {type(value).__name__}")


def scalar(value: Any) -> int:
    """A python int of a number or 0-d tensor."""
    if isinstance(value, Arr) and value.data.size == 1:
        return int(value.data.reshape(()))
    if isinstance(value, (bool, int, np.integer)):
        return int(value)
    if isinstance(value, float) and value == int(value):
        return int(value)
    raise Unsupported(f"an integer is needed, got {type(value).__name__}")


def sizes(args: Sequence[Any]) -> list[int]:
    """Shape arguments given one by one or as one sequence."""
    if len(args) == 1 and isinstance(args[0], (list, tuple)):
        args = args[0]
    return [scalar(arg) for arg in args]


def plain(value: np.ndarray) -> Any:
    """Python numbers (nested lists) of an array, as ``tolist`` gives them."""
    return value.tolist()


def _repeat(data: np.ndarray, reps: list[int]) -> np.ndarray:
    return np.tile(data, reps)


def _expand(data: np.ndarray, shape: list[int]) -> np.ndarray:
    lead = len(shape) - data.ndim
    full = [data.shape[i - lead] if size == -1 else size for i, size in enumerate(shape)]
    return np.array(np.broadcast_to(data, full))


def _flatten(data: np.ndarray, start: int = 0, end: int = -1) -> np.ndarray:
    start, end = start % data.ndim, end % data.ndim
    return data.reshape(*data.shape[:start], -1, *data.shape[end + 1 :])


def _cumsum(data: np.ndarray, dim: int) -> np.ndarray:
    return np.cumsum(data, axis=dim)


def _axes(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    given = args[0] if args else kwargs.get("dim")
    if given is None:
        return None
    return tuple(scalar(a) for a in given) if isinstance(given, (list, tuple)) else scalar(given)


def split(data: np.ndarray, size: Any, dim: int = 0) -> list[np.ndarray]:
    """Pieces of an array: of one size, or of the listed sizes."""
    if isinstance(size, (list, tuple, Arr)):
        lengths = [int(v) for v in array(size).reshape(-1)]
        if sum(lengths) != data.shape[dim]:
            raise Unsupported("split sizes do not add up")
        return np.split(data, np.cumsum(lengths)[:-1], axis=dim)
    step = scalar(size)
    return np.split(data, range(step, data.shape[dim], step), axis=dim)


def consecutive(data: np.ndarray) -> np.ndarray:
    """Values without immediate repetitions."""
    keep = np.ones(data.shape[0], dtype=bool)
    keep[1:] = data[1:] != data[:-1]
    return data[keep]


_CAST_INT = ("int", "long")
_CAST_FLOAT = ("float", "double", "half")
_IDENTITY = ("to", "contiguous", "clone", "detach", "cpu", "type", "type_as", "cuda")

_METHODS: dict[str, Callable[..., Any]] = {
    "reshape": lambda d, a, k: d.reshape(sizes(a)),
    "view": lambda d, a, k: d.reshape(sizes(a)),
    "unsqueeze": lambda d, a, k: np.expand_dims(d, scalar(a[0]) if a else scalar(k["dim"])),
    "expand": lambda d, a, k: _expand(d, sizes(a)),
    "repeat": lambda d, a, k: _repeat(d, sizes(a)),
    "permute": lambda d, a, k: d.transpose(sizes(a)),
    "transpose": lambda d, a, k: d.swapaxes(scalar(a[0]), scalar(a[1])),
    "flatten": lambda d, a, k: _flatten(d, *[scalar(x) for x in a]),
    "squeeze": lambda d, a, k: _squeeze(d, a),
    "cumsum": lambda d, a, k: _cumsum(d, scalar(a[0]) if a else scalar(k["dim"])),
    "sum": lambda d, a, k: d.sum(axis=_axes(a, k)),
    "prod": lambda d, a, k: d.prod(axis=_axes(a, k)),
    "max": lambda d, a, k: d.max() if not a and not k else _unsupported("max over a dimension"),
    "min": lambda d, a, k: d.min() if not a and not k else _unsupported("min over a dimension"),
    "repeat_interleave": lambda d, a, k: np.repeat(d, array(a[0]), axis=_axes(a[1:], k)),
    "clip": lambda d, a, k: _clip(d, a, k),
    "clamp": lambda d, a, k: _clip(d, a, k),
    "floor": lambda d, a, k: np.floor(d),
    "ceil": lambda d, a, k: np.ceil(d),
    "argsort": lambda d, a, k: np.argsort(d, kind="stable"),
    "unbind": lambda d, a, k: tuple(Arr(x) for x in np.moveaxis(d, scalar(a[0]) if a else 0, 0)),
    "bool": lambda d, a, k: d.astype(bool),
    "masked_select": lambda d, a, k: d[array(a[0])],
    "index_select": lambda d, a, k: np.take(d, array(a[1]), axis=scalar(a[0])),
    "t": lambda d, a, k: d.T,
    "all": lambda d, a, k: d.all(),
    "any": lambda d, a, k: d.any(),
    "diff": lambda d, a, k: np.diff(d),
    "numel": lambda d, a, k: int(d.size),
}


def _unsupported(what: str) -> Any:
    raise Unsupported(what)


def _squeeze(data: np.ndarray, args: Sequence[Any]) -> np.ndarray:
    if not args:
        return data.squeeze()
    axis = scalar(args[0])
    return data.squeeze(axis) if data.shape[axis] == 1 else data


def _clip(data: np.ndarray, args: Sequence[Any], kwargs: dict[str, Any]) -> np.ndarray:
    low = args[0] if args else kwargs.get("min")
    high = args[1] if len(args) > 1 else kwargs.get("max")
    if low is not None:
        data = np.maximum(data, array(low))
    return data if high is None else np.minimum(data, array(high))


def call_method(target: Arr, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a tensor method; results keep the lateness of their inputs."""
    data = target.data
    late = target.late or is_late(list(args))
    if name in ("tolist", "item"):
        if target.late:
            return LATE
        return plain(data)
    if name in _IDENTITY:
        casts = [a for a in [*args, *kwargs.values()] if isinstance(a, Dtype)]
        return Arr(cast(data, casts[0]), late) if casts else Arr(data.copy(), late)
    if name in _CAST_INT:
        return Arr(np.trunc(data).astype(np.int64), late)
    if name in _CAST_FLOAT:
        return Arr(data.astype(np.float64), late)
    if name == "size":
        return data.shape[scalar(args[0])] if args else tuple(data.shape)
    if name == "dim":
        return data.ndim
    if name == "split":
        size = args[0] if args else kwargs.get("split_size", kwargs.get("split_size_or_sections"))
        axis = scalar(args[1]) if len(args) > 1 else scalar(kwargs.get("dim", 0))
        return [Arr(piece, late) for piece in split(data, size, axis)]
    if name in ("new_zeros", "new_full", "new_ones"):
        fill = {"new_zeros": 0, "new_ones": 1}.get(name, args[1] if len(args) > 1 else 0)
        return Arr(np.full(sizes(args[:1]), array(fill)), False)
    if name not in _METHODS:
        raise Unsupported(f"tensor method {name}")
    result = _METHODS[name](data, args, kwargs)
    return Arr(np.asarray(result), late) if isinstance(result, (np.ndarray, np.generic)) else result


def cast(data: np.ndarray, dtype: Dtype) -> np.ndarray:
    """Convert numbers to a dtype kind; truncation as torch does it."""
    if dtype.kind == "int":
        return np.trunc(data).astype(np.int64) if data.dtype.kind == "f" else data.astype(np.int64)
    return data.astype(bool if dtype.kind == "bool" else np.float64)
