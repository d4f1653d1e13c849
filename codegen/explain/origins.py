"""Text that knows where each of its characters was written.

A :class:`Traced` string is cut, joined and stripped like any other and keeps, for every character, the
place in a source file that it was cut from. What a tool writes itself has no place, with one exception:
text that stands between two neighbouring cuts of one file took the place of what stood between them.

    text[:5] + "Pebble" + text[10:]      "Pebble" was written where text[5:10] is
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import SupportsIndex

#: A place is the number of a file in the upper half and an offset in its text in the lower one; 0: none.
_SHIFT = 32
_OFFSET = (1 << _SHIFT) - 1
#: Longest stretch of a source, beyond twice its own length, that inserted text can have replaced.
_REPLACED = 80

Places = array  # of type code Q


def _no_places(count: int) -> array[int]:
    return array("Q", bytes(8 * count))


class Sources:
    """The texts that places refer to, in the order in which they were read."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.texts: list[str] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def traced(self, path: str, text: str) -> Traced:
        """The text of a file with every character in its place."""
        number = self._numbers.setdefault((path, text), len(self.paths) + 1)
        if number > len(self.paths):
            self.paths.append(path)
            self.texts.append(str.__str__(text))
        base = number << _SHIFT
        return made(text, array("Q", range(base, base + len(text))), base)

    def path(self, place: int) -> str:
        """The path of the file that holds a place."""
        return self.paths[(place >> _SHIFT) - 1]

    def between(self, left: int, right: int) -> str:
        """What stands between two places of one file."""
        return self.texts[(left >> _SHIFT) - 1][left & _OFFSET : right & _OFFSET]


#: Places are numbers, so that strings stay small; what they refer to is known once in a process.
SOURCES = Sources()


def file_number(place: int) -> int:
    """The number of the file of a place."""
    return place >> _SHIFT


def offset(place: int) -> int:
    """The offset of a place in the text of its file."""
    return place & _OFFSET


class Traced(str):
    """A string with the places of its characters; ``start`` is where it was cut, even if it is empty."""

    __slots__ = ("places", "start")
    places: array[int]
    start: int

    def __str__(self) -> str:
        return self

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec) if spec else self

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        text = str.__getitem__(self, key)
        if not isinstance(key, slice) or key.step not in (None, 1):
            return text
        begin, stop, _ = key.indices(len(self))
        start = self.places[begin] if begin < len(self) else self.end
        return made(text, self.places[begin:stop], start)

    @property
    def end(self) -> int:
        """The place behind the last character; 0 if that was written by the tool."""
        if not self.places:
            return self.start
        return self.places[-1] + 1 if self.places[-1] else 0

    def __add__(self, other: str) -> str:
        return joined("", (self, other))

    def __radd__(self, other: str) -> str:
        return joined("", (other, self))

    def lstrip(self, chars: str | None = None) -> str:
        return self[len(self) - len(str.lstrip(self, chars)) :]

    def rstrip(self, chars: str | None = None) -> str:
        return self[: len(str.rstrip(self, chars))]

    def strip(self, chars: str | None = None) -> str:
        return self.lstrip(chars).rstrip(chars)

    def removeprefix(self, prefix: str, /) -> str:
        return self[len(prefix) :] if self.startswith(prefix) else self

    def removesuffix(self, suffix: str, /) -> str:
        return self[: len(self) - len(suffix)] if suffix and self.endswith(suffix) else self

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        at = self.find(sep)
        return self._apart(at, sep) if at >= 0 else (self, "", "")

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        at = self.rfind(sep)
        return self._apart(at, sep) if at >= 0 else ("", "", self)

    def _apart(self, at: int, sep: str) -> tuple[str, str, str]:
        return self[:at], self[at : at + len(sep)], self[at + len(sep) :]

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return self._located(str.split(self, sep, maxsplit))

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return self._located(str.rsplit(self, sep, maxsplit))

    def _located(self, pieces: Sequence[str]) -> list[str]:
        found, done = [], 0
        for piece in pieces:
            begin = self.index(piece, done)
            done = begin + len(piece)
            found.append(self[begin:done])
        return found

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> str:
        limit = count.__index__()
        if not limit:
            return self
        return substituted(re.compile(re.escape(old)), lambda match: new, self, max(limit, 0))


def made(text: str, places: array[int], start: int) -> Traced:
    """A string with the places of its characters."""
    result = str.__new__(Traced, text)
    result.places, result.start = places, start
    return result


def respelled(new: str, old: str) -> str:
    """``new`` as written in the place of ``old``; what begins and ends alike keeps its place."""
    if not isinstance(old, Traced) or isinstance(new, Traced):
        return new
    return made(new, _spread(new, old, old.places), old.start)


def _spread(new: str, old: str, places: Sequence[int]) -> array[int]:
    if not places:
        return _no_places(len(new))
    head, limit = 0, min(len(new), len(old))
    while head < limit and new[head] == old[head]:
        head += 1
    tail = 0
    while tail < limit - head and new[-1 - tail] == old[-1 - tail]:
        tail += 1
    last = max(len(old) - tail - 1, head - 1, 0)
    middle = (places[min(at, last)] for at in range(head, len(new) - tail))
    behind = places[len(old) - tail :] if tail else ()
    return array("Q", (*places[:head], *middle, *behind))


def joined(separator: str, pieces: Iterable[object]) -> str:
    """``separator.join`` of strings, and of anything else as an f-string shows it."""
    parts = [piece if isinstance(piece, str) else format(piece) for piece in pieces]
    if separator:
        parts = [part for piece in parts for part in (separator, piece)][1:]
    if not any(type(part) is Traced for part in parts):
        return "".join(parts)
    text, places = "".join(parts), array("Q")
    left = 0  # the place behind what was cut last
    for part in parts:
        if not isinstance(part, Traced):
            places.extend(repeat(0, len(part)))
            continue
        if part.start and left and places and not places[-1]:
            _fill(text, places, left, part.start)
        places.extend(part.places)
        left = part.end or left
    first = parts[0]
    return made(text, places, first.start if isinstance(first, Traced) else 0)


def _fill(text: str, places: array[int], left: int, right: int) -> None:
    """Let what was written behind ``left`` have the places between there and ``right``."""
    end = begin = len(places)
    while begin and not places[begin - 1]:
        begin -= 1
    length = right - left
    if left >> _SHIFT == right >> _SHIFT and 0 < length <= 2 * (end - begin) + _REPLACED:
        new = text[begin:end]
        places[begin:end] = _spread(new, SOURCES.between(left, right), range(left, right))


def interpolated(*parts: object) -> str:
    """An f-string of these parts."""
    return joined("", parts)


def substituted(
    pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str], text: str, count: int = 0
) -> str:
    """``pattern.sub(new, text, count)``."""
    if not isinstance(text, Traced):
        return pattern.sub(new, text, count)
    pieces, done = [], 0
    for number, match in enumerate(pattern.finditer(text)):
        if number == count > 0:
            break
        spelled = match.expand(new) if isinstance(new, str) else new(match)
        # What is put in may have been cut out elsewhere; it stands where it is wanted now.
        old = text[match.start() : match.end()]
        pieces += [text[done : match.start()], respelled(str.__str__(spelled), old)]
        done = match.end()
    return joined("", [*pieces, text[done:]])
