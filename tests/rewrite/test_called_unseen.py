"""Calls that may come to a lifted encoder by other words than its name: each is told, at its line, and nothing else."""

from __future__ import annotations

import pytest

from tests.rewrite.test_rules import DEFAULT as PATH
from tests.rewrite.test_rules import run

HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        boundaries = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0]).cumsum(0)
        cu_seqlens = F.pad(boundaries, (1, 0))
        return rows * cu_seqlens.shape[0]


class TinyModel(nn.Module):
    def __init__(self, config):
        self.visual = TinyEncoder()
        self.towers = nn.ModuleDict({"a": TinyEncoder()})
        self.later = nn.ModuleList()
        for _ in range(2):
            self.later.append(TinyEncoder())
        made = {}
        made["b"] = TinyEncoder()
        self.local = made
        self.keyed = nn.ModuleDict()
        self.keyed["c"] = TinyEncoder()
        self.add_module("added", TinyEncoder())
        setattr(self, config.name, TinyEncoder())
        self.proj = nn.Linear(4, 4)
        self.either = TinyEncoder() if config.tiny else nn.Identity()

    def first(self):
        return self.towers["a"]

    def forward(self, rows, grid, **kwargs):
"""

TOLD = [
    "return getattr(self, self.config.name)(rows, grid)",
    'return getattr(self, "visual")(rows, grid)',
    'return self.get_submodule("visual")(rows, grid)',
    'return self._modules["visual"](rows, grid)',
    'return self.towers["a"](rows, grid)',
    'return self.towers.get("a")(rows, grid)',
    'return self.local["b"](rows, grid)',
    'return self.keyed["c"](rows, grid)',
    "return self.later[0](rows, grid)",
    "return self.added(rows, grid)",
    "return self.either(rows, grid)",
    "return self.first()(rows, grid)",
    "return self.visual.forward(rows, grid)",
    "return (self.visual or self.proj)(rows, grid)",
    "return [tower(rows, grid) for tower in self.later]",
    "return [t(x, grid) for t, x in zip(self.later, rows)]",
    "return [t(rows, grid) for _, t in self.towers.items()]",
    "return [t(rows, grid) for _, t in self.named_children()]",
    "return [t(rows, grid) for t in list(self.towers.values())]",
    "return [t(rows, grid) for t in (self.visual, self.proj)]",
    "return (lambda: (one := self.visual)(rows, grid))()",
    "return functools.partial(self.visual, grid_thw=grid)(rows)",
    "return checkpoint(self.visual, rows, grid)",
    "return map(lambda t: rows, self.later)",
    'return self.visual(rows, **{"grid_thw": grid})',
]
NOT_TOLD = [
    "return self.visual(rows, grid)",
    "return self.visual(rows, grid, **kwargs)",
    'return getattr(self, "proj")(rows)',
    "return getattr(self, self.config.name)(rows, grid, **kwargs)",
    "return self.towers[kwargs](rows, grid, cu_seqlens=rows)",
    "return self.proj(rows) * len(self.later) * isinstance(self.visual, nn.Module)",
    "return [x + n for n, t in enumerate(self.later) for x in rows[n:]]",
    "return [x.index(n) for n, t in enumerate(self.later) for x in rows]",
    "return [proj(rows) for proj, t in zip([self.proj], self.later)]",
    "given = {**kwargs, 'grid_thw': grid}; return self.towers['a'](rows, **given)",
    "return self.config.visual(rows)",
]


def told_lines(line: str) -> list[str]:
    """Lines of the records about such calls."""
    records = run({PATH: f"{HEAD}        {line}\n"}, "all").report
    assert any(r.kind == "lifted" and r.cls == "TinyEncoder" for r in records)
    return [
        r.location.rpartition(":")[2] for r in records if (r.kind, r.helper) == ("left", "lift")
    ]


@pytest.mark.parametrize("line", TOLD)
def test_told_at_its_line(line: str) -> None:
    assert told_lines(line) == [str(HEAD.count("\n") + 1)]


@pytest.mark.parametrize("line", NOT_TOLD)
def test_not_told(line: str) -> None:
    assert told_lines(line) == []
