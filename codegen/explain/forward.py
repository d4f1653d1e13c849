"""What is written in a place of a source, in all generated files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from codegen.explain.atlas import Atlas
from codegen.explain.maps import Spot

_WORD = re.compile(r"\w+|[^\w\s]")


def written_from(atlas: Atlas, path: str, start: int, end: int) -> Iterator[Spot]:
    """The words of generated files that were written in a range of a source, however far away."""
    yield from read_from(atlas, list(atlas.as_rewritten(path, start, end)))


def read_from(atlas: Atlas, ranges: Sequence[tuple[str, int, int]]) -> Iterator[Spot]:
    """The same of ranges of texts as the expansion reads them, which passes may have changed."""
    return (spot for spot, _ in arrivals(atlas, ranges))


def arrivals(atlas: Atlas, ranges: Sequence[tuple[str, int, int]]) -> Iterator[tuple[Spot, Spot]]:
    """The same, each with the place one file before that it comes from."""
    pending = list(ranges)
    seen: set[Spot] = set()
    while pending:
        found: dict[str, list[int]] = {}
        for path, group in groupby(sorted(pending), key=lambda item: item[0]):
            wanted = [(start, end) for _, start, end in group]
            for spot, source in _directly(atlas, path, wanted):
                if spot not in seen:
                    seen.add(spot)
                    found.setdefault(spot.path, []).append(spot.offset)
                    yield spot, source
        pending = [
            (generated, *word_at(atlas.text(generated), offset))
            for generated, offsets in found.items()
            if generated in atlas.users
            for offset in offsets
        ]


def _directly(
    atlas: Atlas, path: str, ranges: Sequence[tuple[int, int]]
) -> Iterator[tuple[Spot, Spot]]:
    """Words of generated files that were written in these ranges, which are in order."""
    models = atlas.users.get(path, ())
    atlas.prepare(models)
    for model in models:
        known = atlas.known(model)
        for generated, item in known.maps.items() if known else ():
            for begin, place in item.written_at(path, ranges):
                yield Spot(generated, begin), Spot(path, place)


def word_at(text: str, offset: int) -> tuple[int, int]:
    """Where the word that begins at an offset begins and ends."""
    match = _WORD.match(text, offset)
    return (offset, match.end()) if match else (offset, offset + 1)
