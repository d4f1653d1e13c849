"""Audio helpers for generated modeling code: chunks of features, attention segments and gather indices.

Features of all audios lie behind each other in time, `(mel, ΣL)`, with the lengths L in `feature_lens`. An
audio is cut into chunks of `c = 2 · n_window` frames, the last one shorter. Convolutions shorten a chunk by
a *length law*, a function of integer tensors that maps lengths before to lengths after and 0 to 0. Models
differ in the law, so the helpers take it as an argument; a model's own function fits as well.

As in `utils.modeling_vision_utils`, input is checked in eager mode with at most one host read, and with the
totals given by keyword no shape depends on values. Two of the totals may be bounds, filled with empty chunks
or segments, which own no token.
"""

from collections.abc import Callable, Sequence

import torch

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

LengthLaw = Callable[[torch.Tensor], torch.Tensor]
"""Maps integer lengths before the convolutions to lengths after them, elementwise; 0 stays 0."""


def halved_lengths(lengths: torch.Tensor) -> torch.Tensor:
    """Length law of one convolution of kernel 3, stride 2, padding 1: `(l − 1) ÷ 2 + 1`."""
    return (lengths - 1) // 2 + 1


def chunked_eighth_lengths(lengths: torch.Tensor, n_window: int = 50) -> torch.Tensor:
    """Length law of three stride-2 convolutions over chunks of `c = 2 · n_window` frames.

    Full chunks count 13 each, which is what three halvings leave of 100 frames (n_window = 50); the rest
    `l mod c` is halved three times. Models write the 13 as a constant, so the law agrees with the real
    convolutions for 97 to 104 frames per chunk only.
    """
    chunk = 2 * n_window
    rest = halved_lengths(halved_lengths(halved_lengths(lengths % chunk)))
    return rest + 13 * (lengths // chunk)


def get_chunk_lengths(
    feature_lens: torch.Tensor, n_window: int, *, num_chunks: int | None = None
) -> torch.Tensor:
    """Return the lengths of the chunks of all audios: `L ÷ c` times c, then `L mod c` if not zero.

    Args:
        feature_lens: `(num_audios,)` integers, the frames L of each audio.
        n_window: half the chunk size c.
        num_chunks: Σ ⌈L / c⌉ or any larger number (`ΣL ÷ c + num_audios` always is); given, the shape does
            not depend on values, and chunks beyond the last have length 0.

    Returns:
        `(num_chunks,)` int64.

    Raises:
        ValueError: lengths not 1-D integers, none, or below one; n_window < 1; `num_chunks` too small.
    """
    check_positive("n_window", n_window)
    chunk = 2 * n_window
    lengths = _check_layout("feature_lens", feature_lens)
    counts = (lengths + chunk - 1) // chunk
    read = _read_lengths("feature_lens", lengths, num_chunks, (counts.sum(),))
    return _cut(lengths, counts, chunk, num_chunks, read[0] if read else None)


def _cut(
    lengths: torch.Tensor, counts: torch.Tensor, chunk: int, bound: int | None, actual: int | None
) -> torch.Tensor:
    """Return the chunk lengths, filled up with zeros to `bound`; `actual` is their number where known."""
    if actual is not None and (bound is None or bound == actual):
        result = torch.full((actual,), chunk, device=lengths.device)
        result[counts.cumsum(0) - 1] = lengths - (counts - 1) * chunk
        return result
    if actual is not None and bound is not None and bound < actual:
        raise ValueError(f"num_chunks is {bound}, but the audios have {actual} chunks")
    owner, offset, exists = locate_bounded(counts, resolve_total(bound, counts))
    return (lengths[owner] - offset * chunk).clamp_max(chunk) * exists


def chunk_and_pad_features(
    input_features: torch.Tensor,
    feature_lens: torch.Tensor,
    n_window: int,
    *,
    num_chunks: int | None = None,
    max_chunk_length: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the packed features of all audios into chunks and pad them with zeros to the longest.

    Args:
        input_features: `(mel, ΣL)` features of any dtype.
        feature_lens: `(num_audios,)` integers L.
        n_window: half the chunk size c.
        num_chunks: number of chunks or any larger number, see `get_chunk_lengths`.
        max_chunk_length: length of the longest chunk, `min(c, max L)`; the width of the result. Convolutions
            that see the padding compute other values for another width, so this is no bound.

    Returns:
        `padded_feature` `(num_chunks, mel, max_chunk_length)`, dtype of the features, and `chunk_lengths`
        `(num_chunks,)` int64.

    Raises:
        ValueError: as `get_chunk_lengths`; features not 2-D, lengths that do not add up to their frames,
            `max_chunk_length` unlike the lengths.
    """
    check_positive("n_window", n_window)
    if input_features.ndim != 2:
        raise ValueError(
            f"input_features must have shape (mel, frames), got {tuple(input_features.shape)}"
        )
    chunk = 2 * n_window
    lengths = _check_layout("feature_lens", feature_lens)
    counts = (lengths + chunk - 1) // chunk
    given = None if num_chunks is None or max_chunk_length is None else num_chunks
    read = _read_lengths(
        "feature_lens", lengths, given, (counts.sum(), lengths.sum(), lengths.amax())
    )
    if read:
        if read[1] != input_features.shape[1]:
            raise ValueError(
                f"feature_lens add up to {read[1]}, but there are {input_features.shape[1]} frames"
            )
        longest = min(chunk, read[2])
        if max_chunk_length is not None and max_chunk_length != longest:
            raise ValueError(f"max_chunk_length is {max_chunk_length}, the longest chunk {longest}")
    else:
        longest = _resolve_longest(lengths, chunk, max_chunk_length)
    chunk_lengths = _cut(lengths, counts, chunk, num_chunks, read[0] if read else None)
    if read and input_features.device.type == "cpu":
        return _copy_chunks(input_features, chunk_lengths, longest), chunk_lengths
    return _gather_chunks(input_features, chunk_lengths, longest), chunk_lengths


def _resolve_longest(lengths: torch.Tensor, chunk: int, given: int | None) -> int:
    """Return the caller's longest chunk or, in a graph capture, an unbacked size for it."""
    if given is not None:
        return given
    longest = int(lengths.amax().clamp_max(chunk).item())
    torch._check(longest >= 1)
    torch._check(longest <= chunk)
    return longest


def _gather_chunks(
    features: torch.Tensor, chunk_lengths: torch.Tensor, longest: int
) -> torch.Tensor:
    """Return `(num_chunks, mel, longest)`: each chunk's frames, then zeros."""
    column = torch.arange(longest, device=features.device)
    start = chunk_lengths.cumsum(0) - chunk_lengths
    inside = column < chunk_lengths[:, None]
    # Frames beyond the last chunk do not exist; what is read there is overwritten with zeros.
    frame = (start[:, None] + column).clamp_max(features.shape[1] - 1)
    gathered = features.t()[frame]
    return gathered.masked_fill(~inside[..., None], 0).transpose(1, 2)


def _copy_chunks(features: torch.Tensor, chunk_lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """Compute the same with whole slices, read through overlapping views of the features."""
    frames = features.shape[1]
    start = chunk_lengths.cumsum(0) - chunk_lengths
    result = features.new_empty(chunk_lengths.shape[0], features.shape[0], longest)
    # Slices that would reach beyond the end are taken from a padded copy of the last frames.
    inner = int((start <= frames - longest).sum())
    if inner:
        slices = features.unfold(1, longest, 1).transpose(0, 1)
        torch.index_select(slices, 0, start[:inner], out=result[:inner])
    if inner < chunk_lengths.shape[0]:
        kept = max(frames - longest, 0)
        ending = torch.nn.functional.pad(features[:, kept:], (0, longest))
        slices = ending.unfold(1, longest, 1).transpose(0, 1)
        torch.index_select(slices, 0, start[inner:] - kept, out=result[inner:])
    short = (chunk_lengths < longest).nonzero().squeeze(1)
    if 2 * short.shape[0] > chunk_lengths.shape[0]:
        return result.masked_fill_(torch.arange(longest) >= chunk_lengths[:, None, None], 0)
    outside = torch.arange(longest) >= chunk_lengths[short][:, None, None]
    return result.index_copy_(0, short, result[short].masked_fill_(outside, 0))


def get_valid_indices(
    chunk_lengths: torch.Tensor,
    length_law: LengthLaw = halved_lengths,
    *,
    num_valid: int | None = None,
    max_length: int | None = None,
) -> torch.Tensor:
    """Return the positions of the rows that belong to a chunk after the convolutions, not to its padding.

    Args:
        chunk_lengths: `(num_chunks,)` integers before the convolutions; 0 for chunks that do not exist.
        length_law: lengths after the convolutions, A.
        num_valid: V = Σ A(chunk); given together with `max_length`, no shape depends on values.
        max_length: rows per chunk after the convolutions, the largest A(chunk).

    Returns:
        `(V,)` int64: `chunk · max_length + j` for j < A(chunk), positions in `(num_chunks · max_length)` rows.

    Raises:
        ValueError: lengths not 1-D integers, none, or negative; a total unlike the lengths.
    """
    lengths = length_law(_check_layout("chunk_lengths", chunk_lengths))
    given = None if max_length is None else num_valid
    read = _read_lengths("chunk_lengths", chunk_lengths, given, (lengths.sum(), lengths.amax()), 0)
    if read:
        check_total("num_valid", num_valid, read[0])
        check_total("max_length", max_length, read[1])
        total, width = read[0], read[1]
        # Position minus rows before the chunk, plus the chunk's first row in the padded layout.
        shift = torch.arange(lengths.shape[0], device=lengths.device) * width
        shift -= lengths.cumsum(0) - lengths
        return spread(shift, lengths, total).add_(torch.arange(total, device=lengths.device))
    owner, offset = locate(lengths, resolve_total(num_valid, lengths))
    return owner * (lengths.amax() if max_length is None else max_length) + offset


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

    With `chunk_lengths` alone every chunk is a segment of A(chunk) rows. With the other three, every audio
    is cut by itself into windows of `W = max A(chunk) · (n_window_infer ÷ (2 · n_window))` rows of its
    A(L), the last one shorter.

    Args:
        chunk_lengths: `(num_chunks,)` integers before the convolutions.
        feature_lens: `(num_audios,)` integers L, for the second form.
        n_window_infer: frames per attention window, for the second form.
        n_window: half the chunk size, for the second form.
        length_law: A; `halved_lengths` for the first form and `chunked_eighth_lengths` for the second,
            unless given.
        num_segments: number of segments or any larger number; given, the shape does not depend on values,
            and segments beyond the last are empty. The number of rows is always large enough.

    Returns:
        `(segments + 1,)` int32.

    Raises:
        ValueError: lengths not 1-D integers, none, or out of range; only some arguments of the second form;
            `n_window_infer` smaller than a chunk; `num_segments` too small.
    """
    chunks = _check_layout("chunk_lengths", chunk_lengths)
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
    lengths = law(_check_layout("feature_lens", feature_lens))
    window = law(chunks).amax() * ratio
    return _bound_windows(lengths, window, feature_lens, num_segments)


def _bound_chunks(
    lengths: torch.Tensor, chunks: torch.Tensor, num_segments: int | None
) -> torch.Tensor:
    """Return boundaries of one segment per chunk."""
    _read_lengths("chunk_lengths", chunks, 0, (), 0)
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
    num_segments: int | None,
) -> torch.Tensor:
    """Return boundaries of the windows of `window` rows (0-d) inside each audio of `lengths` rows."""
    if can_read(lengths, num_segments) and lengths.shape[0] == 1 and num_segments is None:
        rows, width = _read_lengths("feature_lens", feature_lens, None, (lengths[0], window))
        ends = torch.arange(0, rows + width, width, dtype=torch.int32, device=lengths.device)
        return ends.clamp_max_(rows)
    counts = divide(lengths + window - 1, window)
    read = _read_lengths("feature_lens", feature_lens, num_segments, (counts.sum(),))
    if read and num_segments is not None and num_segments < read[0]:
        raise ValueError(f"num_segments is {num_segments}, but there are {read[0]} windows")
    bound = num_segments if num_segments is not None else (read[0] if read else None)
    start = lengths.cumsum(0) - lengths
    if read and bound == read[0]:
        # The last window of an audio ends with it, whatever its length.
        local = count_up(counts, bound) + 1
        ends = spread(start, counts, bound) + local * window
        ends[counts.cumsum(0) - 1] = start + lengths
    else:
        owner, offset, exists = locate_bounded(counts, resolve_total(bound, counts))
        inside = torch.minimum((offset + 1) * window, lengths[owner])
        ends = torch.where(exists, start[owner] + inside, lengths.sum())
    return with_leading_zero(ends, torch.int32)


def get_pool_indices(
    feature_lens: torch.Tensor,
    length_law: LengthLaw = halved_lengths,
    *,
    num_pooled: int | None = None,
) -> torch.Tensor:
    """Return the first row of every pair that average pooling by 2 joins; pairs never join two audios.

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
    lengths = length_law(_check_layout("feature_lens", feature_lens))
    if can_read(lengths, num_pooled) and lengths.shape[0] == 1:
        read = _read_lengths("feature_lens", feature_lens, num_pooled, (lengths[0],))
        check_total("num_pooled", num_pooled, read[0] // 2)
        return torch.arange(0, read[0] - 1, 2, device=lengths.device)
    counts = lengths // 2
    read = _read_lengths("feature_lens", feature_lens, num_pooled, (counts.sum(),))
    start = lengths.cumsum(0) - lengths
    if read:
        check_total("num_pooled", num_pooled, read[0])
        pair = torch.arange(read[0], device=lengths.device).mul_(2)
        return pair.add_(spread(start - 2 * (counts.cumsum(0) - counts), counts, read[0]))
    owner, offset = locate(counts, resolve_total(num_pooled, counts))
    return start[owner] + 2 * offset


def _check_layout(name: str, lengths: torch.Tensor) -> torch.Tensor:
    """Return `lengths` as int64; raise ValueError unless they are 1-D integers, at least one."""
    if lengths.ndim != 1 or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(
            f"{name} must be a 1-D integer tensor, got {lengths.dtype} {tuple(lengths.shape)}"
        )
    if not is_tracing() and lengths.shape[0] == 0:
        raise ValueError(f"{name} is empty: at least one length is needed")
    return lengths.to(torch.int64)


def _read_lengths(
    name: str,
    lengths: torch.Tensor,
    given: int | None,
    totals: Sequence[torch.Tensor],
    least: int = 1,
) -> list[int]:
    """Check the lengths and read `totals` with one host read; empty where values must not be read."""
    if not can_read(lengths, given):
        return []
    low, *read = torch.stack((lengths.amin().to(torch.int64), *totals)).tolist()
    if low < least:
        raise ValueError(f"{name} must not be below {least}, got {low}")
    return [int(value) for value in read]
