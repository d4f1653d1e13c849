"""Attention segments of packed sequences: boundaries, segment ids per token and block masks.

Packed attention lets a token see the tokens of its own segment only. Three forms say the same:
boundaries (`cu_seqlens`, for flash kernels and for splitting), one segment id per token, and a
block mask. Boundaries have a length that depends on the data. Two ways avoid it in a captured
graph: boundaries filled up to a bound with repeated ends, that is with empty segments, and ids,
which need only the number of tokens.
"""

from typing import TypeVar

import torch

from utils.packed import (
    boundary_dtype,
    can_read,
    check_grid_layout,
    check_total,
    count_passed,
    divide,
    has_no_entry,
    locate,
    locate_bounded,
    read_grid,
    require_grid,
    resolve_total,
    spread,
    with_leading_zero,
)

Grid = TypeVar("Grid", torch.Tensor, None)


def get_vision_cu_seqlens(
    grid_thw: torch.Tensor, *, num_segments: int | None = None
) -> torch.Tensor:
    """Return the boundaries of the attention segments, one segment per frame.

    Args:
        grid_thw: `(num_entries, 3)` integers, rows `(t, h, w)` in patches; without rows there are no
            segments, and one boundary.
        num_segments: F = Σ t or any larger number. Given, the shape does not depend on the values
            of the grid; segments beyond F are empty (their boundaries repeat N), which no consumer
            notices. The number of tokens is always large enough.

    Returns:
        `(F + 1,)` or `(num_segments + 1,)` int32 (the grid's dtype under `torch.jit.trace`): 0 and
        the running sum of h·w, t times per entry.

    Raises:
        ValueError: wrong rank or dtype, a value below one, `num_segments` too small.
    """
    require_grid("cu_seqlens", grid_thw)
    check_grid_layout(grid_thw)
    dtype = boundary_dtype(grid_thw)
    if has_no_entry(grid_thw):
        return torch.zeros((num_segments or 0) + 1, dtype=dtype, device=grid_thw.device)
    if not can_read(grid_thw, num_segments):
        grid = grid_thw.to(torch.int64)
        sizes = grid[:, 1] * grid[:, 2]
        if num_segments is None:
            sizes = torch.repeat_interleave(sizes, grid[:, 0])
        else:
            owner, _, exists = locate_bounded(grid[:, 0], num_segments)
            sizes = sizes[owner] * exists
        return with_leading_zero(sizes.cumsum(0), dtype)
    if grid_thw.shape[0] == 1:
        t, h, w = grid_thw.tolist()[0]
        _check_frames(min(t, h, w), t, num_segments)
        ends = torch.arange(0, (t + 1) * h * w, h * w, dtype=dtype, device=grid_thw.device)
    else:
        low, frames = torch.stack((grid_thw.amin(), grid_thw[:, 0].sum())).tolist()
        _check_frames(low, frames, num_segments)
        sizes = grid_thw[:, 1] * grid_thw[:, 2]
        if frames > grid_thw.shape[0]:
            sizes = spread(sizes, grid_thw[:, 0], frames)
        ends = torch.zeros(frames + 1, dtype=dtype, device=grid_thw.device)
        torch.cumsum(sizes, 0, dtype=dtype, out=ends[1:])
    missing = 0 if num_segments is None else num_segments + 1 - ends.shape[0]
    return torch.cat((ends, ends[-1:].expand(missing))) if missing else ends


def _check_frames(low: int, frames: int, num_segments: int | None) -> None:
    """Raise ValueError for values below one and for a bound below the number of frames."""
    if low < 1:
        raise ValueError(f"grid_thw must hold positive numbers of patches, got {low}")
    if num_segments is not None and num_segments < frames:
        raise ValueError(f"num_segments is {num_segments}, but the grid has {frames} frames")


