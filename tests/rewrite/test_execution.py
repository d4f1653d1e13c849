"""Every golden case, executed before and after: eagerly, and after also while a graph is captured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rewrite.execution import Side, assert_same, load, packages, result_of
from tests.rewrite.test_rules import CASES, read_case, run

__all__ = ["packages"]

TOLERANCE = 2e-5
"""Of values that are added in another order; integers agree exactly within it."""


ELSEWHERE = {
    **dict.fromkeys(
        (
            "generation_of_a_folded_model",
            "generation_past_the_parent",
            "generation_takes_keywords",
            "generation_with_the_hooks_of_the_library",
        ),
        "needs the library's generate, which tests/models run with whole models",
    ),
    **dict.fromkeys(
        (
            "processor_of_audios",
            "processor_of_selected_rows_is_left",
            "processor_option",
            "processor_with_further_grids",
        ),
        "processors are executed in test_processors.py",
    ),
    "rotary_override_is_removed": "its module is renamed by expansion before it can run",
}
"""Cases that change and have no section, with where they are executed."""


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_before_and_after_agree(path: Path, packages: Path) -> None:
    case = read_case(path)
    edits = run(case.files, path.parent.name).edits
    if not case.run:
        assert not edits or path.stem in ELSEWHERE, f"{path.name} has no section # run"
        pytest.skip(ELSEWHERE.get(path.stem, "nothing changes"))
    # Graph capture remembers modules by name: each case has its own.
    name = f"{path.parent.name}_{path.stem}"
    before = load(case.files, packages, f"before_{name}", case.run)
    after = load({**case.files, **edits}, packages, f"after_{name}", case.run)
    for number, arguments in enumerate(before.inputs):
        expected = result_of(before.run, arguments)
        actual = result_of(after.run, after.inputs[number])
        assert_same(expected, actual, TOLERANCE)
    assert_nothing_is_lost(before, after)
    if case.captures:
        torch._dynamo.reset()
        captured = torch.compile(after.run, fullgraph=True, backend="eager")
        for number in case.captures:
            expected = result_of(before.run, before.inputs[number])
            assert_same(expected, captured(*after.inputs[number]), TOLERANCE)


def assert_nothing_is_lost(before: Side, after: Side) -> None:
    """Refuse that a grid without entries, from which one side computes something, gives something else."""
    if before.without_entries is None or after.without_entries is None:
        assert before.without_entries is after.without_entries
        return
    expected = result_of(before.run, before.without_entries)
    if not isinstance(expected, Exception):
        assert_same(expected, result_of(after.run, after.without_entries), TOLERANCE)
