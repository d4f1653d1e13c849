"""The torch functions that index arithmetic uses, on probe values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Arr,
    Dtype,
    Freq,
    InvFreq,
    Unsupported,
    array,
    call_method,
    cast,
    consecutive,
    is_late,
    scalar,
    sizes,
)

DTYPES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "int", "long", "uint8"), Dtype("int")),
    **dict.fromkeys(
        ("float", "float32", "float64", "double", "float16", "bfloat16"), Dtype("float")
    ),
    "bool": Dtype("bool"),
}


def _typed(data: np.ndarray, kwargs: dict[str, Any]) -> Arr:
    dtype = kwargs.get("dtype")
    if dtype is OPAQUE:
        return Arr(data.astype(np.float64))
    return Arr(cast(data, dtype) if isinstance(dtype, Dtype) else data)


def _arange(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    bounds = [scalar(arg) for arg in args]
    if "end" in kwargs:
        bounds = [scalar(kwargs.get("start", 0)), scalar(kwargs["end"])]
    return _typed(np.arange(*bounds, dtype=np.int64), kwargs)


def _linspace(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    start, end = float(array(args[0])), float(array(args[1]))
    steps = scalar(args[2] if len(args) > 2 else kwargs["steps"])
    return Arr(np.linspace(start, end, steps))


def _full(fill: Any) -> Callable[[Sequence[Any], dict[str, Any]], Arr]:
    def make(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
        value = fill
        if value is None:
            shape = kwargs.get("size", args[0] if args else None)
            value = kwargs["fill_value"] if "fill_value" in kwargs else args[-1]
            return _typed(np.full(sizes([shape]), array(value)), kwargs)
        # Without a dtype these are floats, unlike the fill value of torch.full.
        return _typed(np.full(sizes(args or [kwargs["size"]]), float(value)), kwargs)

    return make


def _tensor(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    return _typed(np.array(array(args[0])), kwargs)


def _joined(stack: bool) -> Callable[[Sequence[Any], dict[str, Any]], Any]:
    def join(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        items = args[0]
        if items is LATE or any(item is LATE or isinstance(item, Freq) for item in items):
            return LATE
        axis = scalar(args[1] if len(args) > 1 else kwargs.get("dim", 0))
        pieces = [array(item) for item in items]
        if not pieces:
            raise Unsupported("joining no tensors")
        data = np.stack(pieces, axis=axis) if stack else np.concatenate(pieces, axis=axis)
        return Arr(data, is_late(list(items)))

    return join


def _outer(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    if isinstance(args[1], InvFreq) and isinstance(args[0], Arr) and not args[0].late:
        positions = args[0].data
        whole = positions.ndim == 1 and bool((positions == np.arange(len(positions))).all())
        return Freq(positions, table=whole)
    if any(is_late(arg) for arg in args):
        return LATE
    return Arr(np.outer(array(args[0]), array(args[1])))


def _pad(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    data, widths = (
        array(args[0]),
        [scalar(w) for w in (args[1] if len(args) > 1 else kwargs["pad"])],
    )
    value = kwargs.get("value", args[3] if len(args) > 3 else 0) or 0
    pairs = [(0, 0)] * data.ndim
    for i in range(0, len(widths), 2):
        pairs[data.ndim - 1 - i // 2] = (widths[i], widths[i + 1])
    return Arr(np.pad(data, pairs, constant_values=scalar(value)), is_late(args[0]))


def _repeat_interleave(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    repeats = array(args[1] if len(args) > 1 else kwargs["repeats"])
    axis = args[2] if len(args) > 2 else kwargs.get("dim")
    data = np.repeat(array(args[0]), repeats, axis=None if axis is None else scalar(axis))
    return Arr(data, is_late(args[0]))


def _interpolate(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    if kwargs.get("mode") != "bilinear" or kwargs.get("align_corners") or kwargs.get("antialias"):
        raise Unsupported("only half-pixel bilinear interpolation is known")
    data = array(args[0])
    height, width = (scalar(s) for s in kwargs["size"])
    rows = [_half_pixel(data.shape[2], height), _half_pixel(data.shape[3], width)]
    (y0, y1, dy), (x0, x1, dx) = rows
    top = data[:, :, y0][..., x0] * (1 - dx) + data[:, :, y0][..., x1] * dx
    low = data[:, :, y1][..., x0] * (1 - dx) + data[:, :, y1][..., x1] * dx
    return Arr(top * (1 - dy)[:, None] + low * dy[:, None], is_late(args[0]))


def _half_pixel(side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source = np.maximum((np.arange(count) + 0.5) * side / count - 0.5, 0)
    low = np.floor(source).astype(np.int64)
    return low, np.minimum(low + 1, side - 1), source - low


def _pad_sequence(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    if not kwargs.get("batch_first") or not isinstance(args[0], (list, tuple)):
        raise Unsupported("pad_sequence of another layout")
    pieces = [array(item) for item in args[0]]
    longest = max(len(piece) for piece in pieces)
    padded = [np.pad(p, [(0, longest - len(p)), *[(0, 0)] * (p.ndim - 1)]) for p in pieces]
    return Arr(np.stack(padded), is_late(list(args[0])))


def _where(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    return Arr(np.where(array(args[0]), array(args[1]), array(args[2])), is_late(list(args)))


def _div(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    rounding: dict[Any, Callable[[np.ndarray], np.ndarray]] = {"floor": np.floor, "trunc": np.trunc}
    result = array(args[0]) / array(args[1])
    mode = kwargs.get("rounding_mode")
    if mode is not None:
        whole = array(args[0]).dtype.kind == "i" and array(args[1]).dtype.kind == "i"
        result = rounding[mode](result).astype(np.int64 if whole else result.dtype)
    return Arr(np.asarray(result), is_late(list(args)))


def _searchsorted(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    ends, wanted = array(args[0]), array(args[1])
    if kwargs.get("right") or kwargs.get("side") == "right":
        return Arr(np.searchsorted(ends, wanted, side="right"))
    return Arr(np.searchsorted(ends, wanted, side="left"))


def _meshgrid(args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Arr, ...]:
    items = args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args
    arrays = np.meshgrid(*[array(i) for i in items], indexing=kwargs.get("indexing", "ij"))
    return tuple(Arr(a) for a in arrays)


def _cartesian_prod(args: Sequence[Any], kwargs: dict[str, Any]) -> Arr:
    axes = np.meshgrid(*[array(axis) for axis in args], indexing="ij")
    return Arr(np.stack([axis.reshape(-1) for axis in axes], axis=-1), is_late(list(args)))


_FUNCTIONS: dict[str, Callable[[Sequence[Any], dict[str, Any]], Any]] = {
    "arange": _arange,
    "linspace": _linspace,
    "full": _full(None),
    "empty": _full(0),
    "zeros": _full(0),
    "ones": _full(1),
    "tensor": _tensor,
    "as_tensor": _tensor,
    "LongTensor": _tensor,
    "cat": _joined(stack=False),
    "concat": _joined(stack=False),
    "stack": _joined(stack=True),
    "outer": _outer,
    "pad": _pad,
    "pad_sequence": _pad_sequence,
    "repeat_interleave": _repeat_interleave,
    "unique_consecutive": lambda a, k: Arr(consecutive(array(a[0]))),
    "interpolate": _interpolate,
    "where": _where,
    "searchsorted": _searchsorted,
    "meshgrid": _meshgrid,
    "cartesian_prod": _cartesian_prod,
    "bincount": lambda a, k: Arr(np.bincount(array(a[0]))),
    "device": lambda a, k: OPAQUE,
    "is_tracing": lambda a, k: False,
    "is_compiling": lambda a, k: False,
    "is_tensor": lambda a, k: isinstance(a[0], Arr),
    "floor_divide": lambda a, k: Arr(array(a[0]) // array(a[1])),
    "div": _div,
}


def call_torch(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call ``torch.<name>`` (or a function of ``torch.nn.functional``) on probe values."""
    if any(a is LATE or isinstance(a, Freq) for a in args) and name not in (
        "cat",
        "concat",
        "stack",
    ):
        return LATE
    known = _FUNCTIONS.get(name)
    if known is not None:
        return known(args, kwargs)
    if args and isinstance(args[0], Arr):
        return call_method(args[0], name, args[1:], kwargs)
    raise Unsupported(f"torch.{name}")


def torch_int(value: Any) -> int:
    """``int`` as torch helpers apply it: truncation of a number or 0-d tensor."""
    number = array(value)
    if number.size != 1:
        raise Unsupported("int() of several numbers")
    return math.trunc(float(number.reshape(())))
