"""What a method reads of sizes that are None where boundaries are given: by what runs then, and what it calls."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from codegen.rewrite.functions import Function
from codegen.rewrite.helpers import TAKE_NO_GRID
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.place.absent import AbsentReads, Call
from codegen.rewrite.place.bindings import GIVEN
from tests.rewrite.test_rules import DictLibrary

TEXT = """
class Part(nn.Module):
    def forward(self, sizes):
        return 1

    def other(self, sizes):
        return sizes.sum()


class Tiny(nn.Module):
    def __init__(self, config):
        self.part = Part(config)

    def idle(self, sizes, more=None):
        return more

    def reading(self, sizes):
        return sizes.sum()

    def guarded(self, sizes, cu_seqlens=None):
        if cu_seqlens is None:
            cu_seqlens = sizes.sum()
        return cu_seqlens

    def swapped(self, first, second):
        return second.sum()

    def again(self, sizes):
        return self.again(sizes)

    def run(self, grid, other, cu_seqlens=None, **kwargs):
"""
HOW = Call(frozenset(("grid",)), frozenset(("cu_seqlens",)))


def method(lines: str) -> tuple[AbsentReads, ClassInfo, Function]:
    text = f"{TEXT}{indent(lines, ' ' * 8)}\n"
    index = Index(DictLibrary({"models/tiny/modeling_tiny.py": text}), lambda _: True)
    cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
    assert cls is not None
    return AbsentReads(index), cls, cls.methods["run"]


def read(lines: str) -> str:
    """The first expression that needs the grid, empty where none does."""
    reads, cls, function = method(lines)
    found = reads.of(cls, function, HOW)
    assert {*found} <= {"grid"}
    return ast.unparse(found["grid"]) if found else ""


@pytest.mark.parametrize(
    "lines",
    [
        "return 1\nx = grid",
        "raise other\nx = grid",
        "grid = 1",
        "x = grid is None",
        "x = [grid is not None]",
        "if grid is None:\n    return 1\nx = grid",
        "if grid is not None:\n    x = grid",
        "if cu_seqlens is None:\n    x = grid",
        "if not (cu_seqlens is not None):\n    x = grid",
        "if cu_seqlens is None and other:\n    x = grid",
        "if other and cu_seqlens is None:\n    x = grid",
        "if other or cu_seqlens is not None:\n    return 1\nx = grid",
        "if grid is None and cu_seqlens is not None:\n    return 1\nx = grid",
        "if cu_seqlens is None or grid is not None:\n    x = grid",
        "if other:\n    return 1\nelse:\n    raise other\nx = grid",
        "if other:\n    return 1\nelif grid is None:\n    return 2\nx = grid",
        "for i in other:\n    continue\n    x = grid",
        "for i in other:\n    break\n    x = grid",
        "if grid is None and other:\n    raise ValueError",
        "if cu_seqlens is None:\n    raise ValueError",
        "assert grid is None",
        "assert cu_seqlens is not None",
        "x = grid if cu_seqlens is None else 1",
        "x = 1 if grid is None else grid",
        "x = cu_seqlens is None and grid.sum()",
        "x = cu_seqlens is not None or grid.sum()",
        "x = other or grid is None or grid.sum()",
        "self.idle(grid)",
        "self.idle(grid, more=other)",
        "self.idle(sizes=grid)",
        "self.guarded(grid, cu_seqlens=cu_seqlens)",
        "self.guarded(grid, cu_seqlens)",
        "self.guarded(grid, **kwargs)",
        f"self.guarded(grid, **{GIVEN}(cu_seqlens=cu_seqlens))",
        "self.swapped(grid, other)",
        "self.again(grid)",
        "self.part(grid)",
        "self.part.forward(grid)",
        f"x = {min(TAKE_NO_GRID)}(grid)",
    ],
)
def test_sizes_that_are_none_are_not_read(lines: str) -> None:
    assert read(lines) == ""


@pytest.mark.parametrize(
    ("lines", "node"),
    [
        ("return grid", "grid"),
        ("x = grid[0]", "grid"),
        ("grid = grid + 1", "grid"),
        ("grid += 1\nx = grid[0]", "grid"),
        ("if other:\n    return 1\nx = grid", "grid"),
        ("if other:\n    x = grid", "grid"),
        ("if other:\n    pass\nelse:\n    x = grid", "grid"),
        ("if grid:\n    pass", "grid"),
        ("if grid is not None:\n    x = 1\nelse:\n    x = grid", "grid"),
        ("if cu_seqlens is not None:\n    x = grid", "grid"),
        ("if not cu_seqlens:\n    x = grid", "grid"),
        ("if cu_seqlens is None or other:\n    x = grid", "grid"),
        ("if grid is other:\n    pass", "grid"),
        ("if grid is None:\n    raise ValueError", "grid"),
        ("if grid is None:\n    x = 1\n    raise ValueError", "grid"),
        ("if grid is None or other:\n    raise ValueError", "grid"),
        ("if grid is not None:\n    x = 1\nelse:\n    raise ValueError", "grid"),
        ("assert grid is not None", "grid"),
        ("assert other, grid", "grid"),
        ("x = 1 if cu_seqlens is None else grid", "grid"),
        ("x = grid if other else 1", "grid"),
        ("x = other if grid else 1", "grid"),
        ("x = other and grid.sum()", "grid"),
        ("x = other or grid", "grid"),
        ("x = grid and cu_seqlens is None", "grid"),
        ("for i in grid:\n    pass", "grid"),
        ("for i in other:\n    x = grid", "grid"),
        ("for i in other:\n    pass\nelse:\n    x = grid", "grid"),
        ("while other:\n    x = grid", "grid"),
        ("with grid:\n    pass", "grid"),
        ("with other:\n    x = grid", "grid"),
        ("try:\n    x = grid\nexcept ValueError:\n    pass", "grid"),
        ("try:\n    pass\nexcept ValueError:\n    x = grid", "grid"),
        ("try:\n    pass\nfinally:\n    x = grid", "grid"),
        ("return [i + grid for i in other]", "grid"),
        ("raise ValueError(grid)", "ValueError(grid)"),
        ("other(grid)", "other(grid)"),
        ("other(1, more=grid)", "other(1, more=grid)"),
        ("other(grid[0])", "grid"),
        ("grid.sum()", "grid"),
        ("self.reading(grid)", "self.reading(grid)"),
        ("self.reading(sizes=grid)", "self.reading(sizes=grid)"),
        ("self.guarded(grid)", "self.guarded(grid)"),
        (f"self.guarded(grid, **{GIVEN}(more=1))", f"self.guarded(grid, **{GIVEN}(more=1))"),
        ("self.swapped(other, grid)", "self.swapped(other, grid)"),
        ("self.idle(*grid)", "grid"),
        ("self.idle(1, others=grid)", "self.idle(1, others=grid)"),
        ("self.part.other(grid)", "self.part.other(grid)"),
        ("self.part.gone(grid)", "self.part.gone(grid)"),
        ("self.gone(grid)", "self.gone(grid)"),
    ],
)
def test_sizes_that_are_none_are_read(lines: str, node: str) -> None:
    assert read(lines) == node


@pytest.mark.parametrize(
    ("lines", "nodes"),
    [
        ("x = grid\ny = grid[0]", ["grid", "grid"]),
        ("self.reading(grid)\nother(grid)", ["other(grid)"]),
        ("self.part.other(grid)", []),
        ("self.reading(grid[0])", ["grid"]),
        ("other.self.reading(grid)", ["other.self.reading(grid)"]),
    ],
)
def test_what_a_method_calls_of_the_instance_answers_for_itself(
    lines: str, nodes: list[str]
) -> None:
    reads, cls, function = method(lines)
    found = reads.own(cls, function, HOW)
    assert [ast.unparse(node) for _, node in found] == nodes
