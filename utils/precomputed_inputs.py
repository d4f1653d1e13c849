"""Keyword arguments of multimodal models that carry tensors computed ahead of time.

At model level such a keyword has the prefix of its modality (``image_cu_seqlens``), so that one call can
hold those of several; an encoder takes the bare name, and checks that it fits the other inputs. The
checks look at shapes, and at values where reading them costs nothing: on the CPU, and never while a
graph is captured.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch

from utils.packed import is_tracing
from utils.precomputed_types import AudioInputs, ImageInputs, VideoInputs

MODALITIES = ("image", "video", "audio")

NAMES = tuple(
    dict.fromkeys(
        key.partition("_")[2]
        for inputs in (ImageInputs, VideoInputs, AudioInputs)
        for key in inputs.__annotations__
    )
)

PREFIXED = {f"{modality}_{name}": (modality, name) for modality in MODALITIES for name in NAMES}


def split_precomputed(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate keywords with a modality prefix from all others.

    Returns:
        The prefixed ones (those that are None left out) and the rest, in order.

    Raises:
        ValueError: a keyword that begins with a modality is within two letters of a prefixed one, and
            so misspelt; not while a graph is captured.
    """
    if not is_tracing():
        for key in kwargs:
            if key.startswith(MODALITIES) and (meant := _misspelt(key)):
                raise ValueError(f"{key} is not taken by any encoder: did you mean {meant}?")
    given = {key: value for key, value in kwargs.items() if key in PREFIXED and value is not None}
    rest = {key: value for key, value in kwargs.items() if key not in PREFIXED}
    return given, rest


@lru_cache(maxsize=256)
def _misspelt(key: str) -> str:
    """The prefixed keyword that a misspelt one stands for, empty for any other keyword."""
    near = {name: _distance(key, name) for name in PREFIXED if abs(len(name) - len(key)) <= 2}
    best = min(near, key=lambda name: near[name], default="")
    return best if key not in PREFIXED and best and near[best] <= 2 else ""


def _distance(left: str, right: str) -> int:
    """Number of letters to insert, remove or replace that lead from one word to another."""
    row = list(range(len(right) + 1))
    for number, letter in enumerate(left, 1):
        above, row = row, [number]
        for place, other in enumerate(right, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != other)))
    return row[-1]


