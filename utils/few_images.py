"""Rotary positions of prompts with few images and videos, counted run by run.

Each run costs some calls of torch, however long it is. For up to some tens of runs that is quicker
than passes over all tokens; `utils.text_positions` says what is counted.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch

from utils.token_types import IMAGE_TYPE, NO_KEPT, NO_RUN, NO_TYPE, TEXT_TYPE, VIDEO_TYPE, WRONG_RUN

ItemsByType = dict[int, Iterator[tuple[int, Sequence[int]]]]
ListedTimes = Callable[[int, int], torch.Tensor]


def count_run_by_run(
    token_types: torch.Tensor,
    attention_mask: torch.Tensor | None,
    images: Sequence[Sequence[int]],
    videos: Sequence[Sequence[int]],
    times: ListedTimes,
    time_moves_on: bool,
    dtype: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `get_text_positions` does, for tensors on the CPU.

    Args:
        token_types: `(batch, L)`.
        attention_mask: `(batch, L)` or None.
        images: frames, rows and columns of every image.
        videos: likewise for every run of tokens of videos.
        times: positions in time of the frames of a video, given how many they are and its number.
        time_moves_on: as for `get_text_positions`.
        dtype: likewise.

    Raises:
        ValueError: as there.
    """
    entries: ItemsByType = {
        IMAGE_TYPE: iter(enumerate(images)),
        VIDEO_TYPE: iter(enumerate(videos)),
    }
    positions = torch.zeros((3, *token_types.shape), dtype=dtype)
    counts = []
    for sample, types in enumerate(token_types):
        target, kept = positions[:, sample], None
        if attention_mask is not None:
            kept = attention_mask[sample] != 0
            types = types[kept]
        number = types.shape[0]
        if number == 0:
            raise ValueError(NO_KEPT)
        whole = number == target.shape[1]
        found = target if whole else torch.empty((3, number), dtype=dtype)
        _count_sample(found, types, entries, times, time_moves_on)
        if not whole:
            assert kept is not None
            target[:, kept] = found
        counts.append(number)
    behind = positions.amax((0, 2)) + 1
    return positions, (behind - torch.tensor(counts)).unsqueeze(1)


def _count_sample(
    found: torch.Tensor,
    types: torch.Tensor,
    entries: ItemsByType,
    times: ListedTimes,
    time_moves_on: bool,
) -> None:
    """Write the positions of one sample without its padding.

    Runs follow each other with the sizes of their grids, whatever their own: only the sum has to be
    that of the prompt, or one, which then stands for all.
    """
    end, begin, start = found.shape[1], 0, cast(float, 0)
    for token_type, length in _list_runs(types):
        number, sizes = 0, cast(Sequence[int], [length])
        if token_type != TEXT_TYPE:
            number, sizes = _next_entry(entries, token_type)
        total = math.prod(sizes)
        if begin + total > end:
            raise ValueError(WRONG_RUN)
        place = found.narrow(1, begin, total)
        begin += total
        if token_type == TEXT_TYPE:
            place.copy_(torch.arange(length)).add_(start)
            start += length
            continue
        t, h, w = sizes
        frames = times(t, number) if token_type == VIDEO_TYPE else torch.arange(t)
        time, row, column = place.view(3, t, h, w).unbind(0)
        time.copy_(frames[:, None, None])
        row.copy_(torch.arange(h)[:, None])
        column.copy_(torch.arange(w))
        place.add_(start)
        start += max(h, w, frames[-1].item() + 1 if time_moves_on and t else 0)
    if begin == 1:
        found.copy_(found[:, :1].clone().expand_as(found))
    elif begin < end:
        raise ValueError(WRONG_RUN)


def _next_entry(entries: ItemsByType, token_type: int) -> tuple[int, Sequence[int]]:
    """Number and sizes of the image or video of the next run."""
    if token_type not in entries:
        raise ValueError(NO_TYPE)
    entry = next(entries[token_type], None)
    if entry is None:
        raise ValueError(NO_RUN)
    return entry


def _list_runs(types: torch.Tensor) -> Iterator[tuple[int, int]]:
    """Type and length of each run: a list is quicker for some hundred tokens, torch for more."""
    if len(types) <= 512:
        yield from ((of, sum(1 for _ in run)) for of, run in itertools.groupby(types.tolist()))
    else:
        values, lengths = torch.unique_consecutive(types, return_counts=True)
        yield from zip(values.tolist(), lengths.tolist())
