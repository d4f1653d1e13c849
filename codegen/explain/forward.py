"""What is written in a place of a source, in all generated files."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from codegen.explain.atlas import Atlas
from codegen.explain.likeness import Likeness
from codegen.explain.maps import FileMap, Spot

_WORD = re.compile(r"\w+|[^\w\s]")
_HEADER = re.compile(r"\bclass[ \t]+\Z")
Range = tuple[str, int, int]


def written_from(atlas: Atlas, path: str, start: int, end: int) -> Iterator[Spot]:
    """The words of generated files that were written in a line of a source, however far away.

    Models whose files hold no such line are not looked into.
    """
    line = Likeness(atlas, path, start, end)
    found = arrivals(atlas, list(atlas.as_rewritten(path, start, end)), may_hold=line.may_be_in)
    return (spot for spot, _ in found)


def changed_with(atlas: Atlas, ranges: Sequence[Range]) -> Iterator[Spot]:
    """The words of generated files that change when ranges of sources do, as the expansion reads them.

    An imported name stays what it is where the next import in line gives the same one.
    """
    return (spot for spot, _ in arrivals(atlas, ranges, changing=True))


def renamed_with(atlas: Atlas, ranges: Sequence[Range]) -> Iterator[Spot]:
    """The words that have another name if classes of definitions have: what stands for them in inherited
    code is written elsewhere, but called after them (in projects; libraries go by the models' names).
    """
    if atlas.tree.kind != "project":
        return
    for definition in atlas.tree.definitions:
        text = atlas.text(definition.path)
        for path, start, end in ranges:
            if path != definition.path or not _HEADER.search(text, 0, start):
                continue
            name = re.compile(rf"\b{re.escape(text[start:end])}\b")
            for generated in atlas.files_of(definition.model):
                there = atlas.text(generated)
                words = [(generated, *match.span()) for match in name.finditer(there)]
                yield from (Spot(generated, begin) for _, begin, _ in words)
                if generated in atlas.users:
                    yield from changed_with(atlas, words)


def arrivals(
    atlas: Atlas,
    ranges: Sequence[Range],
    changing: bool = False,
    may_hold: Callable[[str, str], bool] = lambda path, model: True,
) -> Iterator[tuple[Spot, Spot]]:
    """The words that were written in ranges, each with the place one file before that it comes from.

    With ``changing`` only those that are others if what is in the ranges is (:func:`changed_with`).
    ``may_hold`` says of a file and a model that is built from it whether it is worth a look.
    """
    pending, covered = list(ranges), _Covered(ranges)
    seen: set[Spot] = set()
    waiting: list[tuple[Spot, Spot, FileMap]] = []
    while pending:
        found: dict[str, list[int]] = {}
        for path, group in groupby(sorted(pending), key=lambda item: item[0]):
            wanted = [(start, end) for _, start, end in group]
            for spot, source, item in _directly(atlas, path, wanted, may_hold):
                if spot in seen:
                    continue
                if changing and _is_spared(item, spot.offset, covered):
                    waiting.append((spot, source, item))
                    continue
                seen.add(spot)
                found.setdefault(spot.path, []).append(spot.offset)
                yield spot, source
        pending = list(_next(atlas, found))
        covered.add(pending)
        # What a name would come from instead may itself have been reached by now.
        left = []
        for spot, source, item in waiting:
            if _is_spared(item, spot.offset, covered):
                left.append((spot, source, item))
            elif spot not in seen:
                seen.add(spot)
                yield spot, source
                more = list(_next(atlas, {spot.path: [spot.offset]}))
                covered.add(more)
                pending += more
        waiting = left


def _next(atlas: Atlas, found: dict[str, list[int]]) -> Iterator[Range]:
    for generated, offsets in found.items():
        if generated in atlas.users:
            for offset in offsets:
                yield generated, *word_at(atlas.text(generated), offset)


def _is_spared(item: FileMap, begin: int, covered: _Covered) -> bool:
    """Whether an imported name is the same without its import: the next that is left gives it."""
    following = (each for each in item.others.get(begin, ()) if each.spot not in covered)
    instead = next(following, None)
    return instead is not None and instead.same


class _Covered:
    """Ranges of sources that are edited, or follow from what is."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        self.add(ranges)

    def add(self, ranges: Iterable[Range]) -> None:
        touched = set()
        for path, start, end in ranges:
            self._ranges.setdefault(path, []).append((start, end))
            touched.add(path)
        for path in touched:
            self._ranges[path].sort()

    def __contains__(self, spot: Spot) -> bool:
        known = self._ranges.get(spot.path, [])
        index = bisect_right(known, (spot.offset, 1 << 62)) - 1
        return index >= 0 and spot.offset < known[index][1]


def _directly(
    atlas: Atlas,
    path: str,
    ranges: Sequence[tuple[int, int]],
    may_hold: Callable[[str, str], bool],
) -> Iterator[tuple[Spot, Spot, FileMap]]:
    """Words of generated files that were written in these ranges, which are in order."""
    models = [model for model in atlas.users.get(path, ()) if may_hold(path, model)]
    atlas.prepare(models)
    for model in models:
        known = atlas.known(model)
        for generated, item in known.maps.items() if known else ():
            for begin, place in item.written_at(path, ranges):
                yield Spot(generated, begin), Spot(path, place), item


def word_at(text: str, offset: int) -> tuple[int, int]:
    """Where the word that begins at an offset begins and ends."""
    match = _WORD.match(text, offset)
    return (offset, match.end()) if match else (offset, offset + 1)
