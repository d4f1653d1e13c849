"""The verification itself, on one encoder of the installed transformers and on a broken rewrite of it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from codegen.rewrite import Source, rewrite_library
from codegen.verify import CheckResult, VerifyOptions, absent_models, format_table, verify
from codegen.verify.inputs import find_class
from codegen.verify.processes import select
from codegen.verify.scenarios import GIVEN, GRAPH_CHECKS

spec = importlib.util.find_spec("transformers")
if spec is None or spec.origin is None:
    pytest.skip("transformers is not installed", allow_module_level=True)
ROOT = Path(spec.origin).parent
NAME = "models/qwen2_vl/modeling_qwen2_vl.py"
MODULE = "transformers.models.qwen2_vl.modeling_qwen2_vl"


class OneFile:
    """The library that holds only one hand-written modeling file."""

    def modules(self) -> Mapping[str, str]:
        return {MODULE: NAME}

    def read(self, module: str) -> Source | None:
        return Source(NAME, MODULE, (ROOT / NAME).read_text()) if module == MODULE else None


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    result = rewrite_library(OneFile())
    if not any(record.kind == "extracted" for record in result.report):
        pytest.skip("the installed transformers already has the change")
    for path, text in [*result.edits.items(), *((item.path, item.text) for item in result.added)]:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return tmp_path


def run(overlay: Path, checks: str) -> tuple[CheckResult, ...]:
    return verify(VerifyOptions(ROOT, overlay, ("qwen2_vl",), ("sdpa",), checks))


@pytest.mark.slow
def test_all_checks_hold(overlay: Path) -> None:
    results = run(overlay, "abcdem")
    assert [r.check for r in results] == list("abcdem")
    assert all(r.ok for r in results), format_table(results)
    assert all(r.difference == 0 for r in results if r.check in "abm")


@pytest.mark.slow
def test_wrong_order_is_noticed(overlay: Path) -> None:
    target = overlay / NAME
    text = target.read_text()
    broken = text.replace(".flatten(1)", ".flip(1).flatten(1)")
    assert broken != text
    target.write_text(broken)
    results = run(overlay, "a")
    assert [r.ok for r in results] == [False]
    assert "miss: qwen2_vl sdpa (a)" in format_table(results)


def test_table_counts_and_lists_misses() -> None:
    results = (
        CheckResult("tiny", "sdpa", "a", True, 0.0),
        CheckResult("tiny", "sdpa", "c", True, 2e-7),
        CheckResult("tiny", "sdpa", "d", False, 0.0, "no graph"),
    )
    assert format_table(results, ["other"]).splitlines() == [
        "encoder  attention  a          c          d        ",
        "tiny     sdpa       equal      2.0e-07    MISS     ",
        "miss: tiny sdpa (d) no graph",
        "not in this tree: other",
        "2 of 3 checks hold",
    ]


def test_whole_models_as_graphs_have_a_table_of_their_own() -> None:
    outcomes = {
        ("tiny", "image"): "gx/gx",
        ("tiny", "batch"): "gx/gx",
        ("small", "image"): ".x/gx",
        ("small", "video"): "gx/gx",
        ("small", "batch"): "gx/g.",
    }
    results = [
        CheckResult(case, f"{scenario}, {given}", letter, found in "gx", 0.0, "no graph")
        for (case, scenario), cell in outcomes.items()
        for given, half in zip(GIVEN, cell.split("/"))
        for letter, found in zip(GRAPH_CHECKS, half)
    ]
    lines = format_table(results).splitlines()
    assert lines[-6:] == [
        "whole models, computed/given  image  video  batch",
        "tiny                          gx/gx  -      gx/gx",
        "small                         .x/gx  gx/gx  gx/g.",
        "g on all prompts, of 2 models: 1 computed, 2 given",
        "x on all prompts, of 2 models: 2 computed, 1 given",
        "18 of 20 checks hold",
    ]
    assert lines[1] == "tiny     image, computed  equal      equal    "


def test_models_that_a_tree_lacks_are_named(tmp_path: Path) -> None:
    (tmp_path / "models" / "qwen2_vl").mkdir(parents=True)
    options = VerifyOptions(tmp_path, tmp_path)
    assert select(options) == ["qwen2_vl"]
    absent = absent_models(options)
    assert "qwen2_vl" not in absent
    assert {"mlcd", "glm46v"} <= set(absent)


@pytest.mark.parametrize("name", ["Tiny_2VLModel", "Tiny2_VLModel", "Tiny2VLModel"])
def test_class_is_found_however_it_is_spelled(name: str) -> None:
    module = ModuleType("tiny")
    vars(module)[name] = type(name, (), {})
    assert find_class(module, "Tiny2VLModel").__name__ == name
    with pytest.raises(AttributeError, match="OtherModel"):
        find_class(module, "OtherModel")


def test_failed_process_shows_its_output(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such interpreter; exit 3\n")
    python.chmod(0o755)
    options = VerifyOptions(ROOT, tmp_path, ("qwen2_vl",), python=str(python))
    with pytest.raises(RuntimeError, match="^the original process failed:\nno such interpreter"):
        verify(options)


def fake_python(folder: Path, script: str) -> str:
    """An interpreter that runs a shell script in place of a role: its job file is ``$3``, its group ``$group``."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\ngroup=$(dirname "$3")\n{script}')
    python.chmod(0o755)
    return str(python)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_models_whichever_ends_first(
    tmp_path: Path, jobs: int
) -> None:
    """The first group is the slowest; a group's original is over before its rewritten one begins."""
    python = fake_python(
        tmp_path,
        'case $3 in *original.json) touch "$group/over"; exit;; esac\n'
        'test -e "$group/over" || exit 1\n'
        "case $group in */0) sleep 0.4;; esac\n"
        'for name in $(sed -E \'s/.*"names": \\[([^]]*)\\].*/\\1/; s/[",]//g\' "$3"); do\n'
        '  line="\\"case\\": \\"$name\\", \\"attention\\": \\"sdpa\\", \\"ok\\": true, \\"difference\\": 0.0"\n'
        '  for check in m a; do echo "{$line, \\"check\\": \\"$check\\"}" >> "$group/results.jsonl"; done\n'
        "done\n",
    )
    names = ("qwen3_vl", "mlcd", "qwen2_vl")
    seen: list[tuple[str, int, int]] = []
    options = VerifyOptions(
        ROOT,
        tmp_path,
        names,
        ("sdpa",),
        "am",
        python=python,
        jobs=jobs,
        progress=lambda *a: seen.append(a),
    )
    found = [(result.check, result.case) for result in verify(options)]
    assert found == [(check, name) for check in "am" for name in names]
    assert {total for _, _, total in seen} == {5}
    assert seen[0][1] == 0


def test_a_failed_group_ends_the_others(tmp_path: Path) -> None:
    """The second group waits until the first one has begun what would take a minute."""
    python = fake_python(
        tmp_path,
        f"began={tmp_path}/began\n"
        "case $group in */1) while ! test -s $began; do sleep 0.05; done; echo broken; exit 3;; esac\n"
        "echo $$ > $began; exec sleep 60\n",
    )
    options = VerifyOptions(ROOT, tmp_path, ("qwen2_vl", "mlcd"), python=python, jobs=2)
    with pytest.raises(RuntimeError, match="^the original process failed:\nbroken"):
        verify(options)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "began").read_text()), 0)
