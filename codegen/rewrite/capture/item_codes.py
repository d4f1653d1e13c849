"""Rows of images that are encoded image by image, though none needs its neighbours: all at once while tracing.

    sizes = grid.prod(-1).tolist()                       sizes = grid.prod(-1)
    for i, rows in enumerate(torch.split(rows, sizes)):  for i, rows in enumerate(split_by_item(rows, sizes)):
        t, h, w = grid[i].tolist()               ->          t, h, w = sizes_of_item(grid, i, rows)
        codes.append(self.encode(rows.view(t, h, w, -1)))    codes.append(self.encode(rows.view(t, h, w, -1)))
    return torch.cat(codes)                              return torch.cat(codes)

That none does is seen by running the method: with all rows as frames of one patch each it has to give the same.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from codegen.rewrite.capture.features import host_splits
from codegen.rewrite.capture.pieces import Left, Split, integer, is_read
from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.codes import CHANNELS, CodeInterpreter, entered_writes
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.reach import Reaching
from codegen.rewrite.recognise.coverage import uncovered
from codegen.rewrite.recognise.traces import entered_by, shown_by

Found = tuple[list[Edit], tuple[str, ...], str]
SPLIT, SIZES = "split_by_item", "sizes_of_item"
STEPS, BYTES = 40_000, 8 << 20
GRIDS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((1, 2, 3), (2, 3, 1), (1, 1, 1)),
    ((3, 2, 2),),
    ((1, 5, 2), (1, 2, 5), (1, 7, 1), (2, 1, 3)),
    tuple((1 + n % 2, 1 + n % 3, 2 + n % 5) for n in range(12)),
    ((1, 40, 30), (2, 3, 4)),
)
"""Frames, rows and columns of images."""


def item_codes_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Let a method that encodes rows image by image encode all at once in a graph."""
    grid = index.vocabulary.grid_of(parameters(function)[1:])
    found = next(host_splits(function), None)
    if not grid or found is None:
        return None
    split, read = found
    loop, item = _loop_over(function, split)
    calls = (node for node in walk(function) if isinstance(node, ast.Call))
    inner = [call for call in calls if call is not read and is_read(call)]
    if loop is None or len(inner) != 1 or not _is_row_of(inner[0], grid, loop):
        return None
    reason = _objection(function, split, loop, item, inner[0])
    reason = reason or Trial(index, cls, function, split, grid).problem()
    if reason:
        return Left(split.node, f"rows encoded image by image: {reason}")
    source = cls.module.text.source
    assert isinstance(read, ast.Call) and isinstance(read.func, ast.Attribute)
    number = ast.unparse(loop.target.elts[0])  # type: ignore[attr-defined]
    sizes = source(read.func.value) if split.sizes is read else source(split.sizes)
    edits: list[Edit] = [
        Substitute(split.node, f"{SPLIT}({source(split.state)}, {sizes})"),
        Substitute(inner[0], f"{SIZES}({grid}, {number}, {item})"),
    ]
    if split.sizes is not read:
        edits.append(Substitute(read, source(read.func.value)))
    why = "rows encoded image by image: in one piece while tracing, as none needs its neighbours"
    return edits, (SIZES, SPLIT), why


def _loop_over(function: Function, split: Split) -> tuple[ast.For | None, str]:
    """``for i, rows in enumerate(pieces)`` over the pieces of a split, and the name of a piece."""
    names = {
        target.id
        for node in walk(function)
        if isinstance(node, ast.Assign) and node.value is split.node
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in walk(function):
        match node:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(), ast.Name(id=item)]),
                iter=ast.Call(func=ast.Name(id="enumerate"), args=[over]),
            ):
                if over is split.node or (isinstance(over, ast.Name) and over.id in names):
                    return node, item
    return None, ""


def _is_row_of(read: ast.AST, grid: str, loop: ast.For) -> bool:
    """``grid[i].tolist()`` of the number of a round."""
    assert isinstance(read, ast.Call) and isinstance(read.func, ast.Attribute)
    number = ast.unparse(loop.target.elts[0])  # type: ignore[attr-defined]
    return ast.unparse(read.func.value) == f"{grid}[{number}]"


def _objection(function: Function, split: Split, loop: ast.For, item: str, read: ast.expr) -> str:
    """Why the parts are not known to be those of the form; empty if they are."""
    if split.axis is not None and integer(split.axis) != 0:
        return "they are not parted along their first axis"
    if not isinstance(split.state, ast.Name) or split.state.id not in parameters(function):
        return "they are no parameter"
    holder = next((s for s in loop.body if read in walk(s)), None)
    if holder is None:
        return "the sizes of an image are not read in the loop"
    if Reaching(function).definitions(holder, item) != {id(loop)}:
        return f"{item} is changed in front of the sizes"
    return ""


@dataclass
class Trial:
    """Runs of one method on images of many sizes, and on the same rows as frames of one patch."""

    index: Index
    cls: ClassInfo
    function: Function
    split: Split
    grid: str
    meter: Meter = field(default_factory=lambda: Meter(STEPS, BYTES))
    runs: list[Trace] = field(default_factory=list)

    def problem(self) -> str:
        """Why the rows of an image may need each other; empty if they do not."""
        reads = [n for n in walk(self.function) if isinstance(n, ast.Name) and n.id == self.grid]
        if len(reads) != 2:
            return f"{self.grid} is read for more than its sizes"
        cls = self._complete()
        for grids in GRIDS:
            count = sum(t * h * w for t, h, w in grids)
            rows = np.random.default_rng(count).normal(size=(count, CHANNELS))
            found = [self._run(cls, rows, grid) for grid in (grids, ((count, 1, 1),))]
            for trace in self.runs[-2:]:
                if trace.cost or trace.refused:
                    return trace.refused or f"it would take {trace.cost}"
            if any(not isinstance(codes, Arr) or codes.late for codes in found):
                return f"what they become is not known: {self._why()}"
            if not np.array_equal(found[0].data, found[1].data):
                return f"{len(grids)} images give other codes than their rows alone"
        written = entered_writes({self.function, *entered_by(self.runs)})
        if written:
            return written
        ran, outcomes = shown_by(self.runs)
        missing = (uncovered(statement, ran, outcomes) for statement in self.function.body)
        return next((found.reason for found in missing if found is not None), "")

    def _complete(self) -> ClassInfo:
        """The class as it is generated, which has all that it inherits."""
        module = self.cls.module.source.module
        generated = self.index.generated_of(module)
        found = self.index.resolve(generated, self.cls.name) if generated else None
        known = found is not None and ast.dump(
            found.methods.get(self.function.name, ast.Pass())
        ) == ast.dump(self.function)
        return found if found is not None and known else self.cls

    def _run(self, cls: ClassInfo, rows: np.ndarray, grids: Sequence[tuple[int, int, int]]) -> Arr:
        self.meter.bytes = BYTES
        interpreter = CodeInterpreter(self.index, 0, len(rows), self.meter)
        assert isinstance(self.split.state, ast.Name)
        given = {self.split.state.id: Arr(rows.copy()), self.grid: Arr(np.array(grids))}
        trace = interpreter.run(cls, self.function, cls, given)
        self.runs.append(trace)
        result = trace.result
        return result if isinstance(result, Arr) else Arr(np.zeros(0), True)

    def _why(self) -> str:
        reasons = (reason for trace in self.runs for reason in trace.reasons.values())
        return next(reasons, "it depends on what is not known")
