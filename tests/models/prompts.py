"""Prompts for the whole models: token ids with placeholders, the token types, and the pixels behind them."""

from typing import Any

import torch

from tests.models.configurations import FullCase, Grid
from tests.models.support import random_patches

TEXT_TOKENS = (20, 21, 22, 23)
IMAGE_TYPE, VIDEO_TYPE = 1, 2
TARGET = (1, 4, 6)


def _delimiters(case: FullCase, token_type: int) -> tuple[int, int]:
    """The ids in front of and behind one image, or one video or frame."""
    config = case.config
    if "vision_start_token_id" in config:
        return config["vision_start_token_id"], config["vision_end_token_id"]
    if token_type == VIDEO_TYPE and not case.frames_apart and "video_start_token_id" in config:
        return config["video_start_token_id"], config["video_end_token_id"]
    return config.get("image_start_token_id", 5), config.get("image_end_token_id", 6)


def _spans(case: FullCase, grid: Grid, token_type: int) -> list[int]:
    """How many placeholders follow one another, for each image, video or frame."""
    if token_type == IMAGE_TYPE:
        return [t * h * w // case.merge_size**2 for t, h, w in grid]
    if case.frames_apart:
        return [h * w // case.merge_size**2 for t, h, w in grid for _ in range(t)]
    return [t * h * w // case.merge_size**2 // case.frames_per_token for t, h, w in grid]


def token_rows(
    case: FullCase, images: Grid = (), videos: Grid = (), audio_tokens: int = 0
) -> dict[str, Any]:
    """`input_ids`, `attention_mask` and token types of a single prompt."""
    tokens, types = list(TEXT_TOKENS), [0] * len(TEXT_TOKENS)
    for grid, token_type in ((images, IMAGE_TYPE), (videos, VIDEO_TYPE)):
        placeholder = case.config["image_token_id"] if token_type == IMAGE_TYPE else case.video_id
        start, end = _delimiters(case, token_type)
        for count in _spans(case, grid, token_type):
            tokens += [start, *[placeholder] * count, end, TEXT_TOKENS[count % len(TEXT_TOKENS)]]
            types += [0, *[token_type] * count, 0, 0]
    if audio_tokens:
        config = case.config
        tokens += [config["audio_start_token_id"], *[config["audio_token_id"]] * audio_tokens]
        tokens += [config["audio_end_token_id"]]
        types += [0] * (audio_tokens + 2)
    tokens += list(TEXT_TOKENS)
    types += [0] * len(TEXT_TOKENS)
    rows = {
        "input_ids": torch.tensor([tokens]),
        "attention_mask": torch.ones((1, len(tokens)), dtype=torch.long),
    }
    if case.token_types is not None:
        rows[case.token_types] = torch.tensor([types], dtype=torch.int)
    if case.model == "ernie4_5_vl_moe":
        rows["moe_mm_token_type_ids"] = (torch.tensor([types]) > 0).int()
    return rows


def _audio_inputs(case: FullCase, frames: int) -> dict[str, Any]:
    """One clip of random mel frames with its mask."""
    generator = torch.Generator().manual_seed(4)
    mel = case.config["audio_config"]["num_mel_bins"]
    return {
        "input_features": torch.randn((1, mel, frames), generator=generator),
        "feature_attention_mask": torch.ones((1, frames), dtype=torch.long),
    }


def full_inputs(
    case: FullCase, images: Grid = (), videos: Grid = (), audio_frames: int = 0
) -> dict[str, Any]:
    """Everything that the forward of a whole model takes for one prompt with images, videos and a clip."""
    audio_tokens = case.audio_tokens.get(audio_frames, 0)
    inputs = token_rows(case, images, videos, audio_tokens)
    if audio_frames:
        inputs.update(_audio_inputs(case, audio_frames))
    if images and case.targets_in_grid:
        # The last grid is that of the image to be generated.
        inputs["pixel_values"] = random_patches(case.patch_shape, images, seed=2)
        inputs["image_grid_thw"] = torch.tensor([*images, TARGET])
        inputs["images_per_sample"] = torch.tensor([len(images) + 1])
    elif images:
        inputs["pixel_values"] = random_patches(case.patch_shape, images, seed=2)
        inputs["image_grid_thw"] = torch.tensor(images)
    if videos:
        inputs["pixel_values_videos"] = random_patches(case.patch_shape, videos, seed=3)
        inputs["video_grid_thw"] = torch.tensor(videos)
    if case.model == "video_llama_3":
        for kind, grid in (("image", images), ("video", videos)):
            if grid:
                inputs[f"{kind}_merge_sizes"] = torch.full((len(grid),), case.merge_size)
        if videos:
            kept = sum(_spans(case, videos, VIDEO_TYPE))
            inputs["video_compression_mask"] = torch.ones(kept, dtype=torch.bool)
    if case.model == "qwen2_5_vl" and videos:
        inputs["second_per_grid_ts"] = torch.tensor([1.0] * len(videos))
    if case.audio and videos:
        inputs["video_second_per_grid"] = torch.tensor([1.5] * len(videos))
    return inputs
