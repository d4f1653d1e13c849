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


class _Spelled(dict[str, str]):
    """Tokens as a naming undoes them: names as names, strings and comments as texts, others as they are."""

    def __init__(self, naming: Naming) -> None:
        super().__init__()
        self._naming = naming

    def __missing__(self, token: str) -> str:
        found = token
        if token.isidentifier():
            found = self._naming.name(token)
        elif token[0] == "#" or token[-1] in "\"'":
            found = self._naming.text(token)
        self[token] = found
        return found


@dataclass(frozen=True)
class Naming:
    """How names of one file are undone: its model, and its classes by the name of their root."""

    model: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: Tokens of code with their names undone, each once it is asked for.
    spelled: Mapping[str, str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spelled", _Spelled(self))

    def name(self, name: str) -> str:
        """One identifier."""
        return self.aliases.get(name) or strip_model(name, self.model)

    def text(self, text: str) -> str:
        """A string or a comment."""
        if self.aliases:
            text = _WORD.sub(lambda match: self.aliases.get(match[0], match[0]), text)
        return _pattern(self.model).sub("", text)
