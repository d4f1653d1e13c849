"""A comment with many models: the first are named, all can be unfolded, and it is never too long."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from codegen.errors import Location
from codegen.review.as_markdown import LIMIT, format_markdown
from codegen.review.model import (
    Change,
    Hunk,
    Instance,
    Line,
    Member,
    MemberChange,
    NotReached,
    Report,
    Risk,
    Unexplained,
    Variant,
)
from tests.review.test_annotations import SUMMARY

GOLDEN = Path(__file__).parents[1] / "golden/review/many.md"


def report(count: int, risks: int = 1) -> Report:
    """One change of so many models, with risks, and as many that are not reached."""
    models = tuple(f"m{index:02}" for index in range(count))
    hunk = Hunk((Line("scale=1.0", 3, ("scale",)),), (Line("scale=2.0", 3, ("scale",)),), 3, 3)
    member = Member("Block", "forward", "method", 2, "")
    instances = tuple(
        Instance(
            MemberChange(f"g/{name}.py", name, "Block", "changed", member, member, (hunk,)), (hunk,)
        )
        for name in models
    )
    change = Change(1, "0a1b2c3d", "Block.forward", None, (Variant("A", instances),))
    place = Location("d/modular_m00.py", 3)
    risk = Risk("signature", "Block.forward: scale=1.0 becomes scale=2.0", place, models, 1)
    apart = NotReached(1, "Block.forward", "override", models, place, "Other has its own")
    many = tuple(replace(risk, message=f"{risk.message} ({n})") for n in range(risks))
    return Report(SUMMARY, (), (), many, (change,), (apart,))


def test_many_models_are_folded(update_golden: bool) -> None:
    text = format_markdown(report(9))
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "record with --update-golden"
    assert text.count("m00, m01 and 7 more</summary>m00, m01, m02") == 3
    assert "more" not in format_markdown(report(6))


def test_lists_are_left_out_before_anything_else() -> None:
    text = format_markdown(report(90, risks=150))
    assert len(text.encode()) < LIMIT
    assert text.count("- **signature**") == 150 and "left out" not in text
    assert "m00, m01 and 88 more" in text and "m02" not in text
    assert "parts left out: run" in format_markdown(report(90, risks=900))


def test_a_decorator_is_no_person() -> None:
    """GitHub tells everybody whose name stands behind an `@` in prose."""
    one = report(1)
    told = replace(one.risks[0], kind="decorator", message="run: @torch.no_grad() is gone")
    change = replace(one.changes[0], title="@torch.no_grad leaves run")
    text = format_markdown(replace(one, risks=(told,), changes=(change,)))
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    assert "@<!-- -->torch" in prose and not re.search(r"@\w", prose)


def test_long_hunks_are_cut_before_any_part_is_left_out() -> None:
    """First of all an alarm, however many lines it has."""
    lines = tuple(Line(f"value_{n} = {'x' * 60!r}", n, ()) for n in range(2000))
    place = Location("g/m00.py", 1)
    alarm = Unexplained(place, "Block", "m00", "by hand", (Hunk((), lines, 1, 1),))
    text = format_markdown(replace(report(1), unexplained=(alarm,)))
    assert len(text.encode()) < LIMIT and "value_11 =" in text and "left out" not in text
    assert "… and 1940 more lines" in text
