"""Audio helpers for generated modeling code: chunks, attention segments and gather indices.

Features of all audios lie behind each other in time, `(mel, ΣL)`, with the lengths L in
`feature_lens`. An audio is cut into chunks of `c = 2 · n_window` frames, the last one shorter.
Convolutions shorten a chunk by a *length law*, a function of integer tensors that maps lengths
before to lengths after and 0 to 0. Models differ in the law, so the helpers take it as an argument;
a model's own function fits as well.

As in `utils.modeling_vision_utils`, input is checked in eager mode with at most one host read, and
with the totals given by keyword no shape depends on values. Two of the totals may be bounds, filled
with empty chunks or segments, which own no token.
"""

import torch

from utils.audio_chunks import (
    LengthLaw,
    check_layout,
    check_low,
    chunk_and_pad_features,
    chunked_eighth_lengths,
    clear_beyond_longest,
    get_chunk_lengths,
    halved_lengths,
    read_lengths,
    widen_valid_indices,
)
from utils.packed import (
    can_read,
    check_positive,
    check_total,
    count_up,
    divide,
    is_tracing,
    locate,
    locate_bounded,
    resolve_total,
    spread,
    with_leading_zero,
)

__all__ = [
    "LengthLaw",
    "chunk_and_pad_features",
    "chunked_eighth_lengths",
    "clear_beyond_longest",
    "get_audio_cu_seqlens",
    "get_chunk_lengths",
    "get_pool_indices",
    "get_valid_indices",
    "halved_lengths",
    "widen_valid_indices",
]


def get_valid_indices(
    chunk_lengths: torch.Tensor,
    length_law: LengthLaw = halved_lengths,
    *,
    num_valid: int | None = None,
    max_length: int | None = None,
    more_than_one: bool | None = None,
) -> torch.Tensor:
    """Return the positions of the rows that are not padding after the convolutions.

    Args:
        chunk_lengths: `(num_chunks,)` integers before the convolutions; 0 for chunks that do not
            exist.
        length_law: lengths after the convolutions, A.
        num_valid: V = Σ A(chunk); given together with `max_length`, no shape depends on values.
        max_length: rows per chunk after the convolutions, the largest A(chunk).
        more_than_one: whether V > 1, where the caller knows it from other shapes. Attention asks, so
            that a graph capture in which V stays open has to be told.

    Returns:
        `(V,)` int64: `chunk · max_length + j` for j < A(chunk), positions in
        `(num_chunks · max_length)` rows.

    Raises:
        ValueError: lengths not 1-D integers, none, or negative; a total unlike the lengths.
    """
    lengths = length_law(check_layout("chunk_lengths", chunk_lengths))
    given = None if max_length is None else num_valid
    read = read_lengths("chunk_lengths", chunk_lengths, given, (lengths.sum(), lengths.amax(0)), 0)
    if read:
        check_total("num_valid", num_valid, read[0])
        check_total("max_length", max_length, read[1])
        total, width = read[0], read[1]
        # Position minus rows before the chunk, plus the chunk's first row in the padded layout.
        shift = torch.arange(lengths.shape[0], device=lengths.device) * width
        shift -= lengths.cumsum(0) - lengths
        return spread(shift, lengths, total).add_(torch.arange(total, device=lengths.device))
    total = resolve_total(num_valid, lengths)
    if more_than_one is not None and is_tracing():
        torch._check(total > 1 if more_than_one else total == 1)
    owner, offset = locate(lengths, total)
    return owner * (lengths.amax(0) if max_length is None else max_length) + offset


def get_audio_cu_seqlens(
    chunk_lengths: torch.Tensor,
    feature_lens: torch.Tensor | None = None,
    n_window_infer: int | None = None,
    n_window: int | None = None,
    *,
    length_law: LengthLaw | None = None,
    num_segments: int | None = None,
) -> torch.Tensor:
    """Return the boundaries of the attention segments after the convolutions.

    With `chunk_lengths` alone every chunk is a segment of A(chunk) rows. With the other three,
    every audio is cut by itself into windows of
    `W = max A(chunk) · (n_window_infer ÷ (2 · n_window))` rows of its A(L), the last one shorter.

    Args:
        chunk_lengths: `(num_chunks,)` integers before the convolutions.
        feature_lens: `(num_audios,)` integers L, for the second form.
        n_window_infer: frames per attention window, for the second form.
        n_window: half the chunk size, for the second form.
        length_law: A; `halved_lengths` for the first form and `chunked_eighth_lengths` for the
            second, unless given.
        num_segments: number of segments or any larger number; given, the shape does not depend on
            values, and segments beyond the last are empty. The number of rows is always large
            enough.

    Returns:
        `(segments + 1,)` int32.

    Raises:
        ValueError: lengths not 1-D integers, none, or out of range; only some arguments of the
            second form; `n_window_infer` smaller than a chunk; `num_segments` too small.
    """
    chunks = check_layout("chunk_lengths", chunk_lengths)
    if feature_lens is None and n_window_infer is None and n_window is None:
        return _bound_chunks((length_law or halved_lengths)(chunks), chunks, num_segments)
    if feature_lens is None or n_window_infer is None or n_window is None:
        raise ValueError("feature_lens, n_window_infer and n_window must be given together")
    check_positive("n_window", n_window)
    ratio = n_window_infer // (2 * n_window)
    if ratio < 1:
        raise ValueError(
            f"n_window_infer {n_window_infer} is smaller than a chunk of {2 * n_window}"
        )
    law = length_law or chunked_eighth_lengths
    # The law takes several operations, so it runs once for audios and chunks.
    audios = check_layout("feature_lens", feature_lens)
    after = law(torch.cat((audios, chunks)))
    lengths, window = after[: audios.shape[0]], after[audios.shape[0] :].amax(0) * ratio
    return _bound_windows(lengths, window, audios, chunks, num_segments)


