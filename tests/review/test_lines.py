"""Attribution line by line: what is by hand beside an edit, what is no longer generated, what belongs together."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.review import unexplained
from codegen.review.ask import Asked, make_question
from codegen.review.attribute import most_voted
from codegen.review.build import build_report
from codegen.review.model import Hunk, Report
from codegen.run.sync import Options
from tests.review.copies import review_of
from tests.review.small import FAMILY, make_project, replaced

_UP = ("nn.Linear(config.width, 4 * config.width)", "nn.Linear(config.width, 8 * config.width)")
_BETA = "generated/beta/modeling_beta.py"


def _by_hand(root: Path) -> None:
    """Change the line behind the one that the edit changes, in one generated file."""
    text = (root / _BETA).read_text(encoding="utf-8")
    old = "self.down = nn.Linear(4 * config.width, config.width)"
    assert text.count(old) == 1
    (root / _BETA).write_text(text.replace(old, "self.down = nn.Identity()"), encoding="utf-8")


def _texts(hunks: tuple[Hunk, ...]) -> set[str]:
    return {line.text.strip() for hunk in hunks for line in (*hunk.removed, *hunk.added)}


def _of_edits(report: Report) -> set[str]:
    return {
        text
        for change in report.changes
        for variant in change.variants
        for instance in variant.instances
        for text in _texts(instance.hunks)
    }


@pytest.mark.parametrize("hand", ["head", "base"])
def test_a_line_by_hand_beside_an_edit_is_told_apart(hand: str, tmp_path: Path) -> None:
    before = make_project(tmp_path / "old")
    after = make_project(tmp_path / "new", replaced("alpha", _UP))
    _by_hand(after if hand == "head" else before)
    report = review_of(before, after)
    alarm = {
        "self.down = nn.Linear(4 * config.width, config.width)",
        "self.down = nn.Identity()",
    }
    assert [item.place.path for item in report.unexplained] == [_BETA]
    assert _texts(report.unexplained[0].hunks) == alarm
    assert _of_edits(report) == {f"self.up = {text}" for text in _UP}
    assert [change.models for change in report.changes] == [("alpha", "beta", "gamma")]


def test_a_model_that_is_written_by_hand_from_now_on(tmp_path: Path) -> None:
    before = make_project(tmp_path / "old")
    after = make_project(tmp_path / "new", {k: v for k, v in FAMILY.items() if k != "delta"})
    place = "generated/delta/modeling_delta.py"
    text = (before / place).read_text(encoding="utf-8")
    kept = text[text.index("class ") :].replace("depth = 1", "depth = 2\n    width = 3")
    (after / place).parent.mkdir(parents=True, exist_ok=True)
    (after / place).write_text(kept, encoding="utf-8")
    for sides in ((before, after), (after, before)):
        report = review_of(*sides)
        assert not report.unexplained
        assert [change.files for change in report.changes if change.files] == [(place,)]
        assert all(change.edit for change in report.changes)


def test_an_attribute_that_becomes_another_thing_goes_with_its_uses(tmp_path: Path) -> None:
    models = replaced(
        "alpha",
        ("self.down = nn.Linear(4 * config.width, config.width)", "self.down = nn.Parameter(None)"),
        ("return self.down(self.widen(states))", "return self.down * self.widen(states)"),
        ("states + scale * self.mlp(states)", "states - scale * self.mlp(states)"),
        ("self.mlp = AlphaMLP(config)", "self.mlp = nn.Identity(config)"),
    )
    report = review_of(make_project(tmp_path / "old"), make_project(tmp_path / "new", models))
    assert len(report.changes) == 3, [
        change.title for change in report.changes
    ]  # `-` is of its own


def test_an_argument_and_what_the_docstring_tells_of_it_are_one_edit(tmp_path: Path) -> None:
    told = (
        '        """Widen.\n\n        states: what\n{}        """\n        return self.up(states)'
    )
    before = replaced("alpha", ("        return self.up(states)", told.format("")))
    again = "        scale (`float`): how much\n"
    after = replaced(
        "alpha",
        ("        return self.up(states)", told.format(again)),
        ("def widen(self, states)", "def widen(self, states, scale=None)"),
    )
    report = review_of(
        make_project(tmp_path / "old", before), make_project(tmp_path / "new", after)
    )
    assert [len(change.edit.hunks) for change in report.changes if change.edit] == [2]
    assert not report.risks and not report.unexplained


def test_a_method_of_another_name_is_one_edit(tmp_path: Path) -> None:
    models = replaced("alpha", ("def forward(self, states, scale", "def run(self, states, scale"))
    report = review_of(make_project(tmp_path / "old"), make_project(tmp_path / "new", models))
    assert len(report.changes) == 1, [change.title for change in report.changes]
    assert any("Block.forward is gone" in risk.message for risk in report.risks)


def test_what_is_not_followed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that no edit has, such as those of a deleted method, are followed until it takes too long."""
    models = replaced(
        "beta", ("    def widen(self", "    forward = AttributeError()\n\n    def widen(self")
    )
    before, after = make_project(tmp_path / "old"), make_project(tmp_path / "new", models)
    whole = review_of(before, after)
    assert not whole.notes and not whole.unexplained
    monkeypatch.setattr(unexplained, "_LEAST", 0)
    monkeypatch.setattr(unexplained, "_SHARE", 1000)
    some = review_of(before, after)
    assert not some.unexplained
    assert [change.models for change in some.changes] == [change.models for change in whole.changes]
    assert any("are told under the edit of their class" in note for note in some.notes)


def test_a_generated_file_that_is_missing_or_no_text_is_an_alarm(tmp_path: Path) -> None:
    before, after = make_project(tmp_path / "old"), make_project(tmp_path / "new")
    (after / _BETA).unlink()
    report = review_of(before, after)
    assert {item.place.path for item in report.unexplained} == {_BETA} and not report.changes
    assert [item.path for item in report.stale] == [_BETA]
    (after / _BETA).write_bytes(b"\xff\xfe\x00 nothing")
    report = review_of(before, after)
    assert {item.place.path for item in report.unexplained} == {_BETA} and not report.changes
    assert any("not UTF-8" in note for note in report.notes)


def test_what_sync_would_write_has_new_files_and_lacks_old_ones(tmp_path: Path) -> None:
    before, after = make_project(tmp_path / "old"), make_project(tmp_path / "new")
    place = after / "definitions/zeta/modular_zeta.py"
    place.parent.mkdir()
    place.write_text(FAMILY["gamma"].replace("Gamma", "Zeta"), encoding="utf-8")
    (after / "definitions/gamma/modular_gamma.py").unlink()
    asked = Asked((str(before), str(after)), synced=True)
    report = build_report(make_question(asked, Options(1)))
    assert {path for change in report.changes for path in change.files} == {
        "generated/zeta/modeling_zeta.py",
        "generated/gamma/modeling_gamma.py",
    }
    assert not report.unexplained and not report.stale


def test_equal_votes_do_not_depend_on_the_order_in_which_they_are_cast() -> None:
    assert most_voted({3: 1, 1: 2, 2: 2}) == most_voted({2: 2, 1: 2, 3: 1}) == 1
