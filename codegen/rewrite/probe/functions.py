"""The torch functions that index arithmetic uses, on probe values.

As in :mod:`codegen.rewrite.probe.tensor_methods` the parameters are those of torch that matter, and
what can give more numbers than it gets asks first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.tensor_methods import call_method, without_harmless
from codegen.rewrite.probe.tensor_numbers import div
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Arr,
    Dtype,
    Freq,
    InvFreq,
    Unsupported,
    array,
    broadcast,
    cast,
    is_late,
    narrowed,
    scalar,
    sizes,
    volume,
)

DTYPES = {
    **dict.fromkeys(("int32", "int"), Dtype("int", bits=32)),
    **dict.fromkeys(("int64", "long"), Dtype("int")),
    **dict.fromkeys(("float", "float32", "float64", "double"), Dtype("float")),
    **dict.fromkeys(("uint8", "int8", "int16", "short"), Dtype("int", narrow=True)),
    **dict.fromkeys(("float16", "half", "bfloat16"), Dtype("float", narrow=True)),
    "bool": Dtype("bool"),
}


_GARBAGE = -99_999_937.0
"""What nobody may rely on: the content of ``torch.empty``."""


def _typed(data: np.ndarray, dtype: Any) -> Arr:
    if isinstance(dtype, Dtype) and not dtype.kind and not dtype.narrow:
        # Made to hold hidden rows; how exactly it holds other numbers is not known.
        return Arr(data.astype(np.float64), True)
    return Arr(cast(data, dtype) if isinstance(dtype, Dtype) else data)


def _arange(*bounds: Any, start: Any = 0, end: Any = None, step: Any = 1, dtype: Any = None) -> Arr:
    given = [scalar(bound) for bound in bounds]
    if end is not None:
        given = [*(given or [scalar(start)]), scalar(end)]
    if len(given) < 3:
        given = [*([0] if len(given) == 1 else []), *given, scalar(step)]
    first, last, stride = given
    if stride == 0:
        raise Unsupported("a range without steps")
    if (last - first) * stride < 0:
        raise Unsupported("a range that leads away from its end")
    budget.numbers(max(-((first - last) // stride), 0))
    return _typed(np.arange(first, last, stride, dtype=np.int64), dtype)


def _linspace(start: Any, end: Any, steps: Any, dtype: Any = None) -> Arr:
    count = budget.numbers(scalar(steps))
    return _typed(np.linspace(float(array(start)), float(array(end)), count), dtype)


def _full(size: Any, fill_value: Any, dtype: Any = None) -> Arr:
    shape = sizes([size])
    volume(shape)
    return _typed(np.full(shape, array(fill_value)), dtype)


def _filled(fill: float) -> Callable[..., Arr]:
    def make(*shape: Any, size: Any = None, dtype: Any = None) -> Arr:
        # Without a dtype these are floats, unlike the fill value of torch.full.
        return _full(sizes(shape if size is None else [size]), fill, dtype)

    return make


def _tensor(data: Any, dtype: Any = None) -> Arr:
    made = array(data)
    budget.numbers(made.size)
    return _typed(np.array(made), dtype)


def _float_tensor(data: Any) -> Arr:
    if not isinstance(data, (Arr, list, tuple)):
        raise Unsupported("a tensor of a size without values")
    return _tensor(data, Dtype("float"))


def _argwhere(data: Any) -> Arr:
    found = array(data)
    budget.numbers(found.size * max(found.ndim, 1))
    return Arr(np.argwhere(found), is_late(data))


def _as_tensor(data: Any, dtype: Any = None) -> Arr:
    return _typed(data.data, dtype) if isinstance(data, Arr) else _tensor(data, dtype)


def _stacked(join: Callable[[list[np.ndarray]], np.ndarray]) -> Callable[..., Any]:
    """``torch.hstack`` and its kin, which numpy has under the same names."""

    def stack(tensors: Any) -> Any:
        if tensors is LATE or any(item is LATE or isinstance(item, Freq) for item in tensors):
            return LATE
        pieces = [array(item) for item in tensors]
        if not pieces:
            raise Unsupported("joining no tensors")
        budget.numbers(sum(piece.size for piece in pieces))
        return Arr(join(pieces), is_late(list(tensors)))

    return stack


def _joined(stack: bool) -> Callable[..., Any]:
    def join(tensors: Any, dim: Any = 0) -> Any:
        if tensors is LATE or any(item is LATE or isinstance(item, Freq) for item in tensors):
            return LATE
        axis = scalar(dim)
        pieces = [array(item) for item in tensors]
        if not pieces:
            raise Unsupported("joining no tensors")
        budget.numbers(sum(piece.size for piece in pieces))
        data = np.stack(pieces, axis=axis) if stack else np.concatenate(pieces, axis=axis)
        return Arr(data, is_late(list(tensors)))

    return join


def _outer(left: Any, right: Any) -> Any:
    if isinstance(right, InvFreq) and isinstance(left, Arr) and not left.late:
        positions = left.data
        whole = positions.ndim == 1 and bool((positions == np.arange(len(positions))).all())
        return Freq(positions, right.buffer, table=whole)
    if is_late([left, right]):
        return LATE
    volume([array(left).size, array(right).size])
    return Arr(np.outer(array(left), array(right)))


def _pad(data: Any, pad: Any, mode: Any = "constant", value: Any = None) -> Arr:
    if mode != "constant":
        raise Unsupported("padding that is not constant")
    old, widths = array(data), sizes([pad])
    pairs = [(0, 0)] * old.ndim
    for i in range(0, len(widths), 2):
        pairs[old.ndim - 1 - i // 2] = (widths[i], widths[i + 1])
    volume([size + low + high for size, (low, high) in zip(old.shape, pairs)])
    if any(size + min(low, 0) + min(high, 0) < 0 for size, (low, high) in zip(old.shape, pairs)):
        raise Unsupported("padding that cuts off more than there is")
    # Less than nothing cuts off.
    kept = tuple(
        slice(max(-low, 0), size - max(-high, 0)) for size, (low, high) in zip(old.shape, pairs)
    )
    wider = [(max(low, 0), max(high, 0)) for low, high in pairs]
    return Arr(_framed(old[kept], wider, scalar(value or 0)), is_late(data))


def _framed(rows: np.ndarray, wider: Sequence[tuple[int, int]], value: int) -> np.ndarray:
    """Numbers with a value around them, so many on either side of each axis; much faster than ``np.pad``."""
    ends = [size + low + high for size, (low, high) in zip(rows.shape, wider)]
    made = np.full(ends, value, rows.dtype)
    made[tuple(slice(low, end - high) for end, (low, high) in zip(ends, wider))] = rows
    return made


def _repeat_interleave(data: Any, *args: Any, **kwargs: Any) -> Any:
    if "repeats" not in kwargs and not args:
        raise Unsupported("repetitions without values")
    return call_method(_array(data), "repeat_interleave", args, kwargs)


def _array(value: Any) -> Arr:
    return value if isinstance(value, Arr) else Arr(array(value), is_late(value))


def _interpolate(
    data: Any,
    size: Any = None,
    mode: Any = "nearest",
    align_corners: Any = None,
    antialias: Any = False,
) -> Arr:
    if mode != "bilinear" or align_corners or antialias:
        raise Unsupported("only half-pixel bilinear interpolation is known")
    table = array(data)
    height, width = sizes([size])
    volume([*table.shape[:2], height, width, 4])
    (y0, y1, dy), (x0, x1, dx) = (
        _half_pixel(table.shape[2], height),
        _half_pixel(table.shape[3], width),
    )
    top = table[:, :, y0][..., x0] * (1 - dx) + table[:, :, y0][..., x1] * dx
    low = table[:, :, y1][..., x0] * (1 - dx) + table[:, :, y1][..., x1] * dx
    return Arr(top * (1 - dy)[:, None] + low * dy[:, None], is_late(data))


def _half_pixel(side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source = np.maximum((np.arange(count) + 0.5) * side / count - 0.5, 0)
    low = np.floor(source).astype(np.int64)
    return low, np.minimum(low + 1, side - 1), source - low


def _pad_sequence(sequences: Any, batch_first: Any = False, padding_value: Any = 0) -> Arr:
    if not batch_first or padding_value != 0 or not isinstance(sequences, (list, tuple)):
        raise Unsupported("pad_sequence of another layout")
    pieces = [array(item) for item in sequences]
    longest = max(len(piece) for piece in pieces)
    volume([len(pieces), longest, *pieces[0].shape[1:]])
    padded = np.stack([_lengthened(piece, longest) for piece in pieces])
    return Arr(padded, is_late(list(sequences)))


def _lengthened(rows: np.ndarray, count: int) -> np.ndarray:
    """``count`` rows: those given, and zeros behind them; much faster than ``np.pad``."""
    missing = np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)
    return np.concatenate((rows, missing)) if len(missing) else rows


def _where(condition: Any, left: Any, right: Any) -> Arr:
    parts = [array(part) for part in (condition, left, right)]
    broadcast(*parts)
    return Arr(narrowed(np.where(*parts), *parts[1:]), is_late([condition, left, right]))


def _div(left: Any, right: Any, rounding_mode: Any = None) -> Arr:
    return Arr(div(array(left), right, rounding_mode), is_late([left, right]))


def _floor_divide(left: Any, right: Any) -> Arr:
    return Arr(div(array(left), right, "floor"), is_late([left, right]))


def _searchsorted(
    ends: Any, wanted: Any, right: Any = False, side: Any = None, out_int32: Any = False
) -> Arr:
    from_right = bool(right) or side == "right"
    found = np.searchsorted(array(ends), array(wanted), side="right" if from_right else "left")
    return Arr(np.asarray(found))


def _axes(tensors: Sequence[Any]) -> list[np.ndarray]:
    """The one-dimensional tensors that span a grid, asked for with what they give."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    axes = [array(axis) for axis in tensors]
    volume([len(axes), *(axis.size for axis in axes)])
    # Of floats it is not known here which width they have.
    if len({axis.dtype for axis in axes if axis.dtype.kind == "i"}) > 1:
        raise ValueError("a grid is spanned by tensors of one dtype")
    return axes


