"""Which methods hand the longest segment on, and how they write it: every condition on both sides."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from codegen.rewrite.emit.edits import Edit, Insert
from codegen.rewrite.helpers import LONGEST, MAX_SEQLEN
from codegen.rewrite.place.longest import Refused, Taker, _groups, _guards, _layers, _longest_of

(MAX,) = MAX_SEQLEN.outputs


def function_of(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(text).body
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.mark.parametrize(
    ("loop", "layers"),
    [
        ("for layer in self.layers: pass", [("layer", "layers")]),
        ("for layer in self.layers[1:]: pass", [("layer", "layers")]),
        ("for i, layer in enumerate(self.layers): pass", [("layer", "layers")]),
        ("for i, layer in enumerate(self.layers[:n]): pass", [("layer", "layers")]),
        ("for layer in self.layers[0]: pass", []),
        ("for layer in layers: pass", []),
        ("for i, layer in self.layers: pass", []),
        ("for i, layer in zip(self.layers): pass", []),
        ("for layer in enumerate(self.layers): pass", []),
        ("for i, layer in enumerate(): pass", []),
        ("for self.layer in self.layers: pass", []),
        (
            "x = 1\n    for a in self.one: pass\n    for b in self.two: pass",
            [("a", "one"), ("b", "two")],
        ),
        ("for a in enumerate(self.one): pass\n    for b in self.two: pass", [("b", "two")]),
    ],
)
def test_loops_over_layers(loop: str, layers: list[tuple[str, str]]) -> None:
    assert [*_layers(function_of(f"def f(self, n):\n    {loop}"))] == layers


@pytest.mark.parametrize(
    ("line", "is_guard"),
    [
        ("if cu is None: pass", True),
        ("if other or cu is None: pass", True),
        ("if cu is not None: pass", False),
        ("if cu: pass", False),
        ("cu = None", False),
        ("while cu is None: pass", False),
    ],
)
def test_statements_that_compute_what_is_not_given(line: str, is_guard: bool) -> None:
    (statement,) = ast.parse(line).body
    assert _guards(statement, "cu") == is_guard


def longest(
    value: str, lines: str = "pass", takes: dict[str, str] | None = None
) -> tuple[str, Any, list[str]]:
    """What is written for boundaries, which parameters that takes, and the lines put behind others."""
    function = function_of(f"def f(self, cu_seqlens, cu, flag):\n    {lines}")
    taken, edits = dict(takes or {}), list[Edit]()
    text = _longest_of(function, ast.parse(value, mode="eval").body, taken, edits)
    return text, taken, [line for edit in edits if isinstance(edit, Insert) for line in edit.lines]


def test_boundaries_that_are_inputs() -> None:
    assert longest("cu_seqlens") == (MAX, {"cu_seqlens": MAX}, [])
    assert longest("cu") == (MAX, {"cu": MAX}, [])
    assert longest("cu if flag else cu") == (f"{MAX} if flag else {MAX}", {"cu": MAX}, [])


def test_boundaries_that_are_chosen_get_a_name_beside_them() -> None:
    chosen = "if flag:\n        now = cu_seqlens\n    else:\n        now = cu_seqlens"
    assert longest("now", chosen) == (
        f"{MAX}_of_now",
        {"cu_seqlens": MAX},
        [f"{MAX}_of_now = {MAX}"] * 2,
    )
    named = chosen.replace("now", "cu_seqlens_now")
    assert longest("cu_seqlens_now", named)[0] == f"{MAX}_now"


@pytest.mark.parametrize(
    ("value", "lines", "words"),
    [
        ("cu[1:]", "pass", "cu[1:], which is no input"),
        ("self.cu", "pass", "self.cu, which is no input"),
        ("now", "pass", "the boundaries now are no input of the method"),
        ("now", "now = cu[1:]", "the boundaries now are no input of the method"),
        ("now", "now = other", "the boundaries now are no input of the method"),
        ("now", "now = cu\n    now, x = cu, 1", "the boundaries now are no input of the method"),
        (
            "now",
            "now = cu\n    for now in cu: pass",
            "the boundaries now are no input of the method",
        ),
        ("now", "now = last = cu", "the boundaries now are no input of the method"),
        ("now", f"now = cu\n    {MAX}_of_now = 1", f"{MAX}_of_now is something else in the method"),
        ("now", "now = cu\n    now = cu_seqlens", "is a second kind of boundaries beside"),
        ("cu if flag else cu_seqlens", "pass", "is a second kind of boundaries beside"),
    ],
)
def test_boundaries_that_cannot_be_written(value: str, lines: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        longest(value, lines)
    assert words in refused.value.reason


def test_a_second_kind_beside_the_first() -> None:
    assert longest("cu", takes={"cu": MAX})[0] == MAX
    for name in LONGEST:
        (output,) = LONGEST[name].outputs
        if output != MAX:
            function = function_of(f"def f(self, cu, {name}): pass")
            assert _longest_of(function, ast.Name(name, ast.Load()), {"cu": MAX}, []) == output


def test_methods_that_hand_it_to_one_another_are_a_group() -> None:
    functions = {name: function_of(f"def {name}(self): pass") for name in "abcdef"}
    calls = {"a": "b", "b": "c", "c": "", "d": "c", "e": "f", "f": ""}

    def taker(name: str, guarded: bool) -> Taker:
        called = tuple((inner, functions[inner]) for inner in calls[name])
        statements = (functions[name],) if guarded else ()
        return Taker(None, functions[name], {}, (), called, statements)  # type: ignore[arg-type]

    def groups(guarded: str) -> list[set[str]]:
        found = {id(functions[name]): taker(name, name in guarded) for name in calls}
        return [{t.function.name for t in group} for group in _groups(found)]

    assert groups("a") == [{"a", "b", "c"}]
    assert groups("b") == [{"b", "c"}]
    assert groups("ad") == [{"a", "b", "c", "d"}]
    assert groups("ae") == [{"a", "b", "c"}, {"e", "f"}]
    assert groups("f") == [{"f"}]
    assert groups("") == []
