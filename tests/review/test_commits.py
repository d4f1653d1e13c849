"""What commits of a library do at once: models that come, go or change their name beside an edit."""

from __future__ import annotations

from pathlib import Path

from codegen.review.model import Report
from tests.review.copies import review_of
from tests.review.small import FAMILY, make_project, replaced

_EDITED = replaced("alpha", ("return self.up(states)", "return self.up(states).clone()"))


def reviewed(tmp_path: Path, models: dict[str, str]) -> Report:
    """The family against other models."""
    before = make_project(tmp_path / "old")
    return review_of(before, make_project(tmp_path / "new", models))


def test_a_model_that_comes_beside_an_edit(tmp_path: Path) -> None:
    come = FAMILY["gamma"].replace("Gamma", "Zeta").replace("gamma", "zeta")
    report = reviewed(tmp_path, {**_EDITED, "zeta": come})
    assert not report.unexplained and not report.risks
    assert all(change.edit for change in report.changes)
    assert report.summary.attributed == 100
    of_zeta = {c.number for c in report.changes if "zeta" in c.models}
    edits = {p for c in report.changes if c.edit and c.number in of_zeta for p in c.edit.paths}
    assert "definitions/zeta/modular_zeta.py" in edits


def test_a_model_that_goes_beside_an_edit(tmp_path: Path) -> None:
    report = reviewed(tmp_path, {k: v for k, v in _EDITED.items() if k != "delta"})
    assert not report.unexplained
    assert all(change.edit for change in report.changes)
    assert report.summary.attributed == 100


def test_a_model_of_another_name(tmp_path: Path) -> None:
    renamed = FAMILY["gamma"].replace("Gamma", "Omega").replace("gamma", "omega")
    models = {k: v for k, v in FAMILY.items() if k != "gamma"}
    report = reviewed(tmp_path, {**models, "omega": renamed})
    assert not report.unexplained
    assert all(change.edit for change in report.changes)


def test_a_name_replaced_everywhere_is_one_change(tmp_path: Path) -> None:
    models = {
        name: text.replace("states", "hidden").replace("the hidden", "the states")
        for name, text in FAMILY.items()
    }
    report = reviewed(tmp_path, models)
    assert len([change for change in report.changes if change.variants]) == 1
    assert not report.unexplained
