"""Formatters: bulk runs, and what is said when one is missing or fails."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import codegen.output.formatting
from tests.cli.trees import DELTA, PROJECT, Sandbox


def _choose(sandbox: Sandbox, formatter: str) -> None:
    text = PROJECT.replace("none", formatter)
    (sandbox.root / "pyproject.toml").write_text(text)


def _untidy(sandbox: Sandbox) -> None:
    sandbox.write({"delta": DELTA.replace("depth = 1", "depth   =  {'a':1}")})


@pytest.mark.parametrize("formatter", ["black", "ruff", "none"])
def test_formatter_of_choice(project: Sandbox, formatter: str) -> None:
    _choose(project, formatter)
    _untidy(project)
    assert project.run("sync").code == 0
    expected = {"none": "depth   =  {'a':1}"}.get(formatter, 'depth = {"a": 1}')
    assert expected in project.generated("delta").read_text()
    assert project.run("check", "--no-cache").code == 0


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("missing", ["black", "isort"])
def test_black_or_isort_missing(project: Sandbox, missing: str, jobs: str) -> None:
    """In this process, and in the workers."""
    _choose(project, "black")
    hook = f"import sys\nsys.modules['{missing}'] = None"
    result = project.run_apart("sync", "--jobs", jobs, hook=hook)
    assert result.code == 2
    if jobs == "1":
        project.expect(f"formatter_missing_{missing}", result)
    assert f"the formatter {missing} is not installed" in result.err
    assert project.outputs() == set()


def test_ruff_missing(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _choose(project, "ruff")
    monkeypatch.setattr(codegen.output.formatting.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    project.expect("formatter_missing_ruff", project.run("sync"))
    assert project.outputs() == set()


def test_nothing_to_format_needs_no_formatter(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _choose(project, "ruff")
    assert project.run("sync").code == 0
    monkeypatch.setattr(codegen.output.formatting.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    assert project.run("check").code == 0


def _fake_ruff(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    place: Path = sandbox.root.parent / "bin/ruff"
    place.parent.mkdir()
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(codegen.output.formatting.sys, "executable", str(place.with_name("python")))
    _choose(sandbox, "ruff")


def test_ruff_fails(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_ruff(project, monkeypatch, "echo 'error: out of ideas' >&2; exit 2")
    project.expect("formatter_fails", project.run("sync"))
    assert project.outputs() == set()


def test_ruff_is_killed(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_ruff(project, monkeypatch, "kill -KILL $$")
    project.expect("formatter_killed", project.run("sync"))


def test_ruff_cannot_be_run(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_ruff(project, monkeypatch, "")
    (project.root.parent / "bin/ruff").chmod(0o644)
    result = project.run("sync")
    assert result.code == 2
    assert "error[formatter]: cannot run ruff: " in result.err


def _break_output(
    monkeypatch: pytest.MonkeyPatch, model: str, replacement: str = "this is = = no Python\n"
) -> None:
    """Let the expansion of one model give text that formatters refuse."""
    import codegen.run.job

    real = codegen.run.job.render_draft

    def render(draft, banner):  # type: ignore[no-untyped-def]
        text = real(draft, banner)
        return replacement if model in draft.name else text

    monkeypatch.setattr(codegen.run.job, "render_draft", render)


@pytest.mark.parametrize("formatter", ["black", "ruff"])
def test_text_that_a_formatter_refuses_spoils_one_model(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch, formatter: str
) -> None:
    _choose(project, formatter)
    _break_output(monkeypatch, "delta")
    result = project.run("sync")
    project.expect(f"refused_by_{formatter}", result)
    assert result.code == 2
    assert not project.generated("delta").exists()
    assert project.generated("gamma").exists()


def test_temporary_folders_are_removed(
    checkout: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert checkout.run("sync").code == 0
    assert list(scratch.iterdir()) == []
