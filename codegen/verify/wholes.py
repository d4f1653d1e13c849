"""Whole models in tiny configurations."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from codegen.verify.cases import Case, load_whole_entries
from codegen.verify.inputs import config_class, find_class
from codegen.verify.scenarios import kinds_of

DATA = Path(__file__).with_name("wholes.json")


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
        return kinds_of(self.entry)


def load_wholes(cases: Mapping[str, Case], path: Path | None = None) -> dict[str, Whole]:
    """All whole models whose encoder case is known, with those of an extra file."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    found = {}
    for name, entry in load_whole_entries(path).items():
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
