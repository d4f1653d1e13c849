"""What makes something new, and which expressions measure segments: tables of words with their near misses."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.recognise.effects import _fresh_names, _makes, _written
from codegen.rewrite.recognise.longest import _measured

MADE = """
[1] | (a, b) | [x + 1, -x] | [i for i in x] | a + x | x + 1 | x < 1 | -x | 3 | (i for i in x) | [*a]
x if a else [1] ? a if x else [1] | [1] if x else a
torch.zeros(3) | F.pad(x, (1, 1)) | self.f(x) | a.view(1) | a.view(1)[0] | x.sum() | x.clone() | x.clone().view(1)
zip(a, b) | enumerate(a) | reversed([1]) | zip(a, [x + 1]) | a | a.b | a[0] | a.b[0].c | x.shape | self.x.shape
f(x) | sum(x) | len(a) | zip()
"""
SHARED = """
x | x[0] | x.b | x.view(1) | x[0].view(1) | [x] | (a, x) | [*x] | x if a else [1] | [1] if a else x | self.x | x.shape[0]
zip(a, x) | zip(x) | enumerate(x) | reversed(x) | zip(a, b, x)
lambda: 1 | x.view(1)[0] | self.x[0] | x.T | x and a | {a: 1}
"""


def cases(table: str) -> list[str]:
    parts = [part.strip() for line in table.split("\n") for part in line.split(" | ")]
    return [part for part in parts if part and " ? " not in part]


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize("text", cases(MADE))
def test_what_is_new(text: str) -> None:
    assert _makes(expression(text), {"a", "b"})


@pytest.mark.parametrize("text", cases(SHARED))
def test_what_may_be_seen_elsewhere(text: str) -> None:
    assert not _makes(expression(text), {"a", "b"})


@pytest.mark.parametrize(
    ("body", "fresh"),
    [
        ("p = []", "p"),
        ("p = q = []", "p q"),
        ("p: list = []", "p"),
        ("p: list", ""),
        ("p = x", ""),
        ("p = []; p = x", ""),
        ("p = []; q = p", "p q"),
        ("p = x; q = p; r = q", ""),
        ("r = q; q = p; p = x", ""),
        ("p, q = [], []", "p q"),
        ("p, q = [], x", ""),
        ("for p in [1]: pass", "p"),
        ("for p in x: pass", ""),
        ("for p in zip([1], x): pass", ""),
        ("q = [p for p in x]", "q"),
        ("x = []", ""),
        ("rest = []", ""),
        ("p = []\n    p[0] = 1\n    p.a = 2", "p"),
    ],
)
def test_names_that_only_hold_what_is_made(body: str, fresh: str) -> None:
    (function,) = ast.parse(f"def f(self, x, *rest):\n    {body}").body
    assert isinstance(function, ast.FunctionDef)
    assert _fresh_names(function) == frozenset(fresh.split())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("a.b", None),
        ("a[0]", None),
        ("a[0].b", None),
        ("x.b", "a write to x"),
        ("x[0]", "a write to x"),
        ("self.b", "a write to self.b"),
        ("self.b[0]", "a write to self.b[0]"),
        ("f(x).b", "a write to f"),
        ("(x + x).b", "a write to an object"),
        ("x", None),
    ],
)
def test_writes_that_are_seen_outside(target: str, said: str | None) -> None:
    (statement,) = ast.parse(f"{target} = 1").body
    assert isinstance(statement, ast.Assign)
    assert _written(statement.targets[0], frozenset("a")) == said
    assert _written(expression(target), frozenset("a")) is None


@pytest.mark.parametrize(
    "call", ["{}.max()", "{}.amax()", "torch.max({})", "int({}.max())", "{}.max().item()"]
)
@pytest.mark.parametrize("inner", ["(c[1:] - c[:-1])", "torch.diff(c)", "c.diff()"])
def test_the_longest_segment_is_seen(call: str, inner: str) -> None:
    assert _measured(expression(call.format(inner))) == "c"
    assert _measured(expression(f"int({call.format(inner)}.item())")) == "c"


@pytest.mark.parametrize(
    "text",
    [
        "c",
        "c.diff()",
        "c.max()",
        "c.diff().min()",
        "c.diff().max(0)",
        "c.diff().max(dim=0)",
        "c.diff().amax(0)",
        "torch.abs(c.diff())",
        "torch.min(c.diff())",
        "torch.sum(c.diff())",
        "torch.max(c.diff(), 0)",
        "torch.max()",
        "max(c.diff())",
        "float(c.diff().max())",
        "int(c.diff().max(), 2)",
        "int()",
        "c.diff().max().item(0)",
        "c.diff().max().tolist()",
        "(c[1:] - d[:-1]).max()",
        "(c[1:] + c[:-1]).max()",
        "(c[2:] - c[:-2]).max()",
        "(c[:-1] - c[1:]).max()",
        "torch.diff(c, 2).max()",
        "torch.diff(3).max()",
    ],
)
def test_what_is_next_to_the_longest_segment(text: str) -> None:
    assert _measured(expression(text)) == ""
