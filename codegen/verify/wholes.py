"""Whole models: tiny configurations and prompts with images, videos or audios for the model-level check."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from codegen.verify.cases import Case
from codegen.verify.inputs import Inputs, config_class, find_class, grid_inputs

DATA = Path(__file__).with_name("wholes.json")
GRIDS = {"image": [[1, 4, 4], [1, 6, 4]], "video": [[2, 4, 4]]}
AUDIO_LENGTHS = [37, 20]


@dataclass(frozen=True)
class Whole:
    """A model with its encoder's case; ``entry`` is its record in ``wholes.json``."""

    name: str
    entry: Mapping[str, Any]
    vision: Case
    audio: Case | None
    defaults: Mapping[str, Any]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Modalities the model takes."""
        return tuple(self.entry.get("kinds", ("image", "video")))


def load_wholes(cases: Mapping[str, Case], path: Path | None = None) -> dict[str, Whole]:
    """All whole models whose encoder case is known, with those of an extra file."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    entries = dict(data["wholes"])
    if path is not None:
        entries.update(json.loads(path.read_text(encoding="utf-8"))["wholes"])
    found = {}
    for name, entry in entries.items():
        vision = cases.get(entry.get("vision", name))
        if vision is not None:
            found[name] = Whole(name, entry, vision, cases.get(entry.get("audio", "")), data)
    return found


def build_whole(whole: Whole, package: str) -> torch.nn.Module:
    """Build the model with reproducible weights, in eval mode and float32."""
    torch.manual_seed(0)
    cls = whole_class(whole, package)
    model = cls(whole_config(whole, cls))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    result: torch.nn.Module = model.eval()
    return result


def whole_class(whole: Whole, package: str) -> Any:
    """The model's class."""
    module = importlib.import_module(f"{package}.{whole.entry.get('module', whole.vision.module)}")
    return find_class(module, whole.entry["class"])


def whole_config(whole: Whole, cls: type) -> Any:
    """A tiny configuration of the class."""
    text = {**whole.defaults["text"], **whole.entry["text"]}
    vision = dict(whole.vision.config)
    if "hidden_size" in text and "out_hidden_size" in vision:
        vision["out_hidden_size"] = text["hidden_size"]
    for key, target in (("text_type", text), ("vision_type", vision)):
        if key in whole.entry:
            target["model_type"] = whole.entry[key]
    parts: dict[str, Any] = {"text_config": text, "vision_config": vision}
    if whole.audio is not None:
        parts["audio_config"] = {**whole.audio.config, "output_dim": text["hidden_size"]}
    ids = whole.defaults.get(whole.entry.get("ids", ""), {})
    return config_class(cls)(**parts, **ids, **whole.entry.get("config", {}))


def whole_inputs(whole: Whole, kind: str) -> Inputs:
    """Prompt and data of one modality."""
    if kind == "audio":
        return _audio_inputs(whole)
    grid = GRIDS[kind]
    inputs = grid_inputs(whole.vision, grid, [1] * len(grid) if whole.vision.merge_sizes else None)
    rows = inputs[whole.vision.rows]
    if "rows" in whole.entry:
        rows = rows.reshape(-1, *whole.entry["rows"])
    tokens, types = _prompt(whole, kind, grid)
    names = {
        "image": ("pixel_values", "image_grid_thw"),
        "video": ("pixel_values_videos", "video_grid_thw"),
    }
    given: Inputs = {
        "input_ids": torch.tensor([tokens]),
        "mm_token_type_ids": torch.tensor([types]),
    }
    given["moe_mm_token_type_ids"] = given["mm_token_type_ids"]
    given |= {
        names[kind][0]: rows,
        names[kind][1]: torch.tensor(grid + whole.entry.get("target_rows", [])),
    }
    if "merge_sizes" in inputs:
        given[f"{kind}_merge_sizes"] = inputs["merge_sizes"]
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    extra = whole.entry.get("extra", {}).get(kind, {})
    return given | {name: torch.tensor(value) for name, value in extra.items()}


def _prompt(whole: Whole, kind: str, grid: Any) -> tuple[list[int], list[int]]:
    """Token ids and token types of a prompt with one placeholder run per image, video or frame."""
    entry = whole.entry
    ids = {**whole.defaults.get(entry.get("ids", ""), {}), **entry.get("config", {})}
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
    tokens, types = [20, 21], [0, 0]
    # Where frames look like images, the ids around them tell a video; early releases go by these.
    around = video and entry.get("video_uses_image_id") and "video_start_token_id" in ids
    for row in grid:
        if around:
            tokens, types = [*tokens, ids["video_start_token_id"]], [*types, 0]
        units = math.prod(row) // merge**2 // (entry.get("video_divisor", 1) if video else 1)
        runs = row[0] if video and entry.get("per_frame") else 1
        for _ in range(runs):
            count = units // runs
            tokens += [start, *[placeholder] * count, end]
            types += [0, *[2 if video else 1] * count, 0]
        if around:
            tokens, types = [*tokens, ids["video_end_token_id"]], [*types, 0]
    if entry.get("target_rows"):
        return [*tokens, start], [*types, 0]
    return [*tokens, 22, 23], [*types, 0, 0]


def _audio_inputs(whole: Whole) -> Inputs:
    """Padded features with their mask, and a prompt with one placeholder run per audio."""
    ids = whole.entry["config"]
    generator = torch.Generator().manual_seed(5)
    longest = max(AUDIO_LENGTHS)
    features = torch.randn(len(AUDIO_LENGTHS), 8, longest, generator=generator)
    mask = (torch.arange(longest) < torch.tensor(AUDIO_LENGTHS)[:, None]).long()
    tokens = [20]
    for length in AUDIO_LENGTHS:
        count = _audio_tokens(whole.entry["audio_rows"], length)
        tokens += [
            ids["audio_start_token_id"],
            *[ids["audio_token_id"]] * count,
            ids["audio_end_token_id"],
        ]
    tokens += [22, 23]
    given = {
        "input_ids": torch.tensor([tokens]),
        "input_features": features,
        "feature_attention_mask": mask,
    }
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    return given


def _audio_tokens(rows: str, length: int) -> int:
    """Rows an audio encoder returns: `pairs` of halved frames, or `eighths` of frames by the chunk."""
    if rows == "pairs":
        return ((length - 1) // 2 + 1) // 2
    rest = length % 100
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return rest + 13 * (length // 100)
