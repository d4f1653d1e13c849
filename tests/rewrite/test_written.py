"""What is written into behind a statement: found wherever running the lines changes the tensor, and hardly elsewhere."""

from __future__ import annotations

import ast
from textwrap import indent
from typing import Any

import pytest

from codegen.rewrite.place.written import written_in_place
from codegen.rewrite.reach import Reaching

torch = pytest.importorskip("torch")

#: Lines behind ``x = make()`` that write into it.
WRITES = (
    *("x += 1", "x.add_(1)", "x[0] = 7", "x[0, 1] -= 7", "x.data[0] = 7", "x.T.add_(1)"),
    *("y = x\ny += 1", "y: object = x\ny += 1", "y = z = x\nz.zero_()", "(y := x).add_(1)"),
    *("y = x.view(-1)\ny.mul_(2)", "x.view(-1).mul_(2)", "y = x[0]\ny += 1", "y = x.T\ny += 1"),
    *("y = x.transpose(0, 1)\ny.zero_()", "y = x.transpose_(0, 1)\ny.zero_()", "x.unsqueeze(0)[0] = 1"),
    *("torch.neg_(x)", "torch.add(x, 1, out=x)", "torch.add(z, 5, out=x)"),
    *("y = x\ntorch.add(z, 5, out=y)", "y = torch.transpose(x, 0, 1)\ny += 1"),
    *("for row in x:\n    row += 1", "for i, row in enumerate(x):\n    row.add_(i)"),
    *("for row, _ in zip(x, z):\n    row.zero_()", "for row in reversed([z, x]):\n    row[0] = 5"),
    *("for row in list(x):\n    row.zero_()", "row = next(iter(x))\nrow += 1"),
    *("rows = [x, z]\nrows[0].zero_()", "rows = z, x\nrows[-1].zero_()", "y, *rest = x\ny += 1"),
    *("y = x if flag else z\ny.zero_()", "y = z if not flag else x\ny.zero_()"),
    *("y = None or x\ny.zero_()", "y = flag and x\ny.zero_()", "[row.zero_() for row in x]"),
    *("if flag:\n    y = x\nelse:\n    y = z\ny += 1", "if not flag:\n    x = z\nx += 1"),
    *("next(iter(x)).zero_()", "torch.transpose(x, 0, 1).zero_()", "[z, x][1].zero_()"),
    *("(x if flag else z).zero_()", "(y := x)[0].zero_()", "{name.zero_() for name in (z, x)}"),
    *("while flag:\n    x += 1\n    flag = False", "try:\n    x += 1\nfinally:\n    pass"),
    *("for _ in range(2):\n    if flag:\n        y = x\n    y += 1", "with torch.no_grad():\n    x += 1"),
)  # fmt: skip
#: Lines that do not.
KEEPS = (
    *("pass", "y = x + 1\ny += 1", "y = x.clone()\ny.zero_()", "x = x + 1\nx += 1", "x = z\nx += 1"),
    *("z += 1", "z.add_(1)", "z[0] = 1", "torch.add(x, 1, out=z)", "y = x.sum(0)\ny += 1"),
    *("y = x * 2\nfor row in y:\n    row += 1", "y = len(x)\ny += 1", "y = x.shape\ny += (1,)"),
    *("y = torch.cat((x, z))\ny += 1", "y = x.abs()\ny.zero_()", "x.sum()", "y = [1]\ny[0] = 2"),
    *("for row in z:\n    row += 1", "y = z if flag else z\ny += 1", "y = max(z.view(-1))\ny += 1"),
)  # fmt: skip
#: Lines that do not, of which that is not known: what stays with its method is only slower.
TAKEN_FOR = (
    "a, b = x, z\nb += 1",
    "y = x.tolist()\nz.copy_(x)",
    "y = x if not flag else z\ny += 1",
)


def found_in(lines: str) -> ast.stmt | None:
    text = f"def f(z, flag):\n    y = z\n    x = make()\n{indent(lines, '    ')}\n"
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    found = written_in_place(function, Reaching(function), function.body[1], ("x",))
    return found.statement if found is not None else None


def changes(lines: str) -> bool:
    """Whether the lines, when they are run, change the tensor that was made."""
    made = torch.arange(12.0).reshape(3, 4)
    space: dict[str, Any] = {"torch": torch, "make": lambda: made}
    exec(f"def f(z, flag):\n    y = z\n    x = make()\n{indent(lines, '    ')}\n", space)
    before = made.clone()
    space["f"](torch.arange(12.0).reshape(3, 4) - 1, True)
    return before.shape != made.shape or not torch.equal(before, made)


@pytest.mark.parametrize("lines", WRITES)
def test_what_writes_is_found(lines: str) -> None:
    assert changes(lines)
    assert found_in(lines) is not None


@pytest.mark.parametrize("lines", KEEPS)
def test_what_does_not_is_not(lines: str) -> None:
    assert not changes(lines)
    assert found_in(lines) is None


@pytest.mark.parametrize("lines", TAKEN_FOR)
def test_what_is_taken_for_a_write(lines: str) -> None:
    assert not changes(lines)
    assert found_in(lines) is not None


def test_what_stands_in_front_writes_into_something_else() -> None:
    (function,) = ast.parse("def f(x):\n    x += 1\n    x = make()\n    return x").body
    assert isinstance(function, ast.FunctionDef)
    assert written_in_place(function, Reaching(function), function.body[1], ("x",)) is None


def test_the_first_of_several_is_told() -> None:
    found = found_in("y = x\nx = x + 1\ny += 1\ny += 2")
    assert found is not None and ast.unparse(found) == "y += 1"
