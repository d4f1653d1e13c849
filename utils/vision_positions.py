"""Row and column of every patch in block-major order, and the way there from raster order.

A grid row `(t, h, w)` counts frames, patch rows and patch columns of one image or video. With merge
size m the patches of a frame are packed block by block: row block, column block, then row and
column inside the m×m block. Position `k` of a frame is patch

    row = m · (k ÷ (m·w)) + (k ÷ m) mod m        column = m · ((k ÷ m²) mod (w/m)) + k mod m

(÷ is integer division), which is plain raster order for m = 1.
"""

import torch

from utils.packed import (
    GridFacts,
    count_up,
    divide,
    locate,
    read_grid,
    repeat_frame,
    require_grid,
    resolve_total,
    spread,
)


def get_rotary_pos_ids(
    grid_thw: torch.Tensor,
    spatial_merge_size: int | torch.Tensor,
    *,
    num_tokens: int | None = None,
) -> torch.Tensor:
    """Return row and column of every patch, block-major, the same for each frame of an entry.

    Args:
        grid_thw: `(num_entries, 3)` integers, rows `(t, h, w)` in patches.
        spatial_merge_size: m, an int for all entries or a `(num_entries,)` integer tensor, one per
            entry.
        num_tokens: N = Σ t·h·w; given, the call has no host read on an accelerator and can be
            captured with a dynamic number of entries and patches.

    Returns:
        `(N, 2)` int64 on the grid's device, `[row, column]` by the formula of this module.

    Raises:
        ValueError: malformed grid or merge size (see `utils.packed.read_grid`).
    """
    require_grid("rotary_pos_ids", grid_thw)
    facts = read_grid(grid_thw, spatial_merge_size, num_tokens)
    if facts is None or not isinstance(spatial_merge_size, int):
        return _locate_patches(grid_thw, spatial_merge_size, facts, num_tokens)
    device = grid_thw.device
    if facts.common is not None:
        _, h, w = facts.common
        frame = _frame_pos_ids(h, w, spatial_merge_size, device)
        return repeat_frame(frame, facts.num_frames)
    if device.type != "cpu":
        return _locate_patches(grid_thw, spatial_merge_size, facts, num_tokens)
    grid = grid_thw.to(torch.int64)
    return _join_blocks(grid, spatial_merge_size, facts)


def get_rotary_pos_ids_interleaved(
    grid_thw: torch.Tensor,
    spatial_merge_size: int | torch.Tensor,
    *,
    num_tokens: int | None = None,
) -> torch.Tensor:
    """Return the same ids as `get_rotary_pos_ids`.

    Model sources build them in two ways, by permuting a full grid or by writing block rows and
    columns interleaved with the positions inside a block. The values do not differ; both names are
    kept so that a rewritten source still shows which of the two it came from. Arguments, result and
    errors are the same.
    """
    return get_rotary_pos_ids(grid_thw, spatial_merge_size, num_tokens=num_tokens)


def get_image_pos_ids(
    height: int, width: int, *, device: torch.device | None = None
) -> torch.Tensor:
    """Return the raster `[row, column]` ids of one image, `(height·width, 2)` int64.

    Equal to `get_rotary_pos_ids([[1, height, width]], 1)` for encoders that know the size as two
    ints.
    """
    rows = torch.arange(height, device=device)[:, None].expand(height, width)
    columns = torch.arange(width, device=device).expand(height, width)
    return torch.stack((rows, columns), dim=-1).reshape(-1, 2)


def get_block_permutation(
    grid_thw: torch.Tensor, spatial_merge_size: int, *, num_tokens: int | None = None
) -> torch.Tensor:
    """Return for every block-major position the packed raster position of the same patch.

    `raster_rows[get_block_permutation(grid, m)]` brings rows that lie in raster order into
    block-major order, so that `view(-1, m * m * channels)` joins the patches of a merge block.

    Args:
        grid_thw: `(num_entries, 3)` integers.
        spatial_merge_size: m.
        num_tokens: N = Σ t·h·w, see `get_rotary_pos_ids`.

    Returns:
        `(N,)` int64: start of the frame + row·w + column, a permutation of `0..N-1`.

    Raises:
        ValueError: malformed grid.
    """
    require_grid("block_order", grid_thw)
    m = spatial_merge_size
    facts = read_grid(grid_thw, m, num_tokens)
    if facts is not None and facts.common is not None:
        # All rows of blocks have the same order inside and follow each other.
        in_row = m * facts.common[2]
        order = torch.arange(in_row, device=grid_thw.device).view(m, -1, m).transpose(0, 1)
        starts = torch.arange(0, facts.num_tokens, in_row, device=grid_thw.device)
        return (starts[:, None] + order.reshape(in_row)).view(-1)
    grid = grid_thw.to(torch.int64)
    if facts is not None and grid_thw.device.type == "cpu":
        return _permute_blocks(grid, m, facts)
    sizes = grid.prod(1)
    total = facts.num_tokens if facts is not None else resolve_total(num_tokens, sizes)
    owner, offset = locate(sizes, total)
    h, w = grid[:, 1][owner], grid[:, 2][owner]
    inside = offset - divide(offset, h * w) * h * w
    row, column = _block_major(inside, w, m)
    # Position minus offset in the frame is the frame's start.
    return torch.arange(total, device=grid.device) - inside + row * w + column


