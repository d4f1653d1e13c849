"""Rotary positions of prompts with images and videos: three axes, per sample, without a loop.

Text counts on along all three axes at once. An image or a video starts where the text before it
ended, spreads over its grid, and the text behind it goes on after its longer side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from utils.few_images import ListedTimes, count_run_by_run
from utils.packed import divide, is_tracing
from utils.token_types import IMAGE_TYPE, NO_KEPT, NO_RUN, NO_TYPE, TEXT_TYPE, VIDEO_TYPE

FrameTimes = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

FEW = 12
"""Images, videos and samples of a batch up to which counting run by run is the quicker way."""


@dataclass(frozen=True)
class TokenRuns:
    """The runs of tokens of one type in each sample, padding left out: `(batch, L)` each.

    `kept` and `opens` are booleans: no padding, the first of its run. `offset` is the number of a
    token in its run; `index` numbers the runs of a type over the whole batch, for tokens of images
    and videos.
    """

    kept: torch.Tensor
    opens: torch.Tensor
    offset: torch.Tensor
    index: torch.Tensor


@dataclass(frozen=True)
class Entries:
    """What the grids say of each token, `(batch, L)` each.

    `is_vision` tells whether a token is one of an image or video; `video` is the number of its video,
    for others any; `frames`, `rows` and `columns` are the sizes of its run.
    """

    is_video: torch.Tensor
    is_vision: torch.Tensor
    video: torch.Tensor
    frames: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor


def get_text_positions(
    token_types: torch.Tensor,
    image_grid: torch.Tensor | None = None,
    video_grid: torch.Tensor | None = None,
    *,
    attention_mask: torch.Tensor | None = None,
    frame_times: FrameTimes | None = None,
    frames_apart: bool = False,
    time_moves_on: bool = False,
    dtype: torch.dtype = torch.int64,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of all tokens along time, rows and columns.

    The images of a batch, and its videos, stand in the order of the prompts; each is one run of
    tokens of its type. Eagerly a run may be longer or shorter than its grid says, as long as those of
    a sample add up: each takes as many positions as its grid has.

    Args:
        token_types: `(batch, L)` integers: 0 for text, 1 for images, 2 for videos.
        image_grid: `(num_images, 3)` integers: frames, rows and columns, counted in tokens.
        video_grid: `(num_videos, 3)` integers, likewise.
        attention_mask: `(batch, L)`, 0 for padding, which gets position 0 and parts no run.
        frame_times: the positions in time of frames, given the number of each in its video and
            that of its video, two tensors `(batch, L)` of int64; None for the number itself. What
            it returns for tokens of no video is not used.
        frames_apart: a video is one run for each of its frames, every one at time 0 of its run.
        time_moves_on: the text behind an image or a video goes on behind its last frame, too, where
            that is later than its longer side.
        dtype: of the results.

    Returns:
        `(3, batch, L)`, and for each sample the next position minus the number of its tokens,
        `(batch, 1)`, both on the device of `token_types`.

    Raises:
        ValueError: runs that do not add up to the sizes of the grids, other types, a sample that is all padding, a
            mask of another shape; of these only the last while a graph is captured.
    """
    if attention_mask is not None and attention_mask.shape != token_types.shape:
        raise ValueError(
            f"attention_mask has shape {tuple(attention_mask.shape)}, the prompts have "
            f"{tuple(token_types.shape)}"
        )
    if not is_tracing() and token_types.device.type == "cpu":
        rows = as_rows(image_grid, False), as_rows(video_grid, frames_apart)
        if len(rows[0]) + len(rows[1]) + len(token_types) <= FEW:
            mask = None if attention_mask is None else attention_mask.cpu()
            times = list_times(frame_times)
            return count_run_by_run(token_types, mask, *rows, times, time_moves_on, dtype)
    runs = find_token_runs(token_types, attention_mask)
    images, videos = (as_token_grid(grid, token_types) for grid in (image_grid, video_grid))
    entries = find_entries(token_types, runs, images, videos, frames_apart)
    if not is_tracing():
        num_runs = count_runs(videos, frames_apart)
        if not check_token_runs(token_types, runs, entries, images.shape[0], num_runs):
            # Some runs are longer than their grids, others shorter: they can still add up.
            mask = None if attention_mask is None else attention_mask.cpu()
            rows = as_rows(image_grid, False), as_rows(video_grid, frames_apart)
            times = list_times(frame_times)
            counted = count_run_by_run(token_types.cpu(), mask, *rows, times, time_moves_on, dtype)
            return counted[0].to(token_types.device), counted[1].to(token_types.device)
    frame_times = None if video_grid is None else frame_times
    within, span = count_within(runs, entries, frame_times, time_moves_on, dtype)
    step = torch.where(entries.is_vision, torch.where(runs.opens, span, 0), runs.kept)
    start = step.cumsum(1) - torch.where(entries.is_vision, span, runs.offset + 1)
    positions = (within + start.to(dtype)).masked_fill(~runs.kept, 0)
    behind = positions.amax((0, 2)) + 1
    return positions, (behind - runs.kept.sum(1)).unsqueeze(1)


def list_times(frame_times: FrameTimes | None) -> ListedTimes:
    """The positions in time of the first frames of one video."""

    def times(frames: int, video: int) -> torch.Tensor:
        frame = torch.arange(frames)
        if frame_times is None:
            return frame
        return frame_times(frame, torch.full_like(frame, video))

    return times


