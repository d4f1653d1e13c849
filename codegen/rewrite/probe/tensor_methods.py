"""The tensor methods that index arithmetic uses, on probe values.

Each is a function with the parameters of the torch method that matter, under their names: an argument
that is not among them is refused by Python itself, so none is overlooked. A method that can give
more numbers than its tensor has asks for them first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.values import (
    LATE,
    Arr,
    Dtype,
    Freq,
    Unsupported,
    array,
    broadcast,
    cast,
    dtype_of,
    held,
    inexact,
    is_late,
    narrowed,
    plain,
    scalar,
    sizes,
    volume,
)

HARMLESS = frozenset(
    ("device", "requires_grad", "non_blocking", "memory_format", "pin_memory", "layout", "copy")
)
"""Keywords that change no number."""


def without_harmless(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords that may change numbers."""
    return {name: value for name, value in kwargs.items() if name not in HARMLESS}


def call_method(target: Arr, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a tensor method; results keep the lateness of their inputs."""
    given = without_harmless(kwargs) if kwargs else {}
    everything = [*args, *given.values()]
    for value in everything:
        if value is LATE or value.__class__ is Freq:
            raise Unsupported(f"tensor method {name} of late values")
    if name.endswith("_") and not name.startswith("_"):
        return _in_place(target, name[:-1], args, given)
    late = target.late or is_late(everything)
    budget.numbers(target.data.size)
    if name in ("tolist", "item"):
        return LATE if target.late else _host(target, name, args)
    if name in _CONVERSIONS:
        return Arr(_convert(target.data, name, everything), late)
    known = METHODS.get(name)
    if known is None:
        raise Unsupported(f"tensor method {name}")
    return _wrapped(known(target.data, *args, **given), late)


def _wrapped(result: Any, late: bool) -> Any:
    """Arrays as tensors, also in sequences; Python numbers as they are."""
    if isinstance(result, (np.ndarray, np.generic)):
        return Arr(np.asarray(result), late)
    if isinstance(result, (list, tuple)) and any(isinstance(part, np.ndarray) for part in result):
        budget.items(4 * len(result))
        return type(result)(Arr(part, late) for part in result)
    return result


def _in_place(target: Arr, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arr:
    """``x.clamp_(...)``: the result is written into the tensor, and so into what shares its memory."""
    if name in ("fill", "zero"):
        result: Any = Arr(array(args[0] if name == "fill" else 0), is_late(list(args)))
    else:
        result = call_method(target, name, args, kwargs)
    if not isinstance(result, Arr) or name not in ("fill", "zero", *_ELEMENTWISE):
        raise Unsupported(f"tensor method {name}_")
    write(target, ..., result)
    return target


def write(target: Arr, key: Any, value: Any) -> None:
    """``target[key] = value``; numbers are converted to the dtype of the tensor, as torch does it."""
    data = array(value)
    budget.numbers(data.size)
    if target.data.dtype.kind == "i" and data.dtype.kind == "f":
        data = np.trunc(data)
    target.data[key] = data
    target.late = target.late or is_late(value)


def ask_index(data: np.ndarray, key: Any) -> None:
    """Ask for ``data[key]`` where that is not a view."""
    if key.__class__ is int or key.__class__ is slice:
        return
    parts = key if isinstance(key, tuple) else (key,)
    lists = [np.asarray(part) for part in parts if isinstance(part, (np.ndarray, list))]
    if not lists:
        return
    axes = sum(item.ndim if item.dtype == bool else 1 for item in lists)
    rows = [np.empty(item.size) if item.dtype == bool else item for item in lists]
    # What the arrays do not index stays whole at most; the largest axes, to be on the safe side.
    others = sorted(data.shape)[min(axes, data.ndim) :]
    volume([*np.broadcast_shapes(*[row.shape for row in rows]), *others])


def _host(target: Arr, name: str, args: Sequence[Any]) -> Any:
    if args or (name == "item" and target.data.size != 1):
        raise Unsupported(f"tensor method {name}")
    return plain(target.data.reshape(()) if name == "item" else target.data)


_CONVERSIONS = {
    "int": Dtype("int", bits=32),
    "long": Dtype("int"),
    **dict.fromkeys(("float", "double"), Dtype("float")),
    "bool": Dtype("bool"),
    **dict.fromkeys(("half", "bfloat16", "short", "char", "byte"), Dtype("", narrow=True)),
    **dict.fromkeys(("to", "contiguous", "clone", "detach", "cpu", "cuda", "type"), None),
    "type_as": None,
}


def _convert(data: np.ndarray, name: str, args: Sequence[Any]) -> np.ndarray:
    dtype = _CONVERSIONS[name]
    if name in ("to", "type"):
        dtype = next((arg for arg in args if isinstance(arg, Dtype)), None)
    if name == "type_as" or any(isinstance(arg, Arr) for arg in args):
        # ``to(other)``: the device of the other tensor, and its dtype.
        dtype = next((dtype_of(arg) for arg in args if isinstance(arg, Arr)), None)
        if dtype is None or not dtype.kind:
            raise Unsupported("the dtype of another tensor")
    if dtype is not None:
        return cast(data, dtype)
    return data.copy() if name == "clone" else data


# -- shapes ----------------------------------------------------------------------------------------


def _reshape(data: np.ndarray, *shape: Any) -> np.ndarray:
    given = sizes(shape)
    if min(given, default=0) < -1:  # numpy takes it for the open side, torch refuses it
        raise Unsupported(f"a side of {min(given)}")
    return data.reshape(given)


def _unsqueeze(data: np.ndarray, dim: Any) -> np.ndarray:
    return np.expand_dims(data, scalar(dim))


def _flip(data: np.ndarray, *dims: Any) -> np.ndarray:
    # A copy, as in torch: numpy's shares its memory.
    axes: tuple[int, ...] = tuple(sizes(dims))
    flipped: np.ndarray = np.flip(data, axes).copy()
    return flipped


def _squeeze(data: np.ndarray, dim: Any = None) -> np.ndarray:
    if dim is None:
        return data.squeeze()
    axis = scalar(dim)
    return data.squeeze(axis) if data.shape[axis] == 1 else data


def _expand(data: np.ndarray, *shape: Any) -> np.ndarray:
    wanted = sizes(shape)
    lead = len(wanted) - data.ndim
    full = [data.shape[i - lead] if size == -1 else size for i, size in enumerate(wanted)]
    volume(full)
    return np.array(np.broadcast_to(data, full))


def _repeat(data: np.ndarray, *reps: Any) -> np.ndarray:
    counts = sizes(reps)
    if len(counts) < data.ndim:
        raise Unsupported("fewer repetitions than dimensions")
    volume([data.size, *counts])
    return np.tile(data, counts)


def _permute(data: np.ndarray, *dims: Any) -> np.ndarray:
    return np.asarray(data.transpose(sizes(dims)))


def _transpose(data: np.ndarray, dim0: Any, dim1: Any) -> np.ndarray:
    return np.asarray(data.swapaxes(scalar(dim0), scalar(dim1)))


def _t(data: np.ndarray) -> np.ndarray:
    return np.asarray(data.T)


def _flatten(data: np.ndarray, start_dim: Any = 0, end_dim: Any = -1) -> np.ndarray:
    if data.ndim == 0:
        return data.reshape(1)
    start, end = scalar(start_dim) % data.ndim, scalar(end_dim) % data.ndim
    joined = math.prod(data.shape[start : end + 1])
    return data.reshape(*data.shape[:start], joined, *data.shape[end + 1 :])


def _size(data: np.ndarray, dim: Any = None) -> Any:
    return tuple(data.shape) if dim is None else data.shape[scalar(dim)]


def _dim(data: np.ndarray) -> int:
    return data.ndim


def _numel(data: np.ndarray) -> int:
    return int(data.size)


# -- parts -----------------------------------------------------------------------------------------


def _unbind(data: np.ndarray, dim: Any = 0) -> tuple[np.ndarray, ...]:
    axis = scalar(dim)
    budget.items(4 * data.shape[axis])
    return tuple(np.moveaxis(data, axis, 0))


def _split(data: np.ndarray, split_size: Any, dim: Any = 0) -> list[np.ndarray]:
    return split(data, split_size, scalar(dim))


def split(data: np.ndarray, size: Any, dim: int = 0) -> list[np.ndarray]:
    """Pieces of an array: of one size, or of the listed sizes."""
    if isinstance(size, (list, tuple)):
        lengths = [scalar(length) for length in size]
        if sum(lengths) != data.shape[dim] or min(lengths, default=0) < 0:
            raise Unsupported("split sizes do not add up")
        budget.items(4 * len(lengths))
        return np.split(data, np.cumsum(lengths)[:-1], axis=dim)
    step = scalar(size)
    if step < 1:
        raise Unsupported("pieces without length")
    budget.items(4 * (data.shape[dim] // step + 1))
    return np.split(data, range(step, data.shape[dim], step), axis=dim)


def _index_select(data: np.ndarray, dim: Any, index: Any) -> np.ndarray:
    axis, rows = scalar(dim), array(index)
    volume([*data.shape[:axis], rows.size, *data.shape[axis:][1:]])
    return np.take(data, rows, axis=axis)


def _masked_select(data: np.ndarray, mask: Any) -> np.ndarray:
    wanted = array(mask)
    if wanted.dtype != bool:
        raise Unsupported("a mask of numbers")
    broadcast(data, wanted)
    values, kept = np.broadcast_arrays(data, wanted)
    return np.asarray(values[kept])


def _repeat_interleave(
    data: np.ndarray, repeats: Any, dim: Any = None, output_size: Any = None
) -> np.ndarray:
    counts = array(repeats)
    if np.any(counts < 0):
        raise Unsupported("negative numbers of repeats")
    axis = None if dim is None else scalar(dim)
    length = data.size if axis is None else data.shape[axis]
    total = int(counts.sum()) if counts.size > 1 else int(counts.reshape(-1)[0]) * length
    if output_size is not None and scalar(output_size) != total:
        raise Unsupported("another output size")
    volume([max(total, 0), data.size // max(length, 1)])
    return np.repeat(data, counts, axis=axis)


def _diff(data: np.ndarray, n: Any = 1, dim: Any = -1) -> np.ndarray:
    if n != 1:
        raise Unsupported("repeated differences")
    return np.asarray(np.diff(data, axis=scalar(dim)))


# -- numbers ---------------------------------------------------------------------------------------


def _axes(dim: Any) -> Any:
    if dim is None:
        return None
    return tuple(scalar(a) for a in dim) if isinstance(dim, (list, tuple)) else scalar(dim)


def _typed(data: Any, dtype: Any) -> np.ndarray:
    return cast(np.asarray(data), dtype) if isinstance(dtype, Dtype) else np.asarray(data)


def _sum(data: np.ndarray, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> np.ndarray:
    return _typed(data.sum(axis=_axes(dim), keepdims=bool(keepdim)), dtype)


def _prod(data: np.ndarray, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> np.ndarray:
    return _typed(data.prod(axis=_axes(dim), keepdims=bool(keepdim)), dtype)


def _mean(data: np.ndarray, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> np.ndarray:
    return _typed(data.mean(axis=_axes(dim), keepdims=bool(keepdim)), dtype)


def _cumsum(data: np.ndarray, dim: Any, dtype: Any = None) -> np.ndarray:
    return _typed(np.cumsum(data, axis=scalar(dim)), dtype)


def _max(data: np.ndarray) -> Any:
    return data.max()


def _min(data: np.ndarray) -> Any:
    return data.min()


def _amax(data: np.ndarray, dim: Any = None, keepdim: Any = False) -> Any:
    return data.max(axis=_axes(dim), keepdims=bool(keepdim))


def _amin(data: np.ndarray, dim: Any = None, keepdim: Any = False) -> Any:
    return data.min(axis=_axes(dim), keepdims=bool(keepdim))


def _all(data: np.ndarray, dim: Any = None, keepdim: Any = False) -> Any:
    return data.all(axis=_axes(dim), keepdims=bool(keepdim))


def _any(data: np.ndarray, dim: Any = None, keepdim: Any = False) -> Any:
    return data.any(axis=_axes(dim), keepdims=bool(keepdim))


def _clamp(data: np.ndarray, min: Any = None, max: Any = None) -> np.ndarray:
    if min is not None:
        broadcast(data, array(min))
        data = narrowed(np.maximum(data, array(min)), data, array(min))
    if max is not None:
        broadcast(data, array(max))
        data = narrowed(np.minimum(data, array(max)), data, array(max))
    return data


def _floor(data: np.ndarray) -> np.ndarray:
    return np.asarray(np.floor(data))


def _ceil(data: np.ndarray) -> np.ndarray:
    return np.asarray(np.ceil(data))


def _trunc(data: np.ndarray) -> np.ndarray:
    return np.asarray(np.trunc(data))


def _abs(data: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(data))


def _argsort(
    data: np.ndarray, dim: Any = -1, descending: Any = False, stable: Any = False
) -> np.ndarray:
    if descending:
        raise Unsupported("argsort downwards")
    return np.argsort(data, axis=scalar(dim), kind="stable")


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def method(data: np.ndarray, other: Any) -> Any:
        right = array(other)
        broadcast(data, right)
        return narrowed(np.asarray(function(data, right)), data, right)

    return method


def _mul(data: np.ndarray, other: Any) -> Any:
    right = array(other)
    broadcast(data, right)
    return inexact(held(narrowed(np.asarray(data * right), data, right)), data, right)


def div(data: np.ndarray, other: Any, rounding_mode: Any = None) -> np.ndarray:
    """``torch.div``."""
    right = array(other)
    broadcast(data, right)
    result = data / right
    if rounding_mode is None:
        return inexact(np.asarray(result), data, right)
    rounding: dict[Any, Any] = {"floor": np.floor, "trunc": np.trunc}
    whole = data.dtype.kind == "i" and right.dtype.kind == "i"
    if rounding_mode == "floor" and whole:
        return narrowed(np.asarray(data // right), data, right)
    rounded = rounding[rounding_mode](result)
    return np.asarray(narrowed(rounded.astype(np.int64), data, right) if whole else rounded)


def _new_full(data: np.ndarray, size: Any, fill_value: Any, dtype: Any = None) -> np.ndarray:
    shape = sizes([size])
    volume(shape)
    filled = np.full(shape, array(fill_value))
    return cast(filled, dtype) if isinstance(dtype, Dtype) else filled.astype(data.dtype)


def _new_filled(fill: int) -> Callable[..., np.ndarray]:
    def method(data: np.ndarray, *size: Any, dtype: Any = None) -> np.ndarray:
        return _new_full(data, sizes(size), fill, dtype)

    return method


def consecutive(data: np.ndarray) -> np.ndarray:
    """Values without immediate repetitions."""
    keep = np.ones(data.shape[0], dtype=bool)
    keep[1:] = data[1:] != data[:-1]
    return data[keep]


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "clip": _clamp,
    "clamp": _clamp,
    "floor": _floor,
    "ceil": _ceil,
    "trunc": _trunc,
    "abs": _abs,
    "add": _binary(np.add),
    "sub": _binary(np.subtract),
    "mul": _mul,
    "div": div,
    "floor_divide": _binary(np.floor_divide),
    "remainder": _binary(np.remainder),
    "eq": _binary(np.equal),
    "ne": _binary(np.not_equal),
    "lt": _binary(np.less),
    "le": _binary(np.less_equal),
    "gt": _binary(np.greater),
    "ge": _binary(np.greater_equal),
    "minimum": _binary(np.minimum),
    "maximum": _binary(np.maximum),
}

METHODS: dict[str, Callable[..., Any]] = {
    **_ELEMENTWISE,
    "reshape": _reshape,
    "view": _reshape,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "flip": _flip,
    "expand": _expand,
    "repeat": _repeat,
    "permute": _permute,
    "transpose": _transpose,
    "t": _t,
    "flatten": _flatten,
    "size": _size,
    "dim": _dim,
    "numel": _numel,
    "unbind": _unbind,
    "split": _split,
    "index_select": _index_select,
    "masked_select": _masked_select,
    "repeat_interleave": _repeat_interleave,
    "diff": _diff,
    "sum": _sum,
    "prod": _prod,
    "mean": _mean,
    "cumsum": _cumsum,
    "max": _max,
    "min": _min,
    "amax": _amax,
    "amin": _amin,
    "all": _all,
    "any": _any,
    "argsort": _argsort,
    "unique_consecutive": consecutive,
    "new_full": _new_full,
    "new_zeros": _new_filled(0),
    "new_ones": _new_filled(1),
}
KNOWN = frozenset(METHODS) | frozenset(_CONVERSIONS) | {"tolist", "item"}
"""Names of the tensor methods that have no other effect than their result."""
