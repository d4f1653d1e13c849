"""Every golden case, executed before and after: eagerly, and after also while a graph is captured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

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


def sides(path: Path, packages: Path) -> tuple[Side, Side] | None:
    """A case before and after, ready to be run; None where nothing changes or it is run elsewhere."""
    case = read_case(path)
    edits = run(case.files, path.parent.name).edits
    if not case.run:
        assert not edits or path.stem in ELSEWHERE, f"{path.name} has no section # run"
        return None
    # Graph capture remembers modules by name: each case has its own.
    name = f"{path.parent.name}_{path.stem}"
    before = load(case.files, packages, f"before_{name}", case.run)
    return before, load({**case.files, **edits}, packages, f"after_{name}", case.run)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_before_and_after_agree(path: Path, packages: Path) -> None:
    both = sides(path, packages)
    if both is None:
        pytest.skip(ELSEWHERE.get(path.stem, "nothing changes"))
    before, after = both
    for number, arguments in enumerate(before.inputs):
        expected = result_of(before.run, arguments)
        actual = result_of(after.run, after.inputs[number])
        assert_same(expected, actual, TOLERANCE)
    assert_nothing_is_lost(before, after)


CAPTURED = [path for path in CASES if read_case(path).captures]
"""Cases that are one graph afterwards."""
SAMPLED = 9
"""Capturing takes many times as long as running: of the cases of each pass one in so many is always captured."""


def sampled(paths: Sequence[Path]) -> Iterator[Any]:
    """All of them, most marked as slow: of each pass the first is not, and every ninth behind it."""
    for _, group in groupby(paths, key=lambda path: path.parent.name):
        for number, path in enumerate(group):
            marks = [pytest.mark.slow] if number % SAMPLED else []
            yield pytest.param(path, id=f"{path.parent.name}-{path.stem}", marks=marks)


@pytest.mark.parametrize("path", list(sampled(CAPTURED)))
def test_a_graph_gives_what_was_given_before(path: Path, packages: Path) -> None:
    both = sides(path, packages)
    assert both is not None
    before, after = both
    torch._dynamo.reset()
    captured = torch.compile(after.run, fullgraph=True, backend="eager")
    for number in read_case(path).captures:
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