def find_entries(
    token_types: torch.Tensor,
    runs: TokenRuns,
    images: torch.Tensor,
    videos: torch.Tensor,
    frames_apart: bool,
) -> Entries:
    """Find the row of a grid that each token of an image or video belongs to."""
    is_video = token_types == VIDEO_TYPE
    is_vision = (token_types != TEXT_TYPE) & runs.kept
    video = runs.index
    if frames_apart:
        video = torch.searchsorted(videos[:, 0].cumsum(0), runs.index, right=True)
    # A last row of ones, for text and for what the grids do not hold.
    table = torch.nn.functional.pad(torch.cat([images, videos]), (0, 0, 0, 1), value=1)
    entry = torch.where(is_video, video + images.shape[0], runs.index)
    entry = torch.where(is_vision, entry, -1).clamp_max(table.shape[0] - 1)
    frames, rows, columns = table[entry].unbind(-1)
    if frames_apart:
        frames = torch.where(is_video, 1, frames)
    video = video.clamp_max(videos.shape[0] - 1)
    return Entries(is_video, is_vision, video, frames, rows, columns)


def count_within(
    runs: TokenRuns,
    entries: Entries,
    frame_times: FrameTimes | None,
    time_moves_on: bool,
    dtype: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Count from the start of each run: positions `(3, batch, L)`, and how far text behind it moves on."""

    def times(frame: torch.Tensor) -> torch.Tensor:
        if frame_times is None:
            return frame
        return torch.where(entries.is_video, frame_times(frame, entries.video), frame)

    line = divide(runs.offset, entries.columns)
    frame = divide(line, entries.rows)
    row, column = line - frame * entries.rows, runs.offset - line * entries.columns
    # Sums of fractional times are made in double precision, as Python makes them.
    wide = torch.float64 if dtype.is_floating_point else torch.int64
    span = torch.maximum(entries.rows, entries.columns).to(wide)
    if time_moves_on:
        span = torch.maximum(span, times(entries.frames - 1).to(wide) + 1)
    axes = (times(frame), row, column)
    within = [torch.where(entries.is_vision, axis, runs.offset).to(dtype) for axis in axes]
    return torch.stack(within), span


def as_rows(grid: torch.Tensor | None, frames_apart: bool) -> list[list[int]]:
    """Frames, rows and columns of every run of tokens of a grid."""
    rows: list[list[int]] = [] if grid is None else grid.tolist()
    return [[1, h, w] for t, h, w in rows for _ in range(t)] if frames_apart else rows


def find_token_runs(token_types: torch.Tensor, attention_mask: torch.Tensor | None) -> TokenRuns:
    """Find the runs of tokens of one type."""
    if attention_mask is None:
        kept = torch.ones_like(token_types, dtype=torch.bool)
        ordinal = torch.arange(token_types.shape[1], device=token_types.device).expand_as(kept)
        previous = token_types[:, :-1]
    else:
        kept = attention_mask.to(token_types.device) != 0
        ordinal = kept.cumsum(1) - 1
        place = torch.arange(token_types.shape[1], device=token_types.device)
        last = torch.where(kept, place, 0).cummax(1).values
        previous = token_types.gather(1, last[:, :-1])
    changes = torch.nn.functional.pad(token_types[:, 1:] != previous, (1, 0), value=True)
    opens = kept & (changes | (ordinal == 0))
    begin = torch.where(opens, ordinal, 0).cummax(1).values
    index = torch.zeros_like(ordinal)
    for token_type in (IMAGE_TYPE, VIDEO_TYPE):
        of_type = token_types == token_type
        number = (opens & of_type).flatten().cumsum(0).view_as(kept) - 1
        index = torch.where(of_type, number, index)
    return TokenRuns(kept, opens, (ordinal - begin).masked_fill(~kept, 0), index)


def as_token_grid(grid: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """The rows of a grid as int64, none if there is no grid."""
    if grid is None:
        return torch.zeros((0, 3), dtype=torch.int64, device=like.device)
    return grid.to(like.device, torch.int64)


def count_runs(grid: torch.Tensor, frames_apart: bool) -> torch.Tensor | int:
    """How many runs the videos of a grid are in a prompt."""
    return grid[:, 0].sum() if frames_apart else grid.shape[0]


def check_token_runs(
    token_types: torch.Tensor,
    runs: TokenRuns,
    entries: Entries,
    num_images: int,
    num_video_runs: torch.Tensor | int,
) -> bool:
    """Tell whether every run is as long as its grid says, with one read.

    Raises:
        ValueError: see `get_text_positions`.
    """
    sizes, is_vision = entries.frames * entries.rows * entries.columns, entries.is_vision
    exists = runs.index < torch.where(entries.is_video, num_video_runs, num_images)
    unlike = (token_types < TEXT_TYPE) | (token_types > VIDEO_TYPE)
    lengths = torch.zeros(token_types.numel() + 1, dtype=torch.int64, device=token_types.device)
    number = runs.opens.flatten().cumsum(0)
    lengths.scatter_add_(0, number, is_vision.flatten().to(torch.int64))
    fits = lengths[number].view_as(sizes) == sizes
    problems = (
        (runs.kept & unlike).any(),
        (is_vision & ~exists).any(),
        (is_vision & ~fits).any(),
        ~runs.kept.any(1).all(),
    )
    other, missing, misfit, empty = torch.stack(problems).tolist()
    if other:
        raise ValueError(NO_TYPE)
    if missing:
        raise ValueError(NO_RUN)
    if empty:
        raise ValueError(NO_KEPT)
    return not misfit
