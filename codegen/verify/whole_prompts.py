"""Prompts with images, videos or sounds for whole models, alone or as a padded batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from codegen.verify.inputs import Inputs, grid_inputs
from codegen.verify.scenarios import SCENARIOS, Rows, Sample
from codegen.verify.wholes import Whole

GRIDS: dict[str, list[list[int]]] = {
    "image": [[1, 4, 4], [1, 6, 4]],
    "video": [[2, 4, 4]],
    "audio": [[37], [20]],
}
NAMES = {
    "image": ("pixel_values", "image_grid_thw"),
    "video": ("pixel_values_videos", "video_grid_thw"),
}


def scenario_inputs(whole: Whole, scenario: str) -> tuple[Inputs, Inputs]:
    """The two batches of a scenario."""
    first, second = SCENARIOS[scenario]
    return prompt_inputs(whole, first), prompt_inputs(whole, second)


def whole_inputs(whole: Whole, kind: str) -> Inputs:
    """One prompt with data of one modality."""
    return prompt_inputs(whole, [{kind: GRIDS[kind]}])


def prompt_inputs(whole: Whole, samples: Sequence[Sample]) -> Inputs:
    """Prompts, padded on their left, and their data: patches of all samples, one behind the other."""
    prompts = [_prompt(whole, sample) for sample in samples]
    length = max(len(tokens) for tokens, _ in prompts)
    gaps = [[0] * (length - len(tokens)) for tokens, _ in prompts]
    types = torch.tensor([gap + types for gap, (_, types) in zip(gaps, prompts)])
    given: Inputs = {
        "input_ids": torch.tensor([gap + tokens for gap, (tokens, _) in zip(gaps, prompts)]),
        "mm_token_type_ids": types,
        "moe_mm_token_type_ids": types.clone(),
    }
    targets = whole.entry.get("target_rows", [])
    parts = [parts_of(sample) for sample in samples]
    for kind, names in NAMES.items():
        grid = [list(row) for part in parts for row in part.get(kind, ())]
        if grid:
            given |= _patches(whole, kind, grid, names[0])
            all_rows = [[*part.get(kind, ()), *targets] for part in parts]
            given[names[1]] = torch.tensor([row for rows in all_rows for row in rows])
            if targets:
                given["images_per_sample"] = torch.tensor([len(rows) for rows in all_rows])
            extra = whole.entry.get("extra", {}).get(kind, {})
            given |= {name: torch.tensor(value * len(grid)) for name, value in extra.items()}
    frames = [frames for part in parts for (frames,) in part.get("audio", ())]
    given |= _sounds(frames) if frames else {}
    if any("film" in sample for sample in samples):
        given["use_audio_in_video"] = True
    masks = [gap + [1] * (length - len(gap)) for gap in gaps]
    return given | {"attention_mask": torch.tensor(masks)}


def parts_of(sample: Sample) -> Sample:
    """What the encoders get of a prompt: videos with sound are videos, and sounds."""
    films = sample.get("film", ())
    found = {kind: rows for kind, rows in sample.items() if kind != "film"}
    if films:
        found["video"] = [*found.get("video", ()), *(row[:3] for row in films)]
        found["audio"] = [*found.get("audio", ()), *(row[3:] for row in films)]
    return found


def _patches(whole: Whole, kind: str, grid: Rows, name: str) -> Inputs:
    """Random patches of one modality, with what the model takes beside them."""
    inputs = grid_inputs(whole.vision, grid, [1] * len(grid) if whole.vision.merge_sizes else None)
    rows = inputs[whole.vision.rows]
    if "rows" in whole.entry:
        rows = rows.reshape(-1, *whole.entry["rows"])
    given: Inputs = {name: rows}
    if "merge_sizes" in inputs:
        given[f"{kind}_merge_sizes"] = inputs["merge_sizes"]
    return given


def _prompt(whole: Whole, sample: Sample) -> tuple[list[int], list[int]]:
    """Token ids and token types of a prompt with one placeholder run per image, video or frame."""
    tokens, types = [20, 21], [0, 0]
    for kind, grid in sample.items():
        for row in grid:
            more, kinds = _item(whole, kind, row)
            tokens, types = [*tokens, *more], [*types, *kinds]
    if whole.entry.get("target_rows"):
        return [*tokens, _ids(whole)["image_start_token_id"]], [*types, 0]
    return [*tokens, 22, 23], [*types, 0, 0]


def _ids(whole: Whole) -> dict[str, Any]:
    entry = whole.entry
    return {**whole.defaults.get(entry.get("ids", ""), {}), **entry.get("config", {})}


def _item(whole: Whole, kind: str, row: Sequence[int]) -> tuple[list[int], list[int]]:
    """Tokens and types of one image, video or sound."""
    if kind in ("audio", "film"):
        heard = _heard(whole, row)
        return heard, [0] * len(heard)
    entry, ids = whole.entry, _ids(whole)
    merge = 1 if whole.vision.merge_sizes else int(whole.vision.config.get("spatial_merge_size", 2))
    video = kind == "video"
    placeholder = (
        ids["image_token_id"]
        if not video or entry.get("video_uses_image_id")
        else ids["video_token_id"]
    )
    side = "video" if video and not entry.get("per_frame") else "image"
    start: int = ids.get("vision_start_token_id") or ids[f"{side}_start_token_id"]
    end: int = ids.get("vision_end_token_id") or ids[f"{side}_end_token_id"]
    tokens: list[int] = []
    types: list[int] = []
    # Where frames look like images, the ids around them tell a video; early releases go by these.
    around = video and entry.get("video_uses_image_id") and "video_start_token_id" in ids
    if around:
        tokens, types = [ids["video_start_token_id"]], [0]
    units = math.prod(row) // merge**2 // (entry.get("video_divisor", 1) if video else 1)
    runs = row[0] if video and entry.get("per_frame") else 1
    for _ in range(runs):
        count = units // runs
        tokens += [start, *[placeholder] * count, end]
        types += [0, *[2 if video else 1] * count, 0]
    if around:
        tokens, types = [*tokens, ids["video_end_token_id"]], [*types, 0]
    return tokens, types


def _heard(whole: Whole, row: Sequence[int]) -> list[int]:
    """Tokens of a sound, or of a video with its sound, in the order of time or of chunks of it."""
    ids, frames = whole.entry["config"], row[-1]
    sounds = [ids["audio_token_id"]] * _audio_tokens(whole.entry["audio_rows"], frames)
    opens, closes = ids["audio_start_token_id"], ids["audio_end_token_id"]
    if len(row) == 1:
        return [opens, *sounds, closes]
    second = ids["position_id_per_seconds"]
    chunk = second * ids.get("seconds_per_chunk", 0) or 1
    merge = int(whole.vision.config.get("spatial_merge_size", 2))
    of_frame = [ids["video_token_id"]] * (row[1] * row[2] // merge**2)
    timed = [(second * frame // chunk, 0, of_frame) for frame in range(row[0])]
    timed += [(number // chunk, 1, [token]) for number, token in enumerate(sounds)]
    mixed = [token for _, _, tokens in sorted(timed) for token in tokens]
    return [
        *(ids["vision_start_token_id"], opens, *mixed),
        *(closes, ids["vision_end_token_id"]),
    ]


def _sounds(frames: Sequence[int]) -> Inputs:
    """Random features of sounds, padded to the longest, with their mask."""
    generator = torch.Generator().manual_seed(5)
    longest = max(frames)
    return {
        "input_features": torch.randn(len(frames), 8, longest, generator=generator),
        "feature_attention_mask": (torch.arange(longest) < torch.tensor(frames)[:, None]).long(),
    }


def _audio_tokens(rows: str, length: int) -> int:
    """Rows an audio encoder returns: `pairs` of halved frames, or `eighths` of frames by the chunk."""
    if rows == "pairs":
        return ((length - 1) // 2 + 1) // 2
    rest = length % 100
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return rest + 13 * (length // 100)
