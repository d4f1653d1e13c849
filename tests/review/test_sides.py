"""Where the two sides come from: releases of a library under a project, and models that are built."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codegen.cli import main
from codegen.review.ask import Asked, make_question
from codegen.review.built import _answers, _never_built, _risks, _Rooted
from codegen.review.model import Side
from codegen.review.worker import MARK
from codegen.run.sync import Options
from tests.review.copies import Edit, edited, make_copy
from tests.review.small import TABLE, make_project

_LLAMA = '''\
"""Llama, as a release has it."""

from torch import nn


class LlamaMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states):
        return self.up(states)
'''
_PEBBLE = '''\
"""Pebble is built from llama."""

from transformers.models.llama.modeling_llama import LlamaMLP


class PebbleMLP(LlamaMLP):
    pass
'''


def make_release(root: Path, text: str) -> Path:
    """A library with one model."""
    models = root / "transformers/models"
    for folder in (models / "llama", models, root / "transformers"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text('__version__ = "5.8.1"\n', encoding="utf-8")
    (models / "llama/modeling_llama.py").write_text(text, encoding="utf-8")
    return root


def test_what_another_release_does_to_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make_release(tmp_path / "old", _LLAMA)
    new = make_release(tmp_path / "new", _LLAMA.replace("self.up", "self.wide"))
    monkeypatch.chdir(make_project(tmp_path / "project", {"pebble": _PEBBLE}, TABLE))
    capsys.readouterr()
    call = ["review", "--root", str(old), "--against", str(new), "--format", "json"]
    assert main(call) == 0
    report = json.loads(capsys.readouterr().out)
    assert [change["files"] for change in report["changes"]] == [
        ["generated/pebble/modeling_pebble.py"]
    ]
    assert report["changes"][0]["edit"][0]["place"]["path"].endswith("modeling_llama.py")
    assert [risk["kind"] for risk in report["risks"]] == ["state-dict"]
    assert not report["unexplained"]


@pytest.mark.slow
def test_state_dicts_of_built_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    base = make_copy(tmp_path / "base", ("qwen2_vl", "mlcd"))
    old, new = "self.fc1 = nn.Linear(config.", "self.first = nn.Linear(config."
    text = (base / "definitions/mlcd/modular_mlcd.py").read_text(encoding="utf-8")
    assert text.count(old) == 1 and text.count("self.fc1(") == 1
    edits = [Edit("mlcd", old, new), Edit("mlcd", "self.fc1(", "self.first(")]
    head = edited(base, tmp_path / "head", edits)
    capsys.readouterr()
    assert main(["review", str(base), str(head), "--format", "json", "--verify"]) == 0
    report = json.loads(capsys.readouterr().out)
    built = [risk["message"] for risk in report["risks"] if "built with" in risk["message"]]
    assert built and all(".first.weight" in message for message in built)


KEPT = {"kept.weight": [4, 4]}


def built(**classes: object) -> dict[str, object]:
    """State dicts of classes of a module, as the worker tells them."""
    return {
        name: {**KEPT, **keys} if isinstance(keys, dict) else keys for name, keys in classes.items()
    }


def test_a_part_that_is_built_otherwise_is_told_once() -> None:
    head = Side(
        "new", {"d.py": "x = 1\n\n\nclass Tower:\n    pass\n"}, {"g.py": "d.py"}, {"d.py": "m"}
    )
    old = built(
        Tower={"norm.weight": [4], "table.weight": [9, 4]},
        Model={"visual.norm.weight": [4], "visual.table.weight": [9, 4]},
        Other={"pos": [1]},
        Gone={},
        Broken={},
    )
    new = built(
        Tower={"table.weight": [10, 4]},
        Model={"visual.table.weight": [10, 4]},
        Other={"position": [1]},
        Broken="TypeError: no",
    )
    risks = _risks("g.py", old, new, head)
    start = "built with its default configuration, "
    assert sorted(risk.message.removeprefix(start) for risk in risks) == [
        "Broken: cannot be built any more: TypeError: no",
        "Gone: is gone",
        "Other: gone: pos; new: position",
        "Tower (and in Model): gone: norm.weight; other sizes: table.weight (9, 4) to (10, 4)",
    ]
    assert {str(risk.place) for risk in risks} == {"d.py:1", "d.py:4"}
    assert _risks("g.py", old, old, head) == []


def test_a_module_that_prints_or_does_not_come_to_an_end_hides_no_other() -> None:
    whole = f'noise\n{MARK}{{"a": {{"Net": {{}}}}}}\nhello {MARK}\n{MARK}{{"b": "Error: no"}}\n'
    cut = f'{whole}{MARK}{{"c": {{'
    assert _answers(cut.encode()) == {"a": {"Net": {}}, "b": "Error: no"}
    assert [*_never_built("p.modeling_b", "Error: no", "Error: no")] == ["modeling_b (Error: no)"]
    assert [*_never_built("p.a", {"Net": "no", "Old": {}}, {"Net": "no", "Old": "bad"})] == [
        "Net (no)"
    ]


def test_a_commit_of_a_library_is_unpacked_as_a_whole(tmp_path: Path) -> None:
    root = make_release(tmp_path / "checkout", _LLAMA)
    (root / "transformers/activations.py").write_text("ACT2FN = {}\n", encoding="utf-8")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for call in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *call], check=True)
    (root / "transformers/activations.py").write_text("ACT2FN = None\n", encoding="utf-8")
    question = make_question(Asked(root=root), Options(1, cache=False))
    with _Rooted(question, 0) as old, _Rooted(question, 1) as new:
        texts = [
            (each / "transformers/activations.py").read_text(encoding="utf-8")
            for each in (old, new)
        ]
        assert (old / "transformers/models/llama/modeling_llama.py").exists()
    assert texts == ["ACT2FN = {}\n", "ACT2FN = None\n"]
    assert new == root and not old.exists()
