"""What is said of loops and index arithmetic on sizes that stay, and which refusals can stay of a loop that goes."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from codegen.rewrite.recognise.guards import guards_of, refuses
from codegen.rewrite.recognise.left import (
    _makes_indices,
    _walks_sizes,
    indexes,
    lists_numbers,
)
from codegen.rewrite.vocabulary import DEFAULT
from tests.rewrite.test_rules import DEFAULT as PATH
from tests.rewrite.test_rules import run


def loop_of(text: str) -> ast.For:
    (loop,) = ast.parse(text).body
    assert isinstance(loop, ast.For)
    return loop


@pytest.mark.parametrize(
    ("line", "is_so"),
    [
        ("torch.arange(3)", True),
        ("x.cumsum(0)", True),
        ("x.repeat_interleave(y)", True),
        ("x.pad", True),
        ("arange(3)", False),
        ("x.sum(0)", False),
        ("x = 1", False),
    ],
)
def test_index_arithmetic(line: str, is_so: bool) -> None:
    assert indexes(ast.parse(line)) == is_so


@pytest.mark.parametrize(
    ("body", "is_so"),
    [
        ("x = t.tolist()", True),
        ("x = t.item()", True),
        ("x = int(t)", True),
        ("x = torch.arange(t)", True),
        ("x = torch.linspace(0, t)", True),
        ("x = torch.zeros(t)", False),
        ("x = float(t)", False),
        ("x = t.tolist", False),
        ("x = t.int()", False),
    ],
)
def test_loops_that_read_numbers_or_count(body: str, is_so: bool) -> None:
    assert _makes_indices(loop_of(f"for t in grid: {body}")) == is_so


@pytest.mark.parametrize(
    ("loop", "is_so"),
    [
        ("for t in x.tolist(): pass", True),
        ("for t in x:\n    a = t.tolist()\n    b = 1", True),
        ("for t in x:\n    b = 1\n    a = t.tolist()", False),
        ("for t in x: pass", False),
    ],
)
def test_loops_over_numbers_of_a_tensor(loop: str, is_so: bool) -> None:
    assert lists_numbers(loop_of(loop)) == is_so


@pytest.mark.parametrize(
    ("loop", "is_so"),
    [
        ("for t in image_grid_thw: pass", True),
        ("for t in zip(rows, image_grid_thw): pass", True),
        ("for i in range(n): x = image_grid_thw[i]", True),
        ("for i in range(n): x = rows[i]", False),
        ("for i in range(n): x = f(image_grid_thw)[i]", False),
        ("for i in enumerate(n): x = image_grid_thw[i]", False),
        ("for t in rows: x = image_grid_thw", False),
        ("for t in other_grid_thw: pass", False),
    ],
)
def test_loops_over_rows_of_sizes(loop: str, is_so: bool) -> None:
    (function,) = ast.parse("def f(self, rows, image_grid_thw, n): pass").body
    assert isinstance(function, ast.FunctionDef)
    assert _walks_sizes(DEFAULT, function, loop_of(loop)) == is_so


@pytest.mark.parametrize(
    ("line", "is_so"),
    [
        ("assert x", True),
        ("if x:\n    raise E", True),
        ("if x:\n    y = 1\n    raise E", True),
        ("if x:\n    raise E\nelse:\n    pass", False),
        ("if x:\n    raise E\n    y = 1", False),
        ("raise E", False),
        ("while x:\n    raise E", False),
        ("x", False),
    ],
)
def test_what_does_nothing_but_refuse(line: str, is_so: bool) -> None:
    assert refuses(ast.parse(line).body[0]) == is_so


@pytest.mark.parametrize(
    ("loop", "gone", "kept", "why"),
    [
        ("for t in grid:\n    assert rows\n    x = t", (), ["assert rows"], []),
        (
            "for t in grid:\n    assert t\n    x = t",
            (),
            [],
            ["it reads t, which goes with the loop"],
        ),
        (
            "for t in grid:\n    x = t\n    assert rows and x",
            (),
            [],
            ["it reads x, which goes with the loop"],
        ),
        ("for t in grid:\n    assert rows\n    assert n", (), ["assert rows", "assert n"], []),
        (
            "for t in grid:\n    assert rows\n    assert n",
            ("n",),
            ["assert rows"],
            ["it reads n, which goes with the loop"],
        ),
        ("for t in grid:\n    if t: continue\n    assert rows", (), [], []),
        ("for t in grid:\n    assert n\n    if t: break\n    assert rows", (), ["assert n"], []),
        ("for t in grid:\n    if t: return\n    assert rows", (), [], []),
        ("for t in grid:\n    for u in t:\n        assert rows", (), ["assert rows"], []),
        ("for t in grid:\n    if t:\n        assert rows", (), [], []),
        ("for t in grid:\n    assert rows\nelse:\n    pass", (), [], []),
        ("x = grid", (), [], []),
    ],
)
def test_refusals_of_a_loop_that_goes(
    loop: str, gone: tuple[str, ...], kept: list[str], why: list[str]
) -> None:
    (function,) = ast.parse(f"def f(self, grid, rows, n):\n    y = 1\n{indent(loop, '    ')}").body
    assert isinstance(function, ast.FunctionDef)
    guards = guards_of(function, {1}, gone)
    assert [ast.unparse(node) for node in guards.kept.get(1, ())] == kept
    assert [*guards.why.values()] == why
    assert guards.names(0) == frozenset()
    assert guards.names(1) == {name for line in kept for name in line.split()[1:]}
    assert not guards_of(function, set()).kept


def said(lines: str, head: str = "grid_thw, rows, other_grid_thw", beside: str = "") -> list[str]:
    """What is said of an encoder's method, and of its line."""
    body = indent(lines, " " * 8)
    text = f"import torch\nfrom torch import nn\n\n\n{beside}\n\n\nclass TinyEncoder(nn.Module):\n"
    text += f"    def forward(self, {head}):\n{body}\n        return self.layers(rows)\n"
    text += "\n    @staticmethod\n    def alone(x):\n        return torch.arange(x)\n\n    def own(self, x):\n        return torch.arange(x)\n"
    return [r.reason for r in run({PATH: text}, "extract").report if r.kind == "left"]


