"""The comparison of the library's own tests: what it lays out, runs, reads and reports."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks.model_generation import BATCH
from benchmarks.model_suite import suite, suite_models
from benchmarks.model_tests import Result, compare, lay_out, read_report, run_tests

TINY = """\
import unittest
import transformers

class TinyTest(unittest.TestCase):
    def test_always(self):
        pass

    def test_only_on_the_original(self):
        self.assertEqual(transformers.MARK, "original")

    def test_in_parts(self):
        for part in range(3):
            with self.subTest(part):
                self.assertNotEqual((transformers.MARK, part), ("rewritten", 0))

    def test_skipped(self):
        self.skipTest("no accelerator")
"""


def test_a_test_that_stops_passing_is_found(tmp_path: Path) -> None:
    place = tmp_path / "source/tests/models/tiny/test_modeling_tiny.py"
    place.parent.mkdir(parents=True)
    place.write_text(TINY, encoding="utf-8")
    lay_out(tmp_path / "source", ["tiny"], tmp_path / "laid")
    results = []
    for side in ("original", "rewritten"):
        package = tmp_path / side / "transformers"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"MARK = '{side}'\n", encoding="utf-8")
        results.append(run_tests("tiny", package.parent, tmp_path / "laid", sys.executable, 60))
    found = compare("tiny", *results)
    assert (found.tests, found.passed, found.skipped) == (4, (3, 1), (1, 1))
    assert [line.split(":")[0] for line in found.worse] == [
        "TinyTest.test_in_parts",
        "TinyTest.test_only_on_the_original",
    ]
    assert found.other == ()


@pytest.mark.slow
def test_another_package_than_the_meant_one_is_refused(tmp_path: Path) -> None:
    lay_out(_empty_source(tmp_path), ["tiny"], tmp_path / "laid")
    with pytest.raises(RuntimeError, match="did not run"):
        run_tests("tiny", tmp_path / "nothing", tmp_path / "laid", sys.executable, 120)


@pytest.mark.slow
def test_tests_that_cannot_be_collected_are_an_error(tmp_path: Path) -> None:
    place = tmp_path / "source/tests/models/tiny/test_modeling_tiny.py"
    place.parent.mkdir(parents=True)
    place.write_text("import not_installed_anywhere\n", encoding="utf-8")
    lay_out(tmp_path / "source", ["tiny"], tmp_path / "laid")
    package = tmp_path / "original/transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    with pytest.raises(RuntimeError, match="not collected:(.|\n)*not_installed_anywhere"):
        run_tests("tiny", package.parent, tmp_path / "laid", sys.executable, 60)


def test_packages_that_are_in_reach_stay_in_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/lent.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "extra"))
    place = tmp_path / "source/tests/models/tiny/test_modeling_tiny.py"
    place.parent.mkdir(parents=True)
    place.write_text("import lent\n\n\ndef test_passes():\n    pass\n", encoding="utf-8")
    lay_out(tmp_path / "source", ["tiny"], tmp_path / "laid")
    package = tmp_path / "original/transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    found = run_tests("tiny", package.parent, tmp_path / "laid", sys.executable, 60)
    assert [result.outcome for result in found.values()] == ["passed"]


def _empty_source(folder: Path) -> Path:
    (folder / "source/tests").mkdir(parents=True)
    return folder / "source"


def test_ours_fill_in_what_a_source_distribution_lacks(tmp_path: Path) -> None:
    source = _empty_source(tmp_path)
    own = source / "tests/models/alpha/test_modeling_alpha.py"
    own.parent.mkdir(parents=True)
    own.write_text("# theirs\n", encoding="utf-8")
    lay_out(source, ["alpha", "beta"], tmp_path / "laid")
    models = tmp_path / "laid/tests/models"
    assert (models / "alpha/test_modeling_alpha.py").read_text(encoding="utf-8") == "# theirs\n"
    assert 'suite("beta")' in (models / "beta/test_modeling_beta.py").read_text(encoding="utf-8")
    assert (tmp_path / "laid/tests/generation/test_utils.py").is_file()


def test_differences_that_are_no_regressions() -> None:
    original = {"a": Result("failed", "x"), "b": Result("failed", "x"), "c": Result("skipped")}
    rewritten = {"a": Result("failed", "x"), "b": Result("failed", "y"), "c": Result("passed")}
    found = compare("m", original, rewritten)
    assert found.worse == ()
    assert [line[0] for line in found.other] == ["b", "c"]


def test_a_vanished_test_is_a_regression() -> None:
    assert len(compare("m", {"a": Result("passed")}, {}).worse) == 1


def test_errors_count_as_failures(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="p.A" name="t"/>'
        '<testcase classname="p.A" name="t"><error message="late&#10;more"/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    assert read_report(report) == {"A.t": Result("failed", "late")}


@pytest.mark.parametrize("model", suite_models())
def test_models_run_on_the_batches_of_the_suite(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every class accepts its batch, and rows of a batch are rows of the output."""
    common = ModuleType("tests.test_modeling_common")
    common.ModelTesterMixin = type(  # type: ignore[attr-defined]
        "ModelTesterMixin", (), {"test_reverse_loading_mapping": None}
    )
    monkeypatch.setitem(sys.modules, common.__name__, common)
    classes = suite(model)
    assert classes
    for test in classes.values():
        instance = test()
        instance.setUp()
        for cls in instance.all_model_classes:  # type: ignore[attr-defined]
            config, inputs = instance.model_tester.prepare_config_and_inputs_for_common()
            with torch.no_grad():
                output = cls(config).eval()(**inputs)
            assert torch.isfinite(output[0]).all()
            if "input_ids" in inputs:
                assert output[0].shape[:2] == (BATCH, instance.model_tester.seq_length)
        instance.doCleanups()
