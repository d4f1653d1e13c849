"""Packed index arithmetic and checks of grids that the vision and audio helpers share.

Rows of many images (or audios) lie behind each other in one packed dimension. The helpers never
walk over the entries: they find, for each packed position, the entry that owns it and the offset
inside that entry, and compute from these two.

Reading values on the host is allowed in eager mode, once per call: it pays for the checks and opens
the short cut for equal rows. It does not happen while a graph is captured, nor on an accelerator
when the caller has given the total: then a wrong grid is not noticed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import torch

from utils.operators import is_compiled_for_torch

T = TypeVar("T")


@dataclass(frozen=True)
class GridFacts:
    """What one host read of a grid tells."""

    num_frames: int
    """F = Σ t."""
    num_tokens: int
    """N = Σ t·h·w."""
    common: tuple[int, int, int] | None
    """`(t, h, w)` where all rows are equal, else None."""
    totals: tuple[int, ...]
    """Values of the further totals that the caller asked for."""


def is_tracing() -> bool:
    """Tell whether a graph is being captured, so that values of tensors cannot be read."""
    return torch.compiler.is_compiling() or is_jit_tracing()


def while_tracing(value: T) -> T | None:
    """Return a size or fact that follows from shapes where a graph is captured, else None.

    Eagerly the helpers read what they need from the sizes themselves, and nothing is refused that
    does not agree with a shape: it may be broadcast to.
    """
    return value if is_tracing() else None


def is_jit_tracing() -> bool:
    """Tell whether `torch.jit.trace` runs, under which models keep other dtypes."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined]


def can_read(values: torch.Tensor, total: int | None) -> bool:
    """Tell whether `values` may be read on the host: eager, and free (CPU) or needed (no total)."""
    return not is_tracing() and (total is None or values.device.type == "cpu")


class MissingGrid(ValueError, TypeError, AttributeError):
    """Neither a grid nor what follows from it is there.

    Code that reads sizes of a grid that is None raises TypeError or AttributeError; callers that
    catch those catch this.
    """


def require_grid(results: str, grid_thw: torch.Tensor | None) -> None:
    """Raise MissingGrid where there is no grid that `results`, which were not given, follow from."""
    if grid_thw is None:
        raise MissingGrid(
            f"{results} not given, and no grid_thw to compute it from: give one of both"
        )


def count_lengths(name: str, lengths: torch.Tensor | None) -> int:
    """Return the number of audios whose lengths are given; raise MissingGrid where they are not, under their `name`."""
    if lengths is None:
        raise MissingGrid(f"{name} not given: how long each audio is is read from it")
    return lengths.shape[0]


def require_sizes(name: str, grid_thw: torch.Tensor | None) -> None:
    """Raise MissingGrid where there is no grid, called `name`, that sizes of items are read from."""
    if grid_thw is None:
        raise MissingGrid(f"{name} not given: which rows belong to which item is read from it")


def check_grid_layout(grid_thw: torch.Tensor) -> None:
    """Raise ValueError unless `grid_thw` holds integers, `(num_entries, 3)`; there may be no entry."""
    if grid_thw.ndim != 2 or grid_thw.shape[1] != 3:
        raise ValueError(f"grid_thw must have shape (num_entries, 3), got {tuple(grid_thw.shape)}")
    if grid_thw.is_floating_point() or grid_thw.dtype == torch.bool:
        raise ValueError(f"grid_thw must hold integers, got {grid_thw.dtype}")


def has_no_entry(grid_thw: torch.Tensor) -> bool:
    """Tell whether a grid has no row, where no graph is captured: from that nothing can be reduced.

    The formulas that captures use hold for it as they are. Asked there, it would tie a graph to the
    answer, or have none where the number of rows is open.
    """
    return not is_tracing() and grid_thw.shape[0] == 0


def check_positive(name: str, value: int) -> None:
    """Raise ValueError unless the scalar argument `name` is at least one."""
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value}")


def check_total(name: str, given: int | None, actual: int) -> None:
    """Raise ValueError if the caller's total differs from what the values add up to."""
    if given is not None and given != actual:
        raise ValueError(f"{name} was given as {given}, but the sizes add up to {actual}")


