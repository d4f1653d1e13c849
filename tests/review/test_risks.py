"""Every kind of risk is named where it was seeded, and nowhere else."""

from __future__ import annotations

import pytest

from codegen.review.model import Report
from codegen.review.modules import read_facts
from codegen.review.names import Naming
from tests.review.copies import review_of
from tests.review.seeds import SEEDS, Seed, definitions
from tests.review.small import make_project


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("seeds")
    base = make_project(folder / "text", definitions("text"))
    return {
        state: review_of(base, make_project(folder / state, definitions(state)))
        for state in ("risky", "harmless")
    }


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seeded_risk_is_named(seed: Seed, reports: dict[str, Report]) -> None:
    found = [r for r in reports["risky"].risks if r.kind == seed.kind and seed.said in r.message]
    assert len(found) == 1, [r.message for r in reports["risky"].risks if seed.name in r.message]
    model = "beta" if seed.heir else "alpha"
    assert found[0].place.path == f"definitions/{model}/modular_{model}.py"
    assert found[0].change


def test_nothing_else_is_named(reports: dict[str, Report]) -> None:
    said = [seed.said for seed in SEEDS]
    also = ("method Over.widen is gone", "method Marked.widen is gone")
    for risk in reports["risky"].risks:
        assert any(part in risk.message for part in (*said, *also)), risk


def test_harmless_twins_are_no_risk(reports: dict[str, Report]) -> None:
    assert [risk.message for risk in reports["harmless"].risks] == []
    assert reports["harmless"].changes


def test_other_code_that_reads_something_else_concerns_the_classes_that_name_it() -> None:
    classes = (
        "class Head(nn.Module):\n"
        "    def __init__(self):\n        self.proj = nn.Linear(2, 2)\n\n\n"
        "class Norm(nn.Module):\n"
        "    def __init__(self):\n        self.weight = nn.Linear(2, 2)\n\n\n"
    )
    reads = "def run(head, x):\n    return head.{}(x)\n"
    naming = Naming("toy")
    old = read_facts(classes + reads.format("proj"), naming)
    new = read_facts(classes + reads.format("other"), naming)
    assert old is not None and new is not None
    assert (new.concerned(old), old.concerned(new)) == (["Head"], ["Head"])
    assert new.concerned(new) == []
