"""Entries for parameters in a docstring, whose source is a piece of prose with indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen.rewrite.helpers import INPUTS
from codegen.text.lines import split_lines

_TYPED = re.compile(r"\s*(?P<name>\w+) \((?P<kind>.+)\):")
_ENTRY = re.compile(r"\s*\w+ \(.+\):")


def with_entries(
    source: str, names: Sequence[str], prefix: str, margin: str, completed: bool
) -> str:
    """The source of a docstring with entries behind the last one.

    Args:
        source: the string as it is written, with its quotes.
        names: of the parameters.
        prefix: of their names.
        margin: the indentation of the statement.
        completed: whether a decorator completes the docstring from its entries, so that it may have
            none yet. Otherwise one without entries stays.
    """
    lines = split_lines(source)
    entries = [i for i, line in enumerate(lines) if _ENTRY.match(line)]
    if not entries:
        opening = lines[0].strip()
        if not completed or opening not in ('"""', 'r"""'):
            return source
        first = "".join(_entry(prefix, name, margin) for name in names)
        return "".join((lines[0], first, "\n", *lines[1:]))
    last = lines[entries[-1]]
    base = _indent(last)
    place = entries[-1] + 1
    while place < len(lines) and lines[place].strip() and len(_indent(lines[place])) > len(base):
        place += 1
    if place == len(lines):
        return source
    present = {lines[i].split("(")[0].strip() for i in entries}
    new = [_entry(prefix, name, base) for name in names if prefix + name not in present]
    return "".join((*lines[:place], *new, *lines[place:]))


def marked_optional(source: str, names: Sequence[str]) -> str:
    """The source of a docstring in which the types of parameters end with a mark that they may be left out."""
    lines = split_lines(source)
    for number, line in enumerate(lines):
        entry = _TYPED.match(line)
        if entry and entry["name"] in names and "optional" not in entry["kind"]:
            end = entry.end("kind")
            lines[number] = f"{line[:end]}, *optional*{line[end:]}"
    return "".join(lines)


def _entry(prefix: str, name: str, margin: str) -> str:
    result = INPUTS[name]
    return f"{margin}{prefix}{name} ({result.kind}, *optional*):\n{margin}    {result.text}\n"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
