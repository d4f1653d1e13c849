"""Changed lines that no edit accounts for: told apart by what the definitions of both sides give.

Where a file says what its definition gives, before and after, everything that differs follows from
the sources by way of the expansion and its passes. Where it does not, somebody or something else
wrote the lines, and a reader has to know first of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegen.errors import Location
from codegen.review.attribute import Attributed
from codegen.review.compare import Reading, compare_texts
from codegen.review.model import Edit, Hunk, MemberChange, Unexplained
from codegen.review.names import Naming
from codegen.review.sides import SETTINGS

if TYPE_CHECKING:
    from codegen.review.build import Question


@dataclass(frozen=True, slots=True)
class Expected:
    """What definitions give where files say otherwise, by path. ``known`` is False where nobody
    could ask them (the settings or definitions of that state have errors)."""

    known: bool
    texts: Mapping[str, str]


def sort_out_rest(
    question: Question,
    edits: Sequence[Edit],
    attributed: Sequence[Attributed],
    generated: Mapping[str, Sequence[MemberChange]],
) -> tuple[list[Attributed], list[Unexplained]]:
    """The hunks that an edit or the expansion accounts for, and those that nothing does."""
    foreign = {
        path: _foreign_lines(path, question, text)
        for path, text in question.expected.items()
        if path in generated
    }
    kept: list[Attributed] = []
    alarms: list[tuple[Attributed, str]] = []
    rest: list[Attributed] = []
    for item in attributed:
        path = item.change.path
        if path in foreign and _is_foreign(item.hunk, foreign[path]):
            alarms.append((item, "the definition does not give these lines"))
        elif item.edit is None:
            rest.append(item)
        else:
            kept.append(item)
    settings = next((i for i, edit in enumerate(edits) if SETTINGS in edit.paths), None)
    if rest:
        told = question.base_expected(sorted({item.change.model for item in rest}))
        for item in rest:
            reason = _reason(item, told, question)
            if reason:
                alarms.append((item, reason))
            else:
                kept.append(Attributed(item.change, item.hunk, settings))
    return kept, _as_unexplained(alarms)


def _reason(item: Attributed, told: Expected, question: Question) -> str:
    """Why nothing accounts for a hunk; "" if it follows from the expansion."""
    path = item.change.path
    if path in question.expected:
        return "the file is not what its definition gives"
    if not told.known:
        return "no edit accounts for it, and what the definitions gave before is not known"
    if path in told.texts:
        return f"the file was not what its definition gave at {question.base.label}"
    return ""


def _foreign_lines(path: str, question: Question, expected: str) -> set[object]:
    """Lines that the file has and its definition does not give, or the reverse."""
    naming = Naming(question.head.model_of(path))
    old = Reading(expected, naming)
    changes = compare_texts(path, naming.model, old, Reading(question.head.text(path), naming))
    return {
        (side, key)
        for change in changes
        for hunk in change.hunks
        for side, lines in enumerate((hunk.removed, hunk.added))
        for key in _texts(lines)
    }


def _texts(lines: Sequence[object]) -> list[str]:
    return [getattr(line, "text", "").strip() for line in lines]


def _is_foreign(hunk: Hunk, foreign: set[object]) -> bool:
    """Whether a line came although the definition does not give it, or went although it does."""
    lines = [(1, text) for text in _texts(hunk.added)] + [
        (0, text) for text in _texts(hunk.removed)
    ]
    return any(line in foreign for line in lines)


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
