"""Rotary positions of short prompts in which videos have their sound between their frames, run by run.

Tokens are looked at one by one, which for some hundred is quicker than passes over all;
`utils.sound_positions` says what is counted.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

TimesOfFrames = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
TimesOfImage = Callable[[torch.Tensor], torch.Tensor]
TEXT, IMAGE, VIDEO, MIXED, DELIMITER = range(5)


class SoundTokens(NamedTuple):
    """Ids of the tokens by which a video with sound is told, and of those that stand for items."""

    image: int
    video: int
    audio: int
    vision_start: int
    audio_start: int


class _Grid(NamedTuple):
    """One image or video as the text decoder sees it: frame times, rows and columns of merged tokens."""

    times: Sequence[float]
    rows: int
    columns: int

    def positions(self) -> torch.Tensor:
        """Time, row and column of every token, shape `(3, tokens)`."""
        frame, row, column = torch.meshgrid(
            torch.arange(len(self.times)),
            torch.arange(self.rows),
            torch.arange(self.columns),
            indexing="ij",
        )
        time = torch.tensor(list(self.times))[frame]
        return torch.stack([time.flatten(), row.flatten(), column.flatten()])


def count_prompt_by_prompt(
    input_ids: torch.Tensor,
    tokens: SoundTokens,
    image_grid: torch.Tensor | None,
    video_grid: torch.Tensor | None,
    attention_mask: torch.Tensor | None,
    frame_times: TimesOfFrames,
    delimiters_share_position: bool,
    dtype: torch.dtype,
    image_times: TimesOfImage | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `get_positions_with_sound` does, with what it is given.

    Raises:
        ValueError: as there.
    """
    grids = {
        IMAGE: iter(
            _list_grids(image_grid, lambda frame, _: image_times(frame) if image_times else frame)
        ),
        VIDEO: iter(_list_grids(video_grid, frame_times)),
    }
    position_ids = torch.zeros((3, *input_ids.shape), dtype=dtype)
    deltas = []
    for sample, sample_ids in enumerate(input_ids.cpu()):
        kept = torch.ones_like(sample_ids, dtype=torch.bool)
        if attention_mask is not None:
            kept = attention_mask[sample].bool().cpu()
        pieces = _count_with_sound(
            sample_ids[kept].tolist(), tokens, grids, delimiters_share_position, dtype
        )
        positions = torch.cat(pieces, dim=1)
        position_ids[:, sample, kept] = positions.to(dtype)
        deltas.append(positions.max() + 1 - positions.shape[1])
    device = input_ids.device
    return position_ids.to(device), torch.stack(deltas).unsqueeze(1).to(device)


def _list_grids(grid: torch.Tensor | None, frame_times: TimesOfFrames) -> list[_Grid]:
    rows = [] if grid is None else grid.tolist()
    return [
        _Grid(frame_times(torch.arange(t), torch.full((t,), number)).tolist(), h, w)
        for number, (t, h, w) in enumerate(rows)
    ]


def _count_with_sound(
    ids: list[int],
    tokens: SoundTokens,
    grids: dict[int, Iterator[_Grid]],
    delimiters_share_position: bool,
    dtype: torch.dtype,
) -> list[torch.Tensor]:
    """Positions of the runs of one sample without its padding."""
    # A tensor as soon as there is one: fractions are rounded after each piece, as the originals do.
    start: torch.Tensor | int = 0
    pieces: list[torch.Tensor] = []
    previous = TEXT
    pairs = zip(list_kinds(ids, tokens), ids)
    for kind, run in itertools.groupby(pairs, key=lambda pair: pair[0]):
        of_run = [token for _, token in run]
        if kind in (IMAGE, VIDEO):
            grid = _next(grids[kind])
            pieces.append(grid.positions() + start)
            start = pieces[-1].max() + 1
        elif kind == MIXED:
            pieces.append(_mix(of_run, tokens.video, _next(grids[VIDEO]), dtype) + start)
            # Text goes on behind the last stretch, be it of the video or of its sound.
            last = [token == of_run[-1] for token in reversed(of_run)]
            stretch = last.index(False) if False in last else len(last)
            start = pieces[-1][:, -stretch:].max() + 1
        else:
            shares = kind == DELIMITER and delimiters_share_position
            for length in _parts(
                of_run, tokens, 2 if kind == DELIMITER else 1, previous in (IMAGE, VIDEO, MIXED)
            ):
                counted = torch.arange(length) // (2 if shares else 1)
                pieces.append((counted + start).expand(3, -1))
                start = pieces[-1].max() + 1
        previous = kind
    return pieces


def _parts(ids: list[int], tokens: SoundTokens, ends: int, follows: bool) -> Iterator[int]:
    """Lengths of the parts in which originals count text: what ends an item, text, what opens one, sound.

    ``ends`` tokens open or end an item; ``follows`` tells that one stands in front.
    """
    begin = 0
    for place in range(1, len(ids) + 1):
        closes = place == len(ids) or (follows and place - begin == ends)
        opens = place < len(ids) and ids[place] in (tokens.vision_start, tokens.audio_start)
        behind = ids[begin] in (tokens.vision_start, tokens.audio_start) and place - begin == ends
        sounds = place < len(ids) and (ids[place] == tokens.audio) != (
            ids[place - 1] == tokens.audio
        )
        if closes or behind or sounds or (opens and place - begin >= ends):
            yield place - begin
            # Behind a sound stands what ends it.
            follows = sounds and ids[place - 1] == tokens.audio
            begin = place


def list_kinds(ids: list[int], tokens: SoundTokens) -> list[int]:
    """0: text and audio, 1: image, 2: video, 3: video and its sound mixed, 4: delimiters of those."""
    kinds = [{tokens.image: IMAGE, tokens.video: VIDEO}.get(token, TEXT) for token in ids]
    opening = [tokens.vision_start, tokens.audio_start]
    for start in range(len(ids) - 1):
        if ids[start : start + 2] == opening:
            end = start + 2
            while end < len(ids) and ids[end] in (tokens.video, tokens.audio):
                end += 1
            delimiters = [DELIMITER] * 2
            kinds[start : end + 2] = delimiters + [MIXED] * (end - start - 2) + delimiters
    return kinds


def _next(grids: Iterator[_Grid]) -> _Grid:
    found = next(grids, None)
    if found is None:
        raise ValueError("the prompts hold more images or videos than the grids")
    return found


def _mix(ids: list[int], video: int, grid: _Grid, dtype: torch.dtype) -> torch.Tensor:
    """Positions of the tokens of a video and its sound, each counted from the start of both."""
    is_video = torch.tensor(ids) == video
    positions = torch.zeros((3, len(ids)), dtype=dtype)
    positions[:, is_video] = grid.positions().to(dtype)
    positions[:, ~is_video] = torch.arange(int((~is_video).sum())).to(dtype)
    return positions
