"""Definitions of the tensors that the helpers compute, written as plain loops over a small grid.

They are the oracle of recognition, so they favour plainness over speed. Shapes and orders are those
of the helper functions in ``utils``.
"""

from __future__ import annotations

import numpy as np

Ints = np.ndarray


def _merge_sizes(grid: Ints, merge: int | Ints) -> list[int]:
    return [int(m) for m in np.broadcast_to(np.asarray(merge), (len(grid),))]


def block_positions(height: int, width: int, merge: int) -> Ints:
    """(row, col) of one frame in block-major order, ``(h * w, 2)``."""
    down, across = height // merge, width // merge
    blocks = np.empty((down, across, merge, merge, 2), dtype=np.int64)
    blocks[..., 0] = np.arange(down * merge).reshape(down, 1, merge, 1)
    blocks[..., 1] = np.arange(across * merge).reshape(1, across, 1, merge)
    return blocks.reshape(-1, 2)


def rotary_pos_ids(grid: Ints, merge: int | Ints) -> Ints:
    """(row, col) of every patch, block-major, frame by frame: ``(N, 2)``."""
    pieces = [
        np.tile(block_positions(h, w, m), (t, 1))
        for (t, h, w), m in zip(grid.tolist(), _merge_sizes(grid, merge))
    ]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *pieces])


def sampling_grid(grid: Ints, merge: int | Ints) -> np.ndarray:
    """(x, y) of the centre of every patch on a frame from -1 to 1, in the order of the ids: ``(1, N, 1, 2)``.

    With the operations of the helper in their order, so that others differ in the last bit.
    """
    sides = np.repeat(grid[:, 1:], grid.prod(1), axis=0)
    points = ((rotary_pos_ids(grid, merge) + 0.5) / sides) * 2 - 1
    turned: np.ndarray = points[None, :, None, ::-1]
    return turned


def block_order(grid: Ints, merge: int) -> Ints:
    """Raster position of the patch at every block-major position: ``(N,)``."""
    pieces, offset = [np.empty(0, dtype=np.int64)], 0
    for t, h, w in grid.tolist():
        for _ in range(t):
            rows, cols = block_positions(h, w, merge).T
            pieces.append(offset + rows * w + cols)
            offset += h * w
    return np.concatenate(pieces)


def cu_seqlens(grid: Ints) -> Ints:
    """Boundaries of one segment per frame: ``(F + 1,)``."""
    lengths = [h * w for t, h, w in grid.tolist() for _ in range(t)]
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def window_index(grid: Ints, merge: int, window: int, patch: int) -> tuple[Ints, Ints] | None:
    """Merge units ordered window by window, and window boundaries in patches without empty windows."""
    side = window // merge // patch
    if side < 1:
        return None
    order: list[int] = []
    bounds = [0]
    offset = 0
    for t, h, w in grid.tolist():
        height, width = h // merge, w // merge
        for frame in range(t):
            for top in range(0, height, side):
                for left in range(0, width, side):
                    units = [
                        offset + (frame * height + r) * width + c
                        for r in range(top, min(top + side, height))
                        for c in range(left, min(left + side, width))
                    ]
                    order += units
                    bounds.append(bounds[-1] + len(units) * merge**2)
        offset += t * height * width
    return np.asarray(order, dtype=np.int64), np.asarray(bounds)


