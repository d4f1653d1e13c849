"""A comment with many models: the first are named, all can be unfolded, and it is never too long."""

from __future__ import annotations

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
