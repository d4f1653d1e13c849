"""Passes of a project's own: named in its table, run in their place, checked, and never silent."""

from __future__ import annotations

import pytest

from tests.cli.trees import FAMILY, PROJECT, Sandbox

_RENAME = """\
import libcst as cst
from libcst.codemod import SkipFile, VisitorBasedCodemodCommand


class Rename(VisitorBasedCodemodCommand):
    DESCRIPTION = "width is called breadth here"
    {runs_on}

    def leave_Name(self, original, updated):
        {action}
        return updated.with_changes(value="breadth") if updated.value == "width" else updated
"""


_ENCODER = """\
import torch
from torch import nn
from torch.nn import functional as F


class AlphaEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        bounds = F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows
"""


def _configure(project: Sandbox, passes: str, action: str = "pass", runs_on: str = "") -> None:
    settings = f"{PROJECT}rewrite = true\npasses = [{passes}]\n"
    (project.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    (project.root / "codemods").mkdir(exist_ok=True)
    text = _RENAME.format(action=action, runs_on=runs_on)
    (project.root / "codemods/rename.py").write_text(text, encoding="utf-8")


def _generated(project: Sandbox, model: str) -> str:
    return (project.root / f"generated/{model}/modeling_{model}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("runs_on", ["", 'RUNS_ON = "generated"'])
def test_an_own_pass_reaches_every_heir(project: Sandbox, runs_on: str) -> None:
    _configure(project, '"codemods/rename.py:Rename"', runs_on=runs_on)
    assert project.run("sync").code == 0
    for model in ("alpha", "beta"):
        assert "self.breadth = config.breadth" in _generated(project, model)
    assert "width" in project.definition("alpha").read_text(encoding="utf-8")
    assert project.run("check").code == 0
    # An edited pass is another one; one that is taken out leaves nothing behind.
    path = project.root / "codemods/rename.py"
    path.write_text(path.read_text(encoding="utf-8").replace("breadth", "span"), encoding="utf-8")
    assert project.run("check").code == 1
    assert project.run("sync").code == 0
    assert "self.span = config.span" in _generated(project, "beta")
    (project.root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    assert project.run("sync").code == 0
    assert "self.width = config.width" in _generated(project, "beta")


def test_what_it_did_and_skipped_is_told(project: Sandbox) -> None:
    action = 'if "delta" in self.context.filename: raise SkipFile("delta is fine")'
    _configure(project, '"codemods/rename.py:Rename"', action)
    report = project.run("sync", "--format", "json").json["rewrites"]
    told = {(record["model"], record["kind"], record["reason"]) for record in report}
    assert ("alpha", "rewritten", "") in told
    assert ("delta", "left", "delta is fine") in told
    shown = project.run("sync", "--verbose").out
    assert "rewritten" in shown and "delta is fine" in shown


@pytest.mark.parametrize(
    ("passes", "sees"),
    [
        ('{own}, "extract", "lift"', "what was written"),
        ('"extract", {own}, "lift"', "the helper"),
        ('"extract", "lift", {own}', "the optional input"),
    ],
)
def test_it_takes_its_place_among_our_passes(project: Sandbox, passes: str, sees: str) -> None:
    """What an own pass is given is what those in front of it have left."""
    for model in FAMILY:
        project.definition(model).unlink()
    project.definition("alpha").write_text(_ENCODER, encoding="utf-8")
    action = """code = self.context.module.code
        lifted = "cu_seqlens is None" in code
        helped = "get_vision_cu_seqlens(" in code
        raise SkipFile("the optional input" if lifted else "the helper" if helped else "what was written")"""
    _configure(project, passes.format(own='"codemods/rename.py:Rename"'), action)
    report = project.run("sync", "--format", "json").json["rewrites"]
    assert [item["reason"] for item in report if item["helper"] == "Rename"] == [sees]
    assert "cu_seqlens is None" in _generated(project, "alpha")


FAULTS = {
    "an_exception": ("1 / 0", ""),
    "a_second_run_that_changes_more": (
        'return updated.with_changes(value=updated.value + "_") if "width" in updated.value else updated',
        "",
    ),
    "no_code": ('return updated.with_changes(value="1x")', ""),
    "an_undefined_name": (
        """return updated

    def leave_Integer(self, original, updated):
        return cst.Name("lost")""",
        "",
    ),
    "an_unknown_place": ("pass", 'RUNS_ON = "everything"'),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("generated", [False, True])
def test_a_pass_that_fails_is_an_error_and_nothing_is_written(
    project: Sandbox, fault: str, generated: bool
) -> None:
    action, runs_on = FAULTS[fault]
    if generated and not runs_on:
        runs_on = 'RUNS_ON = "generated"'
    _configure(project, '"codemods/rename.py:Rename"', action, runs_on)
    result = project.run("sync")
    project.expect(f"passes/{fault}{'_on_generated_files' * generated}", result)
    written = {path.name for path in (project.root / "generated").rglob("*.py")}
    # What fails on one generated file does not keep others from being written.
    assert not [name for name in written if f"/{name}: " in result.err or not generated]


REFERENCES = {
    "no_such_file": "codemods/renam.py:Rename",
    "no_such_class": "codemods/rename.py:Renam",
    "no_codemod": "codemods/rename.py:cst",
    "outside_the_project": "../elsewhere.py:Rename",
    "absolute": "/tmp/elsewhere.py:Rename",
    "no_such_module": "no.such.module:Rename",
    "misspelt_pass_of_ours": "extrakt",
    "no_reference": "codemods/rename.py",
}


@pytest.mark.parametrize("case", REFERENCES)
def test_a_reference_that_leads_nowhere(project: Sandbox, case: str) -> None:
    _configure(project, f'"{REFERENCES[case]}"')
    project.expect(f"passes/{case}", project.run("sync"))


def test_our_passes_keep_their_order(project: Sandbox) -> None:
    _configure(project, '"lift", "extract"')
    project.expect("passes/out_of_order", project.run("check"))


def test_a_pass_that_cannot_be_loaded(project: Sandbox) -> None:
    _configure(project, '"codemods/rename.py:Rename"')
    path = project.root / "codemods/rename.py"
    for name, text in (
        ("syntax", "import libcst\nclass X(\n"),
        ("import", "x = 1\nimport no_such\n"),
    ):
        path.write_text(text, encoding="utf-8")
        project.expect(f"passes/cannot_be_loaded_{name}", project.run("sync"))


def test_an_installed_pass(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    site = project.root.parent / "site"
    (site / "toolbox").mkdir(parents=True)
    (site / "toolbox/__init__.py").write_text("", encoding="utf-8")
    text = _RENAME.format(action="pass", runs_on="")
    (site / "toolbox/rename.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    _configure(project, '"toolbox.rename:Rename"')
    assert project.run("sync").code == 0
    assert "self.breadth = config.breadth" in _generated(project, "beta")


def test_a_file_beside_the_definitions_is_not_run(project: Sandbox) -> None:
    """Only what the table names is loaded."""
    (project.root / "codemods").mkdir()
    (project.root / "codemods/rename.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    settings = f"{PROJECT}rewrite = true\n"
    (project.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert project.run("sync").code == 0
