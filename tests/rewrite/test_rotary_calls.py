"""Calls of a rotary module that are understood, and words by which another file may speak of it."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from codegen.rewrite.nodes import children, walk
from codegen.rewrite.place.rotary_callers import Callers, Refusal, _is_plain, _words_of
from tests.rewrite.test_rules import DEFAULT, GOLDEN, read_case, run

LINE = "x = self.rotary(grid)"


def at_top(lines: str) -> str:
    """The statement of a call at the top of a method, empty where it is not understood."""
    (function,) = ast.parse(f"def f(self, grid):\n{indent(lines, '    ')}").body
    assert isinstance(function, ast.FunctionDef)
    parents = {c: p for p in walk(function) for c in children(p)}
    (node,) = (n for n in parents if isinstance(n, ast.Attribute) and n.attr == "rotary")
    found = Callers._statement(function, node, parents)
    return ast.unparse(found) if found is not None else ""


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        "x: int = self.rotary(grid)",
        "return self.rotary(grid)",
        "self.rotary(grid)",
        "x = [1, self.rotary(grid)[0]]",
        "x = f(self.rotary(grid)) + 1",
        "x = y if z else 0; w = self.rotary(grid)",
    ],
)
def test_a_statement_at_the_top_is_understood(line: str) -> None:
    assert at_top(line) == ast.unparse(ast.parse(line).body[-1])


@pytest.mark.parametrize(
    "line",
    [
        f"if grid:\n    {LINE}",
        f"for i in grid:\n    {LINE}",
        f"with grid:\n    {LINE}",
        f"def g():\n    {LINE}",
        "if self.rotary(grid):\n    pass",
        "for i in self.rotary(grid):\n    pass",
        "x += self.rotary(grid)",
        "assert self.rotary(grid)",
        "x = lambda: self.rotary(grid)",
        "x = self.rotary(grid) if grid else 1",
        "x = grid or self.rotary(grid)",
        "x = [self.rotary(g) for g in grid]",
        "x = {self.rotary(g) for g in grid}",
        "x = {1: self.rotary(g) for g in grid}",
        "x = list(self.rotary(g) for g in grid)",
    ],
)
def test_what_runs_seldom_or_often_is_not(line: str) -> None:
    assert at_top(line) == ""


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("self.rotary(grid)", True),
        ("self.rotary()", True),
        ("self.rotary(grid, n=1)", True),
        ("self.rotary(*grid)", False),
        ("self.rotary(1, *grid)", False),
        ("self.rotary(**grid)", False),
        ("self.rotary(n=1, **grid)", False),
        ("f(self.rotary)", False),
    ],
)
def test_a_call_that_passes_every_argument_by_itself(text: str, is_so: bool) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    (node,) = (n for n in ast.walk(call) if isinstance(n, ast.Attribute))
    assert _is_plain(call, node) == is_so


def test_words_of_a_file_are_names_and_whole_strings() -> None:
    text = "from a import b as c\nclass D(E): x = 'F'\nd.e(f='g h')\ndef i(j): return 'k', 1, k.l\n"
    assert _words_of(text) == {"b", "D", "E", "x", "F", "d", "e", "g h", "i", "k", "l"}


@pytest.mark.parametrize("text", ["(", "\0", "(" * 300 + ")" * 300])
def test_a_file_that_cannot_be_read_may_say_anything(text: str) -> None:
    with pytest.raises(Refusal, match="a file that cannot be read may call it"):
        _words_of(text)


def test_a_call_of_another_module_in_front_hides_none() -> None:
    text = read_case(GOLDEN / "all/table_too_short_for_some_grids.txt").files[DEFAULT]
    call = "        table = self.rotary("
    assert text.count(call) == 1
    other = text.replace(call, f"        self.proj(ids)\n{call}")
    for each in (text, other):
        told = [
            r.reason for r in run({DEFAULT: each}, "all").report if "keeps its table" in r.reason
        ]
        assert told == [
            "TinyRotary keeps its table: this call is not a lookup by known position ids"
        ]
