"""Edits of source text by offset: collected against one text, applied together, last to first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``text[start:end]`` by ``new``; an insertion has ``start == end``."""

    start: int
    end: int
    new: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits that refer to ``text``; one that lies inside a larger one is dropped with it.

    Raises:
        ValueError: two edits overlap without one containing the other.
    """
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, -edit.end))
    out: list[str] = []
    done = 0
    previous: Edit | None = None
    for edit in ordered:
        if previous is not None and edit.start < previous.end:
            if edit.end > previous.end:
                raise ValueError(
                    f"edits overlap at {edit.start}: {previous.new!r} and {edit.new!r}"
                )
            continue
        out += [text[done : edit.start], edit.new]
        done = edit.end
        previous = edit
    out.append(text[done:])
    return "".join(out)


def block(lines: Iterable[str], indent: str) -> str:
    """Join lines of code at one indentation, with a final line break."""
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