def encoder_inputs(
    kwargs: Mapping[str, Any],
    modality: str,
    *,
    only: Sequence[str] | None = None,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """Keywords for the encoder of a modality: its own prefix removed, other modalities dropped.

    Where a module behind the encoder takes some of the tensors, that module gets `only` these, and the
    encoder all `without` them.
    """
    found = {}
    for key, value in kwargs.items():
        owner, name = PREFIXED.get(key, ("", key))
        if owner in ("", modality) and name not in without and (only is None or name in only):
            found[name] = value
    return found


def given_inputs(**tensors: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Keywords without those that are None: a module that takes none of them can be called, too."""
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def check_together(**tensors: torch.Tensor | None) -> None:
    """Refuse some of several tensors that belong together, given without the others.

    Raises:
        ValueError: one is given and another is None.
    """
    given = [name for name, tensor in tensors.items() if tensor is not None]
    missing = [name for name, tensor in tensors.items() if tensor is None]
    if given and missing:
        raise ValueError(f"{', '.join(given)} needs {', '.join(missing)}: give both, or neither")


def check_shape(name: str, tensor: torch.Tensor, shape: Sequence[int | None]) -> None:
    """Refuse a given tensor of another shape than the inputs need.

    Args:
        name: of the argument.
        tensor: what was given for it.
        shape: the sizes it must have; None for one that is free.

    Raises:
        ValueError: another number of dimensions, or another size in one that is not free.
    """
    if is_tracing():
        return
    fits = tensor.ndim == len(shape) and all(
        size is None or size == actual for size, actual in zip(shape, tensor.shape)
    )
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        raise _refused(name, f"has shape {tuple(tensor.shape)}, these inputs need ({sizes})")


def check_rows(name: str, tensor: torch.Tensor, counts: torch.Tensor) -> None:
    """Refuse indices whose number is not the sum of `counts`, which is read on the CPU only.

    Raises:
        ValueError: not one dimension, or another number.
    """
    readable = not is_tracing() and counts.device.type == "cpu"
    check_shape(name, tensor, (int(counts.sum()) if readable else None,))


def check_columns(name: str, rows: torch.Tensor, counts: torch.Tensor) -> None:
    """Refuse rows per chunk that are not as many as the longest chunk leaves: a mask of these would not fit.

    Args:
        name: of the rows.
        rows: `(num_chunks, columns, ...)`.
        counts: `(num_chunks,)` what each chunk leaves, read on the host unless a graph is captured.

    Raises:
        IndexError: another number of chunks or columns.
    """
    if is_tracing() or not counts.shape[0]:
        return
    needed = (counts.shape[0], int(counts.amax()))
    if tuple(rows.shape[:2]) != needed:
        raise IndexError(f"{name} has shape {tuple(rows.shape)}, its chunks need {needed} rows")


def check_pairs(
    name: str, units: torch.Tensor, grid_thw: torch.Tensor | None, spatial_merge_size: int
) -> None:
    """Refuse merge units `(num_pair_units,)` whose number is not that of a grid, if there is one.

    The grid is read on the CPU only. See `get_temporal_pair_indices` for what pairs with what.

    Raises:
        ValueError: not one dimension, or another number.
    """
    if is_tracing():
        return
    number = None
    if grid_thw is not None and grid_thw.device.type == "cpu":
        frames, rows, columns = grid_thw.unbind(1)
        pairs = torch.where(frames == 1, 1, frames // 2)
        blocks = (rows // spatial_merge_size) * (columns // spatial_merge_size)
        number = int((pairs * blocks).sum())
    check_shape(name, units, (number,))


def check_centres(
    name: str,
    centres: torch.Tensor,
    grid_thw: torch.Tensor | None,
    merge_sizes: torch.Tensor | int | None,
) -> None:
    """Refuse central patches `(4, num_units)` of another number than a grid has merge blocks, if there is one.

    The grid is read on the CPU only.

    Raises:
        ValueError: other dimensions, or another number.
    """
    if is_tracing():
        return
    number = None
    if grid_thw is not None and merge_sizes is not None and grid_thw.device.type == "cpu":
        patches = grid_thw.prod(1)
        blocks = merge_sizes if isinstance(merge_sizes, int) else merge_sizes.to(patches)
        number = int((patches // blocks**2).sum())
    check_shape(name, centres, (4, number))


def check_longest(name: str, longest: torch.Tensor | int, boundaries: torch.Tensor) -> None:
    """Refuse a maximum segment length `()`, or number, that a segment of the boundaries is longer than.

    Kernels would leave tokens out, without a word. A larger one costs nothing but time.

    Raises:
        ValueError: no single integer, or one that is too small.
    """
    if is_tracing():
        return
    if isinstance(longest, torch.Tensor):
        check_shape(name, longest, ())
        if longest.is_floating_point():
            raise _refused(name, f"must be an integer, got {longest.dtype}")
    devices = (boundaries.device.type, getattr(longest, "device", boundaries.device).type)
    if devices != ("cpu", "cpu") or boundaries.shape[0] < 2:
        return
    needed = int((boundaries[1:] - boundaries[:-1]).max())
    if int(longest) < needed:
        raise _refused(name, f"is {int(longest)}, these inputs have a segment of {needed}")


def check_boundaries(name: str, boundaries: torch.Tensor, rows: int) -> None:
    """Refuse segment boundaries `(num_segments + 1,)` that do not lead from 0 to `rows`.

    Raises:
        ValueError: not one dimension, no integers, fewer than two (one where there are no rows), or
            another first or last value.
    """
    if is_tracing():
        return
    check_shape(name, boundaries, (None,))
    if boundaries.is_floating_point() or boundaries.shape[0] < (2 if rows else 1):
        kind = f"{boundaries.dtype} {tuple(boundaries.shape)}"
        raise _refused(name, f"must hold at least two integers, got {kind}")
    if boundaries.device.type != "cpu":
        return
    first, last = int(boundaries[0]), int(boundaries[-1])
    if (first, last) != (0, rows):
        raise _refused(name, f"leads from {first} to {last}, these inputs have {rows} rows")


def _refused(name: str, problem: str) -> ValueError:
    hint = "compute it from the sizes of the same inputs, or leave it out"
    return ValueError(f"{name} {problem}: {hint}")
