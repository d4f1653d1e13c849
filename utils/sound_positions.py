"""Rotary positions of prompts in which videos have their sound between their frames.

The tokens of a video and of its sound stand in one run, in the order of time, and both count from the
start of it. All else is as `utils.text_positions` has it, and audio without a video counts as text.
"""

from dataclasses import dataclass

import torch

from utils.few_sounds import (
    DELIMITER,
    IMAGE,
    MIXED,
    TEXT,
    VIDEO,
    SoundTokens,
    TimesOfFrames,
    TimesOfImage,
    count_prompt_by_prompt,
)
from utils.packed import divide, is_tracing

__all__ = ["SoundTokens", "get_positions_with_sound"]

FEW_TOKENS = 192
"""Tokens of a batch up to which counting one by one is the quicker way."""
EXACT = 1 << 24
"""Whole numbers below it are exact in every dtype of positions."""


@dataclass(frozen=True)
class Prompts:
    """Prompts with their padding moved to the end, `(batch, L)` each.

    `order` tells where a token was, None if it stands where it was; `kept` is False for padding.
    """

    ids: torch.Tensor
    kept: torch.Tensor
    order: torch.Tensor | None


@dataclass(frozen=True)
class Runs:
    """The runs of tokens of one kind, `(batch, L)` each.

    `closes` marks the last token of each, `stretch` numbers its stretches of equal tokens, `offset` is
    the number of a token in its run; in one of a video and its sound among those of the same of both.
    `video` numbers videos over the whole batch, `entry` images and, behind these, videos.
    """

    kinds: torch.Tensor
    closes: torch.Tensor
    stretch: torch.Tensor
    offset: torch.Tensor
    is_vision: torch.Tensor
    video: torch.Tensor
    entry: torch.Tensor


