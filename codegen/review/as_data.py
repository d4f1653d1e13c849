"""A review for tools: plain data, its JSON, and the schema of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from codegen.errors import Location
from codegen.review.as_text import hunk_lines
from codegen.review.kinds import RISKS
from codegen.review.model import Change, Hunk, NotReached, Report, Risk, Unexplained, Variant


def format_json(report: Report) -> str:
    """The JSON text."""
    return json.dumps(as_data(report), indent=2) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The report as values that JSON has."""
    return {
        "summary": _summary(report),
        "risks": [_risk(item) for item in report.risks],
        "changes": [_change(change) for change in report.changes],
        "unexplained": [_unexplained(item) for item in report.unexplained],
        "not_reached": [_not_reached(item) for item in report.not_reached],
    }


def _summary(report: Report) -> dict[str, Any]:
    summary = report.summary
    return {
        "base": summary.base,
        "head": summary.head,
        "sources": [
            {"path": item.path, "added": item.added, "removed": item.removed}
            for item in summary.sources
        ],
        "files": summary.files,
        "models": list(summary.models),
        "untouched": list(summary.untouched),
        "hunks": summary.hunks,
        "lines": summary.lines,
        "hunks_to_read": summary.read_hunks,
        "lines_to_read": summary.read_lines,
        "attributed_percent": summary.attributed,
        "stale": [
            {"path": item.path, "model": item.model, "state": item.state.value}
            for item in report.stale
        ],
        "notes": list(report.notes),
    }


def _risk(item: Risk) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "message": item.message,
        "place": _place(item.place),
        "models": list(item.models),
        "change": item.change or None,
    }


def _unexplained(item: Unexplained) -> dict[str, Any]:
    return {
        "place": _place(item.place),
        "member": item.member,
        "model": item.model,
        "reason": item.reason,
        "diff": _diff(item.hunks),
    }


def _not_reached(item: NotReached) -> dict[str, Any]:
    return {
        "change": item.change,
        "member": item.member,
        "kind": item.kind,
        "models": list(item.models),
        "place": _place(item.place),
        "reason": item.reason,
    }


def _change(change: Change) -> dict[str, Any]:
    edit = change.edit
    return {
        "id": change.id,
        "number": change.number,
        "title": change.title,
        "models": list(change.models),
        "files": list(change.files),
        "edit": [
            {
                "place": _place(item.place),
                "member": item.change.shown,
                "kind": item.change.kind,
                "diff": _diff((item.hunk,)),
            }
            for item in (edit.hunks if edit else ())
        ],
        "variants": [_variant(item) for item in change.variants],
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "letter": variant.letter,
        "as_edit": variant.as_edit,
        "otherwise_than": variant.like or None,
        "places": [
            {
                "path": item.change.path,
                "line": item.hunks[0].line,
                "model": item.change.model,
                "member": item.change.shown,
                "kind": item.change.kind,
                "note": item.change.note,
            }
            for item in variant.instances
        ],
        "diff": _diff(variant.instances[0].hunks),
    }


def _place(place: Location) -> dict[str, Any]:
    return {"path": place.path, "line": place.line}


def _diff(hunks: Sequence[Hunk]) -> str:
    return "\n".join(f"{sign} {text}".rstrip() for hunk in hunks for sign, text in hunk_lines(hunk))


def review_schema() -> dict[str, Any]:
    """The JSON schema of a review."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "review of codegen",
        **_object(
            summary=_SUMMARY,
            risks=_array(_RISK),
            changes=_array(_CHANGE),
            unexplained=_array(_UNEXPLAINED),
            not_reached=_array(_NOT_REACHED),
        ),
    }


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _array(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_STRING: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_STRINGS = _array(_STRING)
_PLACE = _object(path=_STRING, line=_NUMBER)
_SUMMARY = _object(
    base=_STRING,
    head=_STRING,
    sources=_array(_object(path=_STRING, added=_NUMBER, removed=_NUMBER)),
    files={**_NUMBER, "description": "generated files that differ"},
    models=_STRINGS,
    untouched=_STRINGS,
    hunks={**_NUMBER, "description": "of a plain difference of the generated files"},
    lines=_NUMBER,
    hunks_to_read=_NUMBER,
    lines_to_read=_NUMBER,
    attributed_percent={**_NUMBER, "description": "changed lines that an edit accounts for"},
    stale=_array(_object(path=_STRING, model=_STRING, state=_STRING)),
    notes=_STRINGS,
)
_RISK = _object(
    kind={"enum": list(RISKS)},
    message=_STRING,
    place=_PLACE,
    models=_STRINGS,
    change={"type": ["integer", "null"], "description": "number of the change it comes from"},
)
_EDIT = _object(place=_PLACE, member=_STRING, kind=_STRING, diff=_STRING)
_INSTANCE = _object(
    path=_STRING, line=_NUMBER, model=_STRING, member=_STRING, kind=_STRING, note=_STRING
)
_VARIANT = _object(
    letter=_STRING,
    as_edit={**_FLAG, "description": "it reads as the edit of the source does"},
    otherwise_than={"type": ["string", "null"]},
    places=_array(_INSTANCE),
    diff=_STRING,
)
_CHANGE = _object(
    id={**_STRING, "description": "follows from what the edit does; the same in every run"},
    number=_NUMBER,
    title=_STRING,
    models=_STRINGS,
    files=_STRINGS,
    edit={**_array(_EDIT), "description": "empty: what follows from passes or expansion alone"},
    variants=_array(_VARIANT),
)
_UNEXPLAINED = _object(place=_PLACE, member=_STRING, model=_STRING, reason=_STRING, diff=_STRING)
_NOT_REACHED = _object(
    change=_NUMBER,
    member=_STRING,
    kind={"enum": ["override", "deleted", "copy", "excluded"]},
    models=_STRINGS,
    place=_PLACE,
    reason=_STRING,
)
