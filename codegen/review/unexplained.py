"""Changed lines that no edit accounts for: told apart by what the definitions of both sides give.

Where a file says what its definition gives, before and after, everything that differs follows from
the sources by way of the expansion and its passes. Where it does not, somebody or something else
wrote the lines, and a reader has to know first of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from codegen.errors import Location
from codegen.review.attribute import Attributed
from codegen.review.compare import Reading, compare_texts
from codegen.review.model import Edit, Line, MemberChange, Side, Unexplained
from codegen.review.names import Naming
from codegen.review.provenance import Tracing
from codegen.review.sides import SETTINGS

if TYPE_CHECKING:
    from codegen.review.build import Question


def sort_out_rest(
    question: Question,
    edits: Sequence[Edit],
    attributed: Sequence[Attributed],
    generated: Mapping[str, Sequence[MemberChange]],
) -> tuple[list[Attributed], list[Unexplained]]:
    """The hunks that an edit or the expansion accounts for, and those that nothing does."""
    kept: list[Attributed] = []
    alarms: list[tuple[Attributed, str]] = []
    rest: list[Attributed] = []
    foreign = _Foreign(question.head, question.expected)
    for item in attributed:
        if foreign.wrote(item, (item.hunk.added, item.hunk.removed)):
            alarms.append((item, "the definition does not give these lines"))
        else:
            (rest if item.edit is None or item.weak else kept).append(item)
    settings = next((i for i, edit in enumerate(edits) if SETTINGS in edit.paths), None)
    rest = list(_traced(question, edits, rest, kept))
    if rest:
        models = sorted({item.change.model for item in rest if item.change.path in generated})
        told = question.base_expected(models)
        before = _Foreign(question.base, told.texts)
        for item in rest:
            if before.wrote(item, (item.hunk.removed, item.hunk.added)):
                reason = (
                    f"at {question.base.label} the definition did not give what stood there: "
                    "it was edited by hand, or written by another version of the tool"
                )
                alarms.append((item, reason))
            elif item.edit is None and not told.known:
                reason = "no edit accounts for it, and what the definitions gave is not known"
                alarms.append((item, reason))
            else:
                edit = settings if item.edit is None else item.edit
                kept.append(Attributed(item.change, item.hunk, edit))
    return kept, _as_unexplained(alarms)


def _traced(
    question: Question, edits: Sequence[Edit], rest: Sequence[Attributed], kept: list[Attributed]
) -> Iterator[Attributed]:
    """Add to ``kept`` what was written in lines of an edit, as the expansion knows; gives the others.

    What is the same in models that have it from the same classes is asked of one of them.
    """
    if question.options is None or not rest:
        yield from rest
        return
    groups: dict[object, list[Attributed]] = {}
    for item in rest:
        groups.setdefault((item.origins, item.change.shown, item.hunk.key), []).append(item)
    firsts = [items[0] for items in groups.values()]
    old, new = question.roots
    with (
        Tracing(question.tree, question.base, old, question.options) as before,
        Tracing(question.tree, question.head, new, question.options) as after,
    ):
        before.enter_edits(edits, False)
        after.enter_edits(edits, True)
        after.prepare(item.change.model for item in firsts if item.hunk.added)
        votes = [_votes(after, item, item.hunk.added) for item in firsts]
        open_still = [item for item, found in zip(firsts, votes) if not found]
        before.prepare(item.change.model for item in open_still if item.hunk.removed)
        for first, found, items in zip(firsts, votes, groups.values()):
            found = found or _votes(before, first, first.hunk.removed)
            if found:
                edit = found.most_common(1)[0][0]
                kept += [Attributed(item.change, item.hunk, edit) for item in items]
            else:
                yield from items


def _votes(tracing: Tracing, item: Attributed, lines: Sequence[Line]) -> Counter[int]:
    """How many words of lines each edit has written."""
    written = tracing.written(item.change.model, item.change.path, lines) if lines else None
    return written.edits if written else Counter()


class _Foreign:
    """The lines of the files of a side that their definitions do not give, and the reverse."""

    def __init__(self, side: Side, expected: Mapping[str, str]) -> None:
        self._side, self._expected = side, expected
        self._lines: dict[str, tuple[set[str], set[str]]] = {}

    def wrote(self, item: Attributed, sides: tuple[Sequence[Line], Sequence[Line]]) -> bool:
        """Whether a file has one of the first lines though it should not, or lacks one of the
        others though it should have it."""
        path = item.change.path
        if path not in self._expected:
            return False
        if path not in self._lines:
            self._lines[path] = self._compare(path)
        return any(
            line.text.strip() in known
            for lines, known in zip(sides, self._lines[path])
            for line in lines
        )

    def _compare(self, path: str) -> tuple[set[str], set[str]]:
        naming = Naming(self._side.model_of(path))
        sides = Reading(self._expected[path], naming), Reading(self._side.text(path), naming)
        hunks = [h for change in compare_texts(path, "", *sides) for h in change.hunks]
        has = {line.text.strip() for hunk in hunks for line in hunk.added}
        lacks = {line.text.strip() for hunk in hunks for line in hunk.removed}
        return has, lacks


def _as_unexplained(alarms: Sequence[tuple[Attributed, str]]) -> list[Unexplained]:
    """One alarm per member of a file."""
    found: dict[tuple[int, str], list[Attributed]] = {}
    for item, reason in alarms:
        found.setdefault((id(item.change), reason), []).append(item)
    return [
        Unexplained(
            Location(items[0].change.path, items[0].hunk.line),
            items[0].change.shown,
            items[0].change.model,
            reason,
            tuple(item.hunk for item in items),
        )
        for (_, reason), items in found.items()
    ]