def get_positions_with_sound(
    input_ids: torch.Tensor,
    tokens: SoundTokens,
    image_grid: torch.Tensor | None,
    video_grid: torch.Tensor | None,
    *,
    attention_mask: torch.Tensor | None = None,
    frame_times: TimesOfFrames,
    delimiters_share_position: bool,
    dtype: torch.dtype,
    image_times: TimesOfImage | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of all tokens along time, rows and columns.

    Args:
        input_ids: `(batch, L)`, the prompts.
        tokens: ids of tokens.
        image_grid: `(num_images, 3)`: frames, rows and columns, counted in tokens.
        video_grid: `(num_videos, 3)`, likewise.
        attention_mask: `(batch, L)`, 0 for padding, which gets position 0.
        frame_times: the positions in time of frames, given the number of each in its video and
            that of its video.
        delimiters_share_position: whether the two tokens in front of a video with sound, and the two
            behind, share a position.
        dtype: of the positions.
        image_times: the positions in time of the frames of images, given their numbers; None for these.

    Returns:
        `(3, batch, L)`, and for each sample the next position minus the number of its tokens,
        `(batch, 1)`, both on the device of `input_ids`.

    Raises:
        ValueError: the prompts hold more images or videos than the grids.
    """
    given = (attention_mask, frame_times, delimiters_share_position, dtype, image_times)
    fits = attention_mask is None or attention_mask.shape == input_ids.shape
    if not is_tracing() and (not fits or input_ids.numel() <= FEW_TOKENS):
        return count_prompt_by_prompt(input_ids, tokens, image_grid, video_grid, *given)
    if not fits:
        raise ValueError("attention_mask has another shape than the prompts")
    prompts = move_padding(input_ids, attention_mask)
    images, videos = (_as_grid(grid, input_ids) for grid in (image_grid, video_grid))
    runs = find_runs(prompts, tokens, images.shape[0])
    # A last row of ones, for text and for what the grids do not hold.
    table = torch.nn.functional.pad(torch.cat([images, videos]), (0, 0, 0, 1), value=1)
    sizes = table[runs.entry.clamp_max(table.shape[0] - 1)]
    of_videos = None if video_grid is None else frame_times
    times = _times(runs, of_videos, image_times, videos.shape[0])
    within = count_in_runs(runs, sizes, times, delimiters_share_position, dtype)
    span = count_spans(runs, sizes, times, within)
    step = torch.where(runs.closes, span, 0)
    positions = within + (step.cumsum(1) - step).to(dtype)
    positions = positions.masked_fill(~prompts.kept, 0)
    behind = positions.amax((0, 2)) + 1
    has_video = video_grid is not None
    if not is_tracing():
        counts = images.shape[0], videos.shape[0]
        fits, has_video = check_runs(prompts, tokens, runs, sizes, positions, counts)
        if not fits:
            return count_prompt_by_prompt(input_ids, tokens, image_grid, video_grid, *given)
    deltas = (behind if has_video else behind.long()) - prompts.kept.sum(1)
    if prompts.order is not None:
        order = prompts.order.expand_as(positions)
        positions = torch.zeros_like(positions).scatter(2, order, positions)
    return positions, deltas.unsqueeze(1)


def move_padding(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> Prompts:
    """Move the padding of every prompt to its end, so that runs are not parted by it."""
    if attention_mask is None:
        return Prompts(input_ids, torch.ones_like(input_ids, dtype=torch.bool), None)
    kept = attention_mask.to(input_ids.device) != 0
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
    return Prompts(input_ids.gather(1, order), kept.gather(1, order), order)


def find_kinds(prompts: Prompts, tokens: SoundTokens) -> torch.Tensor:
    """Tell what each token belongs to: text and sound alone, an image, a video, a video with sound, its ends."""
    ids, kept = prompts.ids, prompts.kept
    sounding = kept & ((ids == tokens.video) | (ids == tokens.audio))
    opens = find_openings(prompts, tokens)
    first = _later(opens, 2)
    # Where the run of such tokens began decides whether it is one of a video with its sound.
    begin = torch.where(sounding & ~_later(sounding, 1), _token_places(ids), 0).cummax(1).values
    mixed = sounding & first.gather(1, begin)
    ends = (first | _later(mixed, 1)) & ~sounding
    delimits = opens | _later(opens, 1) | ends | _later(ends, 1)
    kinds = torch.where(ids == tokens.video, VIDEO, torch.where(ids == tokens.image, IMAGE, TEXT))
    return torch.where(delimits, DELIMITER, torch.where(mixed, MIXED, kinds))


def find_openings(prompts: Prompts, tokens: SoundTokens) -> torch.Tensor:
    """Find the first of the two tokens that stand in front of a video with sound."""
    starts = prompts.kept & (prompts.ids == tokens.audio_start)
    followed = torch.nn.functional.pad(starts, (0, 1))[:, 1:]
    return prompts.kept & (prompts.ids == tokens.vision_start) & followed


def find_runs(prompts: Prompts, tokens: SoundTokens, num_images: int) -> Runs:
    """Find the runs of tokens of one kind, and what item of the grids each of them stands for."""
    kinds, kept = find_kinds(prompts, tokens), prompts.kept
    changes = _changes(kinds)
    opens = kept & changes
    goes_on = torch.nn.functional.pad(kept & ~changes, (0, 1))[:, 1:]
    begin = torch.where(opens, _token_places(kinds), 0).cummax(1).values
    is_mixed = kinds == MIXED
    of_video = is_mixed & (prompts.ids == tokens.video)
    frames = of_video.cumsum(1) - of_video.long()
    frames = frames - frames.gather(1, begin)
    offset = _token_places(kinds) - begin
    offset = torch.where(is_mixed, torch.where(of_video, frames, offset - frames), offset)
    is_image, is_video = kinds == IMAGE, (kinds == VIDEO) | is_mixed
    image, video = (
        (opens & chosen).flatten().cumsum(0).view_as(kinds) - 1 for chosen in (is_image, is_video)
    )
    is_vision = kept & (is_image | (kinds == VIDEO) | of_video)
    entry = torch.where(is_video, video + num_images, torch.where(is_image, image, -1))
    # The row behind the last is that of nothing.
    entry = torch.where(entry < 0, torch.iinfo(torch.int64).max, entry)
    stretch = (changes | _changes(prompts.ids)).cumsum(1) - 1
    return Runs(kinds, kept & ~goes_on, stretch, offset, is_vision, video, entry)


def _times(
    runs: Runs,
    frame_times: TimesOfFrames | None,
    image_times: TimesOfImage | None,
    num_videos: int,
) -> TimesOfFrames:
    """The positions in time of frames; without other ones they are their numbers."""
    is_video = (runs.kinds == VIDEO) | (runs.kinds == MIXED)
    video = runs.video.clamp(0, num_videos - 1)

    def times(frame: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        of_image = frame if image_times is None else image_times(frame)
        if frame_times is None:
            return of_image
        return torch.where(is_video, frame_times(frame, video), of_image)

    return times


def count_in_runs(
    runs: Runs,
    sizes: torch.Tensor,
    times: TimesOfFrames,
    delimiters_share_position: bool,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Count from the start of each run: `(3, batch, L)`."""
    _, rows, columns = sizes.unbind(-1)
    line = divide(runs.offset, columns)
    frame = divide(line, rows)
    axes = times(frame, runs.video), line - frame * rows, runs.offset - line * columns
    plain = runs.offset
    if delimiters_share_position:
        plain = torch.where(runs.kinds == DELIMITER, plain // 2, plain)
    return torch.stack([torch.where(runs.is_vision, axis, plain).to(dtype) for axis in axes])


def count_spans(
    runs: Runs, sizes: torch.Tensor, times: TimesOfFrames, within: torch.Tensor
) -> torch.Tensor:
    """Count how far each run moves on what follows it, `(batch, L)`, right at the last token of the run."""
    # Sums of fractional times are made in double precision, as Python makes them.
    wide = torch.float64 if within.dtype.is_floating_point else torch.int64
    frames, rows, columns = sizes.unbind(-1)
    last = times(frames - 1, runs.video).to(wide) + 1
    of_item = torch.maximum(torch.maximum(rows, columns).to(wide), last)
    # Behind a video with sound its last stretch counts, be it of the video or of the sound.
    highest = within.amax(0)
    of_stretch = torch.zeros_like(highest).scatter_reduce(1, runs.stretch, highest, "amax")
    of_others = of_stretch.gather(1, runs.stretch).to(wide) + 1
    is_item = (runs.kinds == IMAGE) | (runs.kinds == VIDEO)
    return torch.where(is_item, of_item, of_others)


def check_runs(
    prompts: Prompts,
    tokens: SoundTokens,
    runs: Runs,
    sizes: torch.Tensor,
    positions: torch.Tensor,
    counts: tuple[int, int],
) -> tuple[bool, bool]:
    """Tell whether prompts fit their grids and sums of times are exact, and whether there is a video.

    One read. Where they do not, every run has to be looked at by itself.
    """
    total = sum(counts)
    is_image, is_mixed = prompts.kept & (runs.kinds == IMAGE), prompts.kept & (runs.kinds == MIXED)
    is_video = is_mixed | (prompts.kept & (runs.kinds == VIDEO))
    entry = runs.entry.clamp_max(total)
    held = torch.zeros(total + 1, dtype=torch.int64, device=entry.device)
    held.scatter_add_(0, entry.flatten(), runs.is_vision.flatten().long())
    # A video with sound that holds nothing has ends only by what follows it.
    is_empty = _later(find_openings(prompts, tokens), 2) & (runs.kinds != MIXED)
    # What follows a fraction starts at a rounded position, run after run.
    rounded = (positions != positions.round()).any() | (positions.amax() >= EXACT)
    problems = (
        ((is_image & (entry >= counts[0])) | (is_video & (entry >= total))).any(),
        ((is_image | is_video) & (held[entry] != sizes.prod(-1))).any(),
        ~prompts.kept.any(1).all(),
        is_empty.any(),
        rounded & positions.dtype.is_floating_point,
    )
    *wrong, has_video = torch.stack((*problems, is_video.any())).tolist()
    return not any(wrong), has_video


def _as_grid(grid: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """The rows of a grid as int64, none if there is no grid."""
    if grid is None:
        return torch.zeros((0, 3), dtype=torch.int64, device=like.device)
    return grid.to(like.device, torch.int64)


def _later(flags: torch.Tensor, places: int) -> torch.Tensor:
    """Booleans `(batch, L)` moved towards the end."""
    return torch.nn.functional.pad(flags, (places, 0))[:, : flags.shape[1]]


def _changes(values: torch.Tensor) -> torch.Tensor:
    """Where a value is another than the one before, and at the first."""
    return torch.nn.functional.pad(values[:, 1:] != values[:, :-1], (1, 0), value=True)


def _token_places(like: torch.Tensor) -> torch.Tensor:
    return torch.arange(like.shape[1], device=like.device).expand_as(like)
