"""Where each word of one text was written: values that can be kept, and asked by offset."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codegen.explain.align import aligned, word_end, word_spans
from codegen.explain.choices import Candidate
from codegen.explain.origins import SOURCES, Traced, file_number, offset
from codegen.explain.passed import BY_PASS

_NAME = re.compile(r"\w+")
#: Stands for the offset of what a pass on finished files wrote.
_PASSED = 2
#: Names are shorter.
_LONGEST = 200


class Spot(NamedTuple):
    """An offset in the text of a file."""

    path: str
    offset: int


class Substitute(NamedTuple):
    """An import that gives a name where the chosen one is gone: of the ``same`` thing, or of another."""

    spot: Spot
    same: bool


@dataclass(frozen=True, slots=True)
class FileMap:
    """The words of a text (``begins``: their offsets) and where each was written.

    ``sources`` are paths; ``files`` holds the number of the source of each word, from 1, ``offsets``
    the place in its text. Of a word that no author wrote the first is 0, and the second 1 if it was
    not in the draft either: the formatter wrote it, or a hand; 2 if a pass on finished files did.
    ``others`` are, by the offset of an imported name, the imports that it could have come from as well;
    ``parts`` are, by the offset of a word that is put together of several, where the others were written.
    """

    path: str
    sources: tuple[str, ...]
    begins: array[int]
    files: array[int]
    offsets: array[int]
    others: Mapping[int, tuple[Substitute, ...]] = field(default_factory=dict)
    parts: Mapping[int, tuple[Spot, ...]] = field(default_factory=dict)

    def at(self, position: int) -> Spot | None:
        """Where the word at an offset was written; None if the tool wrote it."""
        index = bisect_right(self.begins, position) - 1
        return self.spot(index) if index >= 0 else None

    def spot(self, index: int) -> Spot | None:
        """The same by the number of the word."""
        file = self.files[index]
        return Spot(self.sources[file - 1], self.offsets[index]) if file else None

    def is_drafted(self, position: int) -> bool:
        """Whether the expansion gave the word at an offset, with or without an author's help."""
        index = bisect_right(self.begins, position) - 1
        return index >= 0 and bool(self.files[index] or not self.offsets[index])

    def is_passed(self, position: int) -> bool:
        """Whether a pass on finished files wrote the word at an offset."""
        index = bisect_right(self.begins, position) - 1
        return index >= 0 and not self.files[index] and self.offsets[index] == _PASSED

    def words(self, start: int, end: int) -> range:
        """The numbers of the words that begin in a range of the text."""
        return range(bisect_left(self.begins, start), bisect_left(self.begins, end))

    def passed_in_place(self, text: str, start: int, end: int) -> Iterator[int]:
        """The numbers of the words that a pass wrote where names stood in a range of ``text``, the source."""
        ahead: list[int] = []
        done = 0
        for index, (file, place) in enumerate(zip((*self.files, 1), (*self.offsets, len(text)))):
            if not file:
                ahead += [index] if place == _PASSED else []
                continue
            if ahead and _NAME.search(text, max(done, start), max(min(place, end), 0)):
                yield from ahead
            ahead, done = [], word_end(text, place)

    def substitutes(self, begins: Iterable[int]) -> tuple[Substitute, ...]:
        """The imports that the names at some offsets could have come from as well, in order."""
        found = (each for begin in begins for each in self.others.get(begin, ()))
        return tuple(dict.fromkeys(found))

    def written_at(self, path: str, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The words that were written in ranges of a source (in order): their offsets here and there."""
        starts = [start for start, _ in ranges]
        number = self.sources.index(path) + 1 if path in self.sources else -1
        words = zip(self.begins, self.files, self.offsets) if number > 0 else ()
        for begin, file, place in words:
            if file == number:
                index = bisect_right(starts, place) - 1
                if index >= 0 and place < ranges[index][1]:
                    yield begin, place
        for begin, spots in self.parts.items():
            for spot in spots:
                index = bisect_right(starts, spot.offset) - 1
                if spot.path == path and index >= 0 and spot.offset < ranges[index][1]:
                    yield begin, spot.offset


def map_text(
    path: str, draft: str, final: str, choices: Mapping[int, Sequence[Candidate]] | None = None
) -> FileMap:
    """The map of a finished text whose draft was traced; ``choices`` are other places of imports."""
    assert isinstance(draft, Traced)
    plain = str.__str__(draft)
    pairs = aligned(plain, final)
    numbers: dict[str, int] = {}
    known: dict[int, int] = {}
    spans = word_spans(final)
    begins = array("I", (start for start, _ in spans))
    files, offsets = array("H", bytes(2 * len(begins))), array("I", bytes(4 * len(begins)))
    others: dict[int, tuple[Substitute, ...]] = {}
    parts: dict[int, tuple[Spot, ...]] = {}
    for index, (start, end) in enumerate(spans):
        drafted = pairs.get(start, -1)
        if drafted < 0:
            offsets[index] = 1
            continue
        found = _places(draft, drafted, drafted + end - start)
        if not found:
            continue
        # Of several the last one is what the word is about: `_AlphaMLP_forward`.
        *more, place = found
        number = file_number(place)
        if SOURCES.path(place) == BY_PASS:
            offsets[index] = _PASSED
            continue
        if number not in known:
            known[number] = numbers.setdefault(SOURCES.path(place), len(numbers) + 1)
        files[index] = known[number]
        offsets[index] = offset(place)
        if more:
            parts[start] = tuple(map(_spot, more))
        if choices and place in choices:
            others[start] = tuple(
                Substitute(_spot(each.place), each.same) for each in choices[place]
            )
    return FileMap(path, tuple(numbers), begins, files, offsets, others, parts)


def _spot(place: int) -> Spot:
    return Spot(SOURCES.path(place), offset(place))


def _places(draft: Traced, start: int, end: int) -> list[int]:
    """Where a word was written: one place, or that of each word of sources that it is made of."""
    first, last = draft.places[start], draft.places[end - 1]
    if first and last - first == end - 1 - start:
        return [first]
    found: list[int] = []
    for place in filter(None, draft.places[start:end]):
        if not any(_in_one_word(place, each) for each in found):
            found.append(place)
    return found


def _in_one_word(place: int, other: int) -> bool:
    """Whether two places are those of characters of one word of a source."""
    if place == other:
        return True
    first, last = sorted((place, other))
    near = file_number(first) == file_number(last) and last - first < _LONGEST
    return near and bool(_NAME.fullmatch(SOURCES.between(first, last + 1)))
