"""Chunks of packed audio features, the length laws of convolutions and the checks of lengths."""

from collections.abc import Callable, Sequence

import torch

from utils.packed import (
    can_read,
    check_positive,
    count_lengths,
    divide,
    is_tracing,
    locate_bounded,
    read_integer,
    resolve_total,
)

LengthLaw = Callable[[torch.Tensor], torch.Tensor]
"""Maps integer lengths before the convolutions to lengths after them, elementwise; 0 stays 0."""


def halved_lengths(lengths: torch.Tensor) -> torch.Tensor:
    """Length law of one convolution of kernel 3, stride 2, padding 1: `(l − 1) ÷ 2 + 1`."""
    return (lengths - 1) // 2 + 1


def chunked_eighth_lengths(lengths: torch.Tensor, n_window: int = 50) -> torch.Tensor:
    """Length law of three stride-2 convolutions over chunks of `c = 2 · n_window` frames.

    Full chunks count 13 each, which is what three halvings leave of 100 frames (n_window = 50); the
    rest `l mod c` is halved three times. Models write the 13 as a constant, so the law agrees with
    the real convolutions for 97 to 104 frames per chunk only.
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
        num_chunks: Σ ⌈L / c⌉ or any larger number (`ΣL ÷ c + num_audios` always is); given, the
            shape does not depend on values, and chunks beyond the last have length 0.

    Returns:
        `(num_chunks,)` int64.

    Raises:
        ValueError: lengths not 1-D integers, none, or below one; n_window < 1; `num_chunks` too
            small.
    """
    check_positive("n_window", n_window)
    chunk = 2 * n_window
    lengths = check_layout("feature_lens", feature_lens)
    counts = (lengths + chunk - 1) // chunk
    read = read_lengths("feature_lens", lengths, num_chunks, (counts.sum(),))
    return _cut(lengths, counts, chunk, num_chunks, read[0] if read else None)


def _cut(
    lengths: torch.Tensor, counts: torch.Tensor, chunk: int, bound: int | None, actual: int | None
) -> torch.Tensor:
    """Return the chunk lengths, filled up with zeros to `bound`; `actual` exist, if known."""
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
        max_chunk_length: length of the longest chunk, `min(c, max L)`; the width of the result.
            Convolutions that see the padding compute other values for another width, so this is no
            bound, except in a graph capture that clears it (`clear_beyond_longest`).
            None in a capture leaves the width open (`utils.chunk_convolution`).

    Returns:
        `padded_feature` `(num_chunks, mel, max_chunk_length)`, dtype of the features, and
        `chunk_lengths` `(num_chunks,)` int64.

    Raises:
        ValueError: as `get_chunk_lengths`; features not 2-D, lengths that do not add up to
            their frames, `max_chunk_length` unlike the lengths.
    """
    check_positive("n_window", n_window)
    if input_features.ndim != 2:
        raise ValueError(
            f"input_features must have shape (mel, frames), got {tuple(input_features.shape)}"
        )
    chunk = 2 * n_window
    lengths = check_layout("feature_lens", feature_lens)
    counts = (lengths + chunk - 1) // chunk
    given = None if num_chunks is None or max_chunk_length is None else num_chunks
    read = read_lengths(
        "feature_lens", lengths, given, (counts.sum(), lengths.sum(), lengths.amax(0))
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


def clear_beyond_longest(
    columns: torch.Tensor, chunk_lengths: torch.Tensor, stride: int
) -> torch.Tensor:
    """Zero what lies beyond the longest chunk, where chunks are padded to a greater width.

    A convolution turns padding into its bias, and the next one sees that. Cleared between the
    two, the columns of the longest chunk get the values that they have without the excess.

    Args:
        columns: `(num_chunks, ..., width)`, convolved.
        chunk_lengths: `(num_chunks,)` integers before the convolutions.
        stride: product of the strides so far; n columns before them are `⌈n / stride⌉` now.

    Returns:
        `columns` with zeros from column `⌈max(chunk_lengths) / stride⌉` on.
    """
    longest = (chunk_lengths.to(columns.device).amax(0) + stride - 1) // stride
    outside = torch.arange(columns.shape[-1], device=columns.device) >= longest
    return columns.masked_fill(outside, 0)


def widen_valid_indices(
    valid_indices: torch.Tensor, chunk_lengths: torch.Tensor, width: int, stride: int
) -> torch.Tensor:
    """Turn positions in chunks padded to the longest into those in chunks padded to `width`.

    Args:
        valid_indices: `(V,)` integers, `chunk · ⌈max(chunk_lengths) / stride⌉ + j`.
        chunk_lengths: `(num_chunks,)` integers before the convolutions.
        width: columns of a padded chunk before the convolutions.
        stride: product of their strides.

    Returns:
        `(V,)`: `chunk · ⌈width / stride⌉ + j`.
    """
    narrow = (chunk_lengths.to(valid_indices.device).amax(0) + stride - 1) // stride
    excess = (width + stride - 1) // stride - narrow
    return valid_indices + divide(valid_indices, narrow) * excess


def _resolve_longest(lengths: torch.Tensor, chunk: int, given: int | None) -> int:
    """Return the caller's longest chunk or, in a graph capture, an unbacked size for it."""
    if given is not None:
        return given
    longest = read_integer(lengths.amax(0).clamp_max(chunk))
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
    parts = []
    # Slices that would reach beyond the end are taken from a padded copy of the last frames.
    inner = int((start <= frames - longest).sum())
    if inner:
        slices = features.unfold(1, longest, 1).transpose(0, 1)
        parts.append(slices.index_select(0, start[:inner]))
    if inner < chunk_lengths.shape[0]:
        kept = frames - longest
        ending = torch.nn.functional.pad(features[:, kept:], (0, longest))
        slices = ending.unfold(1, longest, 1).transpose(0, 1)
        parts.append(slices.index_select(0, start[inner:] - kept))
    result = parts[0] if len(parts) == 1 else torch.cat(parts)
    short = (chunk_lengths < longest).nonzero().squeeze(1)
    if 2 * short.shape[0] > chunk_lengths.shape[0]:
        return result.masked_fill_(torch.arange(longest) >= chunk_lengths[:, None, None], 0)
    outside = torch.arange(longest) >= chunk_lengths[short][:, None, None]
    return result.index_copy_(0, short, result[short].masked_fill_(outside, 0))


def check_layout(name: str, lengths: torch.Tensor | None) -> torch.Tensor:
    """Return `lengths` as int64; raise ValueError unless they are given, and 1-D integers, at least one."""
    count_lengths(name, lengths)
    assert lengths is not None
    if lengths.ndim != 1 or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(
            f"{name} must be a 1-D integer tensor, got {lengths.dtype} {tuple(lengths.shape)}"
        )
    if not is_tracing() and lengths.shape[0] == 0:
        raise ValueError(f"{name} is empty: at least one length is needed")
    return lengths.to(torch.int64)


def read_lengths(
    name: str,
    lengths: torch.Tensor,
    given: int | None,
    totals: Sequence[torch.Tensor],
    least: int = 1,
) -> list[int]:
    """Check the lengths and read `totals` in one host read; empty where that is not allowed."""
    if not can_read(lengths, given):
        return []
    low, *read = torch.stack((lengths.amin().to(torch.int64), *totals)).tolist()
    check_low(name, low, least)
    return [int(value) for value in read]


def check_low(name: str, low: int, least: int) -> None:
    """Raise ValueError if the smallest length is below the least that is allowed."""
    if low < least:
        raise ValueError(f"{name} must not be below {least}, got {low}")
