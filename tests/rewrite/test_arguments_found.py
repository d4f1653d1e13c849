"""How arguments of a helper are looked for among what runs have read, and what counts as the same."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.values import LATE, Arr
from codegen.rewrite.recognise.study import (
    _STEPS_OF_A_TRIAL,
    MOST_TRIED,
    Study,
    early_numbers,
    fits,
    given_to,
    is_unknown,
    late_rows,
    same,
    search,
    understood,
    values_of,
)

np = pytest.importorskip("numpy")
FUNCTION = ast.parse("def f(self): pass").body[0]


def study_of(*read: dict[str, Any], merges: str = "", steps: int = 100_000, **more: Any) -> Study:
    """A study with what each run read."""
    probes = tuple(SimpleNamespace(merge_sizes=np.array([n + 1])) for n in range(len(read)))
    traces = tuple(SimpleNamespace(scalars=scalars, **more) for scalars in read)
    meter = Meter()
    meter.steps = steps
    return Study(None, None, FUNCTION, "grid", merges, probes, traces, (), meter)  # type: ignore[arg-type]


def test_a_field_of_the_role_is_tried_first() -> None:
    read = {"self.b": 2, "self.config.merge": 2, "self.merge": 2, "a": 2, "self.merges.x": 2}
    tried: list[Any] = []
    found = search(study_of(read), ("merge",), lambda i, args: bool(tried.append(args)))  # type: ignore[func-returns-value]
    assert found is None and len(tried) == 6
    names: list[str] = []
    values = dict(zip(read, range(5)))
    search(study_of(values), ("merge",), lambda i, args: bool(names.append(args[0])))  # type: ignore[func-returns-value]
    order = [next((n for n, v in values.items() if v == value), "1") for value in names[:-1]]
    assert order == ["self.merge", "self.config.merge", "a", "self.b", "self.merges.x"]
    assert names[-1] == 1


def test_arguments_have_to_hold_in_all_runs() -> None:
    study = study_of({"self.a": 2, "self.b": 3, "self.c": 1}, {"self.a": 4, "self.b": 5})
    assert search(study, ("unit",), lambda i, args: args[0] == (3, 5)[i]) == ("self.b",)
    assert search(study, ("unit",), lambda i, args: args[0] == (3, 4)[i]) is None
    assert search(study, ("unit",), lambda i, args: args[0] == 1) is None
    assert search(study, ("merge",), lambda i, args: args[0] == 1) == ("1",)
    both = search(study, ("one", "two"), lambda i, args: args == ((3, 2), (5, 4))[i])
    assert both == ("self.b", "self.a")
    assert search(study, ("one", "two"), lambda i, args: args[0] == args[1]) is None


def test_merge_sizes_of_each_entry_are_tried_first() -> None:
    study = study_of({"self.a": 1}, {"self.a": 2}, merges="sizes")
    assert search(study, ("merge",), lambda i, args: np.all(args[0] == i + 1)) == ("sizes",)
    assert search(study, ("unit",), lambda i, args: np.all(args[0] == i + 1)) == ("self.a",)


def test_only_so_many_combinations_are_tried() -> None:
    many = {f"n{number:04}": number for number in range(MOST_TRIED + 5)}
    last, beyond = MOST_TRIED - 1, MOST_TRIED
    assert search(study_of(many), ("x",), lambda i, args: args[0] == last) == (f"n{last}",)
    assert search(study_of(many), ("x",), lambda i, args: args[0] == beyond) is None
    few = {name: value for name, value in many.items() if value < 3}
    enough = study_of(few, steps=3 * _STEPS_OF_A_TRIAL)
    assert search(enough, ("x",), lambda i, args: args[0] == 2) == ("n0002",)
    short = study_of(few, steps=3 * _STEPS_OF_A_TRIAL - 1)
    assert search(short, ("x",), lambda i, args: args[0] == 2) is None


def test_what_a_name_holds_behind_a_statement() -> None:
    trace = {"snapshots": {1: {"a": 5}, 2: {}}, "reasons": {3: "x"}}
    study = study_of({}, {}, **trace)
    assert values_of(study, 1, "a") == [5, 5]
    assert values_of(study, 1, "b") is None and values_of(study, 4, "a") is None


@pytest.mark.parametrize(
    ("held", "reasons", "is_so"),
    [
        ({"a": 5}, {}, True),
        ({"a": 5, "b": Arr(np.arange(3))}, {}, True),
        ({"a": LATE}, {}, False),
        ({"a": 5, "b": LATE}, {}, False),
        ({}, {}, False),
        ({"a": 5}, {1: "why"}, False),
        ({"a": 5}, {2: "why"}, True),
    ],
)
def test_a_statement_that_leaves_nothing_unknown(
    held: dict[str, Any], reasons: dict[int, str], is_so: bool
) -> None:
    assert understood(study_of({}, snapshots={1: held}, reasons=reasons), 1) == is_so
    assert not understood(study_of({}, snapshots={2: held}, reasons=reasons), 1)


def test_unknown_values() -> None:
    late = Arr(np.arange(3), True)
    assert [
        is_unknown(v) for v in (1, "a", late, [1, late], LATE, [1, LATE], (LATE,), [[LATE]])
    ] == [
        *(False, False, False, False),
        *(True, True, True, True),
    ]


def test_numbers_of_one_rank() -> None:
    one, two = Arr(np.arange(4)), Arr(np.arange(4).reshape(2, 2))
    late = Arr(np.arange(4).reshape(2, 2), True)
    assert early_numbers([one, one], 1) is not None and early_numbers([two], 2) is not None
    for values, rank in (([one, two], 1), ([one], 2), ([late], 2), ([one, 3], 1)):
        assert early_numbers(values, rank) is None
    assert early_numbers(None, 1) is None and late_rows(None) is None
    assert late_rows([late]) is not None
    for values in ([two], [late, two], [Arr(np.arange(4), True)], [3]):
        assert late_rows(values) is None


def test_the_same_numbers_in_one_shape() -> None:
    a = np.arange(6)
    assert same(a, a.copy()) and same(a, a.astype(float))
    assert not same(a, None) and not same(a, a.reshape(2, 3)) and not same(a, a + 1)
    assert not same(a, np.array([*range(5), 9])) and not same(np.ones((1, 3)), np.ones(3))


@pytest.mark.parametrize(
    ("merge", "is_so"),
    [
        (1, True),
        (2, True),
        (4, True),
        (3, False),
        (0, False),
        (-1, False),
        (17, False),
        (16, False),
        ([2, 4], True),
        ([4, 2], True),
        ([2, 3], False),
        ([2, 0], False),
    ],
)
def test_merge_sizes_that_fit_a_grid(merge: Any, is_so: bool) -> None:
    grid = np.array([[3, 8, 4], [1, 4, 8]])
    assert fits(grid, np.asarray(merge) if isinstance(merge, list) else merge) == is_so
    assert fits(np.array([[1, 16, 32]]), 16) and not fits(np.array([[1, 17, 34]]), 17)


def test_arguments_of_a_method_on_a_probe() -> None:
    probe: Any = SimpleNamespace(
        grid=np.array([[2, 4, 6], [1, 8, 2]]), merge_sizes=np.array([2, 1]), is_audio=False
    )
    assert given_to(probe, "", "h, w") == {"h": 4, "w": 6}
    given = given_to(probe, "grid", "")
    assert set(given) == {"grid"} and same(given["grid"].data, probe.grid)
    given = given_to(probe, "grid", "sizes")
    assert set(given) == {"grid", "sizes"} and same(given["sizes"].data, probe.merge_sizes)
    given["grid"].data[:] = 0
    assert probe.grid.any()
    probe.is_audio = True
    (lengths,) = given_to(probe, "lengths", "").values()
    assert lengths.data.tolist() == [2, 1]