def corner_weights(rows: np.ndarray, cols: np.ndarray, side: int) -> tuple[Ints, np.ndarray]:
    """Four table indices and weights of source coordinates, each ``(4, n)``."""
    y0, x0 = np.floor(rows).astype(np.int64), np.floor(cols).astype(np.int64)
    y1, x1 = np.minimum(y0 + 1, side - 1), np.minimum(x0 + 1, side - 1)
    dy, dx = rows - y0, cols - x0
    indices = np.stack([y0 * side + x0, y0 * side + x1, y1 * side + x0, y1 * side + x1])
    weights = np.stack([(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx])
    return indices, weights


def pos_embed_indices(grid: Ints, side: int, merge: int) -> tuple[Ints, np.ndarray]:
    """Corners of the align-corners rule for every patch, block-major: ``(4, N)`` twice."""
    rows, cols = [np.empty(0)], [np.empty(0)]
    for t, h, w in grid.tolist():
        ids = np.tile(block_positions(h, w, merge), (t, 1))
        rows.append(np.linspace(0, side - 1, h)[ids[:, 0]])
        cols.append(np.linspace(0, side - 1, w)[ids[:, 1]])
    return corner_weights(np.concatenate(rows), np.concatenate(cols), side)


def half_pixel_indices(grid: Ints, side: int) -> tuple[Ints, np.ndarray]:
    """Corners of the half-pixel rule for every patch, raster order: ``(4, N)`` twice."""
    rows, cols = [np.empty(0)], [np.empty(0)]
    for t, h, w in grid.tolist():
        ids = np.tile(block_positions(h, w, 1), (t, 1))
        rows.append(np.maximum((ids[:, 0] + 0.5) * side / h - 0.5, 0))
        cols.append(np.maximum((ids[:, 1] + 0.5) * side / w - 0.5, 0))
    return corner_weights(np.concatenate(rows), np.concatenate(cols), side)


def weighted_rows(table: np.ndarray, indices: Ints, weights: np.ndarray) -> np.ndarray:
    """Rows of a table, weighted and summed over the four corners: ``(N, C)``."""
    return np.asarray((table[indices] * weights[:, :, None]).sum(0))


def unshuffled_rows(rows: np.ndarray, grid: Ints, merge: int | Ints) -> np.ndarray:
    """Half-pixel bilinear down-scale of every m x m block: mean of its central rows."""
    out, start = [rows[:0]], 0
    for (t, h, w), m in zip(grid.tolist(), _merge_sizes(grid, merge)):
        blocks = rows[start : start + t * h * w].reshape(-1, m, m, rows.shape[-1])
        low, high = (m - 1) // 2, m // 2
        centre = [
            blocks[:, low, low],
            blocks[:, low, high],
            blocks[:, high, low],
            blocks[:, high, high],
        ]
        out.append(np.asarray(sum(centre) / 4))
        start += t * h * w
    return np.concatenate(out)


def flattened_frames(grid: Ints) -> Ints:
    """One row ``(1, h, w)`` per frame: ``(F, 3)``."""
    rows = [[1, h, w] for t, h, w in grid.tolist() for _ in range(t)]
    return np.asarray(rows, dtype=np.int64).reshape(-1, 3)


def temporal_pairs(grid: Ints, merge: int) -> tuple[Ints, Ints]:
    """Merge units of the frames 0, 2, ... of every entry and of the frames behind them."""
    first: list[int] = []
    second: list[int] = []
    offset = 0
    for t, h, w in grid.tolist():
        units = h * w // merge**2
        for low, high in [(0, 0)] if t == 1 else [(k, k + 1) for k in range(0, t - 1, 2)]:
            first += range(offset + low * units, offset + (low + 1) * units)
            second += range(offset + high * units, offset + (high + 1) * units)
        offset += t * units
    return np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)


def chunk_lengths(lengths: Ints, n_window: int) -> Ints:
    """Lengths of the pieces of at most ``2 * n_window`` frames that each audio is cut into."""
    step = 2 * n_window
    pieces = [
        min(step, length - start) for length in lengths.tolist() for start in range(0, length, step)
    ]
    return np.asarray(pieces)


def halved(lengths: Ints) -> Ints:
    """Lengths after one stride-2 convolution."""
    return np.asarray((lengths - 1) // 2 + 1)


def chunked_eighth(lengths: Ints) -> Ints:
    """Lengths after three stride-2 convolutions over chunks of 100 frames."""
    return np.asarray(halved(halved(halved(lengths % 100))) + 13 * (lengths // 100))


def padded_chunks(features: np.ndarray, lengths: Ints) -> np.ndarray:
    """Chunks of packed frames ``(frames, mel)``, zero-padded to the longest: ``(chunks, mel, longest)``."""
    pieces = np.split(features, np.cumsum(lengths)[:-1])
    chunks = np.zeros((len(pieces), features.shape[1], lengths.max()), features.dtype)
    for chunk, piece in zip(chunks, pieces, strict=True):
        chunk[:, : len(piece)] = piece.T
    return chunks


def frame_mask(lengths: Ints) -> Ints:
    """Which frames of each padded chunk exist: ``(chunks, longest)``."""
    return np.asarray(np.arange(lengths.max()) < lengths[:, None])


def chunk_boundaries(lengths: Ints) -> Ints:
    """0 and the running sum of lengths."""
    return np.concatenate(([0], np.cumsum(lengths)))


def window_boundaries(lengths: Ints, window: int) -> Ints:
    """Boundaries of windows of ``window`` rows inside each audio of ``lengths`` rows."""
    pieces = [min(window, n - start) for n in lengths.tolist() for start in range(0, n, window)]
    return chunk_boundaries(np.asarray(pieces))


def pair_starts(lengths: Ints) -> Ints:
    """First row of every pair of neighbouring rows of one audio; a single last row has no pair."""
    starts: list[int] = []
    offset = 0
    for length in lengths.tolist():
        starts += range(offset, offset + length - 1, 2)
        offset += length
    return np.asarray(starts)
