"""Changed lines that no edit accounts for: told apart by what the definitions of both sides give.

Where a file says what its definition gives, before and after, everything that differs follows from
the sources by way of the expansion and its passes. Where it does not, somebody or something else
wrote the lines, and a reader has to know first of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from codegen.errors import Location
from codegen.review.attribute import Attributed, most_voted
from codegen.review.compare import Reading, compare_texts
from codegen.review.model import Edit, Line, MemberChange, Side, Unexplained
from codegen.review.names import Naming
from codegen.review.provenance import Tracing
from codegen.review.sides import SETTINGS

if TYPE_CHECKING:
    from codegen.review.build import Question


def sort_out_rest(
    question: Question,
    known: tuple[Sequence[Edit], Callable[[str], frozenset[int]]],
    attributed: Sequence[Attributed],
    generated: Mapping[str, Sequence[MemberChange]],
) -> tuple[list[Attributed], list[Unexplained], list[str]]:
    """What an edit or the expansion accounts for, and what nothing does, line by line; and notes.

    ``known`` are all edits, and which of them are made in sources of a generated file: what follows from one
    alone is that one's.
    """
    edits, edits_of = known
    kept: list[Attributed] = []
    alarms: list[tuple[Attributed, str]] = []
    rest: list[Attributed] = []
    foreign = _Foreign(question.head, question.expected, True)
    for item in attributed:
        own, other = foreign.apart(item)
        alarms += [(each, "the definition does not give these lines") for each in other]
        for each in own:
            (rest if each.edit is None or each.weak else kept).append(each)
    settings = next((i for i, edit in enumerate(edits) if SETTINGS in edit.paths), None)
    rest, notes = _traced(question, edits, rest, (generated, kept))
    if rest:
        own, strange = _as_before(question, rest, generated)
        alarms += strange
        for each in own:
            causes = edits_of(each.change.path)
            sole = next(iter(causes)) if len(causes) == 1 else None
            cause = settings if settings is not None else sole
            kept.append(each if each.edit is not None else replace(each, edit=cause))
    return _joined(kept), _as_unexplained(alarms), notes


def _as_before(
    question: Question, rest: Sequence[Attributed], generated: Mapping[str, Sequence[MemberChange]]
) -> tuple[list[Attributed], list[tuple[Attributed, str]]]:
    """What the definitions of the base account for, and the rest with the reason for an alarm."""
    told = question.base_expected(
        sorted({item.change.model for item in rest if item.change.path in generated})
    )
    before = _Foreign(question.base, told.texts, False)
    reason = (
        f"at {question.base.label} the definition did not give what stood there: "
        "it was edited by hand, or written by another version of the tool"
    )
    unknown = "no edit accounts for it, and what the definitions gave is not known"
    kept: list[Attributed] = []
    alarms: list[tuple[Attributed, str]] = []
    for item in rest:
        own, other = before.apart(item)
        alarms += [(each, reason) for each in other]
        for each in own:
            if each.edit is None and not (told.known and question.known):
                alarms.append((each, unknown))
            else:
                kept.append(each)
    return kept, alarms


def _joined(items: Sequence[Attributed]) -> list[Attributed]:
    """The same, with the parts of a hunk that one edit accounts for as one again."""
    found: dict[tuple[int, int, int | None], list[Attributed]] = {}
    for item in items:
        key = (id(item.change), id(item.whole or item.hunk), item.edit)
        found.setdefault(key, []).append(item)
    return [_one(parts) for parts in found.values()]


def _one(parts: Sequence[Attributed]) -> Attributed:
    first = parts[0]
    if len(parts) == 1 or first.whole is None:
        return first
    lines = [line for part in parts for line in (*part.hunk.removed, *part.hunk.added)]
    whole = replace(first, hunk=first.whole)
    if len(lines) == len(first.whole.removed) + len(first.whole.added):
        return whole
    return whole.part(lines)


def _traced(
    question: Question,
    edits: Sequence[Edit],
    rest: Sequence[Attributed],
    known: tuple[Mapping[str, Sequence[MemberChange]], list[Attributed]],
) -> tuple[list[Attributed], list[str]]:
    """Add to what is ``known`` (all changes, and those with an edit) what was written in lines of an
    edit, as the expansion knows; gives the others, and a note where some were not asked about.

    What is the same in models that have it from the same classes is asked of one of them.
    """
    generated, kept = known
    if question.options is None or not rest:
        return list(rest), []
    groups: dict[object, list[Attributed]] = {}
    for item in rest:
        groups.setdefault((item.origins, item.change.shown, item.hunk.key), []).append(item)
    chosen, left = _chosen(question, list(groups.values()))
    old, new = question.roots
    open_still: list[Attributed] = [item for items in left for item in items]
    with (
        Tracing(question.tree, question.base, old, question.options) as before,
        Tracing(question.tree, question.head, new, question.options) as after,
    ):
        before.enter_edits(edits, False)
        after.enter_edits(edits, True)
        before.enter_generated(generated, kept, False)
        after.enter_generated(generated, kept, True)
        after.prepare(item.change.model for item, _ in chosen if item.hunk.added)
        votes = [_votes(after, item, item.hunk.added) for item, _ in chosen]
        asked = [item for (item, _), found in zip(chosen, votes) if not found]
        before.prepare(item.change.model for item in asked if item.hunk.removed)
        for (first, items), found in zip(chosen, votes):
            found = found or _votes(before, first, first.hunk.removed)
            if found:
                edit = most_voted(found)
                kept += [replace(item, edit=edit, weak=False) for item in items]
            else:
                open_still += items
    return open_still, _not_followed(left)


_Groups = list[list[Attributed]]


def _not_followed(left: _Groups) -> list[str]:
    """What is said of groups that nobody was asked about."""
    if not left:
        return []
    count = len({item.change.model for items in left for item in items})
    return [
        f"{len(left)} distinct hunks (of {count} models) are told under the edit of their class or "
        "names, not by where their words were written: following them would take longer than a sync"
    ]


def _chosen(
    question: Question, groups: _Groups
) -> tuple[list[tuple[Attributed, list[Attributed]]], _Groups]:
    """Of each group the one that is asked about, as long as few models have to be expanded for it,
    and the groups that are left; what has no edit at all comes first."""
    groups = sorted(groups, key=lambda items: (items[0].edit is not None, -len(items)))
    models = _asked_models(groups, max(_LEAST, len(question.head.definitions) // _SHARE))
    chosen, left = [], []
    for items in groups:
        first = next((item for item in items if item.change.model in models), None)
        if first is None:
            left.append(items)
        else:
            chosen.append((first, items))
    return chosen, left


#: Models that are expanded with their words' places at most: so many, or this part of all. One takes
#: about as long as three do in a sync, and that for both sides.
_LEAST, _SHARE = 12, 24
#: So many are expanded whatever they settle; further ones for groups without an edit, or for at least
#: this part of all groups.
_FEW, _WORTH = 6, 10


def _asked_models(groups: _Groups, limit: int) -> set[str]:
    """The models that settle most: each time the one in which most of the groups stand that are open."""
    standing = [{item.change.model for item in items} for items in groups]
    models: set[str] = set()
    urgent = [here for here, items in zip(standing, groups) if items[0].edit is None]
    for several in (urgent, standing):
        pending = [here for here in several if models.isdisjoint(here)]
        while pending and len(models) < limit:
            counts = Counter(model for here in pending for model in sorted(here))
            model, count = counts.most_common(1)[0]
            if several is standing and len(models) >= _FEW and count * _WORTH < len(groups):
                break
            models.add(model)
            pending = [here for here in pending if model not in here]
    return models


def _votes(tracing: Tracing, item: Attributed, lines: Sequence[Line]) -> Counter[int]:
    """How many words of lines each edit has written."""
    written = tracing.written(item.change.model, item.change.path, lines) if lines else None
    return written.edits if written else Counter()


class _Foreign:
    """The lines of the files of a side that their definitions do not give, and the reverse."""

    def __init__(self, side: Side, expected: Mapping[str, str], is_new: bool) -> None:
        self._side, self._expected, self._is_new = side, expected, is_new
        self._lines: dict[str, tuple[set[int], set[str]]] = {}

    def apart(self, item: Attributed) -> tuple[list[Attributed], list[Attributed]]:
        """A hunk in two parts: what the definitions account for, and the lines that a file has though
        it should not, or lacks though it should have them."""
        path, hunk = item.change.path, item.hunk
        if path not in self._expected:
            return [item], []
        if path not in self._lines:
            self._lines[path] = self._compare(path)
        has, lacks = self._lines[path]
        there, gone = (hunk.added, hunk.removed) if self._is_new else (hunk.removed, hunk.added)
        strange = {id(line) for line in there if not has.isdisjoint(_numbers(line))}
        strange |= {id(line) for line in gone if line.text.strip() in lacks}
        if not strange:
            return [item], []
        lines = (*hunk.removed, *hunk.added)
        own = [line for line in lines if id(line) not in strange]
        other = [line for line in lines if id(line) in strange]
        return ([item.part(own)] if own else []), [item.part(other)]

    def _compare(self, path: str) -> tuple[set[int], set[str]]:
        """The numbers of lines that a file has and should not, and the texts of those that it lacks."""
        naming = Naming(self._side.model_of(path))
        sides = Reading(self._expected[path], naming), Reading(self._side.text(path), naming)
        hunks = [h for change in compare_texts(path, "", *sides) for h in change.hunks]
        has = {number for hunk in hunks for line in hunk.added for number in _numbers(line)}
        return has, {line.text.strip() for hunk in hunks for line in hunk.removed}


def _numbers(line: Line) -> range:
    return range(line.number, line.number + line.text.count("\n") + 1)


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
