"""A review as one page that needs nothing else: risks, a matrix of models and changes, every hunk."""

from __future__ import annotations

from typing import Any

from codegen.output.render import render_page
from codegen.review.as_data import as_data
from codegen.review.as_text import hunk_lines
from codegen.review.group import distinct_hunks
from codegen.review.model import Change, Report


def format_html(report: Report) -> str:
    """The text of the page."""
    data = as_data(report)
    for change, shown in zip(report.changes, data["changes"]):
        _with_lines(change, shown)
    for alarm, shown in zip(report.unexplained, data["unexplained"]):
        shown["lines"] = [line for hunk in alarm.hunks for line in hunk_lines(hunk)]
    key = "-".join(change.id for change in report.changes[:4])
    return render_page("review.html.j2", **data, rows=_rows(report), key=key)


def _with_lines(change: Change, shown: dict[str, Any]) -> None:
    """Give the parts of a change their lines; equal hunks of an edit are one part."""
    parts = dict(zip(map(id, change.edit.hunks), shown["edit"])) if change.edit else {}
    shown["edit"] = [
        {**parts[id(source)], "lines": hunk_lines(source.hunk), "again": again}
        for source, again in (distinct_hunks(change.edit) if change.edit else ())
    ]
    for variant, part in zip(change.variants, shown["variants"]):
        first = variant.instances[0]
        part["lines"] = [line for hunk in first.hunks for line in hunk_lines(hunk)]
        part["models"] = list(variant.models)


def _rows(report: Report) -> list[dict[str, Any]]:
    """The matrix: models that are reached, and which variants of each change they have."""
    cells: dict[str, dict[int, list[dict[str, Any]]]] = {name: {} for name in report.summary.models}
    reaching = [change for change in report.changes if change.variants]
    for change in reaching:
        for variant in change.variants:
            name = f"{change.number}{variant.letter}"
            item = {"letter": variant.letter, "name": name, "otherwise": bool(variant.like)}
            for model in variant.models:
                cells.setdefault(model, {}).setdefault(change.number, []).append(item)
    return [
        {
            "model": model,
            "cells": [
                {"number": change.number, "items": row.get(change.number, [])}
                for change in reaching
            ],
        }
        for model, row in cells.items()
    ]