def read_grid(
    grid_thw: torch.Tensor,
    merge: int | torch.Tensor = 1,
    given: int | None = None,
    totals: Sequence[torch.Tensor] = (),
) -> GridFacts | None:
    """Check a grid and summarise it with one host read; None where its values must not be read, or
    there are none.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        merge: size that must divide h and w: an int, or `(num_entries,)` integers, one per entry.
        given: the caller's total. It must be Σ t·h·w, or the last of `totals` if there are any.
        totals: 0-d integer tensors that are read together with the summary.

    Raises:
        ValueError: wrong rank or dtype, a value below one, h or w not a multiple of its merge size,
            `given` unlike the grid.
    """
    check_grid_layout(grid_thw)
    check_merge(merge, grid_thw)
    if has_no_entry(grid_thw):
        check_total("the total", given, 0)
        return None
    if not can_read(grid_thw, given):
        return None
    if grid_thw.shape[0] == 1 and isinstance(merge, int) and not totals:
        t, h, w = grid_thw.tolist()[0]
        _check_values(min(t, h, w), h % merge or w % merge, 1, merge)
        facts = GridFacts(t, t * h * w, (t, h, w), ())
    else:
        facts = _summarise(grid_thw, merge, totals)
    actual = facts.totals[-1] if totals else facts.num_tokens
    check_total("the total", given, actual)
    return facts


def check_merge(merge: int | torch.Tensor, grid_thw: torch.Tensor) -> None:
    """Raise ValueError unless `merge` is a positive int or 1-D integers, one per entry."""
    if isinstance(merge, int):
        check_positive("spatial_merge_size", merge)
    elif merge.ndim != 1 or merge.is_floating_point():
        raise ValueError(
            f"merge sizes must be a 1-D integer tensor, got {merge.dtype} {tuple(merge.shape)}"
        )
    elif not is_tracing() and merge.shape[0] != grid_thw.shape[0]:
        raise ValueError(f"{merge.shape[0]} merge sizes were given for {grid_thw.shape[0]} rows")


def _summarise(
    grid_thw: torch.Tensor, merge: int | torch.Tensor, totals: Sequence[torch.Tensor]
) -> GridFacts:
    """Reduce a grid of several rows on its device, read the reductions at once and check them."""
    sides = grid_thw[:, 1:]
    reductions = [*torch.aminmax(grid_thw, dim=0)]
    frames, tokens = grid_thw[:, 0].sum(), grid_thw.to(torch.int64).prod(1).sum()
    if isinstance(merge, int):
        checks = [(sides % merge).amax(), torch.ones_like(frames)]
    else:
        sizes = merge.to(grid_thw)
        # A merge size of zero is reported below; here it must only not divide.
        checks = [(sides % sizes.clamp_min(1)[:, None]).amax(), sizes.amin()]
    scalars = torch.stack((frames, tokens, *checks, *totals))
    read = torch.cat((*reductions, scalars)).tolist()
    low, high, (num_frames, num_tokens, rest, merge_low) = read[:3], read[3:6], read[6:10]
    _check_values(min(low), rest, merge_low, merge)
    common = (low[0], low[1], low[2]) if low == high else None
    return GridFacts(num_frames, num_tokens, common, tuple(read[10:]))


def _check_values(low: int, rest: int, merge_low: int, merge: int | torch.Tensor) -> None:
    """Raise ValueError for the value errors that `read_grid` documents."""
    if low < 1:
        raise ValueError(f"grid_thw must hold positive numbers of patches, got {low}")
    if merge_low < 1:
        raise ValueError(f"merge sizes must be positive, got {merge_low}")
    if rest:
        size = merge if isinstance(merge, int) else "its merge size"
        raise ValueError(f"h and w of every grid row must be multiples of {size}")


def resolve_total(total: int | None, sizes: torch.Tensor) -> int:
    """Return the caller's total, or else Σ sizes: read, or an unbacked size in a capture."""
    if total is not None:
        return total
    found = read_integer(sizes.sum())
    if is_tracing():
        torch._check(found >= 0)
    return found


