"""The golden files themselves: an update changes nothing but what differs, and never in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .golden import GOLDEN, Case, all_cases, expand_case, load_case


@pytest.mark.parametrize("path", all_cases(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case_is_written_as_an_update_would_write_it(path: Path) -> None:
    case = load_case(path)
    assert case.text_with(case.expected) == path.read_text(encoding="utf-8")
    assert case.inputs and case.expected


def test_update_replaces_only_the_results(tmp_path: Path) -> None:
    case = load_case(GOLDEN / "merge" / "empty_result_becomes_pass.txt")
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(case.text_with({"output modeling_gone.py": "", "error": "x y:1\n"}))
    broken: Case = load_case(wrong)
    assert broken.inputs == case.inputs and broken.expected != case.expected
    assert broken.text_with(expand_case(broken, tmp_path)) == case.path.read_text(encoding="utf-8")


def test_update_is_refused_in_ci() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--update-golden", "--collect-only", "-q", __file__],
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--update-golden is refused when CI is set" in done.stderr
