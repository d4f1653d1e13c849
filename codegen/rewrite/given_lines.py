"""Which line of a file as it was given a line of its changed text comes from."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

Span = tuple[int, int]
"""Numbers of the first line and of the one behind the last."""


def line_before(old: str, new: str, line: int) -> int:
    """The line of a text that a line of its changed form comes from, or stands behind."""
    for _, start, end, first, last in _opcodes(old, new):
        if start <= line - 1 < end:
            return min(first + (line - 1 - start), max(last - 1, first)) + 1
    return line


@lru_cache(maxsize=16)
def _opcodes(old: str, new: str) -> tuple[tuple[str, int, int, int, int], ...]:
    """How the lines of a changed text come from those before; many records ask it of one file."""
    here, there = new.split("\n"), old.split("\n")
    # What is the same at both ends is most of a file, and long to search for.
    start = _equal(here, there)
    stop = _equal(here[start:][::-1], there[start:][::-1])
    end, last = len(here) - stop, len(there) - stop
    found = [("equal", 0, start, 0, start)]
    a = b = start
    # Blank lines and brackets stand everywhere and take long to pair; what stands once is paired at once.
    for c, d in (*_once_in_both(here, there, (start, end), (start, last)), (end, last)):
        if here[a:c] == there[b:d]:
            found.append(("equal", a, c, b, d))  # most are, a line that stands once
        else:
            gap = SequenceMatcher(None, here[a:c], there[b:d], autojunk=False)
            found += [(tag, i + a, j + a, k + b, m + b) for tag, i, j, k, m in gap.get_opcodes()]
        a, b = c, d
    return (*found, ("equal", end, len(here), last, len(there)))


def _equal(left: Sequence[str], right: Sequence[str]) -> int:
    """How many lines are the same at the beginning."""
    pairs = enumerate(zip(left, right))
    return next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))


def _once_in_both(
    left: Sequence[str], right: Sequence[str], mine: Span, yours: Span
) -> tuple[Span, ...]:
    """Lines that stand once in a span on either side, as pairs of numbers: the most that are in one order."""
    places = {right[number]: number for number in _once(right, yours)}
    pairs = [
        (number, places[left[number]]) for number in _once(left, mine) if left[number] in places
    ]
    # Where ways of each length end on the right at the earliest, and the numbers of the pairs they end with.
    ends: list[int] = []
    tails: list[int] = []
    before: list[int] = []
    for position, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(tails[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        tails[length : length + 1] = [position]
    way, position = list[Span](), tails[-1] if tails else -1
    while position >= 0:
        way.append(pairs[position])
        position = before[position]
    return tuple(reversed(way))


def _once(lines: Sequence[str], span: Span) -> Iterator[int]:
    """The numbers of lines of a span that stand in it once."""
    counts = Counter(lines[slice(*span)])
    return (number for number in range(*span) if counts[lines[number]] == 1)
