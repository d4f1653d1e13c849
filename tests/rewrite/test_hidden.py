"""What libcst is not shown of a method makes no difference to what is written."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable

import pytest

from codegen.rewrite.emit import blocks, write
from codegen.rewrite.emit.edits import (
    AddKeywords,
    Branch,
    Edit,
    ElseIf,
    Insert,
    Replace,
    Substitute,
)
from codegen.rewrite.emit.hidden import Hidden, hidden, is_plain
from codegen.rewrite.emit.write import EditError, write_edits
from codegen.text.lines import LineMap

SOURCE = textwrap.dedent('''
    class A:
        @decorated  # why
        @twice(
            "# no comment"
        )
        def f(self, x, *,  # first
              y: int = (1,
                        2), ) -> "tuple[int]":  {tail}
            """What it does: # nothing."""
            # in front
            parts = []  # behind

            for n in x:  # each
                # inside
                parts.append("# no comment")
                if n: continue  # a line

                # at the end
            # of the method
            if x:
                a = 1; b = 2  # two
                y = call(
                    x,  # an argument
                )
            elif y:
                y = 2
                # of the branch
            else:
                # nothing
                pass
            with x: y = 3  # in a line
            return call(parts, y)  # last
            # nothing behind
''')
NEW = ("new = 1",)


def method(source: str) -> tuple[ast.ClassDef, ast.FunctionDef]:
    cls = ast.parse(source).body[0]
    assert isinstance(cls, ast.ClassDef) and isinstance(cls.body[0], ast.FunctionDef)
    return cls, cls.body[0]


def statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """All of them, but for the docstring and ``elif``, in front of which nothing can be written."""
    found = [n for n in ast.walk(function) if isinstance(n, ast.stmt) and n is not function]
    branches = [n for n in found if isinstance(n, ast.If)]
    elifs = [n.orelse[0] for n in branches if n.orelse and isinstance(n.orelse[0], ast.If)]
    return [n for n in found[1:] if n not in elifs]


def plans(function: ast.FunctionDef) -> list[list[Edit]]:
    first, last = function.body[1], function.body[-1]
    branch = function.body[3]
    assert isinstance(branch, ast.If) and isinstance(branch.orelse[0], ast.If)
    call = next(n for n in ast.walk(branch) if isinstance(n, ast.Call))
    alone: list[list[Edit]] = [
        edits
        for s in statements(function)
        for edits in (
            [Insert(s, NEW)],
            [Insert(s, NEW, behind=True)],
            [Replace((s,), NEW)],
            [Replace((s,)), Insert(s, NEW)],
            [Insert(first, NEW), Replace((s,), NEW), Insert(last, NEW)],
            [Branch((s,), "y", NEW)],
            [Branch((s,), "y", NEW), Insert(s, NEW)],
        )
    ]
    return [
        *alone,
        [Replace((function.body[1], function.body[2]), NEW)],
        [Insert(branch, NEW), ElseIf(branch.orelse[0], "z", NEW)],
        [Insert(branch, NEW), AddKeywords(call, ("z=1",))],
        [Insert(branch.body[-1], NEW), Branch((branch,), "y", NEW)],
        [Insert(function, ("", "def g(self): ..."), behind=True)],
        [Substitute(call, "z"), Replace((branch.body[0],), NEW)],
    ]


@pytest.mark.parametrize("tail", ["", "# of the head"])
def test_it_makes_no_difference(tail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCE.format(tail=tail)
    cls, function = method(source)

    def everywhere(look: Callable[..., Hidden]) -> list[str]:
        monkeypatch.setattr(write, "hidden", look)
        text = LineMap(source)
        return [write_edits(text, cls.body, function, edits).new for edits in plans(function)]

    shown = everywhere(lambda text, node, edits: Hidden())
    assert everywhere(hidden) == shown
    assert all("new = 1" in new or "z" in new or "def g" in new for new in shown)


def test_heads_comments_and_places_are_hidden() -> None:
    text = LineMap(SOURCE.format(tail=""))
    _, function = method(text.text)
    loop, last = function.body[2], function.body[-1]
    kept = hidden(text, function, [Insert(last, NEW), Replace((function.body[1],), NEW)])
    assert kept.head == (3, 9)
    assert kept.comments == {function.body[1]: ("# behind",)}
    assert (last.lineno, last.end_lineno) in kept.ranges
    # A comment that stands as deep as what the loop holds belongs to it.
    found = hidden(text, function, [Replace((loop,), NEW)]).comments
    assert found == {loop: ("# each", "# inside", "# a line", "# at the end")}


@pytest.mark.parametrize(
    "head",
    ["def f(self, x=(1\n    )): # a:\n", "def f(self, x): pass;\\\n", "def f(self, x\n):# a:\n"],
)
def test_a_head_whose_end_is_not_plain_is_shown(head: str) -> None:
    text = LineMap(f"class A:\n  {head}    return 1\n")
    _, function = method(text.text)
    assert hidden(text, function, [Insert(function.body[-1], NEW)]).head is None


LINES = [
    (("new = 1",), True),
    (("", "if new:", "    a = 1; b = 2", "", "    for c in a:", "        call(c)", ""), True),
    (("new = call(", "    a,", "", "    b,", ")", "del new"), True),
    (("new = 1  # why",), False),
    (("# why", "new = 1"), False),
    (("if new:", "  a = 1"), False),
    (("if new:", "        a = 1"), False),
    (('new = """a', '    b"""'), False),
    (("new = 1 + \\", "    2"), False),
    (("new = f(\n    a)",), False),
    (("", ""), False),
]


@pytest.mark.parametrize("indent", ["    ", "  "])
@pytest.mark.parametrize(("lines", "plain"), LINES)
def test_new_lines_that_libcst_is_not_shown_come_out_as_by_it(
    lines: tuple[str, ...], plain: bool, indent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_plain(lines) == plain
    source = SOURCE.replace("{tail}", "").replace("    ", indent)
    _, function = method(source)
    for statement in statements(function):
        block = [Branch((statement,), "new", lines)] if any(lines) else []
        for edit in [Insert(statement, lines), Replace((statement,), lines), *block]:
            without = _outcome(source, function, edit)
            with monkeypatch.context() as shown:
                shown.setattr(blocks, "is_plain", lambda lines: False)
                assert _outcome(source, function, edit) == without


def _outcome(source: str, function: ast.FunctionDef, edit: Edit) -> str:
    try:
        return write_edits(LineMap(source), [function], function, [edit]).new
    except EditError as error:
        return str(error)
