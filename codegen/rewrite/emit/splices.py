"""Ranges of a text with what comes in their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Splice:
    """``new`` in the place of ``text[start:end]``, which are whole lines."""

    start: int
    end: int
    new: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with all splices made.

    Raises:
        ValueError: two of them overlap.
    """
    out: list[str] = []
    done = 0
    for splice in sorted(splices, key=lambda item: (item.start, item.end)):
        if splice.start < done:
            raise ValueError(f"overlap at {splice.start}: {splice.new!r}")
        out += [text[done : splice.start], splice.new]
        done = splice.end
    return "".join((*out, text[done:]))
