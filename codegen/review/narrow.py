"""A report about less: one model, one kind of risk, one change. Numbers and ids of changes stay."""

from __future__ import annotations

from dataclasses import replace

from codegen.errors import fail
from codegen.review.model import Report


def about_model(report: Report, model: str) -> Report:
    """What concerns one model."""
    known = {*report.summary.models, *report.summary.untouched}
    if model not in known:
        raise fail("unknown-model", f"the review has no model {model!r}")
    changes = []
    for change in report.changes:
        variants = tuple(
            replace(
                item,
                instances=tuple(one for one in item.instances if one.change.model == model),
            )
            for item in change.variants
            if model in item.models
        )
        if variants:
            changes.append(replace(change, variants=variants))
    return replace(
        report,
        stale=tuple(item for item in report.stale if item.model == model),
        unexplained=tuple(item for item in report.unexplained if item.model == model),
        risks=tuple(item for item in report.risks if model in item.models),
        changes=tuple(changes),
        not_reached=tuple(item for item in report.not_reached if model in item.models),
    )


def about_risk(report: Report, kind: str) -> Report:
    """The risks of one kind, with the changes that they come from."""
    risks = tuple(item for item in report.risks if item.kind == kind)
    numbers = {item.change for item in risks}
    changes = tuple(item for item in report.changes if item.number in numbers)
    return replace(report, risks=risks, changes=changes)


def about_change(report: Report, number: int, letter: str) -> Report:
    """One change, or one variant of it where there is a letter, with the risks that come from it."""
    changes = tuple(
        replace(item, variants=tuple(v for v in item.variants if letter in ("", v.letter)))
        for item in report.changes
        if item.number == number
    )
    return replace(
        report,
        stale=(),
        unexplained=(),
        risks=tuple(item for item in report.risks if item.change == number),
        changes=changes,
        not_reached=tuple(item for item in report.not_reached if item.change == number),
    )
