"""What a definition with very many statements costs grows with their number, not with its square or cube."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from codegen.expansion.link import linker, order


def placed(index: int, **names: frozenset[str]) -> order.Placed:
    """One statement of a definition."""
    parts = {"binds": frozenset[str](), "now": frozenset[str](), "called": frozenset[str]()}
    parts |= {"later": frozenset[str](), "changes": frozenset[str](), **names}
    return order.Placed(f"s{index}", "variable", "", index, "", "", "", **parts)


def calls_during(function: str, run: Any) -> int:
    """How often a function of a given name is called while another runs."""
    count = 0

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == function

    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("count", [10, 200])
def test_calls_that_change_one_thing_are_tried_once(count: int) -> None:
    """As in a registry that is filled line by line: each line calls what all the others change."""
    one = frozenset({"REGISTRY"})
    items = [placed(0, binds=one)]
    items += [placed(n, now=one, called=one, changes=one) for n in range(1, count)]
    found: list[order.Placed] = []
    assert calls_during("_visit", lambda: found.extend(order.ordered(items))) <= 2 * count
    assert found == items


def test_statements_are_put_in_front_of_what_stands_behind_them() -> None:
    plan = linker.Plan("modeling")
    plan.append(placed(4))
    for index in (1, 6, 5, 0, 3):
        plan.insert(placed(index))
    folded = order.Placed(**{**fields(placed(2)), "module": "parent", "parent": ("", 7)})
    plan.append(folded)
    plan.insert(placed(6))
    assert [item.index for item in plan.items] == [0, 1, 3, 4, 5, 6, 6, 2]
    plan.insert(placed(8))
    assert [item.index for item in plan.items][-1] == 8


def fields(item: order.Placed) -> dict[str, Any]:
    """The fields of a statement by name."""
    return {name: getattr(item, name) for name in order.Placed.__dataclass_fields__}
