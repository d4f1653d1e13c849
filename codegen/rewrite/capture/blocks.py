"""Patches joined block by block in a loop over images: one gather while tracing, the loop otherwise.

    for image, (t, h, w) in zip(rows.split(sizes), grid):      if is_tracing():
        image = self.norm(image)                                   order = get_block_permutation(grid, m, ...)
        image = image.reshape(t, h // m, m, w // m, m, -1)   ->     joined = self.norm(rows)[order].reshape(...)
        joined.append(self.linear(image.transpose(2, 3)...))       return self.linear(joined)
    return torch.cat(joined)

The order is recognised on probes on which the modules let their rows pass. They must be functions of one
row each, so that it does not matter how many rows they get at a time (but for the last bits, hence two
forms).
"""

from __future__ import annotations

import ast

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.capture.rows import on_one_grid
from codegen.rewrite.capture.rowwise import CONVERSIONS, MODULES
from codegen.rewrite.emit.edits import AddParameters, Describe, Edit, Insert
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import iter_statements
from codegen.rewrite.recognise.rows import joined_objection, match_joined_blocks
from codegen.rewrite.recognise.study import Study, grid_parameters, study
from codegen.rewrite.vision_helpers import BLOCK_ORDER

Found = tuple[list[Edit], tuple[str, ...], str]
Calls = list[tuple[str, int]]


def block_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Return the joined blocks at the top of a method that joins them image by image."""
    if not _worth(index, function):
        return None
    near = "looks like blocks joined per image, but"
    glance = study_passing(index, cls, function, 1)
    if glance is None:
        return None
    if glance[1] is not None and (other := _not_row_wise(index, cls, glance[1])):
        return Left(function.body[-1], f"{near} {other} is not known to treat each row by itself")
    found = study_passing(index, cls, function)
    if found is None:
        return on_one_grid(function.body[-1], "blocks joined per image")
    if found[1] is None:
        return Left(function.body[-1], f"{near} not every image passes through the same modules")
    match = match_joined_blocks(found[0])
    assert match is not None
    objection = joined_objection(index, found[0], match, [name for name, _ in found[1]])
    if objection is not None:
        return Left(objection.node, f"looks like blocks joined per image, but {objection.reason}")
    first = next(node for _, node in iter_statements(function))
    lines = _gather_lines(*match, found[0], found[1])
    reason = "blocks joined per image: one gather while tracing, equal within 1e-6"
    return (
        [
            Insert(first, lines),
            AddParameters(BLOCK_ORDER.outputs),
            Describe(BLOCK_ORDER.outputs),
        ],
        (BLOCK_ORDER.name, "check_shape", "is_tracing"),
        reason,
    )


def _gather_lines(rows: str, merge: str, studied: Study, calls: Calls) -> tuple[str, ...]:
    """Lines that bring rows into blocks at once, between the modules that treat rows and those that treat blocks."""
    (order,) = BLOCK_ORDER.outputs
    grid = studied.grid
    before, after = _sides(calls, studied.hidden[0][rows].shape[1])
    return (
        f"if is_tracing() or {grid} is None or {order} is not None:",
        f"    if {order} is None:",
        f"        {order} = {BLOCK_ORDER.name}({grid}, {merge}, num_tokens={rows}.shape[0])",
        "    else:",
        *(f"        {check.format(rows=f'{rows}.shape[0]')}" for check in BLOCK_ORDER.checks),
        *[f"    {rows} = {name}({rows})" for name in before],
        f"    {rows} = {rows}[{order}.to({rows}.device)]",
        f"    {rows} = {rows}.reshape(-1, {merge}**2 * {rows}.shape[-1])",
        *[f"    {rows} = {name}({rows})" for name in after],
        f"    return {rows}",
    )


def study_passing(
    index: Index, cls: ClassInfo, function: Function, limit: int = 3
) -> tuple[Study, Calls | None] | None:
    """A study in which rows pass through modules, with the calls for one image.

    None unless the method joins blocks; no calls where they are not the same for every image.
    """
    passed: list[Calls] = []
    studied = study(index, cls, cls, function, limit, passed)
    if studied is None or match_joined_blocks(studied) is None:
        return None
    images = [len(probe.grid) for probe in studied.probes]
    calls = passed[0][: len(passed[0]) // images[0]]
    names = [name for name, _ in calls]
    for number, found in zip(images, passed):
        if [name for name, _ in found] != names * number:
            return studied, None
    return studied, calls


def _not_row_wise(index: Index, cls: ClassInfo, calls: Calls) -> str:
    """The first module that may mix rows, empty if there is none."""
    return next((name for name, _ in calls if not _is_row_wise(index, cls, name)), "")


def _worth(index: Index, function: Function) -> bool:
    """Cheap test: rows and a grid, a loop, rows split by sizes, and no conversion that probes lose."""
    if not grid_parameters(index, function)[0] or len(parameters(function)) != 3:
        return False
    nodes = list(walk(function))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    if attributes & CONVERSIONS:
        return False
    return any(isinstance(node, ast.For) for node in nodes) and {"split", "append"} <= attributes


def _is_row_wise(index: Index, cls: ClassInfo, text: str) -> bool:
    found = index.attribute(cls, text.removeprefix("self."))
    made = found[2] if found is not None else None
    return isinstance(made, ast.Call) and ast.unparse(made.func).rpartition(".")[2] in MODULES


def _sides(calls: Calls, width: int) -> tuple[list[str], list[str]]:
    """Modules that get single patches, and those that get joined blocks."""
    before = [name for name, size in calls if size == width]
    return before, [name for name, size in calls if size != width]
