"""Signs of sizes that no file can rename: where a parameter is used as sizes, and where it only looks so."""

from __future__ import annotations

import pytest

from codegen.rewrite.signs import _functions, shows_sizes, sizes_by_use
from codegen.rewrite.vocabulary import DEFAULT
from tests.rewrite.test_rules import DEFAULT as PATH
from tests.rewrite.test_rules import run

HEAD = """\
import torch as th
import torch
from torch import arange as count, nn
from torch.nn.functional import pad


class TinyEncoder(nn.Module):
    def forward(self, rows, layout):
"""

SIZES = {
    "return th.cat([count(t * h * w) for t, h, w in layout.tolist()])": "grids",
    "return [torch.arange(h).repeat(t * w) for (t, h, w) in layout]": "grids",
    "for row in layout:\n            t, h, w = row.tolist()\n            rows += torch.arange(h * w).repeat(t)": "grids",
    "for row in layout:\n            rows += torch.arange(row[1] * row[2]).repeat(row[0])": "grids",
    "for n, row in enumerate(layout):\n            t, h, w = row\n            rows += torch.linspace(0, n, h * w * t)": "grids",
    "for i in range(len(layout)):\n            t, h, w = layout[i]\n            rows += torch.arange(h * w * t)": "grids",
    "for i in range(3):\n            rows += torch.arange(layout[i][0] * layout[i][1] * layout[i][2])": "grids",
    "for i in range(3):\n            rows += torch.arange(layout[i, 0] * layout[i, 1] * layout[i, 2])": "grids",
    "t, h, w = layout.unbind(1)\n        return torch.repeat_interleave(h * w, t).cumsum(0)": "grids",
    "t, h, w = layout.T\n        area = h * w\n        return area.repeat_interleave(t)": "grids",
    "return torch.repeat_interleave(layout[:, 1] * layout[:, 2], layout[:, 0])": "known",
    "return pad(layout.prod(-1).cumsum(0), (1, 0))": "grids",
    "sums = (layout[:, 0] * layout[:, 1]).cumsum(0)\n        return pad(sums, (1, 0))": "",
    "return pad(layout.cumsum(0), (1, 0))": "lengths",
    "return pad(torch.cumsum(layout.to(rows.device), 0), [1, 0])": "lengths",
    "return torch.cat([layout.new_zeros(1), layout.cumsum(0)])": "lengths",
    "sums = layout.cumsum(0)\n        return torch.cat([torch.zeros(1), sums])": "lengths",
}
EXPECTED = {
    "grids": 'unless grids = ["layout"] in [tool.codegen.vocabulary]',
    "lengths": 'unless lengths = ["layout"] in [tool.codegen.vocabulary]',
    "": "boundaries of layout, whose rows are two sizes: no helper gives them",
    "known": "index arithmetic on sizes that gives the result: no helper gives it",
}
NO_SIZES = [
    "q, k, v = layout.unbind(0)\n        return q + torch.arange(q.shape[0])",
    "b, s, d = layout.shape\n        return torch.arange(s)",
    "return torch.arange(layout[0].size(0) + layout[1].size(0) + layout[2].size(0))",
    "a, b, c = layout\n        return a + torch.arange(3)",
    "for t, h, w in layout:\n            rows += t * h * w\n        return torch.arange(3)",
    "for t, h in layout:\n            rows += torch.arange(t * h)",
    "return layout.cumsum(-1) - 1",
    "return pad(layout.sum(-1).cumsum(0), (1, 0))",
    "return pad(rows + 1, (1, 0)) * layout.cumsum(0).max()",
    "x = y\n        y = x\n        return pad(x.cumsum(0), (1, 0))",
    "return torch.cat([layout.cumsum(0), rows])",
]


@pytest.mark.parametrize("body", SIZES)
def test_sizes_by_another_name(body: str) -> None:
    text = f"{HEAD}        {body}\n"
    assert shows_sizes(text) and DEFAULT.may_matter(text)
    (found, *rest) = run({PATH: text}, "all").report
    if found.kind == "left":
        assert rest == [] and EXPECTED[SIZES[body]] in found.reason


@pytest.mark.parametrize("body", NO_SIZES)
def test_no_sizes(body: str) -> None:
    text = f"{HEAD}        {body}\n"
    assert not shows_sizes(text) and not DEFAULT.may_matter(text)
    # With a word of the vocabulary the file is looked at, and nothing is said of the method.
    assert run({PATH: f"# cu_seqlens\n{text}"}, "all").report == ()


def test_boundaries_are_looked_for_in_a_forward_only() -> None:
    text = "    def other(self, sizes):\n        return pad(sizes.cumsum(0), (1, 0))\n"
    (other,) = _functions(text)
    (forward,) = _functions(text.replace("other", "forward"))
    assert sizes_by_use(other) is None and sizes_by_use(forward) is not None


def test_what_is_no_method_ends_its_text() -> None:
    text = "    def forward(self, sizes):\n        return 1\n\n    @property\n"
    assert [node.name for node in _functions(text)] == ["forward"]
    assert [node.name for node in _functions(f"{text}\n\nclass Other(")] == ["forward"]
    assert _functions("    def forward(self, sizes:\n") == ()


def test_code_that_is_nested_too_deeply_is_left_to_those_who_report_it() -> None:
    deep = "-" * 50_000
    body = f"        t, h, w = sizes.T\n        return arange({deep}h * w * t)\n"
    assert shows_sizes(f"class A:\n    def forward(self, sizes):\n{body}") in (True, False)