NO_HELPER = "whose results no helper gives in this form"
MATCHES_NONE = "with index arithmetic that matches no helper"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("x = []\nfor t, h, w in grid_thw.tolist():\n    x.append(t * h * w * 7)", NO_HELPER),
        ("x = grid_thw[:, 0].cumsum(0) * 7", "gives x: no helper gives it"),
        ("if self.training:\n    x = grid_thw[:, 0].cumsum(0)", "a condition decides it"),
        ("x = (grid_thw[:, 0] * self.config.strange).cumsum(0)", "strange is in no vocabulary"),
        ("x = (grid_thw[:, 0] * rows).cumsum(0)", "gives x"),
        (
            "if rows.any():\n    return rows\nx = grid_thw[:, 0].cumsum(0) * 7",
            "the method may return in front of it",
        ),
        ("x = self.alone(grid_thw)", "stands in alone, which gets grid_thw"),
        ("x = beside(grid_thw)", "stands in beside, which gets grid_thw"),
        ("x = beside(rows)", ""),
        ("x = self.own(rows)", ""),
        ("x = grid_thw[:, 0] * 7", ""),
        ("x = rows.cumsum(0)", ""),
    ],
)
def test_what_is_said_of_arithmetic_that_stays(lines: str, words: str) -> None:
    found = said(lines, beside="def beside(x):\n    return torch.arange(x)\n")
    assert any(words in reason for reason in found) if words else not found, found


def test_a_class_under_a_condition_is_not_looked_at() -> None:
    text = "import torch\nfrom torch import nn\n\nif torch:\n\n    class TinyEncoder(nn.Module):\n        def forward(self, grid_thw):\n"
    text += "            return [torch.arange(t) for t, h, w in grid_thw.tolist()]\n"
    reasons = [(r.cls, r.reason) for r in run({PATH: text}, "extract").report]
    assert (
        "TinyEncoder",
        "not looked at: the class stands under a condition or in a function",
    ) in reasons
    quiet = text.replace("grid_thw", "rows").replace("t, h, w", "t")
    assert not [r for r in run({PATH: quiet}, "extract").report if "not looked at" in r.reason]


BY_FRAME = "ends = (grid_thw[:, 1] * grid_thw[:, 2]).repeat_interleave(grid_thw[:, 0]).cumsum(0)\n"
WALK = "for t, h, w in grid_thw.tolist():\n    "


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            "ends = grid_thw.prod(1).cumsum(0)\nbounds = F.pad(ends, (1, 0))",
            "gives bounds: no helper gives it (nearest: get_vision_cu_seqlens, which differs for "
            "1x4x6, 2x2x4: bounds[2] is 40, the helper's is 32)",
        ),
        (
            BY_FRAME + "bounds = F.pad(ends, (1, 0)) * 2",
            "get_vision_cu_seqlens, which differs for 1x4x6, 2x2x4: bounds[1] is 48, the helper's is 24)",
        ),
        (
            BY_FRAME + "bounds = F.pad(ends, (1, 0))[:-1]",
            "get_vision_cu_seqlens, which differs for 1x4x6, 2x2x4: bounds has shape (3,), the "
            "helper's (4,))",
        ),
        (
            "x = []\n" + WALK + "x.extend([[2, h, w]] * t)\nx = torch.tensor(x)",
            "(nearest: flatten_video_grid, which differs for 1x4x6, 2x2x4: x[0, 0] is 2, the helper's is 1)",
        ),
        (
            "x = (grid_thw[:, 0] / 2).cumsum(0)",
            "(x holds floating point numbers of shape (2,) for 1x4x6, 2x2x4, like no result of a helper)",
        ),
        (
            "x = (grid_thw[:, 0] > 2).repeat_interleave(grid_thw[:, 0])",
            "(x holds truth values of shape (3,) for 1x4x6, 2x2x4, like no result of a helper)",
        ),
        (
            "x = torch.arange(24).view(2, 3, 4) + grid_thw[0, 0].cumsum(0)",
            "(x holds whole numbers of shape (2, 3, 4) for 1x4x6, 2x2x4, like no result of a helper)",
        ),
        (
            "x = []\nfor t, h, w in grid_thw.tolist():\n    x.append(rows[:t].roll(h))",
            "(x is made of more than sizes",
        ),
    ],
)
def test_what_is_nearest_is_named_with_what_differs(lines: str, words: str) -> None:
    found = said(lines, beside="import torch.nn.functional as F")
    assert any(words in reason for reason in found), found
    assert all(len(reason) < 350 for reason in found)


def test_what_is_nearest_to_lengths() -> None:
    found = said(
        "bounds = F.pad(feature_lens.cumsum(0), (1, 0))",
        "rows, feature_lens",
        "import torch.nn.functional as F",
    )
    words = "(nearest: get_audio_cu_seqlens, which differs for lengths 5, 13, 6: bounds[1] is 5, the helper's is 3)"
    assert any(words in reason for reason in found), found


def test_nothing_is_compared_where_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("codegen.rewrite.recognise.nearest.nearest", lambda *_: asked.append(_))
    assert not said("x = grid_thw[:, 0] * 7") and not asked
    assert said("x = grid_thw[:, 0].cumsum(0) * 7") and asked
