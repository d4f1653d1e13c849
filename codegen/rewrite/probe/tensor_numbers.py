"""Tensor methods that compute numbers from numbers, on probe values: elementwise, along axes, and new tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from codegen.rewrite.probe.values import (
    Dtype,
    Unsupported,
    array,
    broadcast,
    cast,
    held,
    inexact,
    narrowed,
    scalar,
    sizes,
    volume,
)


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
    if not data.size:  # numpy says so aloud
        raise Unsupported("the mean of nothing")
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


ELEMENTWISE: dict[str, Callable[..., Any]] = {
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
"""What takes each number for itself, by name."""

REDUCED: dict[str, Callable[..., Any]] = {
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
    "new_full": _new_full,
    "new_zeros": _new_filled(0),
    "new_ones": _new_filled(1),
}
"""What computes along axes, or makes a new tensor, by name."""
