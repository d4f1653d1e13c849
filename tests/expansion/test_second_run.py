"""Expanding again gives the same: in another process, and on top of its own output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.run.sync import Options, check, sync

from .golden import GOLDEN, all_cases, build_tree, load_case

ROOT = Path(__file__).parent.parent.parent


def digests(hash_seed: int, every: int) -> dict[str, str]:
    """Digests of every so many cases from a fresh process, where sets are iterated in another order."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.expansion.digests", str(every)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_expansion_does_not_depend_on_the_hash_seed(every: int) -> None:
    first = digests(1, every)
    assert len(first) == len(all_cases()[::every]) > 0
    assert digests(2, every) == first


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("examples/*.txt")), ids=lambda path: path.stem)
def test_second_run_has_nothing_to_do(path: Path, tmp_path: Path) -> None:
    tree = build_tree(load_case(path), tmp_path)
    first = sync(tree, (), Options(jobs=1))
    assert first.written["beta"] and not first.problems
    texts = {place: place.read_bytes() for place in tmp_path.rglob("models/**/*.py")}
    for options in (Options(jobs=1), Options(jobs=1, cache=False)):
        assert all(outcome.in_sync for outcome in check(tree, (), options).outcomes)
        assert not any(sync(tree, (), options).written.values())
    assert {place: place.read_bytes() for place in tmp_path.rglob("models/**/*.py")} == texts