def _meshgrid(*tensors: Any, indexing: Any = "ij") -> tuple[Arr, ...]:
    grids = np.meshgrid(*_axes(tensors), indexing=indexing)
    return tuple(Arr(grid) for grid in grids)


def _cartesian_prod(*tensors: Any) -> Arr:
    grids = np.meshgrid(*_axes(tensors), indexing="ij")
    return Arr(np.stack([grid.reshape(-1) for grid in grids], axis=-1), is_late(list(tensors)))


def _bincount(data: Any, minlength: Any = 0) -> Arr:
    values, least = array(data), scalar(minlength)
    budget.numbers(max(int(values.max()) + 1 if values.size else 0, least))
    return Arr(np.bincount(values, minlength=least))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Arr)


def _opaque(*args: Any, **kwargs: Any) -> Any:
    return OPAQUE


JOINS = ("cat", "concat", "stack")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arange": _arange,
    "linspace": _linspace,
    "full": _full,
    "empty": _filled(_GARBAGE),
    "zeros": _filled(0.0),
    "ones": _filled(1.0),
    "tensor": _tensor,
    "as_tensor": _as_tensor,
    "LongTensor": _tensor,
    "Tensor": _float_tensor,
    "argwhere": _argwhere,
    "cat": _joined(stack=False),
    "concat": _joined(stack=False),
    "concatenate": _joined(stack=False),
    "stack": _joined(stack=True),
    "column_stack": _stacked(np.column_stack),
    "hstack": _stacked(np.hstack),
    "vstack": _stacked(np.vstack),
    "dstack": _stacked(np.dstack),
    "outer": _outer,
    "pad": _pad,
    "pad_sequence": _pad_sequence,
    "repeat_interleave": _repeat_interleave,
    "interpolate": _interpolate,
    "where": _where,
    "searchsorted": _searchsorted,
    "meshgrid": _meshgrid,
    "cartesian_prod": _cartesian_prod,
    "bincount": _bincount,
    "device": _opaque,
    "is_tensor": _is_tensor,
    "floor_divide": _floor_divide,
    "div": _div,
}
TRACING = frozenset(("is_tracing", "is_compiling", "is_scripting", "is_exporting"))
"""Functions that tell whether a graph is being captured."""


def call_torch(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call ``torch.<name>`` (or a function of ``torch.nn.functional``) on probe values."""
    given = without_harmless(kwargs) if kwargs else {}
    if name not in JOINS:
        for value in (*args, *given.values()):
            if value is LATE or value.__class__ is Freq:
                return LATE
    known = FUNCTIONS.get(name)
    if known is not None:
        return known(*args, **given)
    if args and isinstance(args[0], Arr):
        return call_method(args[0], name, args[1:], given)
    raise Unsupported(f"torch.{name}")


def torch_int(value: Any) -> int:
    """``int`` as torch helpers apply it: truncation of a number or 0-d tensor."""
    number = array(value)
    if number.size != 1:
        raise Unsupported("int() of several numbers")
    whole = number.reshape(()).item()
    return int(whole) if isinstance(whole, int) else math.trunc(whole)
