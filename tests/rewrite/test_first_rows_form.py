"""Which statements part rows into groups and join the first of each: each line is one change of the form."""

from __future__ import annotations

import ast
from textwrap import indent
from typing import Any

import pytest

from codegen.rewrite.capture.first_rows import Trial, _form_in, _used_behind

FORM = """groups = torch.split(grid, sizes.tolist())
is_end = ids == 3
counts = is_end.sum(dim=1).tolist()
found = []
for n in range(len(counts)):
    found.append(groups[n][: counts[n]])
rows = torch.cat(found, dim=0)
return rows
"""
SPLIT = "torch.split(grid, sizes.tolist())"


def function_of(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(f"def f(self, grid, sizes, ids, other):\n{indent(text, '    ')}").body
    assert isinstance(found, ast.FunctionDef)
    return found


def changed(old: str, new: str) -> ast.FunctionDef:
    assert not old or FORM.count(old) == 1
    return function_of(FORM.replace(old, new) if old else FORM)


@pytest.mark.parametrize(
    ("old", "new", "between", "body", "result"),
    [
        ("", "", 1, 4, "rows"),
        (SPLIT, "grid.split(sizes.tolist())", 1, 4, "rows"),
        (SPLIT, "torch.split(grid, sizes.tolist(), dim=0)", 1, 4, "rows"),
        ("is_end = ids == 3\n", "", 0, 4, "rows"),
        ("found = []\n", "", 1, 3, "rows"),
        ("torch.cat(found, dim=0)", "torch.concat(found)", 1, 4, "rows"),
        ("torch.cat(found, dim=0)", "torch.concatenate(found)", 1, 4, "rows"),
        ("found = []\n", "found = []\nrows = torch.cat([grid])\n", 1, 5, "rows"),
        ("return rows", "more = torch.cat([rows])\nreturn more", 1, 4, "rows"),
        ("rows = torch.cat", "other = 1\nrows = torch.cat", 1, 5, "rows"),
        ("found = []\n", "found = ids.tolist()\n", 1, 4, "rows"),
    ],
)
def test_statements_of_the_form(old: str, new: str, between: int, body: int, result: str) -> None:
    form = _form_in(changed(old, new).body)
    assert form is not None
    assert ast.unparse(form.parted).startswith("groups = ")
    assert ast.unparse(form.counted) == "counts = is_end.sum(dim=1).tolist()"
    assert form.body[0] is form.counted and ast.unparse(form.split.state) == "grid"
    assert (len(form.between), len(form.body), form.result) == (between, body, result)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SPLIT, "torch.split(grid, sizes)"),
        (SPLIT, "torch.split(grid, sizes.tolist(), dim=1)"),
        (SPLIT, "torch.split(grid, sizes.tolist(), dim=other)"),
        (SPLIT, "torch.split(grid[1:], sizes.tolist())"),
        (SPLIT, "torch.split(grid, sizes[0].tolist())"),
        (SPLIT, f"{SPLIT}[0]"),
        (SPLIT, f"list({SPLIT})"),
        ("groups = ", "first, *groups = "),
        ("groups = ", "groups = other = "),
        ("groups = ", "groups: object = "),
        (".tolist()\nfound", "\nfound"),
        ("counts = ", "counts, x = "),
        ("counts = ", "counts += "),
        ("for n in range(len(counts))", "while other"),
        ("torch.cat(found, dim=0)", "torch.stack(found, dim=0)"),
        ("torch.cat(found, dim=0)", "found"),
        ("rows = torch", "rows, x = torch"),
        ("rows = torch", "self.rows = torch"),
    ],
)
def test_statements_of_another_form(old: str, new: str) -> None:
    assert _form_in(changed(old, new).body) is None


