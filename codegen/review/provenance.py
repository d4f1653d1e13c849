"""What the expansion knows of a changed line: in which source each of its words was written.

Asked only where class chains and equal lines leave an edit open, since models have to be expanded
once more for it, with words that know where they come from (``codegen.explain``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from codegen.errors import CodegenError
from codegen.explain.atlas import Atlas, Settings
from codegen.explain.maps import Spot
from codegen.review.attribute import Attributed
from codegen.review.freshness import Unpacked
from codegen.review.model import Edit, Hunk, Line, MemberChange, Side
from codegen.review.sides import places_of
from codegen.run.sync import Options
from codegen.text.lines import split_lines
from codegen.trees.tree import Tree, open_tree

#: How far a word is followed through generated parents.
_FAR = 40
#: Where a word comes from that a pass wrote.
_A_PASS = Spot("", 0)


@dataclass(frozen=True, slots=True)
class Written:
    """Of the words of some lines: how many were written in lines of each edit, in lines that no edit
    touches (``kept``), and by nobody whom the expansion knows (``foreign``)."""

    edits: Counter[int]
    kept: int
    foreign: int


class Tracing:
    """Answers about one side of a review. Models are expanded when they are asked for first."""

    def __init__(self, tree: Tree, side: Side, root: Path | None, options: Options) -> None:
        self._tree, self._side, self._root, self._options = tree, side, root, options
        self._stack = ExitStack()
        self._atlas: Atlas | None = None
        self._starts: dict[str, list[int]] = {}
        self._lines: Mapping[str, Mapping[int, int]] = {}
        self._passed: Mapping[str, Mapping[int, int | None]] = {}

    def __enter__(self) -> Tracing:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def enter_edits(self, edits: Sequence[Edit], new: bool) -> None:
        """Say which lines of sources are those of edits: as they are now, or as they were."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for index, edit in enumerate(edits):
            for item in edit.hunks:
                for number in _numbers(item.hunk, new):
                    found[item.change.path][number] = index
        self._lines = found

    def enter_generated(
        self,
        generated: Mapping[str, Sequence[MemberChange]],
        settled: Iterable[Attributed],
        new: bool,
    ) -> None:
        """Say which lines of generated files changed, and what edit accounts for them, as far as that
        is known: words that come by way of such lines are followed no further."""
        found: dict[str, dict[int, int | None]] = {path: {} for path in self._side.generated}
        for path, changes in generated.items():
            lines = found.setdefault(path, {})
            for change in changes:
                for hunk in change.hunks:
                    lines.update(dict.fromkeys(_numbers(hunk, new)))
        for item in settled:
            numbers = _numbers(item.hunk, new)
            found.setdefault(item.change.path, {}).update(dict.fromkeys(numbers, item.edit))
        self._passed = found

    def prepare(self, models: Iterable[str]) -> None:
        """Expand models that will be asked for, several at a time; those of the other side alone are left."""
        atlas = self._opened()
        here = {item.model for item in atlas.tree.definitions}
        atlas.prepare(sorted(here.intersection(models)))

    def written(self, model: str, path: str, lines: Iterable[Line]) -> Written | None:
        """Who wrote lines of a generated file; None where its model cannot be expanded."""
        atlas = self._opened()
        known = atlas.known(model)
        found = known.maps.get(path) if known else None
        if found is None:
            return None
        starts = self._starts_of(path)
        edits: Counter[int] = Counter()
        kept = foreign = 0
        for line in lines:
            last = line.number + line.text.count("\n")
            if last >= len(starts):
                return None
            for index in found.words(starts[line.number - 1], starts[last]):
                spot = found.spot(index)
                if spot is None:
                    foreign += found.offsets[index]
                    continue
                edit = self._edit_behind(spot)
                edits[edit] += edit >= 0
                kept += edit < 0
        return Written(+edits, kept, foreign)

    def _opened(self) -> Atlas:
        if self._atlas is None:
            tree = open_tree(self._root, None) if self._root is not None else None
            if tree is None or places_of(tree) != places_of(self._tree):
                tree = self._stack.enter_context(Unpacked(self._tree, self._side))
            settings = Settings(self._options.rewrite, False, self._options.jobs)
            self._atlas = Atlas(tree, settings)
        return self._atlas

    def _edit_behind(self, spot: Spot) -> int:
        """The edit that wrote a word which comes from a place, -1 if none did: followed through generated
        parents to the first of their lines that did not change or has its edit, or to the source."""
        atlas = self._opened()
        for _ in range(_FAR):
            model = atlas.owners.get(spot.path)
            if model is None or not atlas.is_generated(spot.path):
                break
            known = self._passed.get(spot.path)
            if known is not None:
                edit = known.get(self._line_of(spot), -1)
                if edit is not None:
                    return edit
            try:
                found = atlas.maps_of(model).maps.get(spot.path)
            except CodegenError:
                break
            further = found.at(spot.offset) if found else None
            if further is None:
                break
            spot = further
        return self._edit_of(atlas.unrewritten(spot).spot or _A_PASS)

    def _edit_of(self, spot: Spot) -> int:
        lines = self._lines.get(spot.path)
        return lines.get(self._line_of(spot), -1) if lines else -1

    def _line_of(self, spot: Spot) -> int:
        return bisect_right(self._starts_of(spot.path), spot.offset)

    def _starts_of(self, path: str) -> list[int]:
        """Offsets at which the lines of a file begin, and its end."""
        if path not in self._starts:
            starts = [0]
            for line in split_lines(self._opened().text(path)):
                starts.append(starts[-1] + len(line))
            self._starts[path] = starts
        return self._starts[path]


def _numbers(hunk: Hunk, new: bool) -> Iterator[int]:
    """The lines of the file that a hunk has on one side."""
    for line in hunk.added if new else hunk.removed:
        yield from range(line.number, line.number + line.text.count("\n") + 1)