def read_integer(value: torch.Tensor) -> int:
    """Return the value of a 0-d integer tensor, an unbacked size in a capture."""
    # `int(...)` would make torch.export ask for the number itself.
    return cast(int, value.item())


def locate(sizes: torch.Tensor, total: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find owner and offset of each packed position.

    Args:
        sizes: `(num_entries,)` int64 sizes; `total` = Σ sizes.

    Returns:
        `owner` `(total,)` int64, the entry of each position, and `offset` `(total,)` int64, the
        position inside its entry: `position − Σ sizes[:owner]`.
    """
    ends = sizes.cumsum(0)
    # Unlike repeat_interleave, this has an output shape that does not depend on values.
    owner = count_passed(ends, total)
    position = torch.arange(total, device=sizes.device)
    return owner, position - (ends - sizes)[owner]


def count_passed(ends: torch.Tensor, total: int) -> torch.Tensor:
    """Count for each of the positions 0, 1, ... the ends that are not larger.

    Args:
        ends: `(k,)` integers, not decreasing, none below zero.
        total: number of positions.

    Returns:
        `(total,)` int64.
    """
    if torch.compiler.is_compiling() and not is_compiled_for_torch():
        # Other runtimes know no search in sorted values: ones at the ends, summed up, say the same.
        ends = ends.to(torch.int64)
        marks = torch.zeros(total, dtype=torch.int64, device=ends.device)
        inside = (ends < total).to(torch.int64)
        return marks.scatter_add(0, ends.clamp_max(total - 1), inside).cumsum(0)
    position = torch.arange(total, device=ends.device, dtype=ends.dtype)
    return torch.searchsorted(ends.contiguous(), position, right=True)


def spread(values: torch.Tensor, sizes: torch.Tensor, total: int) -> torch.Tensor:
    """Repeat `values[i]` `sizes[i]` times, `(total, ...)`, in eager mode; captures use `locate`."""
    return torch.repeat_interleave(values, sizes, dim=0, output_size=total)


def count_up(sizes: torch.Tensor, total: int) -> torch.Tensor:
    """Return the offset of each packed position inside its entry: `(total,)`, for eager mode."""
    position = torch.arange(total, device=sizes.device)
    return position.sub_(spread(sizes.cumsum(0) - sizes, sizes, total))


def locate_bounded(
    sizes: torch.Tensor, bound: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Like `locate` for `bound` positions of which only the first Σ sizes exist.

    Returns:
        `owner`, `offset` and `exists`, each `(bound,)`; the positions that do not exist get the
        last entry.
    """
    ends = sizes.cumsum(0)
    position = torch.arange(bound, device=sizes.device)
    exists = position < sizes.sum()
    owner = count_passed(ends, bound).clamp_max(sizes.shape[0] - 1)
    return owner, position - (ends - sizes)[owner], exists


def with_leading_zero(ends: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Turn `(k,)` segment ends into `(k + 1,)` boundaries that start at zero."""
    return torch.nn.functional.pad(ends.to(dtype), (1, 0))


def boundary_dtype(like: torch.Tensor) -> torch.dtype:
    """Return int32, which attention kernels want; the dtype of `like` under `torch.jit.trace`."""
    return like.dtype if is_jit_tracing() else torch.int32


def repeat_frame(frame: torch.Tensor, times: int, dim: int = 0) -> torch.Tensor:
    """Repeat the values of one frame `times` times along `dim`, without a copy if once."""
    if times == 1:
        return frame
    shape: Sequence[int] = [*frame.shape[:dim], times * frame.shape[dim], *frame.shape[dim + 1 :]]
    expanded = [*frame.shape[:dim], times, *frame.shape[dim:]]
    return frame.unsqueeze(dim).expand(expanded).reshape(shape)


def divide(numerator: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Return `numerator ÷ divisor` of positive integers, safe where compilers pad with zeros.

    A fused kernel of inductor computes masked elements (of a padding, say) with a divisor that
    reads as 0, and integer division by zero is an error there.
    """
    return numerator // divisor.clamp_min(1)
