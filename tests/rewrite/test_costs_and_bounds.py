"""What a run of a method may cost, to the item, and when a bound or a remainder counts as seen by it."""

from __future__ import annotations

import ast
from typing import Any, cast

import numpy as np
import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.probe import budget
from codegen.rewrite.probe.budget import Meter, OverBudget, metered
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.operators import iterate
from codegen.rewrite.probe.probes import DISTINCT, MERGES, large_probes
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import LATE, Arr, Unsupported, volume
from codegen.rewrite.recognise.study import Study
from tests.rewrite.test_interpreter import interpret
from tests.rewrite.test_rules import DictLibrary

TINY = "models/tiny/modeling_tiny.py"


def test_a_list_of_as_many_items_as_there_are_bytes_may_be_made() -> None:
    with metered(Meter(steps=100, size=640)):
        budget.items(10)
        with pytest.raises(OverBudget, match="1 values at once"):
            budget.items(1)


def test_a_shape_with_a_negative_side_takes_nothing_and_gives_nothing_back() -> None:
    with metered(Meter(steps=10, size=100)) as meter:
        assert volume((-1, 10**9)) == 0
        assert (meter.steps, meter.bytes) == (8, 100)


def bytes_of(program: str) -> int:
    """How much a program is allowed to take at least."""
    meter = Meter(size=1 << 30)
    assert not interpret(program, meter=meter).cost
    return (1 << 30) - meter.bytes


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [
        ("made.append(0)", "pass", 30 * 64),
        ("made.insert(0, 0)", "pass", 30 * 64),
        ("made.extend([0])", "[0]", 30 * 64),
        ("torch.arange(100)", "torch.arange(10)", 30 * 90 * 8),
        ("torch.arange(0, 100, 2)", "torch.arange(0, 100, 20)", 30 * 45 * 8),
        ("torch.arange(100, 0, -2)", "torch.arange(100, 0, -20)", 30 * 45 * 8),
        ("torch.zeros(10, 10)", "torch.zeros(10, 1)", 30 * 90 * 8),
        ("torch.zeros(100, 1).unbind()", "torch.zeros(100, 1)", 30 * 4 * 100 * 64),
    ],
)
def test_what_is_made_is_counted(one: str, other: str, size: int) -> None:
    frame = "made = []\nfor i in range(30):\n    {}\nreturn made"
    assert bytes_of(frame.format(one)) - bytes_of(frame.format(other)) >= size


@pytest.mark.parametrize(
    "text", ["1 < n < 3", "9 < n < 20", "1 < n < 9 < 20", "1 < n < 9 < 8", "7 > n > 3 != 3"]
)
def test_chained_comparisons_hold_if_all_of_them_do(text: str) -> None:
    assert interpret(f"return {text}").result == eval(text, {"n": 5})


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("n % 7", {False}),
        ("n // 7", {False}),
        ("n % 3", {True}),
        ("n % 5", {True}),
        ("n * 7", set()),
    ],
)
def test_a_remainder_counts_as_seen_above_its_divisor(text: str, seen: set[bool]) -> None:
    assert set().union(*interpret(f"return {text}").outcomes.values()) == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("x.clamp(min=5)", [{True, False}]),
        ("x.clamp(min=-1)", [{False}]),
        ("x.clamp(max=100)", [{True}]),
        ("x.clamp(0, 11)", [{False}, {True}]),
        ("x.clamp(None, 4)", [{True, False}]),
        ("x.add(5)", []),
        ("min(n, 7)", [{True}]),
        ("min(7, n)", [{False}]),
        ("max(n, 5)", [{False}]),
        ("x[:2]", [{True}]),
        ("x[:3]", [{False}]),
        ("x[:, :3]", [{True}]),
        ("x[:-1]", []),
        ("x[1:]", []),
        ("x[:n]", []),
        ("[1, 2, 3][:2]", [{True}]),
    ],
)
def test_a_bound_counts_as_seen_by_the_numbers_beside_it(text: str, seen: list[set[bool]]) -> None:
    assert [*interpret(f"return {text}").outcomes.values()] == seen


