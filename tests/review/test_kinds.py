"""Edits of many kinds, one at a time: as many changes as edits, the risks that they carry, none made up.

What is told of each stands in one golden file, to be read in one go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegen.review.model import Report
from tests.review.copies import REPOSITORY, review_of, risks_of
from tests.review.small import make_project

GOLDEN = REPOSITORY / "tests/golden/review/kinds.text"
ROOT = '''\
"""Stem, which leaf is built from."""

import math

import torch
from torch import nn

SCALE = 0.5


class StemConfig:
    width: int = 4
    depth: int = 2


class StemNorm(nn.Module):
    """Norms the states."""

    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, states):
        return self.weight * states * torch.rsqrt(states.pow(2).mean(-1, keepdim=True) + self.eps)


class StemGate(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate = nn.Linear(config.width, config.width)

    def forward(self, states):
        return states * torch.sigmoid(self.gate(states))


class StemAttention(nn.Module):
    def __init__(self, config, layer_idx=None):
        super().__init__()
        self.layer_idx = layer_idx
        self.is_causal = False
        self.factor = 2.0
        self.register_buffer("angles", torch.arange(config.width).float(), persistent=False)
        self.norm = StemNorm(config.width)
        self.gates = nn.ModuleList([StemGate(config) for _ in range(config.depth)])
        self.proj = nn.Linear(config.width, config.width)

    def scaling(self):
        # What the angles are multiplied by.
        return SCALE * math.pi

    def turned(self, states):
        """Turn the states by their angles."""
        return states * (self.angles * self.scaling()).cos()

    @torch.no_grad()
    def count(self, states, mask=None):
        if mask is None:
            return states.shape[0]
        return mask.sum()

    def forward(self, states, mask=None, factor=1.0):
        states = self.norm(states)
        states = self.turned(states)
        for gate in self.gates:
            states = gate(states)
        if mask is not None:
            states = states + mask
        weights = torch.softmax(states * factor, dim=-1, dtype=torch.float32)
        return self.proj(weights)


class StemBlock(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.attention = StemAttention(config, layer_idx=layer_idx)

    def forward(self, states, mask=None):
        return states + self.attention(states, mask=mask, factor=0.5)


__all__ = ["StemAttention", "StemBlock", "StemConfig"]
'''
LEAF = '''\
"""Leaf is built from stem."""

from ..stem.configuration_stem import StemConfig
from ..stem.modeling_stem import StemAttention, StemBlock


class LeafConfig(StemConfig):
    width: int = 8


class LeafAttention(StemAttention):
    def turned(self, states):
        """Leave the states as they are, but for what all of them are scaled by."""
        return states * self.scaling()


class LeafBlock(StemBlock):
    pass


__all__ = ["LeafAttention", "LeafBlock", "LeafConfig"]
'''


@dataclass(frozen=True)
class Kind:
    """Replacements in the two definitions, how many edits they are, and the risks that they carry."""

    name: str
    pairs: tuple[tuple[str, str, str], ...]
    count: int = 1
    risks: frozenset[str] = frozenset()


def kind(name: str, *pairs: tuple[str, str, str], count: int = 1, risks: str = "") -> Kind:
    """A kind; risks are separated by blanks."""
    return Kind(name, pairs, count, frozenset(risks.split()))


_TURNING = ROOT[ROOT.index("    def scaling") : ROOT.index("    @torch.no_grad()")]
KINDS = (
    kind(
        "method made a property",
        ("stem", "    def scaling(self):", "    @property\n    def scaling(self):"),
        ("stem", "* self.scaling()).cos()", "* self.scaling).cos()"),
        ("leaf", "* self.scaling()", "* self.scaling"),
        risks="decorator",
    ),
    kind(
        "argument moved into the configuration",
        ("stem", "def __init__(self, size, eps=1e-6):", "def __init__(self, size):"),
        ("stem", "        self.eps = eps", "        self.eps = StemConfig.eps"),
        risks="signature",
    ),
    kind(
        "argument of a name that stays",
        ("stem", "mask=None, factor=1.0):", "mask=None):"),
        ("stem", "states * factor, dim", "states * self.factor, dim"),
        ("stem", "mask=mask, factor=0.5)", "mask=mask)"),
        risks="signature numerics",
    ),
    kind(
        "attribute moved from a method to the class",
        ("stem", "        self.is_causal = False\n", ""),
        ("stem", "Attention(nn.Module):\n", "Attention(nn.Module):\n    is_causal = False\n\n"),
    ),
    kind(
        "statements in another order",
        ("stem", "        states = self.norm(states)\n", ""),
        (
            "stem",
            "        if mask is not None:\n            states",
            "        states = self.norm(states)\n        if mask is not None:\n            states",
        ),
    ),
    kind("class renamed", ("stem", "StemGate", "StemValve"), risks="public-name"),
    kind(
        "comment only",
        ("stem", "# What the angles are multiplied by.", "# The factor of all angles."),
    ),
    kind(
        "two edits of one method",
        ("stem", "states = self.norm(states)", "states = self.norm(states.float())"),
        ("stem", "return self.proj(weights)", "return self.proj(weights.contiguous())"),
        count=2,
        risks="numerics",
    ),
    kind(
        "a member and its override",
        ("stem", "self.scaling()).cos()", "self.scaling()).sin()"),
        ("leaf", "return states * self.scaling()", "return states + self.scaling()"),
        count=2,
        risks="numerics",
    ),
    kind(
        "override deleted",
        (
            "leaf",
            LEAF[LEAF.index("    def turned") : LEAF.index("\n\nclass LeafBlock")],
            "    pass\n",
        ),
        risks="numerics",
    ),
    kind("buffer kept", ("stem", ".float(), persistent=False)", ".float())"), risks="state-dict"),
    kind(
        "default that was None",
        ("stem", "config, layer_idx=None", "config, layer_idx=0"),
        risks="signature",
    ),
    kind(
        "annotation only",
        (
            "stem",
            "(self, states, mask=None):\n        if",
            "(self, states: torch.Tensor, mask=None):\n        if",
        ),
    ),
    kind(
        "keyword only",
        ("stem", "states, mask=None, factor", "states, *, mask=None, factor"),
        risks="signature",
    ),
    kind("__all__", ("stem", '["StemAttention", "StemBlock"', '["StemBlock"'), risks="public-name"),
    kind(
        "decorator with an argument",
        ("stem", "@torch.no_grad()", "@torch.inference_mode(mode=True)"),
        risks="decorator",
    ),
    kind(
        "constant moved into the configuration",
        ("stem", "SCALE = 0.5\n\n\n", "\n"),
        ("stem", "SCALE * math.pi", "StemConfig.scale * math.pi"),
        ("stem", "    depth: int = 2\n", "    depth: int = 2\n    scale: float = 0.5\n"),
    ),
    kind(
        "attribute deleted that is read",
        (
            "leaf",
            "    def turned",
            "    def __init__(self, config, layer_idx=None):\n"
            "        super().__init__(config, layer_idx)\n        del self.proj\n\n    def turned",
        ),
        risks="undefined state-dict",
    ),
    kind(
        "class split in two",
        (
            "stem",
            "        self.attention = StemAttention(config, layer_idx=layer_idx)",
            "        self.residual = StemResidual(config, layer_idx)",
        ),
        (
            "stem",
            "return states + self.attention(states, mask=mask, factor=0.5)",
            "return states + self.residual(states, mask)",
        ),
        (
            "stem",
            "class StemBlock(",
            "class StemResidual(nn.Module):\n    def __init__(self, config, layer_idx):\n"
            "        super().__init__()\n"
            "        self.attention = StemAttention(config, layer_idx=layer_idx)\n\n"
            "    def forward(self, states, mask=None):\n"
            "        return self.attention(states, mask=mask, factor=0.5)\n\n\nclass StemBlock(",
        ),
        risks="state-dict",
    ),
    kind(
        "base extracted",
        ("stem", _TURNING, ""),
        (
            "stem",
            "class StemAttention(nn.Module):",
            f"class StemTurning(nn.Module):\n{_TURNING.rstrip()}\n\n\nclass StemAttention(StemTurning):",
        ),
        risks="base",
    ),
    kind(
        "mixin of a library in place of methods",
        ("stem", _TURNING, ""),
        ("stem", "class StemAttention(nn.Module):", "class StemAttention(Turning, nn.Module):"),
        ("stem", "from torch import nn\n", "from elsewhere import Turning\nfrom torch import nn\n"),
        risks="base",
    ),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("kinds") / "base", {"stem": ROOT, "leaf": LEAF})


def told(name: str, report: Report) -> Iterator[str]:
    """What a review says, but for its hunks."""
    yield f"{name}:"
    for change in report.changes:
        yield f"  {change.number}  {change.title} ({', '.join(change.models)})"
    for risk in report.risks:
        yield f"  {risk.kind}: {risk.message} ({', '.join(risk.models)})"
        yield f"    {risk.place}"
    for item in report.not_reached:
        yield f"  not reached: {item.member}: {item.reason} ({', '.join(item.models)})"


def test_kinds_of_edits(base: Path, tmp_path: Path, update_golden: bool) -> None:
    lines, wrong = [], []
    for number, item in enumerate(KINDS):
        texts = {"stem": ROOT, "leaf": LEAF}
        for model, old, new in item.pairs:
            assert old in texts[model], (item.name, old)
            texts[model] = texts[model].replace(old, new)
        report = review_of(base, make_project(tmp_path / str(number), texts))
        lines += told(item.name, report)
        seen = (len(report.changes), risks_of(report), len(report.unexplained), len(report.stale))
        if seen != (item.count, item.risks, 0, 0) or not all(c.edit for c in report.changes):
            wrong.append((item.name, seen))
    if update_golden:
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert not wrong
    assert "\n".join(lines) + "\n" == GOLDEN.read_text(encoding="utf-8"), "use --update-golden"
