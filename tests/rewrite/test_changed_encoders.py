"""An encoder, changed at random: whatever is rewritten computes what it did, on large grids as well.

One or two places of its methods are changed: a number, a name, an operator, a bound, a condition. Most
changes make it something that no helper gives, and then nothing may be written; where something is,
original and rewritten methods run on grids of many sizes and must agree. The sample is seeded.
"""

from __future__ import annotations

import ast
import copy
import random
from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import DictLibrary

torch = pytest.importorskip("torch")

PATH = "models/tiny/modeling_tiny.py"
NUMBERS = (0, 1, 2, 3, 5, 8, 16, 20, 32, 48, 63, 64, 65, 100, 127, 128, 200, 256, 300)
SIZES = ("t", "h", "w")
TENSORS = ("rows", "cols", "both", "pos_ids", "lengths", "bounds")
ENCODER = """
import torch
import torch.nn.functional as F
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size
        self.seen = 0

    def positions(self, grid_thw):
        pieces = []
        for t, h, w in grid_thw.tolist():
            rows = torch.arange(h).view(h // self.merge, 1, self.merge, 1)
            cols = torch.arange(w).view(1, w // self.merge, 1, self.merge)
            shape = (h // self.merge, w // self.merge, self.merge, self.merge)
            both = torch.stack([rows.expand(shape).flatten(), cols.expand(shape).flatten()], dim=-1)
            pieces.append(both.repeat(t, 1))
        pos_ids = torch.cat(pieces)
        return pos_ids

    def boundaries(self, grid_thw):
        lengths = []
        for t, h, w in grid_thw.tolist():
            lengths += [h * w] * t
        bounds = F.pad(torch.tensor(lengths).cumsum(0), (1, 0))
        return bounds
"""
GRIDS = (
    [[1, 4, 6], [2, 2, 4]],
    [[1, 2, 300], [1, 310, 2], [1, 4, 4]],
    [[40, 2, 4], [3, 6, 2]],
    [[1, 2 + 2 * (i % 3), 4] for i in range(70)],
    [[3, 64, 38], [1, 66, 70], [2, 20, 48]],
    [[1, 128, 96]],
)


class Change(ast.NodeTransformer):
    """Changes the place with a given number among those that can be changed, and counts them."""

    def __init__(self, number: int, source: random.Random) -> None:
        self.number, self.source, self.places = number, source, 0

    def _is_it(self) -> bool:
        self.places += 1
        return self.places - 1 == self.number

    def _parsed(self, text: str, node: ast.AST) -> Any:
        return ast.copy_location(ast.parse(text, mode="eval").body, node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not self._is_it():
            return node
        return self._parsed(str(self.source.choice((*NUMBERS, -node.value, node.value + 1))), node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known = isinstance(node.ctx, ast.Load) and node.id in (*SIZES, *TENSORS)
        if not known or not self._is_it():
            return node
        name, number = node.id, self.source.choice(NUMBERS)
        forms = [f"({name} % {number})", f"({name} // {number})", f"({name} & {number})"]
        if name in SIZES:
            other, sign = self.source.choice(SIZES), self.source.choice((">", "<", "==", ">="))
            forms += [other, f"min({name}, {number})", f"max({name}, {number})"]
            forms += [f"({other} if {name} {sign} {number} else {name})", f"({name} or {number})"]
        elif name != "lengths":
            forms += [f"{name}.clamp(max={number})", f"{name}.clamp(min={number})"]
            forms += [f"{name}[:{number}]", f"torch.where({name} > {number}, {number}, {name})"]
            forms += [f"{name}.to(torch.{kind})" for kind in ("uint8", "int16", "float16", "int32")]
        return self._parsed(self.source.choice(forms), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if self._is_it():
            node.op = self.source.choice((ast.Add(), ast.Sub(), ast.Mult(), ast.FloorDiv()))
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        if self._is_it():
            size, other = self.source.choice(SIZES), self.source.choice(SIZES)
            test = (
                f"{size} {self.source.choice(('>', '<', '==', '!='))} {self.source.choice(NUMBERS)}"
            )
            forms = (f"if {test}: {size} = {other}", f"if {test}: continue", f"if {test}: break")
            forms += (f"assert {test}", f"if {test}: raise ValueError", "self.seen += 1")
            forms += (f"if {test} and h > w: h, w = w, h", "h, w = w, h", "grid_thw[0, 1] = 4")
            node.body = [*ast.parse(self.source.choice(forms)).body, *node.body]
        return node


def changed(source: random.Random) -> str:
    """The encoder with one or two changes."""
    tree = ast.parse(ENCODER)
    cls = tree.body[-1]
    assert isinstance(cls, ast.ClassDef)
    for _ in range(source.choice((1, 1, 2))):
        method = source.choice(cls.body[1:])
        count = Change(-1, random.Random(0))
        count.visit(copy.deepcopy(method))
        Change(source.randrange(count.places), source).visit(method)
    return ast.unparse(ast.fix_missing_locations(tree))


def results(text: str, method: str, grid: list[list[int]]) -> Any:
    """What a method returns, leaves in its argument and in ``self``; or the class of its error."""
    space: dict[str, Any] = {}
    exec(text, space)
    encoder, given = space["TinyEncoder"](SimpleNamespace(spatial_merge_size=2)), torch.tensor(grid)
    try:
        value = getattr(encoder, method)(given)
    except Exception as error:
        return type(error).__name__
    return (list(value.shape), value.double().tolist(), given.tolist(), encoder.seen)


def test_the_encoder_itself_is_rewritten() -> None:
    settings = Settings(helper_package="utils", passes=("extract",))
    (text,) = rewrite_library(DictLibrary({PATH: ENCODER}), settings).edits.values()
    assert "get_rotary_pos_ids(" in text and "get_vision_cu_seqlens(" in text
    for method in ("positions", "boundaries"):
        for grid in GRIDS:
            assert results(text, method, grid) == results(ENCODER, method, grid)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_rewritten_computes_what_it_did(seed: int) -> None:
    original = changed(random.Random(seed))
    settings = Settings(helper_package="utils", passes=("extract",))
    result = rewrite_library(DictLibrary({PATH: original}), settings)
    for text in result.edits.values():
        for method in ("positions", "boundaries"):
            for grid in GRIDS:
                expected = results(original, method, grid)
                # Where the original fails by accident there is nothing to keep.
                if not isinstance(expected, str) or expected in ("AssertionError", "ValueError"):
                    assert results(text, method, grid) == expected, original
