"""Conditions that few encoders meet: values of odd shapes, several targets, classes that are nobody's business."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from codegen.rewrite.probe.budget import Meter, metered
from codegen.rewrite.probe.expressions import _is_basic
from codegen.rewrite.probe.sound_prompts import prompts_around
from codegen.rewrite.probe.values import Arr, volume
from codegen.rewrite.recognise.nearest import _numbers
from codegen.rewrite.signs import entries_of
from tests.rewrite.test_prompts_of_kinds import STYLES
from tests.rewrite.test_rules import DEFAULT, run


def tensor(*numbers: Any) -> Arr:
    return Arr(np.asarray(numbers[0] if len(numbers) == 1 else numbers))


@pytest.mark.parametrize(
    ("value", "joined"),
    [
        ([tensor(1, 2), tensor(3, 4)], [1, 2, 3, 4]),
        ([1, 2], [1, 2]),
        ([tensor(1, 2), tensor(3)], None),
        ([tensor(3), tensor(1, 2)], None),
        ([tensor([[1, 2]]), tensor([[1, 2, 3]])], None),
        ([tensor(1, 2), 3], None),
        ([], None),
    ],
)
def test_numbers_that_can_be_joined(value: list[Any], joined: list[int] | None) -> None:
    found = _numbers(value)
    assert (None if found is None else found.tolist()) == joined


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("a = sizes[0]", ["a"]),
        ("a = b = sizes[0]", ["a", "b"]),
        ("a, b = sizes", ["a", "b"]),
        ("for a in sizes: pass", ["a"]),
        ("x = [a for a in sizes]", ["x", "a"]),
        ("a = rows", []),
        ("print(sizes)", []),
    ],
)
def test_names_of_entries(line: str, names: list[str]) -> None:
    (function,) = ast.parse(f"def f(self, rows, *sizes):\n    {line}").body
    assert isinstance(function, ast.FunctionDef)
    assert [*entries_of(function, "sizes")] == names


@pytest.mark.parametrize(
    ("key", "is_so"),
    [
        ((1, slice(2), None), True),
        ((1, True), False),
        ((tensor(1, 2),), False),
        ((), True),
    ],
)
def test_keys_that_give_views(key: tuple[Any, ...], is_so: bool) -> None:
    assert _is_basic(key) == is_so


def test_a_shape_below_nothing_has_no_elements() -> None:
    with metered(Meter(1_000, 1_000)):
        assert [volume(s) for s in ((2, 3), (0, 3), (-1, 3), (-1, -3), ())] == [6, 0, 0, 0, 1]


def test_as_many_items_as_a_number_and_one_more() -> None:
    made = [prompt.images for prompt in prompts_around(STYLES[0], {9}, 0)]
    assert {0 if images is None else len(images) for images in made} == {2, 10}


def test_a_class_under_a_condition_that_makes_nothing_of_sizes_is_not_named() -> None:
    text = """\
from torch import nn
if True:
    class Plain(nn.Module):
        def forward(self, x):
            return x + 1
    class Counting(nn.Module):
        def forward(self, x, grid_thw):
            n = 0
            for t, h, w in grid_thw.tolist():
                n += t * h * w
            return x[:n]
"""
    report = run({DEFAULT: text}, "extract").report
    assert [record.cls for record in report] == ["Counting"]
