"""Where each word of one text was written: values that can be kept, and asked by offset."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from codegen.explain.align import aligned, word_spans
from codegen.explain.origins import SOURCES, Traced, offset


class Spot(NamedTuple):
    """An offset in the text of a file."""

    path: str
    offset: int


@dataclass(frozen=True, slots=True)
class FileMap:
    """The words of a text (``begins``: their offsets) and where each was written.

    ``sources`` are paths; ``files`` holds the number of the source of each word, from 1, ``offsets``
    the place in its text. Of a word that no author wrote the first is 0, and the second 1 if it was
    not in the draft either: the formatter wrote it, a pass on finished files, or a hand.
    """

    path: str
    sources: tuple[str, ...]
    begins: array[int]
    files: array[int]
    offsets: array[int]

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

    def words(self, start: int, end: int) -> range:
        """The numbers of the words that begin in a range of the text."""
        return range(bisect_left(self.begins, start), bisect_left(self.begins, end))

    def written_at(self, path: str, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The words that were written in ranges of a source (in order): their offsets here and there."""
        if path not in self.sources:
            return
        number = self.sources.index(path) + 1
        starts = [start for start, _ in ranges]
        for begin, file, place in zip(self.begins, self.files, self.offsets):
            if file == number:
                index = bisect_right(starts, place) - 1
                if index >= 0 and place < ranges[index][1]:
                    yield begin, place


def map_text(path: str, draft: str, final: str) -> FileMap:
    """The map of a finished text whose draft was traced."""
    assert isinstance(draft, Traced)
    plain = str.__str__(draft)
    pairs = aligned(plain, final)
    known = _word_places(draft, plain)
    numbers: dict[str, int] = {}
    begins, files, offsets = array("I"), array("H"), array("I")
    for start, _ in word_spans(final):
        drafted = pairs.get(start, -1)
        place = known.get(drafted, 0)
        begins.append(start)
        if place:
            source = SOURCES.path(place)
            files.append(numbers.setdefault(source, len(numbers) + 1))
            offsets.append(offset(place))
        else:
            files.append(0)
            offsets.append(int(drafted < 0))
    return FileMap(path, tuple(numbers), begins, files, offsets)


def _word_places(draft: Traced, plain: str) -> dict[int, int]:
    """The place of each word: that of its first character that has one."""
    places = draft.places
    found = {}
    for start, end in word_spans(plain):
        found[start] = places[start] or next(filter(None, places[start:end]), 0)
    return found
