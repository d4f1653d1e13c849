"""What is generated in a project behaves as its definition does: equal, listed, or refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.differential.harness import Verdict, judge
from tests.differential.programs import projects

COMMON = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def check_pair(files: dict[str, str], root: Path, seen: Counter[str]) -> None:
    """Expand and compare one project below ``root``, and count what became of it."""
    verdict = judge(files, root)
    seen[verdict.kind] += 1
    assert not verdict.failed, _shown(files, verdict)


def _shown(files: dict[str, str], verdict: Verdict) -> str:
    parts = [f"{verdict.kind}: {verdict.detail}"]
    for path, text in {
        **files,
        **{f"generated now: {p}": t for p, t in verdict.texts.items()},
    }.items():
        parts.append(f"=== {path}\n{text}")
    return "\n".join(parts)


@pytest.mark.parametrize(
    "count", [120, pytest.param(6000, marks=pytest.mark.slow)], ids=["sample", "sweep"]
)
def test_generated_code_means_what_its_definition_means(count: int, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    @settings(COMMON, max_examples=count)
    @given(projects())
    def run(files: dict[str, str]) -> None:
        check_pair(files, tmp_path, seen)

    run()
    print(dict(seen))  # shown with -s: how many pairs were equal, listed, refused, no Python
    assert seen["equal"] > count // 10, seen
