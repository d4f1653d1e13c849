"""The command on a small project: every output, narrowing, exit codes, commits, and the alarm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from codegen.cli import main
from codegen.review.as_data import review_schema
from codegen.review.as_markdown import LIMIT, MARKER
from tests.review.copies import REPOSITORY, synced
from tests.review.small import FAMILY, make_project, replaced

GOLDEN = REPOSITORY / "tests/golden/review"
RENAMED = replaced(
    "alpha",
    ("self.up = nn.Linear(config.width", "self.wide = nn.Linear(config.width"),
    ("return self.up(states)", "return self.wide(states)"),
    ("    depth: int = 2\n", "    depth: int = 3\n"),
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two states of the family: an attribute of the root renamed, a default changed."""
    monkeypatch.chdir(tmp_path)
    make_project(tmp_path / "old")
    make_project(tmp_path / "new", RENAMED)
    return Path("old"), Path("new")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The family, committed."""
    root = make_project(tmp_path / "tree")
    monkeypatch.chdir(root)
    commit(root, "init -q .")
    return root


def commit(root: Path, *commands: str) -> None:
    """Run git, then commit everything."""
    (root / ".gitignore").write_text(".codegen_cache\n", encoding="utf-8")
    who = ["-c", "user.name=somebody", "-c", "user.email=some@body"]
    for command in (*(command.split() for command in commands), ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "state"], cwd=root, check=True)


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What the command prints."""
    capsys.readouterr()
    assert main(["review", *arguments]) == code
    return capsys.readouterr().out


@pytest.mark.parametrize("style", ["text", "md", "github", "json"])
def test_outputs(
    style: str, sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    text = output(capsys, "old", "new", "--format", style)
    path = GOLDEN / f"renamed.{style}"
    if update_golden:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "record with --update-golden"
    if style == "text":
        assert max(map(len, text.split("\n"))) <= 80
    if style == "json":
        jsonschema.validate(json.loads(text), review_schema())
    if style == "md":
        assert text.startswith(MARKER)


def test_ids_do_not_depend_on_where_an_edit_stands(
    sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(output(capsys, "old", "new", "--format", "json"))
    for side in sides:
        for path in side.glob("definitions/alpha/*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("from torch", "import math\n\nfrom torch"), "utf-8")
        synced(side)
    after = json.loads(output(capsys, "old", "new", "--format", "json"))
    ids = [{change["id"] for change in each["changes"]} for each in (before, after)]
    assert ids[0] == ids[1]


def test_narrowing(sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    shown = output(capsys, "old", "new", "--show", "1A")
    assert "1  " in shown and "A  " in shown and "B  " not in shown
    about = json.loads(output(capsys, "old", "new", "--format", "json", "--model", "gamma"))
    assert {m for change in about["changes"] for m in change["models"]} == {"gamma"}
    about = json.loads(output(capsys, "old", "new", "--format", "json", "--risk", "config"))
    assert {risk["kind"] for risk in about["risks"]} == {"config"}
    assert len(about["changes"]) == 1
    assert main(["review", "old", "new", "--show", "9"]) == 2
    assert "no change '9'" in capsys.readouterr().err
    one = json.loads(output(capsys, "old", "new", "--format", "json", "--show", "1A"))
    assert [len(change["variants"]) for change in one["changes"]] == [1]
    assert {risk["change"] for risk in one["risks"]} == {1} and not one["unexplained"]
    assert main(["review", "old", "new", "--risk", "any"]) == 2, "--fail-on has more kinds"
    assert "known kinds: state-dict" in capsys.readouterr().err


def test_failing_on_kinds(sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "old", "new", "--fail-on", "state-dict,decorator", code=3)
    output(capsys, "old", "new", "--fail-on", "decorator,unexplained", code=0)
    assert main(["review", "old", "new", "--fail-on", "statedict"]) == 2
    assert "known kinds" in capsys.readouterr().err


def test_work_tree_and_commits(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / "definitions/alpha/modular_alpha.py"
    path.write_text(RENAMED["alpha"], encoding="utf-8")
    stale = json.loads(output(capsys, "--format", "json"))
    assert {item["state"] for item in stale["summary"]["stale"]} == {"out of date"}
    assert not [item for change in stale["changes"] for item in change["variants"]]
    ahead = json.loads(output(capsys, "--format", "json", "--synced"))
    synced(repository)
    fresh = json.loads(output(capsys, "--format", "json"))
    assert ahead["changes"] == fresh["changes"] and fresh["changes"]
    assert not fresh["summary"]["stale"]
    commit(repository)
    between = json.loads(output(capsys, "HEAD~1", "HEAD", "--format", "json"))
    assert between["changes"] == fresh["changes"]
    assert not between["unexplained"]
    assert main(["review", "nowhere"]) == 2
    assert "git knows no commit 'nowhere'" in capsys.readouterr().err


def test_lines_that_no_edit_gives_are_an_alarm(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "generated/beta/modeling_beta.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("scale=1.0", "scale=2.0"), encoding="utf-8")
    now = json.loads(output(capsys, "--format", "json"))
    assert [item["place"]["path"] for item in now["unexplained"]] == [
        "generated/beta/modeling_beta.py"
    ]
    assert not now["changes"]
    output(capsys, "--fail-on", "unexplained", code=3)
    commit(repository)
    synced(repository)
    # Now the base is what nobody's definition gave: putting it right is no edit either.
    again = json.loads(output(capsys, "--format", "json"))
    assert [
        "the definition did not give what stood there" in item["reason"]
        for item in again["unexplained"]
    ] == [True]


def test_models_that_are_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = "class DeltaMLP:\n    def widen(self, states):\n        return self.up(states) + self.down(states)\n"
    own = {**FAMILY, "delta": copy}
    own["alpha"] = FAMILY["alpha"].replace("self.up(states)", "self.up(states) + self.down(states)")
    make_project(tmp_path / "old", own)
    edited = own["alpha"].replace("+ self.down(states)", "- self.down(states)")
    make_project(tmp_path / "new", {**own, "alpha": edited})
    report = json.loads(output(capsys, "old", "new", "--format", "json"))
    told = {(item["kind"], *item["models"]) for item in report["not_reached"]}
    assert told == {("override", "beta"), ("copy", "delta")}


def test_a_comment_is_never_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(f"    value_{n} = {'x' * 60!r}" for n in range(2000))
    make_project(tmp_path / "old")
    make_project(tmp_path / "new", {**FAMILY, "delta": f"class DeltaModel:\n{lines}\n"})
    text = output(capsys, "old", "new", "--format", "md")
    assert len(text.encode()) < LIMIT
    assert "more places" in text and "Long hunks are cut: run" in text and "left out" not in text
