"""Window attention of vision encoders: order of the merge units and boundaries of the windows.

A merge unit is one m×m block of patches; a frame has `H × W = h/m × w/m` units. Windows are V×V
units, cut off at the lower and right side of the frame. Window-major order sorts the units of a
frame by (row ÷ V, column ÷ V, row, column). Position `k` of a frame in that order is found without
sorting:

    band   = k ÷ (V·W)                        rows of windows above are full, V·W units each
    height = min(V, H − band·V)
    k'     = k − band·V·W
    window = k' ÷ (V·height)                  windows to the left are full, V·height units each
    width  = min(V, W − window·V)
    k''    = k' − window·V·height
    unit   = (band·V + k'' ÷ width)·W + window·V + k'' mod width

and the end of that window in its frame is band·V·W + height·min((window + 1)·V, W).
"""

import torch

from utils.packed import (
    GridFacts,
    boundary_dtype,
    count_up,
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


def get_window_index(
    grid_thw: torch.Tensor,
    spatial_merge_size: int,
    window_size: int,
    patch_size: int,
    *,
    num_tokens: int | None = None,
    num_windows: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the window-major order of the merge units and the boundaries of the windows.

    Args:
        grid_thw: `(num_entries, 3)` integers, rows `(t, h, w)` in patches.
        spatial_merge_size: m.
        window_size: side of a window in pixels; V = window_size ÷ m ÷ patch_size units.
        patch_size: side of a patch in pixels.
        num_tokens: N = Σ t·h·w; given, the shape of the first result does not depend on the grid's
            values.
        num_windows: number of windows or any larger number; given, so is the shape of the second:
            the windows beyond the last are empty (boundaries repeat N). The number of merge units
            is always large enough. Left out in a graph capture with `num_tokens`, N ÷ m² is taken.

    Returns:
        `window_index` `(N ÷ m²,)` int64: for every window-major position the block-major unit, a
        permutation. `cu_window_seqlens` `(windows + 1,)` int32 (the grid's dtype under
        `torch.jit.trace`): window ends in patches (units · m²) behind a 0, without empty windows.

    Raises:
        ValueError: malformed grid, V < 1, wrong total, `num_windows` too small.
    """
    require_grid("window_index and cu_window_seqlens", grid_thw)
    m = spatial_merge_size
    facts = read_grid(grid_thw, m, num_tokens)
    if patch_size < 1 or window_size // m // patch_size < 1:
        raise ValueError(
            f"window_size {window_size} is smaller than one merge unit: {m} patches of {patch_size}"
        )
    side = window_size // m // patch_size
    dtype = boundary_dtype(grid_thw)
    if has_no_entry(grid_thw):
        order = torch.zeros(0, dtype=torch.int64, device=grid_thw.device)
        ends = order.new_zeros(num_windows or 0)
    elif facts is not None and facts.common is not None:
        order, ends = _uniform_frames(facts, m, side, grid_thw.device)
    else:
        units = torch.stack((grid_thw[:, 0], grid_thw[:, 1] // m, grid_thw[:, 2] // m), dim=1).to(
            torch.int64
        )
        if facts is not None and grid_thw.device.type == "cpu":
            order, ends = _join_window_rows(units, side, facts.num_tokens // m**2)
        else:
            total = facts.num_tokens if facts is not None else num_tokens
            num_units = None if total is None else total // m**2
            order, ends = _locate_units(units, side, num_units, num_windows)
    if facts is not None and num_windows is not None:
        ends = _fill_up(ends, num_windows)
    return order, with_leading_zero(ends * m**2, dtype)


def get_reverse_window_index(window_index: torch.Tensor) -> torch.Tensor:
    """Return the inverse permutation of `window_index`, `(M,)` int64: its argsort."""
    if window_index.ndim != 1:
        raise ValueError(f"window_index must be 1-D, got {tuple(window_index.shape)}")
    position = torch.arange(window_index.shape[0], device=window_index.device)
    return torch.empty_like(position).scatter_(0, window_index.to(torch.int64), position)


def _fill_up(ends: torch.Tensor, num_windows: int) -> torch.Tensor:
    """Append empty windows up to `num_windows`."""
    missing = num_windows - ends.shape[0]
    if missing < 0:
        raise ValueError(f"num_windows is {num_windows}, but there are {ends.shape[0]} windows")
    return torch.cat((ends, ends[-1:].expand(missing)))


def _uniform_frames(
    facts: GridFacts, m: int, side: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Order the units of frames of one size: at most four rectangles of equal windows."""
    assert facts.common is not None
    height, width = facts.common[1] // m, facts.common[2] // m
    frames = facts.num_frames
    units = torch.arange(frames * height * width, device=device).view(frames, height, width)
    order = units
    if width > side:
        order = torch.empty_like(units)
        full = height - height % side
        for top, bottom, tall in ((0, full, side), (full, height, height % side)):
            if top < bottom:
                _order_bands(units[:, top:bottom], order[:, top:bottom], tall, side)
    heights = _extents(height, side, device)
    widths = _extents(width, side, device)
    extents = (heights[:, None] * widths).view(-1)
    if frames > 1:
        extents = extents.repeat(frames)
    return order.view(-1), extents.cumsum(0)


def _order_bands(units: torch.Tensor, order: torch.Tensor, tall: int, side: int) -> None:
    """Write `(frames, rows, width)` units into `order`, window-major; `tall` divides rows."""
    frames, rows, width = units.shape
    bands = rows // tall
    full, rest = width // side, width % side
    source = (
        units.view(frames, bands, tall, width)
        if units.is_contiguous()
        else units.unflatten(1, (bands, tall))
    )
    target = order.unflatten(1, (bands, tall)).flatten(2)
    split = full * tall * side
    target[..., :split].unflatten(-1, (full, tall, side)).copy_(
        source[..., : full * side].unflatten(-1, (full, side)).transpose(2, 3)
    )
    if rest:
        target[..., split:].unflatten(-1, (tall, rest)).copy_(source[..., full * side :])


def _extents(length: int, side: int, device: torch.device) -> torch.Tensor:
    """Return the sizes of the windows along one axis: `length` cut into pieces of `side`."""
    pieces = torch.full((-(-length // side),), side, device=device)
    if length % side:
        pieces[-1] = length % side
    return pieces


def _locate_units(
    units: torch.Tensor, side: int, num_units: int | None, num_windows: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evaluate the formula of this module at every packed position; no shape depends on values."""
    sizes = units.prod(1)
    counts = units[:, 0] * (-(-units[:, 1] // side)) * (-(-units[:, 2] // side))
    if num_windows is None:
        num_windows = num_units if num_units is not None else resolve_total(None, counts)
    total = resolve_total(num_units, sizes)
    owner, offset = locate(sizes, total)
    height, width = units[:, 1][owner], units[:, 2][owner]
    inside = offset - divide(offset, height * width) * height * width
    band = divide(inside, side * width)
    tall = (height - band * side).clamp_max(side)
    in_band = inside - band * side * width
    window = divide(in_band, side * tall)
    wide = (width - window * side).clamp_max(side)
    in_window = in_band - window * side * tall
    row = divide(in_window, wide)
    unit = (band * side + row) * width + window * side + in_window - row * wide
    start = torch.arange(total, device=units.device) - inside
    return start + unit, _window_ends(units, side, counts, num_windows)


def _window_ends(
    units: torch.Tensor, side: int, counts: torch.Tensor, num_windows: int
) -> torch.Tensor:
    """Return the ends of all windows in units, repeating the last end up to `num_windows`."""
    owner, offset, exists = locate_bounded(counts, num_windows)
    height, width = units[:, 1][owner], units[:, 2][owner]
    across = -(-width // side)
    per_frame = across * -(-height // side)
    frame = divide(offset, per_frame)
    in_frame = offset - frame * per_frame
    band = divide(in_frame, across)
    tall = (height - band * side).clamp_max(side)
    right = ((in_frame - band * across + 1) * side).clamp_max(width)
    sizes = units.prod(1)
    start = (sizes.cumsum(0) - sizes)[owner] + frame * height * width
    end = start + band * side * width + tall * right
    return torch.where(exists, end, sizes.sum())


def _join_window_rows(
    units: torch.Tensor, side: int, total: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Order the units of a mixed grid by pieces: one row of units of one window.

    The units of such a piece lie side by side in both orders, so there is one division per piece
    instead of several per unit: CPUs are slow at them.
    """
    across = -(-units[:, 2] // side)
    per_entry = units[:, 0] * units[:, 1] * across
    pieces = int(per_entry.sum())
    owner = spread(torch.arange(units.shape[0]), per_entry, pieces)
    height, width, columns = units[:, 1][owner], units[:, 2][owner], across[owner]
    offset = count_up(per_entry, pieces)
    frame = offset // (height * columns)
    in_frame = offset - frame * height * columns
    band = in_frame // (side * columns)
    tall = (height - band * side).clamp_max(side)
    in_band = in_frame - band * side * columns
    window = in_band // tall
    row = in_band - window * tall
    left = window * side
    sizes = (width - left).clamp_max(side)
    entry_sizes = units.prod(1)
    start = (entry_sizes.cumsum(0) - entry_sizes)[owner]
    source = start + (frame * height + band * side + row) * width + left
    ends = sizes.cumsum(0)
    order = spread(source - ends + sizes, sizes, total)
    order += torch.arange(total)
    return order, ends[row == tall - 1]
