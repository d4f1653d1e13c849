"""Expressions that libcst does not take apart make no difference to what is written."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.emit import write
from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddParameters,
    Describe,
    DropKeyword,
    Edit,
    Enclose,
    Insert,
    LetOut,
    Replace,
    Substitute,
)
from codegen.rewrite.emit.hidden import hidden
from codegen.rewrite.emit.masked import _span, masks
from codegen.rewrite.emit.write import write_edits
from codegen.text.lines import LineMap

SOURCE = '''class A:
    def f(
        self, hidden: torch.Tensor, grid_thw: torch.Tensor, *, é: dict[str, é.ñ] = None,
        **kwargs: Unpack[Keywords],  # all
    ) -> tuple[torch.Tensor, ...]:
        """What (it) does."""
        first = hidden.sum() + len(grid_thw)
        for name, part in [(a.b, c.d)for a in hidden.parts]:
            rows = self.visual(hidden.to(part.dtype), grid_thw=grid_thw[0, 1:2], out=[1, 2, 3]if part.x else None)
        text = f"{hidden.shape[0]} é" + str(hidden.dtype)
        x = lambda: hidden.sum(), (y := part.dtype), max(row.sum() for row in rows), (hidden.a, hidden.b)
        self.rows[hidden.index, ...], self.é.held = rows.first, rows.second
        if hidden.shape[0] > 1 and not part.is_empty: return hidden.sum(), rows.sum()
        return rows
'''


def edits_of(function: ast.FunctionDef) -> dict[str, list[Edit]]:
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
    visual = next(n for n in calls if ast.unparse(n.func) == "self.visual")
    inner = next(n for n in calls if ast.unparse(n) == "hidden.to(part.dtype)")
    last = function.body[-1]
    beside = Insert(last, ("new = 1",))
    return {
        "parameters": [AddParameters(("cu_seqlens", "grid_thw")), Describe(("cu_seqlens",))],
        "optional": [LetOut(("grid_thw",))],
        "keywords": [AddKeywords(visual, ("z=1",)), beside],
        "no keyword": [DropKeyword(visual, "out"), beside],
        "inside": [AddKeywords(inner, ("copy=True",)), AddKeywords(visual, ("z=1",)), beside],
        "enclosed": [Enclose(visual, "call", ("other",)), beside],
        "another": [Substitute(inner, "z"), beside],
        "replaced": [Replace((function.body[1],), ("new = 1",)), Substitute(inner, "z")],
        **{
            f"beside {number}": [Insert(statement, ("new = 1",))]
            for number, statement in enumerate(function.body[1:])
        },
    }


CASES = list(edits_of(ast.parse(SOURCE).body[0].body[0]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CASES)
def test_it_makes_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = ast.parse(SOURCE).body[0]
    assert isinstance(cls, ast.ClassDef) and isinstance(cls.body[0], ast.FunctionDef)
    function, text = cls.body[0], LineMap(SOURCE)
    edits = edits_of(function)[name]
    without = write_edits(text, cls.body, function, edits).new
    monkeypatch.setattr(write, "masks", lambda *given: ())
    assert write_edits(text, cls.body, function, edits).new == without
    assert without != SOURCE.partition("\n")[2]


def test_what_is_masked() -> None:
    cls = ast.parse(SOURCE).body[0]
    assert isinstance(cls, ast.ClassDef) and isinstance(cls.body[0], ast.FunctionDef)
    function, text = cls.body[0], LineMap(SOURCE)
    edits = edits_of(function)["inside"]
    found = masks(text, function, edits, hidden(text, function, edits))
    assert [text.lines[line - 1][start:end] for line, start, end in found] == [
        "[(a.b, c.d)for a in hidden.parts]",
        "part.dtype",
        "grid_thw[0, 1:2]",
        "[1, 2, 3]if part.x else None",
    ]
    given = masks(text, function, edits := [LetOut(("grid_thw",))], hidden(text, function, edits))
    # Neither what the edit is about, nor what stands beside letters of more bytes than one.
    assert [text.lines[line - 1][start:end] for line, start, end in given] == [
        "Unpack[Keywords]",
        "tuple[torch.Tensor, ...]",
    ]


@pytest.mark.parametrize(
    ("line", "code", "is_masked"),
    [
        ("x = (hidden.a)", "hidden.a", True),
        (
            "x = (hidden.a)if y else z",
            "hidden.a",
            True,
        ),  # a letter behind the bracket is none beside it
        ("x = f(1, hidden.a )", "hidden.a", True),
        ("x = hidden.a", "hidden.a", True),
        ("x = [1, 2]if y else z", "[1, 2]", False),
        ("x = y if[1, 2] else z", "[1, 2]", False),
        ("x = a.bcd", "a.bcd", False),
        ("x = a.bcde", "a.bcde", True),
        ("x = (a.bcde,\n  y)", "(a.bcde, y)", False),
        ("x = f(a.bcde, 'é')", "a.bcde", False),
    ],
)
def test_where_an_expression_can_be_masked(line: str, code: str, is_masked: bool) -> None:
    tree = ast.parse(line)
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.expr) and ast.unparse(n) == code)
    found = _span(LineMap(line), node, ())
    assert found == ((1, node.col_offset, node.end_col_offset) if is_masked else None)


@pytest.mark.parametrize(("start", "is_masked"), [(3, True), (4, False), (9, False), (12, True)])
def test_what_an_edit_speaks_of_is_not_masked(start: int, is_masked: bool) -> None:
    line = "x = hidden.a"
    node = ast.parse(line).body[0].value  # type: ignore[attr-defined]
    assert (_span(LineMap(line), node, [(1, start)]) is not None) == is_masked
    assert _span(LineMap(line), node, [(2, start)]) is not None