def test_counts_that_are_listed_in_front_of_the_split_or_behind_the_loop_are_none() -> None:
    lines = FORM.splitlines()
    for order in ((2, 0, 1, 3, 4, 5, 6, 7), (0, 1, 3, 4, 5, 2, 6, 7), (0, 1, 2, 3, 6, 4, 5, 7)):
        assert _form_in(function_of("\n".join(lines[n] for n in order)).body) is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", ""),
        ("return rows", "return rows, grid, is_end", ""),
        ("return rows", "return rows, groups", "groups is used elsewhere"),
        ("return rows", "return rows, counts", "counts is used elsewhere"),
        ("return rows", "return rows, found", "found is used elsewhere"),
        ("return rows", "return rows, n", "n is used elsewhere"),
        ("is_end = ids == 3", "is_end = groups[0] == 3", "groups is used elsewhere"),
        ("is_end = ids == 3", "is_end = ids == 3\ngrid = grid + 1", "grid is changed behind the split"),
        ("is_end = ids == 3", "is_end = ids == 3\nsizes[0] = 1", "sizes is changed behind the split"),
        ("found = []", "found = []; sizes = other", "sizes is used elsewhere"),
        ("return rows", "grid = rows\nreturn grid", ""),
    ],
)  # fmt: skip
def test_only_the_joined_rows_are_used_behind(old: str, new: str, reason: str) -> None:
    function = changed(old, new)
    form = _form_in(function.body)
    assert form is not None
    assert _used_behind(function, form) == reason


@pytest.mark.parametrize(
    ("made", "counted", "is_so", "compared"),
    [
        ("ids == 3", "is_end.sum(dim=1)", True, {"ids"}),
        ("ids == 3", "is_end.sum(dim=0)", True, set()),
        ("ids == 3", "is_end.sum(1)", True, set()),
        ("ids == 3", "is_end.sum(dim=1, keepdim=True)", True, set()),
        ("ids == 3", "is_end.mean(dim=1)", False, set()),
        ("ids == 3", "sizes", False, set()),
        ("(ids == 3) & (ids > 1)", "is_end.sum(dim=1)", True, set()),
        ("(ids == 3) | (ids > 1)", "is_end.sum(dim=1)", True, set()),
        ("(ids == 3) + (ids > 1)", "is_end.sum(dim=1)", False, set()),
        ("(ids == 3) & ids", "is_end.sum(dim=1)", False, set()),
        ("ids & (ids == 3)", "is_end.sum(dim=1)", False, set()),
        ("ids[1:] == 3", "is_end.sum(dim=1)", True, set()),
        ("x == 3", "is_end.sum(dim=1)", True, set()),
        ("ids", "is_end.sum(dim=1)", False, set()),
    ],
)
def test_sums_of_conditions_are_never_negative(
    made: str, counted: str, is_so: bool, compared: set[str]
) -> None:
    text = FORM.replace("ids == 3", made).replace("is_end.sum(dim=1)", counted)
    function = function_of(text)
    form = _form_in(function.body)
    assert form is not None
    nothing: Any = None
    trial = Trial(nothing, nothing, function, form)
    assert trial._counts_trues() == is_so
    assert trial._compared() == compared


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("", "", []),
        ("range(len(counts))", "range(size)", []),
        ("groups = torch", "size = 2\ngroups = torch", []),
        ("found = []", "found = other", []),
    ],
)
def test_what_the_form_reads_is_made_further_up(old: str, new: str, lines: Any) -> None:
    function = changed(old, new)
    form = _form_in(function.body)
    assert form is not None
    nothing: Any = None
    found = Trial(nothing, nothing, function, form)._definitions()
    assert (found if isinstance(found, str) else [ast.unparse(s) for s in found]) == lines


def test_what_is_made_once_at_the_top_is_run_with_the_form() -> None:
    for head, expected in (
        ("size = 2\n", ["size = 2"]),
        ("size = 2\nsize = 3\n", ["size = 3"]),
        ("if other:\n    size = 2\nelse:\n    size = 3\n", "size is not known"),
        ("if other:\n    size = 2\n", "size is not known"),
        ("size = 2\nmore = 3\n", ["size = 2"]),
    ):
        text = FORM.replace("range(len(counts))", "range(size)")
        function = function_of(head + text)
        form = _form_in(function.body)
        assert form is not None
        nothing: Any = None
        found = Trial(nothing, nothing, function, form)._definitions()
        assert (found if isinstance(found, str) else [ast.unparse(s) for s in found]) == expected
