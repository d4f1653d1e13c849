"""What the formatter did to a line: where its words stand here, and where they stood when written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from codegen.explain.align import word_end, word_starts
from codegen.explain.atlas import Atlas
from codegen.explain.maps import FileMap, Spot

_QUOTES = "\"'"
_BRACKETS = "()"


class _Word(NamedTuple):
    """A word of a generated line: its offset, its text, and where it was written, if an author did."""

    at: int
    text: str
    spot: Spot | None


def layout_of(atlas: Atlas, path: str, number: int) -> Iterator[str]:
    """Sentences about what the formatter did to a line; none where it stands as it was written."""
    found = atlas.map(path)
    if found is None or atlas.tree.formatting.formatter == "none":
        return
    text = atlas.text(path)
    lines = atlas.lines(path)
    words = _words(atlas, found, text, lines.start_of(number), lines.end_of(number))
    kept = [word for word in words if word.spot]
    if not kept or any(word.spot and atlas.is_rewritten(word.spot.path) for word in kept):
        return  # what passes wrote, they laid out as well
    by = f"the formatter ({atlas.tree.formatting.formatter})"
    for what in _changes(atlas, found, text, words, kept, number):
        yield f"{by} {what}"


def _changes(
    atlas: Atlas, found: FileMap, text: str, words: list[_Word], kept: list[_Word], number: int
) -> Iterator[str]:
    yield from _joined(atlas, kept)
    yield from _wrapped(atlas, found, text, kept, number)
    quotes = [word for word in kept if word.text in _QUOTES and _char(atlas, word) in _QUOTES]
    if any(word.text != _char(atlas, word) for word in quotes):
        yield f"wrote {quotes[0].text} for {_char(atlas, quotes[0])} as quotes"
    written = {word.text for word in words if not found.is_drafted(word.at)}
    if "," in written and words[-1].text == ",":
        yield "put a trailing comma"
    if written & set(_BRACKETS):
        yield "put brackets around it"
    removed = {part for one, two in pairwise(kept) for part in _between(atlas, one, two)}
    if "," in removed:
        yield "took a trailing comma out"
    if removed & set(_BRACKETS):
        yield "took brackets out that nothing needs"


def _words(atlas: Atlas, found: FileMap, text: str, start: int, end: int) -> list[_Word]:
    return [
        _Word(start + at, text[start + at : word_end(text, start + at)], found.at(start + at))
        for at in word_starts(text[start:end])
    ]


def _joined(atlas: Atlas, kept: list[_Word]) -> Iterator[str]:
    """Words that stood in one line after another, with nothing between that is elsewhere now."""
    for one, two in pairwise(kept):
        if one.spot and two.spot and one.spot.path == two.spot.path:
            first, last = atlas.line(one.spot), atlas.line(two.spot)
            between = _text_between(atlas, one, two)
            if first < last and not between.strip(" \n,()\\"):
                yield f"joined what stands in lines {first} to {last} of {one.spot.path}"
                return


def _wrapped(
    atlas: Atlas, found: FileMap, text: str, kept: list[_Word], number: int
) -> Iterator[str]:
    """What stood in one line with the words in the line before or behind."""
    lines = atlas.lines(found.path)
    ends = {(word.spot.path, atlas.line(word.spot)) for word in kept if word.spot}
    for other in (number - 1, number + 1):
        if not 0 < other <= len(lines.starts):
            continue
        near = _words(atlas, found, text, lines.start_of(other), lines.end_of(other))
        places = [word.spot for word in near if word.spot]
        shared = next((s for s in places if (s.path, atlas.line(s)) in ends), None)
        if shared is not None and _is_straight(atlas, near, kept, other < number):
            yield f"wrapped what stands in line {atlas.line(shared)} of {shared.path}"
            return


def _is_straight(atlas: Atlas, near: list[_Word], kept: list[_Word], before: bool) -> bool:
    """Whether the last word of a line and the first of the next stood side by side in one line."""
    there = [word for word in near if word.spot]
    one, two = (there[-1], kept[0]) if before else (kept[-1], there[0])
    if not one.spot or not two.spot or one.spot.path != two.spot.path:
        return False
    between = _text_between(atlas, one, two)
    return one.spot.offset < two.spot.offset and not between.strip(" ,()")


def _text_between(atlas: Atlas, one: _Word, two: _Word) -> str:
    assert one.spot and two.spot
    text = atlas.text(one.spot.path)
    return text[word_end(text, one.spot.offset) : two.spot.offset]


def _between(atlas: Atlas, one: _Word, two: _Word) -> set[str]:
    """Layout that stood between two neighbours and is nowhere now."""
    if not one.spot or not two.spot or one.spot.path != two.spot.path:
        return set()
    between = _text_between(atlas, one, two)
    return set(between) & {",", *_BRACKETS} if not between.strip(" \n,()\\") else set()


def _char(atlas: Atlas, word: _Word) -> str:
    assert word.spot
    return atlas.text(word.spot.path)[word.spot.offset]
