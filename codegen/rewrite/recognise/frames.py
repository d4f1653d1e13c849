"""Recognise statements that part the frames of videos, under the condition that a grid is given.

if video_grid_thw is not None:
    video_grid_thw = torch.repeat_interleave(video_grid_thw, video_grid_thw[:, 0], dim=0)
    video_grid_thw[:, 0] = 1
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.probes import PROBES, Probe, large_probes, probes_around
from codegen.rewrite.probe.reference import flattened_frames
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.coverage import uncovered
from codegen.rewrite.recognise.effects import Objection, vanishing
from codegen.rewrite.recognise.evidence import BYTES, STEPS
from codegen.rewrite.recognise.study import same


@dataclass(frozen=True)
class Frames:
    """The statement that parts frames and the grid that it changes."""

    node: ast.If
    grid: str


def recognise_frames(
    index: Index, cls: ClassInfo, function: Function
) -> Iterator[Frames | Objection]:
    """The statements of a method that part frames, or nearly do."""
    for number, before in enumerate(glance(function).body):
        grid = _grid_given(before)
        if not grid or grid not in parameters(function) or assigned_names(before) != {grid}:
            continue
        node = function.body[number]
        assert isinstance(node, ast.If)
        if node.orelse or not index.vocabulary.grid_of([grid]) or _is_plain(node):
            continue
        trial = _Trial(index, cls, function, number, grid, Meter(STEPS, BYTES), [])
        if trial.agrees(PROBES[0]):
            yield trial.objection() or Frames(node, grid)


def _grid_given(node: ast.stmt) -> str:
    """``x`` of ``if x is not None:``."""
    test = node.test if isinstance(node, ast.If) else None
    if not isinstance(test, ast.Compare) or not isinstance(test.left, ast.Name):
        return ""
    is_not = [type(op) for op in test.ops] == [ast.IsNot]
    none = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value is None
    return test.left.id if is_not and none else ""


def _is_plain(node: ast.If) -> bool:
    """Tell whether nothing but one call of a function stands there, which is as it should be."""
    value = node.body[0].value if isinstance(node.body[0], ast.Assign) else None
    only = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    return len(node.body) == 1 and only


@dataclass
class _Trial:
    """Runs of one statement."""

    index: Index
    cls: ClassInfo
    function: Function
    number: int
    grid: str
    meter: Meter
    traces: list[Trace]

    @property
    def node(self) -> ast.If:
        """The statement."""
        found = self.function.body[self.number]
        assert isinstance(found, ast.If)
        return found

    def _run(self, probe: Probe, held: Arr | None) -> object:
        self.meter.bytes = BYTES
        interpreter = Interpreter(self.index, probe.variant, probe.rows, self.meter)
        given = {self.grid: held}
        trace = interpreter.run(self.cls, self.function, self.cls, given, {self.number})
        self.traces.append(trace)
        return trace.snapshots.get(self.number, {}).get(self.grid)

    def agrees(self, probe: Probe) -> bool:
        """Whether the grid has a row for each frame afterwards, and the one given is as it was."""
        held = Arr(probe.grid.copy())
        found = self._run(probe, held)
        known = isinstance(found, Arr) and not found.late
        if not known or not same(held.data, probe.grid):
            return False
        assert isinstance(found, Arr)
        return same(found.data, flattened_frames(probe.grid))

    def objection(self) -> Objection | None:
        """Why the statement is left."""
        if self._run(PROBES[0], None) is not None:
            return Objection(self.node, "it makes something of no grid")
        read = {int(n) for trace in self.traces for n in trace.numbers.get(self.number, ())}
        around = [probe for variant in (0, 1) for probe in probes_around(read, variant)]
        for probe in (*PROBES[1:], *large_probes(), *around):
            if not self.agrees(probe):
                return Objection(self.node, f"it gives something else on {probe}")
        effects = vanishing(self.node.body, self.function, lambda call: None, fresh={self.grid})
        return effects or self._uncovered()

    def _uncovered(self) -> Objection | None:
        ran = {node for trace in self.traces for node in trace.ran.get(self.number, ())}
        outcomes: dict[ast.AST, set[bool]] = {}
        for trace in self.traces:
            for (_, node), seen in trace.outcomes.items():
                outcomes.setdefault(node, set()).update(seen)
        kinds = {n for n in walk(self.node) if isinstance(n, ast.Attribute) and n.attr == "dtype"}
        if kinds:
            return Objection(kinds.pop(), "it says a dtype")
        return uncovered(self.node, ran, outcomes)
