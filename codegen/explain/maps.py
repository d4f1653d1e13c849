"""Where each word of one text was written: values that can be kept, and asked by offset."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from codegen.explain.align import aligned, word_end, word_starts
from codegen.explain.instrument import Candidate
from codegen.explain.origins import SOURCES, Traced, file_number, offset


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
    not in the draft either: the formatter wrote it, a pass on finished files, or a hand.
    ``others`` are, by the offset of an imported name, the imports that it could have come from as well.
    """

    path: str
    sources: tuple[str, ...]
    begins: array[int]
    files: array[int]
    offsets: array[int]
    others: Mapping[int, tuple[Substitute, ...]] = field(default_factory=dict)

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

    def substitutes(self, begins: Iterable[int]) -> tuple[Substitute, ...]:
        """The imports that the names at some offsets could have come from as well, in order."""
        found = (each for begin in begins for each in self.others.get(begin, ()))
        return tuple(dict.fromkeys(found))

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


def map_text(
    path: str, draft: str, final: str, choices: Mapping[int, Sequence[Candidate]] | None = None
) -> FileMap:
    """The map of a finished text whose draft was traced; ``choices`` are other places of imports."""
    assert isinstance(draft, Traced)
    plain = str.__str__(draft)
    pairs = aligned(plain, final)
    numbers: dict[str, int] = {}
    known: dict[int, int] = {}
    begins = array("I", word_starts(final))
    files, offsets = array("H", bytes(2 * len(begins))), array("I", bytes(4 * len(begins)))
    others: dict[int, tuple[Substitute, ...]] = {}
    for index, start in enumerate(begins):
        drafted = pairs.get(start, -1)
        place = _place(draft, drafted) if drafted >= 0 else 0
        if place:
            number = file_number(place)
            if number not in known:
                known[number] = numbers.setdefault(SOURCES.path(place), len(numbers) + 1)
            files[index] = known[number]
            offsets[index] = offset(place)
            if choices and place in choices:
                others[start] = tuple(
                    Substitute(Spot(SOURCES.path(each.place), offset(each.place)), each.same)
                    for each in choices[place]
                )
        else:
            offsets[index] = drafted < 0
    return FileMap(path, tuple(numbers), begins, files, offsets, others)


def _place(draft: Traced, start: int) -> int:
    """The place of a word: that of its first character that has one."""
    place = draft.places[start]
    if place:
        return place
    end = word_end(draft, start)
    return next(filter(None, draft.places[start:end]), 0)
