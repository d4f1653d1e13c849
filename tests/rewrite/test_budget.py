"""What a budget allows: to the byte and to the step, and never less after a question that costs nothing."""

from __future__ import annotations

import pytest

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.budget import DIGITS, Meter, OverBudget, metered


def test_all_bytes_may_be_used_and_not_one_more() -> None:
    meter = Meter(size=100)
    meter.hold(10, 10)
    assert meter.bytes == 0
    meter.hold(0, 8)
    assert meter.bytes == 0, "nothing costs nothing"
    with pytest.raises(OverBudget, match="1 values at once"):
        meter.hold(1, 1)


def test_a_negative_size_gives_nothing_back() -> None:
    meter = Meter(size=100)
    meter.hold(-5, 8)
    assert meter.bytes == 100


def test_all_steps_may_be_used_and_not_one_more() -> None:
    meter = Meter(steps=3)
    meter.step(2)
    meter.step()
    with pytest.raises(OverBudget, match="too many steps"):
        meter.step()


def test_large_values_take_steps_small_ones_do_not() -> None:
    meter = Meter(steps=100, size=1 << 20)
    meter.hold(1, 8)
    assert meter.steps == 100
    meter.hold(1, 40_960)
    assert meter.steps == 90


def test_numbers_too_large_to_print_are_not_printed() -> None:
    for count, expected in ((10**18 - 1, "999,999,999"), (10**18, "too many values")):
        with pytest.raises(OverBudget, match=expected):
            Meter().hold(count, 8)
    for count, expected in ((10**18 - 1, "999,999,999"), (10**18, "a huge integer")):
        with pytest.raises(OverBudget, match=expected):
            budget.bits(count)


def test_integers_have_so_many_digits() -> None:
    budget.bits(DIGITS)
    with pytest.raises(OverBudget, match=f"an integer of {DIGITS + 1} bits"):
        budget.bits(DIGITS + 1)


def test_a_run_has_one_budget_and_an_inner_one_its_own() -> None:
    with metered(Meter(steps=10, size=1_000)) as outer:
        assert budget.numbers(10) == 10
        assert outer.bytes == 920
        with metered(Meter(size=80)) as inner:
            budget.numbers(10)
            assert inner.bytes == 0
            with pytest.raises(OverBudget):
                budget.items(1)
        assert outer.bytes == 920
        assert budget.items(1) == 1
        assert 0 < outer.bytes < 920 - 8, "an object takes more than a number"
        budget.steps(10)
        with pytest.raises(OverBudget):
            budget.steps(1)
    budget.steps(1)  # outside of a run there is always enough for one
