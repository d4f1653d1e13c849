"""Interpolation of learned position tables: indices, weights and coordinates per patch.

A table of S×S learned positions is read at one point per patch, bilinearly between four entries.
Two rules place the `n` patches of an axis on the S table entries:

    corners aligned    linspace(0, S−1, n)[i]
    half pixel         max((i + ½) · S/n − ½, 0)

The point splits into `low = ⌊point⌋`, `high = min(low + 1, S − 1)` and the fraction `d = point −
low`.
"""

from collections.abc import Callable

import torch

from utils.packed import (
    GridFacts,
    check_positive,
    count_up,
    locate,
    read_grid,
    repeat_frame,
    require_grid,
    resolve_total,
    spread,
)
from utils.vision_positions import get_rotary_pos_ids, locate_on_axes

AxisRule = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Places patch `index` of an axis of `size` patches on `side` table entries (fp32)."""

# `torch.linspace` counts its second half down from the end, and compilers may fuse that product and
# difference into one rounding. Whether the torch build did so for this processor shows in a value
# that differs between the two.
_LINSPACE_IS_FUSED = torch.linspace(0, 5, 14, device="cpu")[8].item() != (
    5 - (torch.tensor(5.0, device="cpu") / 13 * 5).item()
)


def get_pos_embed_indices(
    grid_thw: torch.Tensor,
    num_grid_per_side: int,
    spatial_merge_size: int,
    *,
    num_tokens: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the table entries around every patch and their weights, corners aligned, block-major.

    Args:
        grid_thw: `(num_entries, 3)` integers, rows `(t, h, w)` in patches.
        num_grid_per_side: S, the side of the learned table.
        spatial_merge_size: m of the block-major order.
        num_tokens: N = Σ t·h·w; given, nothing is read on an accelerator and the call can be
            captured.

    Returns:
        `embed_indices` `(4, N)` int64: `y·S + x` for (low, low), (low, high), (high, low), (high,
        high) of (y, x); `bilinear_weights` `(4, N)` float32: (1−dy)(1−dx), (1−dy)dx, dy(1−dx),
        dy·dx. Points equal `torch.linspace` on the CPU bit for bit on every device. Cast the
        weights to the table's dtype before use, and add the four products from left to right, to
        keep low precision bitwise too.

    Raises:
        ValueError: malformed grid or S < 1.
    """
    require_grid("embed_indices and bilinear_weights", grid_thw)
    check_positive("num_grid_per_side", num_grid_per_side)
    return _interpolate(
        grid_thw, num_grid_per_side, spatial_merge_size, num_tokens, place_corners_aligned
    )


