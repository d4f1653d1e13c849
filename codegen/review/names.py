"""Undo model names: what the same code is called in every model.

Spelling differs from model to model (``Qwen2_5_VLAttention``, ``qwen2_5_vl``, ``Qwen2.5-VL``), so
that one pattern per model finds them all; classes whose names do not follow it are told by whom
they inherit from (``aliases``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_WORD = re.compile(r"[A-Za-z_]\w*")
#: What a name that is nothing but the model's becomes.
MODEL = "<model>"


@lru_cache(maxsize=4096)
def _pattern(model: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in model.split("_") if part]
    spelled = r"[_\-. ]?".join(parts)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{spelled})" if parts else r"(?!)", re.IGNORECASE)


@lru_cache(maxsize=262_144)
def strip_model(name: str, model: str) -> str:
    """A name without that of the model."""
    return _pattern(model).sub("", name) or MODEL


@dataclass(frozen=True)
class Naming:
    """How names of one file are undone: its model, and its classes by the name of their root."""

    model: str
    aliases: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """One identifier."""
        return self.aliases.get(name) or strip_model(name, self.model)

    def text(self, text: str) -> str:
        """A string or a comment."""
        if self.aliases:
            text = _WORD.sub(lambda match: self.aliases.get(match[0], match[0]), text)
        return _pattern(self.model).sub("", text)
