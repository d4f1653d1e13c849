"""Rotary positions of prompts whose videos may have sound, by grids in patches, while a graph is captured.

`utils.sound_positions` counts in tokens; here is what leads from patches to tokens, and from the seconds
of a video to the times of its frames.
"""

from collections.abc import Sequence

import torch

from utils.few_sounds import SoundTokens, TimesOfFrames
from utils.sound_positions import get_positions_with_sound


def get_sound_prompt_positions(
    input_ids: torch.Tensor,
    image_grid_thw: torch.Tensor | None,
    video_grid_thw: torch.Tensor | None,
    spatial_merge_size: int,
    *,
    image_token: int,
    video_token: int,
    audio_token: int,
    vision_start_token: int,
    audio_start_token: int,
    positions_per_second: int,
    seconds: torch.Tensor | Sequence[float] | None = None,
    attention_mask: torch.Tensor | None = None,
    padding_position: int = 0,
    delimiters_share_position: bool = False,
    dtype: torch.dtype = torch.int64,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of all tokens along time, rows and columns.

    Args:
        input_ids: `(batch, L)`, the prompts, in which the tokens of a video with sound, and of its sound,
            stand between the two start tokens and two that end it.
        image_grid_thw: `(num_images, 3)` integers: frames, rows and columns, counted in patches.
        video_grid_thw: `(num_videos, 3)` integers, likewise.
        spatial_merge_size: patches along a side of a token.
        image_token: id of the tokens of images.
        video_token: of videos.
        audio_token: of sounds.
        vision_start_token: of the token in front of an image or a video.
        audio_start_token: of that in front of a sound.
        positions_per_second: positions in time of a second of a video; of a frame of an image.
        seconds: seconds between two frames of each video.
        attention_mask: `(batch, L)`, 1 for what is none of the padding.
        padding_position: position of the padding.
        delimiters_share_position: whether the two tokens in front of a video with sound, and the two
            behind, share a position.
        dtype: of the results; a whole one cuts off fractions of times.

    Returns:
        `position_ids` `(3, batch, L)`, and `rope_deltas` `(batch, 1)`, for each sample the next position
        minus the number of its tokens; both on the device of `input_ids`.

    Raises:
        ValueError: there are videos, but no seconds; see `utils.sound_positions.get_positions_with_sound`.
    """
    if video_grid_thw is not None and seconds is None:
        raise ValueError("videos need the seconds between their frames")
    position_ids, rope_deltas = get_positions_with_sound(
        input_ids,
        SoundTokens(image_token, video_token, audio_token, vision_start_token, audio_start_token),
        _blocks_of(image_grid_thw, spatial_merge_size),
        _blocks_of(video_grid_thw, spatial_merge_size),
        attention_mask=attention_mask,
        frame_times=_times_of_films(positions_per_second, seconds, dtype),
        delimiters_share_position=delimiters_share_position,
        dtype=dtype,
        image_times=lambda frame: frame * positions_per_second,
    )
    if padding_position and attention_mask is not None:
        position_ids = position_ids.masked_fill(attention_mask == 0, padding_position)
    return position_ids, rope_deltas.to(dtype)


def _blocks_of(grid: torch.Tensor | None, spatial: int) -> torch.Tensor | None:
    """A grid as the text decoder sees it."""
    return None if grid is None else torch.cat([grid[:, :1], grid[:, 1:] // spatial], dim=1)


def _times_of_films(
    positions_per_second: int, seconds: torch.Tensor | Sequence[float] | None, dtype: torch.dtype
) -> TimesOfFrames:
    def times(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
        between = torch.as_tensor(seconds, device=frame.device).float()[video]
        return (frame * between * positions_per_second).to(dtype)

    return times