def get_half_pixel_indices(
    grid_thw: torch.Tensor, num_grid_per_side: int, *, num_tokens: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return table entries and weights of bilinear `F.interpolate`, half pixel rule, raster.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        num_grid_per_side: S, the side of the learned table.
        num_tokens: N = Σ t·h·w, see `get_pos_embed_indices`.

    Returns:
        `embed_indices` `(4, N)` int64 and `bilinear_weights` `(4, N)` float32 as in
        `get_pos_embed_indices`, by the half pixel rule.
        The sum `(table[indices] * weights[..., None]).sum(0)` is not bitwise equal to
        `F.interpolate`, whose products are ordered differently: about 5e-6 on a table of unit
        normals in float32.

    Raises:
        ValueError: malformed grid or S < 1.
    """
    require_grid("embed_indices and bilinear_weights", grid_thw)
    check_positive("num_grid_per_side", num_grid_per_side)
    return _interpolate(grid_thw, num_grid_per_side, 1, num_tokens, place_half_pixel)


def get_sampling_grid(
    grid_thw: torch.Tensor, spatial_merge_size: int, *, num_tokens: int | None = None
) -> torch.Tensor:
    """Return the coordinates at which `F.grid_sample` reads the table for every patch, block-major.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        spatial_merge_size: m of the block-major order.
        num_tokens: N = Σ t·h·w, see `get_pos_embed_indices`.

    Returns:
        `(1, N, 1, 2)` float32: `((column + ½) / w · 2 − 1, (row + ½) / h · 2 − 1)`, for
        `align_corners=False`.

    Raises:
        ValueError: malformed grid.
    """
    require_grid("sampling_grid", grid_thw)
    m = spatial_merge_size
    facts = read_grid(grid_thw, m, num_tokens)
    if facts is not None and facts.common is not None:
        _, h, w = facts.common
        x = _sample_axis(torch.arange(w, device=grid_thw.device), w)
        y = _sample_axis(torch.arange(h, device=grid_thw.device), h)
        frame = torch.empty(h // m, w // m, m, m, 2, device=grid_thw.device)
        frame[..., 0] = x.view(-1, 1, m)
        frame[..., 1] = y.view(-1, 1, m, 1)
        return repeat_frame(frame.view(h * w, 2), facts.num_frames).view(1, -1, 1, 2)
    ids = get_rotary_pos_ids(
        grid_thw, m, num_tokens=facts.num_tokens if facts is not None else num_tokens
    )
    sides, sizes = grid_thw[:, 1:].to(torch.float32), grid_thw.to(torch.int64).prod(1)
    if facts is None:
        sides = sides[locate(sizes, ids.shape[0])[0]]
    else:
        sides = spread(sides, sizes, facts.num_tokens)
    return _sample_axis(ids, sides).flip(-1).view(1, -1, 1, 2)


def _sample_axis(index: torch.Tensor, size: torch.Tensor | int) -> torch.Tensor:
    """Return the centre of patch `index` of `size` patches on an axis from −1 to 1, in float32."""
    return ((index + 0.5) / size) * 2 - 1


def place_corners_aligned(index: torch.Tensor, size: torch.Tensor, side: int) -> torch.Tensor:
    """Return `torch.linspace(0, side − 1, size)[index]` elementwise, as the CPU evaluates it.

    With `step = (side − 1) / (size − 1)` rounded to float32, the first `size ÷ 2` points are
    `step·index`, the others `side − 1 − step·(size − 1 − index)`, where torch fuses product and
    difference on most processors. The float64 product of a float32 and a small integer is exact, so
    that rounding their difference once gives the fused result on any device, also inside a compiled
    graph.

    Args:
        index, size: int64 of one shape, 0 ≤ index < size.
        side: S.

    Returns:
        float32 of that shape.
    """
    last = size - 1
    step = torch.full_like(last, side - 1, dtype=torch.float32) / last.clamp_min(1)
    exact = torch.float64 if _LINSPACE_IS_FUSED and index.device.type != "mps" else torch.float32
    counted_down = ((side - 1) - step.to(exact) * (last - index)).to(torch.float32)
    # One point lies at the start, not at the end.
    return torch.where((index < size // 2) | (last == 0), step * index, counted_down)


def place_half_pixel(index: torch.Tensor, size: torch.Tensor, side: int) -> torch.Tensor:
    """Return `max((index + ½) · side/size − ½, 0)` elementwise in float32, for int64 arguments."""
    scale = torch.full_like(size, side, dtype=torch.float32) / size
    return (scale * (index + 0.5) - 0.5).clamp_min(0)


def _interpolate(
    grid_thw: torch.Tensor, side: int, m: int, num_tokens: int | None, rule: AxisRule
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose between equal rows, mixed rows on the CPU and the form that can be captured."""
    facts = read_grid(grid_thw, m, num_tokens)
    if facts is not None and facts.common is not None:
        return _equal_frames(facts, side, m, rule, grid_thw.device)
    grid = grid_thw.to(torch.int64)
    if facts is not None and grid_thw.device.type == "cpu":
        return _join_axes(grid, side, m, facts, rule)
    sizes = grid.prod(1)
    total = facts.num_tokens if facts is not None else resolve_total(num_tokens, sizes)
    ids = get_rotary_pos_ids(grid_thw, m, num_tokens=total)
    sides = grid[:, 1:][locate(sizes, total)[0]]
    y, dy = _split(rule(ids[:, 0], sides[:, 0], side), side)
    x, dx = _split(rule(ids[:, 1], sides[:, 1], side), side)
    indices = (y[:, None] * side + x[None]).reshape(4, total)
    return indices, (dy[:, None] * dx[None]).reshape(4, total)


def _split(point: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the two neighbours of points `(k,)`, `(2, k)` int64, and their weights, float32."""
    low = point.to(torch.int64)
    fraction = point - low
    neighbours = torch.stack((low, (low + 1).clamp_max(side - 1)))
    return neighbours, torch.stack((1 - fraction, fraction))


def _equal_frames(
    facts: GridFacts, side: int, m: int, rule: AxisRule, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute one frame by broadcasting its two axes and repeat it for all frames."""
    assert facts.common is not None
    _, h, w = facts.common
    y, dy = _split(_place_axis(h, side, rule, device), side)
    x, dx = (y, dy) if h == w else _split(_place_axis(w, side, rule, device), side)
    indices = (_rows_of_blocks(y * side, m, w) + _blocks_of_row(x, m)).view(4, h * w)
    weights = (_rows_of_blocks(dy, m, w) * _blocks_of_row(dx, m)).view(4, h * w)
    frames = facts.num_frames
    return repeat_frame(indices, frames, 1), repeat_frame(weights, frames, 1)


def _rows_of_blocks(values: torch.Tensor, m: int, w: int) -> torch.Tensor:
    """Bring `(2, h)` values of patch rows to `(2, 1, h/m, m·w)`, rows of blocks in the last."""
    if m == 1:
        return values[:, None, :, None]
    rows = values.view(2, -1, m)
    return rows.repeat_interleave(m, dim=2).repeat(1, 1, w // m)[:, None]


def _blocks_of_row(values: torch.Tensor, m: int) -> torch.Tensor:
    """Bring `(2, w)` values of patch columns to `(1, 2, 1, m·w)`, a row of blocks."""
    columns = values.view(2, -1, 1, m).expand(-1, -1, m, -1)
    return columns.reshape(1, 2, 1, m * values.shape[1])


def _place_axis(size: int, side: int, rule: AxisRule, device: torch.device) -> torch.Tensor:
    """Return the points of one axis of `size` patches."""
    if rule is place_corners_aligned:
        return torch.linspace(0, side - 1, size, dtype=torch.float32, device="cpu").to(device)
    index = torch.arange(size, device=device)
    return rule(index, torch.full_like(index, size), side)


def _join_axes(
    grid: torch.Tensor, side: int, m: int, facts: GridFacts, rule: AxisRule
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the axes of all entries, gather them per patch of one frame, repeat the frames."""
    still = grid.clone()
    still[:, 0] = 1
    areas = still[:, 1] * still[:, 2]
    total = int(areas.sum())
    (y, dy), first_rows = _pack_axis(grid[:, 1], side, rule)
    (x, dx), first_columns = _pack_axis(grid[:, 2], side, rule)
    row, column = locate_on_axes(still, m, total, first_rows, first_columns)
    indices = _combine(y * side, x, row, column, torch.add)
    weights = _combine(dy, dx, row, column, torch.mul)
    if facts.num_tokens == total:
        return indices, weights
    source = _repeat_frames(grid[:, 0], areas, facts)
    return _gather(indices, source), _gather(weights, source)


def _combine(
    y: torch.Tensor,
    x: torch.Tensor,
    row: torch.Tensor,
    column: torch.Tensor,
    operation: Callable[..., torch.Tensor],
) -> torch.Tensor:
    """Return `operation(y[i, row], x[j, column])` as `(4, N)` in the order of (i, j).

    Gathers straight into the result: fresh memory costs as much as the arithmetic.
    """
    result = y.new_empty(2, 2, row.shape[0])
    for table, target in zip(y, result[:, 1], strict=True):
        torch.index_select(table, 0, row, out=target)
    for j, table in enumerate(x):
        operand = table.index_select(0, column)
        # The gathered rows in [:, 1] are needed until the last operation overwrites them.
        operation(result[:, 1], operand, out=result[:, j])
    return result.view(4, -1)


def _gather(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return `table[:, index]`, row by row, which is several times faster on the CPU."""
    result = table.new_empty(table.shape[0], index.shape[0])
    for source, target in zip(table, result, strict=True):
        torch.index_select(source, 0, index, out=target)
    return result


def _pack_axis(
    sizes: torch.Tensor, side: int, rule: AxisRule
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return neighbours and weights on the packed axes of all entries, and each axis' start."""
    total = int(sizes.sum())
    point = rule(count_up(sizes, total), spread(sizes, sizes, total), side)
    return _split(point, side), sizes.cumsum(0) - sizes


def _repeat_frames(frames: torch.Tensor, areas: torch.Tensor, facts: GridFacts) -> torch.Tensor:
    """Return the `(N,)` positions in the packed single frames that repeat them."""
    sizes = spread(areas, frames, facts.num_frames)
    start = spread(areas.cumsum(0) - areas, frames, facts.num_frames)
    shift = start - (sizes.cumsum(0) - sizes)
    return spread(shift, sizes, facts.num_tokens).add_(torch.arange(facts.num_tokens))
