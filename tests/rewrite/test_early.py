"""Names that are read where nothing can have assigned them: told the quick way and the thorough one alike."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from codegen.rewrite import early
from codegen.rewrite.early import early_reads

#: Bodies that read no name early, and whether the quick way sees that.
FINE = (
    ("x = a\nreturn x", True),
    ("x = y = a\nreturn x + y", True),
    ("x, (y, *z) = a\nreturn x, y, z", True),
    ("for x in a:\n    y = x\nreturn y", True),
    ("for x in a:\n    print(x)\nelse:\n    y = 1", True),
    ("for x in a:\n    print(x)\nreturn x", False),
    ("while a:\n    x = 1\n    print(x)\nreturn x", True),
    ("if a:\n    x = 1\nreturn x", True),
    ("if a:\n    x = 1\nelse:\n    y = 1\nreturn x + y", True),
    ("if a:\n    x = 1\n    return x\ny = 2\nreturn y", True),
    ("if a:\n    return 1\nx = 1\nreturn x", True),
    ("if a:\n    x = 1\n    return 1\nelse:\n    x = 2\nreturn x", False),
    ("while a:\n    x = 1\n    break\nreturn x", False),
    ("with a as x:\n    y = x\nreturn y", False),
    ("with a:\n    y = 1\nreturn y", True),
    ("try:\n    x = 1\nexcept ValueError:\n    x = 2\nreturn x", True),
    ("try:\n    x = 1\nfinally:\n    y = 2\nreturn x + y", True),
    ("x: int = 1\nreturn x", False),
    ("x = 1\nx += 1\nreturn x", True),
    ("(x := a)\nreturn x", False),
    ("return [x for x in a]", True),
    ("x = [y for y in a]\nreturn x", True),
    ("def f():\n    return y\ny = 1\nreturn f", True),
    ("x = lambda: y\ny = 1\nreturn x", True),
    ("return other", True),
    ("a = a + 1\nreturn a", True),
    ("del a\nx = 1", False),
    ("for x in a:\n    if y:\n        y = 1", False),
    ("while a:\n    print(x)\n    x = 1", False),
)
#: Bodies that do, and which.
EARLY = (
    ("y = x\nx = 1", "x"),
    ("print(x)\nx = 1", "x"),
    ("y = x + z\nx = z = 1", "x z"),
    ("if x:\n    x = 1", "x"),
    ("if a:\n    print(x)\nelse:\n    x = 1", "x"),
    ("if a:\n    x = 1\nelse:\n    print(x)\nreturn x", "x"),
    ("for y in x:\n    x = 1", "x"),
    ("for y in a:\n    print(z)\nz = 1", "z"),
    ("for y in a:\n    print(y)\nelse:\n    print(z)\nz = 1", "z"),
    ("with x:\n    x = 1", "x"),
    ("try:\n    print(x)\nfinally:\n    x = 1", "x"),
    ("try:\n    y = 1\nexcept ValueError:\n    print(x)\n    x = 1", "x"),
    ("if a:\n    x = 1\n    return x\nreturn x", "x"),
    ("if a:\n    x = 1\n    raise a\nprint(x)", "x"),
    ("if a:\n    if a:\n        x = 1\n        return\n    y = 1\nprint(x)", "x"),
    ("while x:\n    x = 1", "x"),
    ("y = a\ny = x[0]\nx = y", "x"),
    ("return x\nx = 1", "x"),
)


def function_of(lines: str) -> ast.FunctionDef:
    (found,) = ast.parse(f"def f(a, *more, b=1):\n{indent(lines, '    ')}").body
    assert isinstance(found, ast.FunctionDef)
    return found


def quick(function: ast.FunctionDef) -> bool:
    """What the quick way says."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and early._is_store(n)}
    return early._reads_in_order(function.body, stored, {"a", "b", "more"})


@pytest.mark.parametrize(("lines", "is_plain"), FINE)
def test_what_is_assigned_before_it_is_read(
    lines: str, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = function_of(lines)
    assert quick(function) == is_plain
    assert [*early_reads(function)] == []
    monkeypatch.setattr(early, "_reads_in_order", lambda *_: False)
    assert [*early_reads(function)] == []


@pytest.mark.parametrize(("lines", "names"), EARLY)
def test_what_is_read_before_anything_is_assigned(lines: str, names: str) -> None:
    function = function_of(lines)
    assert not quick(function)
    assert {*early_reads(function)} == {*names.split()}
