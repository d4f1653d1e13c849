"""Offsets of placeholders where a text goes through more than one step.

Free of torch. Offsets say where a placeholder stood in the caller's text and where its replacement stands
in the final one. Where a processor replaces placeholders in several passes, or changes texts behind a pass,
the offsets of a pass speak of texts in between; these functions make them speak of the ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

_WORD = re.compile(r"<[^<>]*>|[^<]+|<")
"""Tokens in angle brackets, and what stands between them."""
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
    """Let offsets follow texts that were changed once more.

    Args:
        offsets: per text, for the texts ``before``; changed in place. Where the change reaches into a
            replacement, what is left of that is the replacement.
        before, after: the texts without and with the change.
    """
    for entries, old, new in zip(offsets, before, after):
        if not entries or old == new:
            continue
        spans = [entry["new_span"] for entry in entries]
        at = new.find(old)
        head, shift = (0, at) if at >= 0 else (_common(old, new), len(new) - len(old))
        tail = len(old) if at >= 0 else _common(old[head:][::-1], new[head:][::-1])
        if all(end <= head or start >= len(old) - tail for start, end in spans):
            spans = [(a, b) if b <= head else (a + shift, b + shift) for a, b in spans]
        else:
            spans = _aligned(old, new, spans)
        for entry, span in zip(entries, spans):
            entry["new_span"], entry["replacement"] = span, new[slice(*span)]


#: How far one looks for the word with which two texts go on alike.
_WINDOW = 64


def _aligned(old: str, new: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where ranges of a text lie in another one that came of it by small changes, word by word."""
    places = _places(re.findall(_WORD, old), re.findall(_WORD, new))
    starts = [start for start, _ in places]
    found, done = [], 0
    for start, end in spans:
        ends = []
        for place in (start, end):
            at = bisect_right(starts, place) - 1
            limit = places[at + 1][1] if at + 1 < len(places) else len(new)
            ends.append(min(places[at][1] + place - places[at][0], limit))
        first = max(done, ends[0])
        done = max(first, ends[1])
        found.append((first, done))
    return found


def _places(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Where each word of a text begins in it, and in the other text."""
    places, i, j, old, new = [], 0, 0, 0, 0
    while i < len(one):
        places.append((old, new))
        if j < len(other) and one[i] != other[j]:
            gone = _words_until(other[j : j + 2], one, i)
            added = _words_until(one[i : i + 2], other, j)
            if added < gone:
                new += sum(map(len, other[j : j + added]))
                places[-1], j = (old, new), j + added
            elif gone < _WINDOW:
                old, i = old + len(one[i]), i + 1
                continue
        old += len(one[i])
        new += len(other[j]) if j < len(other) else 0
        i, j = i + 1, j + 1
    places.append((old, new))
    return places


def _words_until(pair: Sequence[str], words: Sequence[str], start: int) -> int:
    """How many words on two words stand; the window's width where they do not."""
    for ahead in range(_WINDOW):
        if words[start + ahead : start + ahead + len(pair)] == pair:
            return ahead
    return _WINDOW


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
