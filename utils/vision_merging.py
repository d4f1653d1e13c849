"""Gather indices that bring patches together: pairs of frames, centres of merge blocks."""

import torch

from utils.packed import (
    can_read,
    check_grid_layout,
    check_merge,
    check_total,
    count_up,
    divide,
    locate,
    read_grid,
    require_grid,
    resolve_total,
    spread,
)


def get_temporal_pair_indices(
    grid_thw: torch.Tensor, spatial_merge_size: int, *, num_pair_units: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the merge units of the frames (0, 2, ...) of every entry and of their next frames.

    An entry of one frame pairs this frame with itself. The last frame of an odd number of frames
    above one is dropped, as the models' own loop does.

    Args:
        grid_thw: `(num_entries, 3)` integers, rows `(t, h, w)` in patches.
        spatial_merge_size: m; a frame has h·w/m² merge units.
        num_pair_units: P = Σ pairs·h·w/m², pairs being 1 for t = 1, else t ÷ 2; given, nothing is
            read on an accelerator and the call can be captured.

    Returns:
        `first_units` and `second_units`, both `(P,)` int64: positions of merge units in the packed
        sequence.

    Raises:
        ValueError: malformed grid, `num_pair_units` unlike the grid.
    """
    require_grid("first_units and second_units", grid_thw)
    m = spatial_merge_size
    check_grid_layout(grid_thw)
    check_merge(m, grid_thw)
    if can_read(grid_thw, num_pair_units) and grid_thw.shape[0] == 1:
        return _pair_frames_of_one(grid_thw, m, num_pair_units)
    grid = grid_thw.to(torch.int64)
    frames, units = grid[:, 0], (grid[:, 1] // m) * (grid[:, 2] // m)
    pairs = torch.where(frames == 1, 1, frames // 2)
    sizes = pairs * units
    start = (frames * units).cumsum(0) - frames * units
    step = torch.where(frames == 1, 0, units)
    facts = read_grid(grid_thw, m, num_pair_units, (pairs.sum(), sizes.sum()))
    if facts is not None:
        num_pairs, total = facts.totals
        width = spread(units, pairs, num_pairs)
        origin = spread(start, pairs, num_pairs) + 2 * width * count_up(pairs, num_pairs)
        shift = origin - (width.cumsum(0) - width)
        first = spread(shift, width, total).add_(torch.arange(total, device=grid.device))
        return first, first + spread(step, sizes, total)
    owner, offset = locate(sizes, resolve_total(num_pair_units, sizes))
    width = units[owner]
    first = start[owner] + offset + divide(offset, width) * width
    return first, first + step[owner]


def _pair_frames_of_one(
    grid_thw: torch.Tensor, m: int, given: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pair the frames of a single entry, whose units are one regular block."""
    facts = read_grid(grid_thw, m)
    assert facts is not None
    frames, total = facts.num_frames, facts.num_tokens // m**2
    pairs = max(frames // 2, 1)
    check_total("num_pair_units", given, total // frames * pairs)
    width = total // frames
    first = torch.arange(pairs * width, device=grid_thw.device)
    if pairs > 1:
        # Every pair before has skipped one frame.
        skipped = torch.arange(0, pairs * width, width, device=grid_thw.device)
        first.view(pairs, width).add_(skipped[:, None])
    return first, first + (width if frames > 1 else 0)


def get_unshuffle_indices(
    grid_thw: torch.Tensor,
    merge_sizes: int | torch.Tensor,
    *,
    num_units: int | None = None,
) -> torch.Tensor:
    """Return the four central patches of every merge block, whose mean scales the frame down by m.

    Bilinear scaling by 1/m reads every m×m block at its centre: between the four central patches
    for even m, on the central patch for odd m (then named four times), on the patch itself for m =
    1. The rows are packed block-major, so that block `u` of an entry is its rows `u·m² ... u·m² +
    m² − 1`.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        merge_sizes: m for all entries, or `(num_entries,)` integers, one per entry.
        num_units: U = Σ t·h·w / m²; given, nothing is read on an accelerator and the call can be
            captured.

    Returns:
        `(4, U)` int64 packed positions, with lo = (m − 1) ÷ 2 and hi = m ÷ 2 in the order (lo, lo),
        (lo, hi), (hi, lo), (hi, hi) of (row, column). `hidden[indices].mean(0)` differs from
        `F.interpolate` in the last bit at most (1.2e-7 relative in float32), for odd m not at all.

    Raises:
        ValueError: malformed grid or merge sizes, `num_units` unlike the grid.
    """
    require_grid("block_centres", grid_thw)
    check_grid_layout(grid_thw)
    check_merge(merge_sizes, grid_thw)
    m = merge_sizes
    if isinstance(m, int) and can_read(grid_thw, num_units) and grid_thw.shape[0] == 1:
        return _centres_of_one(grid_thw, m, num_units)
    patches = grid_thw.to(torch.int64).prod(1)
    m = torch.full_like(patches, m) if isinstance(m, int) else m.to(patches)
    units = divide(patches, m**2)
    low, high = (m - 1) // 2, m // 2
    centres = torch.stack((low * m + low, low * m + high, high * m + low, high * m + high), dim=1)
    start = patches.cumsum(0) - patches
    first = start[:, None] + centres
    facts = read_grid(grid_thw, merge_sizes, num_units, (units.sum(),))
    if facts is not None:
        total = facts.totals[-1]
        unit = count_up(units, total)
        return (spread(first, units, total) + (unit * spread(m**2, units, total))[:, None]).t()
    owner, unit = locate(units, resolve_total(num_units, units))
    return (first[owner] + (unit * (m**2)[owner])[:, None]).t()


def _centres_of_one(grid_thw: torch.Tensor, m: int, given: int | None) -> torch.Tensor:
    """Return the central patches of a single entry, which lie at regular distances."""
    facts = read_grid(grid_thw, m)
    assert facts is not None
    check_total("num_units", given, facts.num_tokens // m**2)
    low, high = (m - 1) // 2, m // 2
    device = grid_thw.device
    centres = torch.tensor([low * m + low, low * m + high, high * m + low, high * m + high])
    blocks = torch.arange(0, facts.num_tokens, m**2, device=device)
    return centres.to(device)[:, None] + blocks
