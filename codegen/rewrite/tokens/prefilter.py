"""Which files are worth a look for placeholders."""

from __future__ import annotations

import re

# Both only say of a text that it may be worth to be parsed: what it holds is then asked of its tree.
_WORDS = re.compile(r"_token\b|<image>|IMAGE_TOKEN")
_MOVABLE = re.compile(
    r"\.replace\(|\.subn?\(|\.r?split\(|finditer\(|\.r?partition\(|\.r?find\(|\.r?index\(|get_text_with_replacements"
)


def may_hold_expansion(text: str) -> bool:
    """Cheap test whether a file may hold a processor that replaces placeholders."""
    return "Processor(" in text and bool(_WORDS.search(text)) and bool(_MOVABLE.search(text))


def is_generated(text: str) -> bool:
    """Whether a file says at its top that it was generated: it follows its definition."""
    head = text[:2000].split("\n")[:12]
    return any(line.startswith("#") and "generated" in line and " from " in line for line in head)