def _bound_chunks(
    lengths: torch.Tensor, chunks: torch.Tensor, num_segments: int | None
) -> torch.Tensor:
    """Return boundaries of one segment per chunk."""
    read_lengths("chunk_lengths", chunks, 0, (), 0)
    ends = lengths.cumsum(0)
    if num_segments is not None:
        missing = num_segments - ends.shape[0]
        if not is_tracing() and missing < 0:
            raise ValueError(
                f"num_segments is {num_segments}, but there are {ends.shape[0]} chunks"
            )
        ends = torch.cat((ends, ends[-1:].expand(missing)))
    return with_leading_zero(ends, torch.int32)


def _bound_windows(
    lengths: torch.Tensor,
    window: torch.Tensor,
    feature_lens: torch.Tensor,
    chunk_lengths: torch.Tensor,
    num_segments: int | None,
) -> torch.Tensor:
    """Return boundaries of the windows of `window` rows (0-d) in each audio of `lengths` rows."""
    counts = divide(lengths + window - 1, window)
    totals = (chunk_lengths.amin(), window, counts.sum(), lengths[0])
    read = read_lengths("feature_lens", feature_lens, num_segments, totals)
    if read:
        low, width, actual, rows = read
        if low < 0 or width < 1:
            raise ValueError(f"chunk_lengths must not be negative nor all zero, got {low}")
        if num_segments is None and lengths.shape[0] == 1:
            ends = torch.arange(0, rows + width, width, dtype=torch.int32, device=lengths.device)
            return ends.clamp_max_(rows)
        if num_segments is not None and num_segments < actual:
            raise ValueError(f"num_segments is {num_segments}, but there are {actual} windows")
    start = lengths.cumsum(0) - lengths
    if read and num_segments in (None, actual):
        # The last window of an audio ends with it, whatever its length.
        ends = spread(start, counts, actual) + (count_up(counts, actual) + 1) * width
        ends[counts.cumsum(0) - 1] = start + lengths
    else:
        owner, offset, exists = locate_bounded(counts, resolve_total(num_segments, counts))
        inside = torch.minimum((offset + 1) * window, lengths[owner])
        ends = torch.where(exists, start[owner] + inside, lengths.sum())
    return with_leading_zero(ends, torch.int32)


def get_pool_indices(
    feature_lens: torch.Tensor,
    length_law: LengthLaw = halved_lengths,
    *,
    num_pooled: int | None = None,
) -> torch.Tensor:
    """Return the first row of every pair of rows of one audio that average pooling by 2 joins.

    Args:
        feature_lens: `(num_audios,)` integers L.
        length_law: rows after the convolutions, A.
        num_pooled: P = Σ A(L) ÷ 2; given, the shape does not depend on values.

    Returns:
        `(P,)` int64: rows of earlier audios + 2i for i < A(L) ÷ 2. The pooled rows are
        `(x[indices] + x[indices + 1]) / 2`; an odd last row is dropped.

    Raises:
        ValueError: lengths not 1-D integers, none, or below one; `num_pooled` unlike the lengths.
    """
    audios = check_layout("feature_lens", feature_lens)
    lengths = length_law(audios)
    if can_read(lengths, num_pooled) and lengths.shape[0] == 1:
        rows = lengths.tolist()[0]
        if rows < 1:
            # Only a length below one has no row; laws keep the order of lengths.
            check_low("feature_lens", audios.tolist()[0], 1)
        check_total("num_pooled", num_pooled, rows // 2)
        return torch.arange(0, rows - 1, 2, device=lengths.device)
    counts = lengths // 2
    read = read_lengths("feature_lens", feature_lens, num_pooled, (counts.sum(),))
    start = lengths.cumsum(0) - lengths
    if read:
        check_total("num_pooled", num_pooled, read[0])
        pair = torch.arange(read[0], device=lengths.device).mul_(2)
        return pair.add_(spread(start - 2 * (counts.cumsum(0) - counts), counts, read[0]))
    owner, offset = locate(counts, resolve_total(num_pooled, counts))
    return start[owner] + 2 * offset
