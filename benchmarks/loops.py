"""Straightforward per-entry loops for what `utils` computes: the baseline of the benchmark.

Every function walks over the images (or audios) with tensor operations for one entry at a time, the
way model code is usually written, and joins the pieces.
"""

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F


def cu_seqlens(grid_thw: torch.Tensor) -> torch.Tensor:
    """Boundaries of one segment per frame."""
    pieces = [torch.full((t,), h * w) for t, h, w in grid_thw.tolist()]
    return F.pad(torch.cat(pieces).cumsum(0, dtype=torch.int32), (1, 0))


def to_blocks(values: torch.Tensor, h: int, w: int, m: int) -> torch.Tensor:
    """Bring the last dimension, one raster frame, into block-major order."""
    return values.reshape(*values.shape[:-1], h // m, m, w // m, m).transpose(-3, -2).flatten(-4)


def rotary_pos_ids(grid_thw: torch.Tensor, m: int) -> torch.Tensor:
    """Row and column of every patch, block-major."""
    pieces = []
    for t, h, w in grid_thw.tolist():
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        rows = to_blocks(rows.flatten(), h, w, m)
        columns = to_blocks(columns.flatten(), h, w, m)
        pieces.append(torch.stack((rows, columns), dim=-1).repeat(t, 1))
    return torch.cat(pieces)


def window_index(
    grid_thw: torch.Tensor, m: int, window_size: int, patch_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Window-major order of the merge units by padding every frame to full windows."""
    side = window_size // m // patch_size
    order, ends, start = [], [torch.zeros(1, dtype=torch.int64)], 0
    for t, h, w in grid_thw.tolist():
        height, width = h // m, w // m
        units = torch.arange(t * height * width).view(t, height, width)
        units = F.pad(units, (0, -width % side, 0, -height % side), value=-1)
        units = units.unflatten(1, (-1, side)).unflatten(3, (-1, side)).transpose(2, 3)
        counts = (units >= 0).sum((3, 4)).flatten()
        units = units.flatten()
        order.append(units[units >= 0] + start)
        ends.append(counts.cumsum(0) * m**2 + ends[-1][-1])
        start += t * height * width
    return torch.cat(order), torch.cat(ends).to(torch.int32)


def pos_embed_indices(
    grid_thw: torch.Tensor, side: int, m: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Four neighbours and weights per patch, corners aligned."""
    indices, weights = [], []
    for t, h, w in grid_thw.tolist():
        y, x = torch.linspace(0, side - 1, h), torch.linspace(0, side - 1, w)
        y0, x0 = y.long(), x.long()
        y1, x1 = (y0 + 1).clip(max=side - 1), (x0 + 1).clip(max=side - 1)
        dy, dx = y - y0, x - x0
        corners = [(a * side)[:, None] + b for a in (y0, y1) for b in (x0, x1)]
        parts = [a[:, None] * b for a in (1 - dy, dy) for b in (1 - dx, dx)]
        indices.append(to_blocks(torch.stack(corners).flatten(1), h, w, m).repeat(1, t))
        weights.append(to_blocks(torch.stack(parts).flatten(1), h, w, m).repeat(1, t))
    return torch.cat(indices, dim=1), torch.cat(weights, dim=1)


def half_pixel_indices(grid_thw: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Four neighbours and weights per patch, half pixel rule, raster."""
    indices, weights = [], []
    for t, h, w in grid_thw.tolist():
        y = (side / h * (torch.arange(h) + 0.5) - 0.5).clip(min=0)
        x = (side / w * (torch.arange(w) + 0.5) - 0.5).clip(min=0)
        y0, x0 = y.long(), x.long()
        y1, x1 = (y0 + 1).clip(max=side - 1), (x0 + 1).clip(max=side - 1)
        dy, dx = y - y0, x - x0
        corners = [(a * side)[:, None] + b for a in (y0, y1) for b in (x0, x1)]
        parts = [a[:, None] * b for a in (1 - dy, dy) for b in (1 - dx, dx)]
        indices.append(torch.stack(corners).flatten(1).repeat(1, t))
        weights.append(torch.stack(parts).flatten(1).repeat(1, t))
    return torch.cat(indices, dim=1), torch.cat(weights, dim=1)


def sampling_grid(grid_thw: torch.Tensor, m: int) -> torch.Tensor:
    """Coordinates for `F.grid_sample`, block-major."""
    pieces = []
    for t, h, w in grid_thw.tolist():
        x = ((torch.arange(w) + 0.5) / w) * 2 - 1
        y = ((torch.arange(h) + 0.5) / h) * 2 - 1
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        frame = torch.stack((columns.flatten(), rows.flatten()))
        pieces.append(to_blocks(frame, h, w, m).t().repeat(t, 1))
    return torch.cat(pieces).view(1, -1, 1, 2)


def block_permutation(grid_thw: torch.Tensor, m: int) -> torch.Tensor:
    """Raster position of every block-major position."""
    pieces, start = [], 0
    for t, h, w in grid_thw.tolist():
        raster = torch.arange(start, start + t * h * w).view(t, h * w)
        pieces.append(to_blocks(raster, h, w, m).flatten())
        start += t * h * w
    return torch.cat(pieces)


def temporal_pair_indices(grid_thw: torch.Tensor, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Merge units of the even and of the odd frames; one frame is paired with itself."""
    first, second, start = [], [], 0
    for t, h, w in grid_thw.tolist():
        units = torch.arange(start, start + t * h * w // m**2).view(t, -1)
        pairs = max(t // 2, 1)
        first.append(units[0::2][:pairs].flatten())
        second.append(units[min(t, 2) - 1 :: 2][:pairs].flatten())
        start += units.numel()
    return torch.cat(first), torch.cat(second)


def unshuffle_indices(grid_thw: torch.Tensor, m: int) -> torch.Tensor:
    """Four central patches of every merge block."""
    low, high = (m - 1) // 2, m // 2
    pieces, start = [], 0
    for t, h, w in grid_thw.tolist():
        blocks = torch.arange(start, start + t * h * w).view(-1, m, m)
        pieces.append(
            torch.stack([blocks[:, row, column] for row in (low, high) for column in (low, high)])
        )
        start += t * h * w
    return torch.cat(pieces, dim=1)


def segment_ids(grid_thw: torch.Tensor) -> torch.Tensor:
    """Frame of every patch."""
    pieces, start = [], 0
    for t, h, w in grid_thw.tolist():
        pieces.append(torch.arange(start, start + t).repeat_interleave(h * w))
        start += t
    return torch.cat(pieces)


def video_grid(grid_thw: torch.Tensor) -> torch.Tensor:
    """One grid row per frame."""
    return torch.cat([torch.tensor([[1, h, w]]).repeat(t, 1) for t, h, w in grid_thw.tolist()])


def chunk_lengths(feature_lens: torch.Tensor, n_window: int) -> torch.Tensor:
    """Lengths of the chunks of every audio."""
    chunk = 2 * n_window
    pieces = []
    for length in feature_lens.tolist():
        full, rest = divmod(length, chunk)
        pieces.append(torch.tensor([chunk] * full + [rest] * (rest > 0)))
    return torch.cat(pieces)


def chunk_and_pad(
    features: torch.Tensor, feature_lens: torch.Tensor, n_window: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Chunks of the features, copied one by one into a tensor of zeros."""
    lengths = chunk_lengths(feature_lens, n_window)
    chunks = features.split(lengths.tolist(), dim=1)
    padded = features.new_zeros(len(chunks), features.shape[0], int(lengths.max()))
    for index, chunk in enumerate(chunks):
        padded[index, :, : chunk.shape[1]] = chunk
    return padded, lengths


def halve(lengths: torch.Tensor) -> torch.Tensor:
    """Length after one stride-2 convolution."""
    return (lengths - 1) // 2 + 1


def valid_indices(lengths: torch.Tensor) -> torch.Tensor:
    """Positions of the rows that are not padding after one stride-2 convolution."""
    after = halve(lengths)
    mask = torch.zeros(lengths.shape[0], int(after.max()), dtype=torch.bool)
    for index, length in enumerate(after.tolist()):
        mask[index, :length] = True
    return mask.flatten().nonzero().squeeze(-1)


def audio_cu_seqlens(lengths: torch.Tensor) -> torch.Tensor:
    """Boundaries of one segment per chunk."""
    ends = [torch.zeros(1, dtype=torch.int64)]
    for length in lengths:
        ends.append(ends[-1] + halve(length))
    return torch.cat(ends).to(torch.int32)


def audio_window_cu_seqlens(
    lengths: torch.Tensor, feature_lens: torch.Tensor, n_window_infer: int, n_window: int
) -> torch.Tensor:
    """Boundaries of windows in every audio after three stride-2 convolutions over chunks of 100."""

    def after(length: torch.Tensor) -> torch.Tensor:
        return halve(halve(halve(length % 100))) + 13 * (length // 100)

    window = int(after(lengths).max()) * (n_window_infer // (2 * n_window))
    sizes = [0]
    for length in feature_lens:
        rows = int(after(length))
        sizes += [window] * (rows // window)
        if rows % window:
            sizes.append(rows % window)
    return torch.tensor(sizes).cumsum(0, dtype=torch.int32)


def pool_indices(feature_lens: torch.Tensor) -> torch.Tensor:
    """First row of every pair of rows of an audio."""
    pieces, start = [], 0
    for length in feature_lens:
        rows = int(halve(length))
        pieces.append(torch.arange(start, start + rows - 1, 2))
        start += rows
    return torch.cat(pieces)


def text_positions(
    token_types: torch.Tensor,
    image_grid: torch.Tensor | None = None,
    video_grid: torch.Tensor | None = None,
    *,
    attention_mask: torch.Tensor | None = None,
    frame_times: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    frames_apart: bool = False,
    time_moves_on: bool = False,
    dtype: torch.dtype = torch.int64,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotary positions of prompts, run by run, and how far they lie from the number of tokens."""
    images = [] if image_grid is None else image_grid.tolist()
    videos = [] if video_grid is None else video_grid.tolist()
    if frames_apart:
        videos = [[1, h, w] for t, h, w in videos for _ in range(t)]
    entries = {1: iter(enumerate(images)), 2: iter(enumerate(videos))}
    positions = torch.zeros((3, *token_types.shape), dtype=dtype)
    deltas = []
    for sample, types in enumerate(token_types):
        kept = torch.ones_like(types, dtype=torch.bool)
        if attention_mask is not None:
            kept = attention_mask[sample].bool()
        start: float = 0
        pieces = []
        for token_type, run in itertools.groupby(types[kept].tolist()):
            if token_type == 0:
                counted = torch.arange(len(list(run)))
                pieces.append((counted + start).expand(3, -1))
                start += len(counted)
                continue
            number, (t, h, w) = next(entries[token_type])
            times = torch.arange(t)
            if token_type == 2 and frame_times is not None:
                times = frame_times(times, torch.full_like(times, number))
            sides = (torch.arange(t), torch.arange(h), torch.arange(w))
            frame, row, column = (axis.flatten() for axis in torch.meshgrid(*sides, indexing="ij"))
            pieces.append(torch.stack((times[frame], row, column)) + start)
            start += max(h, w, times[-1].item() + 1 if time_moves_on else 0)
        found = torch.cat(pieces, dim=1)
        positions[:, sample, kept] = found.to(dtype)
        deltas.append(found.max() + 1 - found.shape[1])
    return positions, torch.stack(deltas).unsqueeze(1)
