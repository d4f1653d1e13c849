"""Offsets of placeholders where a text goes through more than one step.

Free of torch. Offsets say where a placeholder stood in the caller's text and where its replacement stands
in the final one. Where a processor replaces placeholders in several passes, or changes texts behind a pass,
the offsets of a pass speak of texts in between; these functions make them speak of the ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Offsets = list[list[dict[str, Any]]]


def chain_offsets(found: Offsets, more: Offsets) -> None:
    """Put the offsets of a further pass to those of the passes before.

    Args:
        found: per text the offsets so far, from the first texts to those that the further pass was given;
            changed in place so that they lead to what that pass made.
        more: per text the offsets of the further pass; empty where none were asked for.
    """
    if not found:
        found += [list(entries) for entries in more]
        return
    for number, (first, second) in enumerate(zip(found, more)):
        if second:
            found[number] = _chained(first, second)


def _chained(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Offsets of two passes over one text: what is replaced inside of a replacement becomes part of it."""
    made: list[dict[str, Any]] = []
    before = behind = at = 0  # lengths that the first pass, and the second, have added so far
    for entry in first:
        start, end = entry["new_span"]
        while at < len(second) and second[at]["span"][0] < start:
            made.append(_from_first(second[at], before))
            behind += _growth(second[at])
            at += 1
        old, parts, done = entry["replacement"], [], 0
        new_start = start + behind
        while at < len(second) and second[at]["span"][0] < end:
            inner = second[at]
            parts += [old[done : inner["span"][0] - start], inner["replacement"]]
            done = inner["span"][1] - start
            behind += _growth(inner)
            at += 1
        new = "".join([*parts, old[done:]])
        span = (new_start, new_start + len(new))
        made.append({**entry, "new_span": span, "replacement": new})
        before = end - entry["span"][1]
    made += [_from_first(entry, before) for entry in second[at:]]
    return made


def _from_first(entry: dict[str, Any], before: int) -> dict[str, Any]:
    """An entry of the second pass that stands in no replacement of the first, from the first text."""
    start, end = entry["span"]
    return {**entry, "span": (start - before, end - before)}


def _growth(entry: dict[str, Any]) -> int:
    return len(entry["replacement"]) - len(entry["text"])


def move_offsets(offsets: Offsets, before: Sequence[str], after: Sequence[str]) -> None:
    """Let offsets follow texts that were changed once more, outside of the replacements.

    Args:
        offsets: per text, for the texts ``before``; changed in place.
        before, after: the texts without and with the change: something put in front, behind, or at one
            place between two replacements.
    """
    for entries, old, new in zip(offsets, before, after):
        at = new.find(old)
        head, shift = (0, at) if at >= 0 else (_common(old, new), len(new) - len(old))
        for entry in entries:
            start, end = entry["new_span"]
            if end > head:
                entry["new_span"] = (start + shift, end + shift)


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginnings."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
