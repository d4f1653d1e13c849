"""A review as workflow commands of GitHub: annotations on the lines of definitions.

GitHub shows no more than ten errors, ten warnings and ten notices of a step, and says nothing about
the others: what weighs most comes first, and the last of ten says what is not among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.errors import Location
from codegen.review.as_text import few_of
from codegen.review.kinds import RISKS
from codegen.review.model import Report

#: So many annotations of one level does GitHub show of a step.
SHOWN = 10
_WHERE = "`python -m codegen review` tells all of them, --html FILE as a page"


@dataclass(frozen=True, slots=True)
class _Note:
    """An annotation: where it goes, its kind as the title, and what it says."""

    place: Location
    kind: str
    said: str


def format_annotations(report: Report, prefix: str = "") -> str:
    """One command per alarm (error), risk (warning) and change (notice), each on the line that a reader
    would edit; at most ten of each, the gravest first. ``prefix`` is where the tree lies in its repository."""
    levels = (
        ("error", [*_alarms(report)]),
        ("warning", [*_risks(report)]),
        ("notice", [*_changes(report)]),
    )
    return "".join(line for level, notes in levels for line in _capped(level, notes, prefix))


def _alarms(report: Report) -> Iterator[_Note]:
    for item in report.unexplained:
        yield _Note(item.place, "unexplained lines", item.reason)
    for stale in report.stale:
        yield _Note(Location(stale.path, 1), "not fresh", f"{stale.path} is {stale.state.value}")


def _risks(report: Report) -> Iterator[_Note]:
    """The gravest kinds first, and of one kind those that concern most models."""
    order = list(RISKS)
    for risk in sorted(report.risks, key=lambda item: (order.index(item.kind), -len(item.models))):
        yield _Note(risk.place, risk.kind, f"{risk.message}\nin {few_of(risk.models)}")


def _changes(report: Report) -> Iterator[_Note]:
    """Those that risks come from first."""
    risky = {risk.change for risk in report.risks}
    for change in sorted(report.changes, key=lambda item: item.number not in risky):
        if change.edit:
            said = f"{change.title}\nreaches {few_of(change.models) or 'no model'}"
            yield _Note(change.edit.place, f"change {change.number}", said)


def _capped(level: str, notes: Sequence[_Note], prefix: str) -> Iterator[str]:
    """The commands of one level; where there are too many, the last one counts the others."""
    shown = notes if len(notes) <= SHOWN else notes[: SHOWN - 1]
    for note in shown:
        place = f"file={_property(prefix + note.place.path)},line={max(note.place.line, 1)}"
        yield _command(level, f"{place},title={_property(note.kind)}", note.said)
    rest = notes[len(shown) :]
    if rest:
        kinds = Counter(
            note.kind.partition(" ")[0] if level == "notice" else note.kind for note in rest
        )
        said = ", ".join(f"{kind} ({count})" for kind, count in kinds.items())
        yield _command(level, f"title={len(rest)} more", f"not shown here: {said}\n{_WHERE}")


def _command(level: str, properties: str, message: str) -> str:
    return f"::{level} {properties}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