def get_vision_segment_ids(
    grid_thw: torch.Tensor, *, num_tokens: int | None = None
) -> torch.Tensor:
    """Return the number of the frame that each patch belongs to, counted over all entries.

    Equal to `get_segment_ids(get_vision_cu_seqlens(grid_thw), num_tokens)` without the boundaries
    between.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        num_tokens: N = Σ t·h·w; given, nothing is read on an accelerator and the call can be
            captured.

    Returns:
        `(N,)` int64, not decreasing.

    Raises:
        ValueError: malformed grid.
    """
    facts = read_grid(grid_thw, 1, num_tokens)
    if facts is not None:
        if facts.num_frames == 1:
            return torch.zeros(facts.num_tokens, dtype=torch.int64, device=grid_thw.device)
        frame = torch.arange(facts.num_frames, device=grid_thw.device)
        if facts.common is not None:
            return frame[:, None].expand(-1, facts.num_tokens // facts.num_frames).reshape(-1)
    grid = grid_thw.to(torch.int64)
    area = grid[:, 1] * grid[:, 2]
    if facts is not None:
        # Without videos every entry is one frame.
        if facts.num_frames > grid.shape[0]:
            area = spread(area, grid[:, 0], facts.num_frames)
        return spread(frame, area, facts.num_tokens)
    sizes = grid[:, 0] * area
    owner, offset = locate(sizes, resolve_total(num_tokens, sizes))
    first_frame = grid[:, 0].cumsum(0) - grid[:, 0]
    return first_frame[owner] + divide(offset, area[owner])


def flatten_video_grid(grid_thw: Grid, *, num_frames: int | None = None) -> Grid:
    """Return one grid row `(1, h, w)` per frame.

    Args:
        grid_thw: `(num_entries, 3)` integers, or None, which stays None: an encoder that is given all
            that follows from a grid needs none, and any other says what it lacks.
        num_frames: F = Σ t; given, nothing is read on an accelerator and the call can be captured.

    Returns:
        `(F, 3)`, dtype and device of the grid.

    Raises:
        ValueError: malformed grid, `num_frames` unlike the grid.
    """
    if grid_thw is None:
        return grid_thw
    check_grid_layout(grid_thw)
    frames = grid_thw[:, 0]
    if has_no_entry(grid_thw):
        check_total("num_frames", num_frames, 0)
        return grid_thw.clone()
    if can_read(grid_thw, num_frames) and grid_thw.shape[0] == 1:
        t, h, w = grid_thw.tolist()[0]
        _check_frames(min(t, h, w), t, None)
        check_total("num_frames", num_frames, t)
        row = torch.tensor([[1, h, w]], dtype=grid_thw.dtype, device=grid_thw.device)
        return row.expand(t, 3).contiguous()
    if not can_read(grid_thw, num_frames):
        owner, _ = locate(frames.to(torch.int64), resolve_total(num_frames, frames))
        sides = grid_thw[:, 1:][owner]
    else:
        low, total = torch.stack((grid_thw.amin(), frames.sum())).tolist()
        _check_frames(low, total, None)
        check_total("num_frames", num_frames, total)
        sides = spread(grid_thw[:, 1:], frames, total)
    return torch.nn.functional.pad(sides, (1, 0), value=1)


def get_segment_ids(cu_seqlens: torch.Tensor, num_tokens: int | None) -> torch.Tensor:
    """Return the segment that each token belongs to.

    Args:
        cu_seqlens: `(num_segments + 1,)` integers, not decreasing, first 0 and last `num_tokens`;
            repeated boundaries (empty segments) are allowed and get no token.
        num_tokens: N, usually a dimension of the hidden states; None to read it from `cu_seqlens`.

    Returns:
        `(N,)` int64: the number of segment ends that are not larger than the token's position.

    Raises:
        ValueError: `cu_seqlens` is not a 1-D integer tensor with at least two boundaries, or one
            where there is no token.
    """
    if cu_seqlens.ndim != 1 or cu_seqlens.is_floating_point():
        raise ValueError(
            f"cu_seqlens must be a 1-D integer tensor, got {cu_seqlens.dtype} "
            f"{tuple(cu_seqlens.shape)}"
        )
    if not (torch.compiler.is_compiling() or cu_seqlens.shape[0] > (0 if not num_tokens else 1)):
        raise ValueError("cu_seqlens needs at least two boundaries")
    total = int(cu_seqlens[-1]) if num_tokens is None else num_tokens
    # Counted from the boundary at zero: compilers cannot search in a slice of what they have fused.
    return count_passed(cu_seqlens, total) - 1


def get_segment_mask(
    segment_ids: torch.Tensor,
    dtype: torch.dtype | None = None,
    *,
    within: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the block mask of packed attention.

    Args:
        segment_ids: `(N,)` integers, one segment per token (`get_segment_ids`,
            `get_vision_segment_ids`).
        dtype: None for a boolean mask (True: may attend), which sdpa takes; a floating dtype for
            the additive mask of eager attention, 0 where a token may attend and the dtype's lowest
            value elsewhere.
        within: boundaries of the segments, where these need not lead from the first token to the
            last: a token outside attends to none. None where they do.

    Returns:
        `(1, 1, N, N)`.

    Raises:
        ValueError: `segment_ids` is not 1-D, or `dtype` is not a floating dtype.
    """
    if segment_ids.ndim != 1:
        raise ValueError(f"segment_ids must be 1-D, got {tuple(segment_ids.shape)}")
    allowed = (segment_ids[:, None] == segment_ids[None, :])[None, None]
    if within is not None:
        position = torch.arange(segment_ids.shape[0], device=segment_ids.device)
        boundaries = within.to(segment_ids.device)
        allowed = allowed & ((position >= boundaries[0]) & (position < boundaries[-1]))
    if dtype is None:
        return allowed
    if not dtype.is_floating_point:
        raise ValueError(f"an additive mask needs a floating dtype, got {dtype}")
    lowest = torch.finfo(dtype).min
    return torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, lowest)
