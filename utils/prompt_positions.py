"""Rotary positions of prompts whose images and videos are given by grids counted in patches.

`utils.text_positions` counts in tokens; here is what leads from patches to tokens, and from the seconds
of a video to the times of its frames.
"""

from collections.abc import Sequence

import torch

from utils.text_positions import FrameTimes, get_text_positions


def get_prompt_positions(
    token_types: torch.Tensor,
    image_grid_thw: torch.Tensor | None,
    video_grid_thw: torch.Tensor | None,
    spatial_merge_size: int,
    *,
    temporal_merge_size: int = 1,
    frames_apart: bool = False,
    tokens_per_second: int | None = None,
    seconds: torch.Tensor | Sequence[float] | None = None,
    attention_mask: torch.Tensor | None = None,
    dtype: torch.dtype = torch.int64,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of all tokens along time, rows and columns.

    Args:
        token_types: `(batch, L)` integers: 0 for text, 1 for images, 2 for videos.
        image_grid_thw: `(num_images, 3)` integers: frames, rows and columns, counted in patches.
        video_grid_thw: `(num_videos, 3)` integers, likewise.
        spatial_merge_size: patches along a side of a token.
        temporal_merge_size: frames of a video that one token stands for.
        frames_apart: a video is one run of tokens for each of its frames.
        tokens_per_second: positions in a second of a video; None for one in each frame.
        seconds: whole seconds between two frames of each video, what is behind the point cut off; one
            if not given.
        attention_mask: `(batch, L)`, 0 for padding, which gets position 0.
        dtype: of the positions.

    Returns:
        `position_ids` `(3, batch, L)`, and `rope_deltas` `(batch, 1)`, for each sample the next position
        minus the number of its tokens; both on the device of `token_types`.

    Raises:
        ValueError: see `utils.text_positions.get_text_positions`.
    """
    times = None
    if tokens_per_second is not None:
        times = _frame_times(tokens_per_second, seconds)
    return get_text_positions(
        token_types,
        _in_tokens(image_grid_thw, 1, spatial_merge_size),
        _in_tokens(video_grid_thw, temporal_merge_size, spatial_merge_size),
        attention_mask=attention_mask,
        frame_times=times,
        frames_apart=frames_apart,
        dtype=dtype,
    )


def _in_tokens(grid: torch.Tensor | None, temporal: int, spatial: int) -> torch.Tensor | None:
    """A grid as the text decoder sees it."""
    if grid is None:
        return None
    return torch.stack([grid[:, 0] // temporal, *(grid[:, 1:] // spatial).unbind(1)], dim=1)


def _frame_times(
    tokens_per_second: int, seconds: torch.Tensor | Sequence[float] | None
) -> FrameTimes:
    def times(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
        if seconds is None:
            return frame * tokens_per_second
        whole = torch.as_tensor(seconds, device=frame.device).long()
        return frame * (whole * tokens_per_second)[video]

    return times
