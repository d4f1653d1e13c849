"""What an expansion that stays is left for, and what is said of one that is moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.test_rules import read_case, run

CASES = Path(__file__).parent / "golden" / "expand_tokens"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("form_that_no_rule_knows", "in a form that no rule knows"),
        ("spliced_where_it_was_found", "in a form that no rule knows"),
        ("one_item_for_each_text", "a prompt raises ValueError, before nothing"),
        (
            "overwritten_by_a_later_one",
            "for each self.video_token it replaces the first self.image_token of the text, too",
        ),
        ("texts_changed_behind", "its texts are worked on behind the helper"),
    ],
)
def test_the_report_says_why(name: str, reason: str) -> None:
    result = run(read_case(CASES / f"{name}.txt").files, "expand_tokens")
    said = [record.reason for record in result.report if record.kind == "left"]
    assert any(reason in text for text in said), said
    assert not [record for record in result.report if record.kind == "failed"]
