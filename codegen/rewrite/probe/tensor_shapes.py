"""Tensor methods that give a tensor another shape, or parts of it, on probe values.

A method that can give more numbers than its tensor has asks for them first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.values import Unsupported, array, broadcast, scalar, sizes, volume


def _reshape(data: np.ndarray, *shape: Any) -> np.ndarray:
    given = sizes(shape)
    if min(given, default=0) < -1:  # numpy takes it for the open side, torch refuses it
        raise Unsupported(f"a side of {min(given)}")
    return data.reshape(given)


def _unsqueeze(data: np.ndarray, dim: Any) -> np.ndarray:
    axis, sides = scalar(dim), data.shape
    axis += len(sides) + 1 if axis < 0 else 0
    if not 0 <= axis <= len(sides):
        raise Unsupported("an axis that there is not")
    return data.reshape(*sides[:axis], 1, *sides[axis:])  # twice as fast as numpy's own function


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
    if lead < 0:
        raise Unsupported("fewer sides than dimensions")
    full = [data.shape[i - lead] if size == -1 else size for i, size in enumerate(wanted)]
    volume(full)
    made = np.empty(full, data.dtype)
    made[...] = data  # several times as fast as ``np.broadcast_to``
    return made


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


def _unbind(data: np.ndarray, dim: Any = 0) -> tuple[np.ndarray, ...]:
    axis = scalar(dim)
    budget.items(4 * data.shape[axis])
    return tuple(data if axis == 0 else np.moveaxis(data, axis, 0))


def _split(data: np.ndarray, split_size: Any, dim: Any = 0) -> list[np.ndarray]:
    return split(data, split_size, scalar(dim))


def split(data: np.ndarray, size: Any, dim: int = 0) -> list[np.ndarray]:
    """Pieces of an array: of one size, or of the listed sizes."""
    if isinstance(size, (list, tuple)):
        lengths = [scalar(length) for length in size]
        if sum(lengths) != data.shape[dim] or min(lengths, default=0) < 0:
            raise Unsupported("split sizes do not add up")
        budget.items(4 * len(lengths))
        return np.split(data, np.cumsum(lengths)[:-1], axis=dim) if lengths else []
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
    total = int(counts.reshape(-1)[0]) * length if counts.size == 1 else int(counts.sum())
    if output_size is not None and scalar(output_size) != total:
        raise Unsupported("another output size")
    volume([max(total, 0), data.size // max(length, 1)])
    return np.repeat(data, counts, axis=axis)


def _diff(data: np.ndarray, n: Any = 1, dim: Any = -1) -> np.ndarray:
    if n != 1:
        raise Unsupported("repeated differences")
    return np.asarray(np.diff(data, axis=scalar(dim)))


def consecutive(data: np.ndarray) -> np.ndarray:
    """Values without immediate repetitions."""
    keep = np.ones(data.shape[0], dtype=bool)
    keep[1:] = data[1:] != data[:-1]
    return data[keep]


SHAPED: dict[str, Callable[..., Any]] = {
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
    "unique_consecutive": consecutive,
}
"""What gives a tensor another shape, or parts of it, by name."""
