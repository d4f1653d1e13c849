"""Files that somebody edited: `check` says what became of them, `sync` loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.trees import DELTA, Sandbox


@pytest.fixture(autouse=True)
def no_outer_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that runs these tests has variables of its own repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


def _git(sandbox: Sandbox, *command: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(("git", *who, *command), cwd=sandbox.root, check=True, capture_output=True)


def _commit(sandbox: Sandbox) -> None:
    if not (sandbox.root / ".git").exists():
        _git(sandbox, "init", "--quiet")
    _git(sandbox, "add", ".")
    _git(sandbox, "commit", "--quiet", "-m", "all")


def _edit(sandbox: Sandbox) -> None:
    place = sandbox.generated("delta")
    place.write_text(place.read_text() + "\n\nEDIT = 41\n")


def _redefine(sandbox: Sandbox) -> None:
    sandbox.write({"delta": DELTA.replace("depth = 1", "depth = 2")})


def _both(sandbox: Sandbox) -> None:
    _edit(sandbox)
    _redefine(sandbox)


def _endings(sandbox: Sandbox) -> None:
    place = sandbox.generated("delta")
    place.write_bytes(place.read_bytes().replace(b"\n", b"\r\n"))


CHANGES: dict[str, Callable[[Sandbox], None]] = {
    "edited by hand": _edit,
    "out of date": _redefine,
    "edited by hand and out of date": _both,
    "other line endings": _endings,
}


def _state(sandbox: Sandbox, *arguments: str) -> str:
    result = sandbox.run("check", "--format", "json", *arguments)
    assert result.code == 1
    return result.states()["delta"]


@pytest.mark.parametrize("word", CHANGES)
def test_record_tells_what_happened(project: Sandbox, word: str) -> None:
    project.run("sync")
    CHANGES[word](project)
    assert _state(project) == word
    assert f"modeling_delta.py: {word}" in project.run("check").out, "the same word in text"


@pytest.mark.parametrize("word", CHANGES)
@pytest.mark.parametrize("committed", [False, True])
def test_git_tells_what_happened_in_a_fresh_clone(
    project: Sandbox, word: str, committed: bool
) -> None:
    project.run("sync")
    _commit(project)
    CHANGES[word](project)
    if committed:
        _commit(project)
    shutil.rmtree(project.root / ".codegen_cache")
    assert _state(project) == word


def test_git_tells_edit_and_later_definition_apart(project: Sandbox) -> None:
    """Committed one after the other: the file was edited before its definition changed."""
    project.run("sync")
    _commit(project)
    _edit(project)
    _commit(project)
    _redefine(project)
    _commit(project)
    assert _state(project, "--no-cache") == "edited by hand and out of date"


def test_child_of_an_edited_definition_is_out_of_date(project: Sandbox) -> None:
    project.run("sync")
    _commit(project)
    place = project.definition("alpha")
    place.write_text(place.read_text().replace("states * self.width", "states + self.width"))
    result = project.run("check", "--no-cache", "--format", "json")
    assert result.states()["beta"] == "out of date"


@pytest.mark.parametrize("git", ["absent", "slow", "failing"])
def test_git_that_does_not_answer(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch, git: str
) -> None:
    project.run("sync")
    _commit(project)
    _edit(project)
    folder = project.root.parent / "programs"
    folder.mkdir()
    if git != "absent":
        script = folder / "git"
        code = "sleep 600 & sleep 600" if git == "slow" else "exit 3"
        script.write_text(f"#!/bin/sh\n{code}\n")
        script.chmod(0o755)
    monkeypatch.setenv(
        "PATH", str(folder) + (f"{os.pathsep}/bin:/usr/bin" if git == "slow" else "")
    )
    started = time.monotonic()
    assert _state(project, "--no-cache") == "out of date"
    assert time.monotonic() - started < 30


def test_edit_is_kept_beside_the_file(project: Sandbox) -> None:
    project.run("sync")
    _edit(project)
    edited = project.generated("delta").read_text()
    project.expect("edit_is_kept", project.run("sync"))
    copy = project.generated("delta").with_name("modeling_delta.py.edited")
    assert copy.read_text() == edited
    assert "EDIT" not in project.generated("delta").read_text()
    _edit(project)
    project.generated("delta").write_text(project.generated("delta").read_text() + "MORE = 1\n")
    project.run("sync")
    assert copy.read_text() == edited, "an earlier copy stays"
    assert "MORE" in copy.with_name("modeling_delta.py.edited2").read_text()


def test_only_the_tool_made_it_needs_no_copy(project: Sandbox) -> None:
    project.run("sync")
    _redefine(project)
    project.run("sync")
    _endings(project)
    project.run("sync")
    assert not list(project.root.rglob("*.edited*"))


def test_git_is_copy_enough(project: Sandbox) -> None:
    project.run("sync")
    _edit(project)
    _commit(project)
    for cache in ((), ("--no-cache",)):
        _git(project, "checkout", "--", ".")
        assert project.run("sync", *cache).code == 0
        assert "EDIT" not in project.generated("delta").read_text()
        assert not list(project.root.rglob("*.edited*"))


def test_force_keeps_no_copy(project: Sandbox) -> None:
    project.run("sync")
    _edit(project)
    assert project.run("sync", "--force").code == 0
    assert not list(project.root.rglob("*.edited*"))


def test_edited_file_of_a_removed_definition(project: Sandbox) -> None:
    project.run("sync")
    _edit(project)
    project.definition("delta").unlink()
    project.expect("edited_orphan", project.run("sync"))
    assert not project.generated("delta").exists()
    assert "EDIT" in project.generated("delta").with_name("modeling_delta.py.edited").read_text()


def test_removal_of_what_git_has(project: Sandbox) -> None:
    project.run("sync")
    _commit(project)
    project.definition("delta").unlink()
    project.expect("removed_from_git", project.run("sync"))
    _git(project, "restore", "generated/delta/modeling_delta.py")
    assert project.generated("delta").exists()


def test_counts_in_json(project: Sandbox) -> None:
    project.run("sync")
    place = project.generated("delta")
    place.write_text(place.read_text().replace("depth = 1", "depth = 7\n    width = 3"))
    report = project.run("check", "--format", "json").json
    file = next(item for item in report["models"] if item["model"] == "delta")["files"][0]
    assert (file["state"], file["added"], file["removed"]) == ("edited by hand", 1, 2)
    assert "(+1 -2)" in project.run("check").out
    synced = project.run("sync", "--format", "json").json
    file = next(item for item in synced["models"] if item["model"] == "delta")["files"][0]
    assert file["copy"] == "generated/delta/modeling_delta.py.edited"


def test_right_but_not_staged(project: Sandbox) -> None:
    project.run("sync")
    _commit(project)
    _redefine(project)
    project.run("sync")
    assert project.run("check").code == 0, "nothing is staged: what is on disk counts"
    _git(project, "add", "definitions")
    project.expect("not_staged", project.run("check"))
    assert project.run("sync").code == 0
    _git(project, "add", ".")
    assert project.run("check").code == 0


def test_new_file_that_is_not_staged(project: Sandbox) -> None:
    _git(project, "init", "--quiet")
    project.run("sync")
    _git(project, "add", "definitions", "pyproject.toml")
    result = project.run("check", "--format", "json")
    assert (result.code, result.states()["delta"]) == (1, "right, but not staged")
    (project.root / ".gitignore").write_text("generated/\n")
    assert project.run("check").code == 0, "who ignores generated files does not commit them"


BANNER = "# Generated by codegen from {}. Do not edit:\n# change the definition.\n\nkept = 1\n"
UPSTREAM = "#    This file was automatically generated from {}.\n#    Do NOT edit it.\n\nkept = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        BANNER.format("packages/sister/definitions/third/modular_third.py"),
        BANNER.format("definitions/elsewhere/modular_third.py"),
        BANNER.format("definitions/../third/modular_third.py"),
        UPSTREAM.format("src/transformers/models/third/modular_third.py"),
        UPSTREAM.format("definitions/third/modular_third.py"),
        '"""Our files begin so:\n\n'
        + BANNER.format("definitions/third/modular_third.py")
        + '"""\n',
        "# Ours begin with this line:\n#\n#\n#\n#\n"
        + BANNER.format("definitions/third/modular_third.py"),
        "import os\n" + BANNER.format("definitions/third/modular_third.py"),
    ],
)
@pytest.mark.parametrize("definitions", ["definitions", "models"])
def test_file_that_is_not_ours_stays(project: Sandbox, text: str, definitions: str) -> None:
    if definitions == "models":  # definitions and files in one folder
        (project.root / "definitions").rename(project.root / "models")
        table = (project.root / "pyproject.toml").read_text()
        table = table.replace('"definitions"', '"models"').replace('"generated"', '"models"')
        (project.root / "pyproject.toml").write_text(table)
        project.definitions = project.output = "models"
    place = project.generated("third", "processing")
    place.parent.mkdir(parents=True)
    place.write_text(text)
    for arguments in (("sync",), ("sync", "--no-cache"), ("sync", "--force")):
        assert project.run(*arguments).code == 0
    assert place.read_text() == text


def test_copy_of_a_generated_file_elsewhere_stays(project: Sandbox) -> None:
    project.run("sync")
    copy = project.root / "generated/copies/modeling_delta.py"
    copy.parent.mkdir()
    shutil.copy(project.generated("delta"), copy)
    assert project.run("sync").code == 0
    assert copy.exists()


def test_quoted_banner_in_the_place_of_an_output(project: Sandbox) -> None:
    place: Path = project.generated("delta")
    place.parent.mkdir(parents=True)
    banner = BANNER.format("definitions/delta/modular_delta.py")
    place.write_text(f'"""Hand-written. Others begin with:\n\n{banner}"""\n')
    assert project.run("sync").code == 2
    assert "Hand-written" in place.read_text()