def _block_major(
    inside: torch.Tensor, w: torch.Tensor, m: int | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return row and column of block-major positions `inside` a frame of `w` patch columns."""
    if isinstance(m, int) and m == 1:
        row = divide(inside, w)
        return row, inside - row * w
    band = divide(inside, m * w)
    in_band = inside - band * (m * w)
    block = _divide_by_merge(in_band, m * m)
    in_block = in_band - block * (m * m)
    inner = _divide_by_merge(in_block, m)
    return band * m + inner, block * m + in_block - inner * m


def _divide_by_merge(position: torch.Tensor, size: int | torch.Tensor) -> torch.Tensor:
    """Divide by a merge size that is one int or differs per position."""
    return position // size if isinstance(size, int) else divide(position, size)


def _locate_patches(
    grid_thw: torch.Tensor,
    merge: int | torch.Tensor,
    facts: GridFacts | None,
    num_tokens: int | None,
) -> torch.Tensor:
    """Compute the ids from packed positions alone: one formula, no shape that depends on values."""
    grid = grid_thw.to(torch.int64)
    sizes = grid.prod(1)
    total = facts.num_tokens if facts is not None else resolve_total(num_tokens, sizes)
    owner, offset = locate(sizes, total)
    w = grid[:, 2][owner]
    m = merge if isinstance(merge, int) else merge.to(grid)[owner]
    area = (grid[:, 1] * grid[:, 2])[owner]
    inside = offset - divide(offset, area) * area
    return torch.stack(_block_major(inside, w, m), dim=-1)


def band_pattern(w: int, m: int, device: torch.device) -> torch.Tensor:
    """Return the `(m·w, 2)` ids of the first row of blocks of a frame of `w` patch columns."""
    band = torch.empty(w // m, m, m, 2, dtype=torch.int64, device=device)
    band[..., 0] = torch.arange(m, device=device).view(1, m, 1)
    band[..., 1] = torch.arange(w, device=device).view(w // m, 1, m)
    return band.view(m * w, 2)


def _frame_pos_ids(h: int, w: int, m: int, device: torch.device) -> torch.Tensor:
    """Return `(h·w, 2)` ids of one frame: the first row of blocks repeated, then moved down."""
    frame = band_pattern(w, m, device).repeat(h // m, 1)
    if h > m:
        rows = frame.view(h // m, m * w, 2)[..., 0]
        rows += torch.arange(0, h, m, device=device)[:, None]
    return frame


def _block_rows(grid: torch.Tensor, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return entry and first patch row of every row of blocks of all frames."""
    bands = grid[:, 1] // m
    per_entry = grid[:, 0] * bands
    total = int(per_entry.sum())
    owner = spread(torch.arange(grid.shape[0]), per_entry, total)
    local = count_up(per_entry, total)
    if int(grid[:, 0].max()) > 1:
        local %= bands[owner]
    return owner, local * m


def _join_blocks(grid: torch.Tensor, m: int, facts: GridFacts) -> torch.Tensor:
    """Compute the ids of a mixed grid from the first patch of every block.

    There is no division per patch, which CPUs are slow at, and few operations at full length.
    """
    owner, first_row = _block_rows(grid, m)
    units = facts.num_tokens // m**2
    blocks = (grid[:, 2] // m).index_select(0, owner)
    rows = spread(first_row, blocks, units)[:, None].expand(-1, m)
    columns = count_up(blocks, units).mul_(m)[:, None].expand(-1, m)
    ids = torch.empty(units, m, m, 2, dtype=torch.int64)
    for inner in range(m):
        # Filled by row and column inside the block, one strided pass each.
        torch.add(rows, inner, out=ids[:, inner, :, 0])
        torch.add(columns, inner, out=ids[:, :, inner, 1])
    return ids.view(-1, 2)


def locate_on_axes(
    grid: torch.Tensor,
    m: int,
    total: int,
    first_rows: torch.Tensor,
    first_columns: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, for every patch, where its row and its column lie in tables of all entries' axes.

    Args:
        grid: `(num_entries, 3)` int64 on the CPU, already checked.
        m: merge size.
        total: Σ t·h·w.
        first_rows, first_columns: `(num_entries,)` places where the axes of an entry start.

    Returns:
        Both `(total,)` int64, block-major: first_rows + row and first_columns + column.
    """
    owner, origin = _block_rows(grid, m)
    sizes = (grid[:, 2] * m)[owner]
    # Inside a row of blocks the pattern depends on the offset only, not on the width.
    rows, columns = band_pattern(int(grid[:, 2].max()), m, grid.device).t().contiguous()
    offset = count_up(sizes, total)
    rows, columns = rows.index_select(0, offset), columns.index_select(0, offset)
    rows += spread(origin + first_rows[owner], sizes, total)
    columns += spread(first_columns[owner], sizes, total)
    return rows, columns


def _permute_blocks(grid: torch.Tensor, m: int, facts: GridFacts) -> torch.Tensor:
    """Compute the raster positions of a mixed grid from the first patch of every block."""
    bands = grid[:, 0] * grid[:, 1] // m
    blocks = spread(grid[:, 2] // m, bands, int(bands.sum()))
    units = facts.num_tokens // m**2
    # A row of blocks covers the same range in both orders, m² positions per block: block j of a row
    # whose first block is block b lies at m²·b + m·j = m·(b + j) + (m² − m)·b.
    first = torch.arange(units).mul_(m)
    first += spread((blocks.cumsum(0) - blocks) * (m**2 - m), blocks, units)
    result = torch.empty(units, m, m, dtype=torch.int64)
    width = spread(blocks * m, blocks, units)
    for row in range(m):
        for column in range(m):
            torch.add(first, column, out=result[:, row, column])
        first += width
    return result.view(-1)
