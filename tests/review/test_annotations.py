"""Annotations for GitHub: the gravest first, and no more than it shows."""

from __future__ import annotations

import re
from collections import Counter

from codegen.errors import Location
from codegen.review.as_annotations import SHOWN, format_annotations
from codegen.review.kinds import RISKS
from codegen.review.model import Report, Risk, Stale, Summary
from codegen.run.outcome import State

SUMMARY = Summary("A", "B", (), 0, (), (), 0, 0, 0, 0, 0, 0, 100)


def risk(kind: str, number: int, models: int = 1) -> Risk:
    """A risk on line ``number``."""
    names = tuple(f"m{index}" for index in range(models))
    return Risk(kind, f"risk {number}, of: all", Location("d/modular_d.py", number), names, 1)


def report(*risks: Risk, stale: int = 0) -> Report:
    """A report with nothing but these."""
    files = tuple(Stale(f"g/m{index}.py", "m", State.STALE) for index in range(stale))
    return Report(SUMMARY, files, (), risks, (), ())


def levels(text: str) -> Counter[str]:
    """How many annotations there are of each level."""
    return Counter(re.findall(r"^::(\w+) ", text, re.M))


def test_ten_of_a_level_are_all_told() -> None:
    text = format_annotations(report(*(risk("signature", n) for n in range(SHOWN)), stale=SHOWN))
    assert levels(text) == {"warning": SHOWN, "error": SHOWN}
    assert "more" not in text


def test_what_is_too_much_is_counted_by_kind() -> None:
    several = [*(risk("numerics", n) for n in range(20)), risk("state-dict", 99)]
    text = format_annotations(report(*several, risk("state-dict", 98, models=3), stale=11))
    assert levels(text) == {"warning": SHOWN, "error": SHOWN}
    lines = text.split("\n")
    assert "::error title=2 more::not shown here: not fresh (2)%0A" in text
    warnings = [line for line in lines if line.startswith("::warning")]
    assert "line=98,title=state-dict::" in warnings[0]  # of equal ones the widest
    assert "line=99,title=state-dict::" in warnings[1]
    assert warnings[-1].startswith("::warning title=13 more::not shown here: numerics (13)%0A")
    assert "python -m codegen review" in warnings[-1]


def test_kinds_come_in_the_order_of_their_weight() -> None:
    text = format_annotations(report(*(risk(kind, 1) for kind in reversed(RISKS))))
    told = re.findall(r"title=([\w-]+)::", text)
    assert told == list(RISKS)[: SHOWN - 1]


def test_a_tree_below_the_top_of_its_repository_is_found() -> None:
    text = format_annotations(report(risk("signature", 7)), "packages/models/")
    assert "file=packages/models/d/modular_d.py,line=7" in text
