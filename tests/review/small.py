"""A small invented project in two states, for everything but the numbers of a real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.review.copies import synced

ALPHA = '''\
"""Alpha, the root of the family."""

from torch import nn


class AlphaConfig:
    width: int = 4
    depth: int = 2


class AlphaMLP(nn.Module):
    """Widens the states."""

    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.width, 4 * config.width)
        self.down = nn.Linear(4 * config.width, config.width)

    def widen(self, states):
        return self.up(states)

    def forward(self, states):
        return self.down(self.widen(states))


class AlphaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mlp = AlphaMLP(config)

    def forward(self, states, scale=1.0):
        return states + scale * self.mlp(states)
'''
BETA = '''\
"""Beta is built from alpha."""

from ..alpha.modeling_alpha import AlphaBlock, AlphaMLP


class BetaMLP(AlphaMLP):
    def widen(self, states):
        return self.up(states).abs()


class BetaBlock(AlphaBlock):
    pass
'''
GAMMA = '''\
"""Gamma is built from beta."""

from ..beta.modeling_beta import BetaBlock


class GammaBlock(BetaBlock):
    pass
'''
DELTA = '''\
"""Delta stands alone."""


class DeltaModel:
    depth = 1
'''
FAMILY = {"alpha": ALPHA, "beta": BETA, "gamma": GAMMA, "delta": DELTA}
TABLE = """\
[tool.codegen]
definitions = "definitions"
output = "generated"
formatter = "none"
"""


def make_project(root: Path, models: Mapping[str, str] = FAMILY, table: str = TABLE) -> Path:
    """A project with the given definitions, synced."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(table, encoding="utf-8")
    for model, text in models.items():
        path = root / f"definitions/{model}/modular_{model}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return synced(root)


def replaced(model: str, *pairs: tuple[str, str]) -> dict[str, str]:
    """The family with texts replaced in one definition; each stands there once."""
    text = FAMILY[model]
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return {**FAMILY, model: text}