def test_only_what_is_late_has_no_known_items() -> None:
    assert iterate(LATE) is None and iterate((1, 2)) == [1, 2] and iterate(range(2)) == [0, 1]
    with pytest.raises(Unsupported, match="loop over int"):
        iterate(3)


def test_what_is_stored_on_the_module_is_read_again() -> None:
    trace = interpret("self.kept = n + 1\nreturn self.kept * 2")
    assert trace.result == 12


def test_what_init_would_cost_is_told() -> None:
    text = "class Tiny:\n    def __init__(self):\n        self.size = {}\n\n"
    text += "    def run(self, x):\n        return x * self.size\n"
    costs = {}
    for size in ("2 ** 3", "2 ** 10 ** 9", "unknown(3)", "[0] * 10 ** 9"):
        index = Index(DictLibrary({TINY: text.format(size)}), lambda _: True)
        cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
        assert cls is not None
        values = {"x": Arr(np.arange(3))}
        costs[size] = Interpreter(index, 0, 10).run(cls, cls.methods["run"], cls, values).cost
    assert (costs["2 ** 3"], costs["unknown(3)"]) == ("", "")
    assert "bits" in costs["2 ** 10 ** 9"] and "values at once" in costs["[0] * 10 ** 9"]


def test_what_a_table_is_made_with_may_cost_too_much_as_well() -> None:
    text = "from torch import nn\n\n\nclass Tiny:\n    def __init__(self):\n"
    text += "        self.table = nn.Embedding({}, 3)\n\n"
    text += "    def run(self, x):\n        return self.table(x)\n"
    costs = {}
    for size in ("40", "sum([0] * 10 ** 9)", "10 ** 9", "unknown[3]"):
        index = Index(DictLibrary({TINY: text.format(size)}), lambda _: True)
        cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
        assert cls is not None
        values = {"x": Arr(np.arange(3))}
        costs[size] = Interpreter(index, 0, 10).run(cls, cls.methods["run"], cls, values).cost
    assert (costs["40"], costs["unknown[3]"]) == ("", "")
    assert "values at once" in costs["sum([0] * 10 ** 9)"]
    assert "values at once" in costs["10 ** 9"]


def test_a_module_that_cannot_matter_counts_as_absent_until_it_is_opened() -> None:
    index = Index(DictLibrary({TINY: "class Tiny: pass\n"}), lambda _: False)
    name = "models.tiny.modeling_tiny"
    assert index.get(name) is None and index.resolve(name, "Tiny") is None
    assert index.get("models.none") is None
    opened = index.open(name)
    assert opened is not None and "Tiny" in opened.classes


def test_a_run_that_ended_before_its_first_statement_ended_at_the_first() -> None:
    function = ast.parse("def f():\n    first()\n    last()").body[0]
    assert isinstance(function, ast.FunctionDef)
    nothing = cast(Any, None)
    traces = (Trace(), Trace(cost="too much"))
    study = Study(nothing, nothing, function, "", "", (), traces, (), nothing)
    assert study.cost == (function.body[0], "too much")


def test_large_probes_have_frames_rows_and_columns() -> None:
    for probe in large_probes():
        assert (probe.grid > 0).all() and (probe.merge_sizes > 0).all()
    grids = [probe.grid for probe in large_probes()[:-1]]
    assert all(grid[:, 0].max() >= 30 and grid[:, 1].max() > 200 for grid in grids)
    assert all(grid[:, 2].max() > 200 and len(grid) == 12 for grid in grids)


def test_sides_of_the_distinct_probe_are_multiples_of_all_that_fields_get() -> None:
    largest = MERGES[DISTINCT.variant] << 3
    assert (DISTINCT.grid[:, 1:] % largest == 0).all()
    assert len({tuple(row) for row in DISTINCT.grid.tolist()}) == 2
