"""The keys of ``[tool.codegen]`` as lines, so that an edit of the settings is an edit like any other."""

from __future__ import annotations

import re

_TABLE = re.compile(r"^\[tool\.codegen(?:\.(?P<sub>[\w-]+))?\]\s*(?:#.*)?$")
_OTHER = re.compile(r"^\[")
_KEY = re.compile(r"^(?P<key>[\w-]+|\"[^\"]*\")\s*=")


def settings_lines(text: str) -> dict[str, tuple[int, str]]:
    """Every key of the table with its 1-based line and its lines as written."""
    found: dict[str, tuple[int, str]] = {}
    prefix: str | None = None
    key = ""
    for number, line in enumerate(text.split("\n"), 1):
        table = _TABLE.match(line)
        if table or _OTHER.match(line):
            prefix = (f"{table['sub']}." if table["sub"] else "") if table else None
            key = ""
            continue
        if prefix is None or not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _KEY.match(line)
        if match:
            key = prefix + match["key"]
            found[key] = (number, line.strip())
        elif key:  # a list over several lines
            start, sofar = found[key]
            found[key] = (start, f"{sofar}\n{line.rstrip()}")
    return found
