"""Names: file types, and the two spellings (lower and cased) of a model name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Every kind of generated file, in the order in which module names are matched against them.
FILE_TYPES = (
    "modeling",
    "configuration",
    "tokenization",
    "processing",
    "image_processing_pil",
    "image_processing",
    "video_processing",
    "feature_extraction",
)

#: Runtime helpers of rewritten code: one module beside a project's models, one package in a library.
#: A package or module of this name gives all helpers itself; other packages hold one module per subject.
HELPERS = "encoder_helpers"

_HUMP = re.compile(r"[A-Z][^A-Z]*")


def module_file_type(module: str) -> str | None:
    """The file type that the last component of a dotted module path begins with."""
    last = module.rsplit(".", 1)[-1]
    return next((kind for kind in FILE_TYPES if last.startswith(kind)), None)


def common_suffix(left: str, right: str) -> str:
    """The longest common ending, but nothing if that is the whole of one of the two names."""
    length, limit = 0, min(len(left), len(right))
    while length < limit and left[-1 - length] == right[-1 - length]:
        length += 1
    return "" if length == limit else left[len(left) - length :]


@dataclass(frozen=True, eq=False)
class NameTable:
    """Model type to configuration class name, consulted in both directions.

    ``config_classes`` keeps the order of its source: on equal class names the last key wins.
    """

    config_classes: Mapping[str, str] = field(default_factory=dict)

    def cased(self, lower: str) -> str:
        """Spelling of a model name inside class names: ``qwen2_vl`` to ``Qwen2VL``."""
        for key in (lower, lower.replace("_", "-")):
            if key in self.config_classes:
                return self.config_classes[key].replace("Config", "")
        return "".join(part.title() for part in lower.split("_"))

    def lower(self, cased: str) -> str:
        """Inverse of :meth:`cased` as far as the table knows, else split at capital letters."""
        wanted = f"{cased}Config"
        keys = [key for key, value in self.config_classes.items() if value == wanted]
        if keys:
            return keys[-1]
        return "_".join(hump.lower() for hump in _HUMP.findall(cased))
