"""Loops over the hidden rows of each image: gathers while tracing, the loop otherwise.

Two computations are recognised by what they return on probes: a bilinear down-scale of every merge
block (``unshuffle``), and a learned table interpolated to the size of each image and added to its rows
(``half pixel``). Their gathers differ from ``interpolate`` in the last bits, hence the two forms.
"""

from __future__ import annotations

import ast

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import AddParameters, Branch, Describe, Edit, Insert
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, speaks_of, walk
from codegen.rewrite.probe.trace import assigned_names, iter_statements
from codegen.rewrite.recognise.rows import (
    half_pixel_objection,
    match_half_pixel,
    match_unshuffle,
    unshuffle_objection,
)
from codegen.rewrite.recognise.study import grid_parameters, study, understood
from codegen.rewrite.vision_helpers import HALF_PIXEL, UNSHUFFLE

Found = tuple[list[Edit], tuple[str, ...], str]


def unshuffle_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Return the mean of the central rows at the top of a method that down-scales merge blocks."""
    if not _worth(index, function, ("split", "chunk")) or speaks_of(function, "is_tracing"):
        return None
    glance = study(index, cls, cls, function, 1)
    if glance is not None and glance.cost is not None:
        return too_costly(*glance.cost)
    if glance is None or match_unshuffle(glance) is None:
        return None
    studied = study(index, cls, cls, function)
    match = match_unshuffle(studied) if studied is not None else None
    if match is None or studied is None:
        return on_one_grid(function.body[-1], "a down-scale of blocks")
    objection = unshuffle_objection(index, studied, match)
    if objection is not None:
        return Left(objection.node, f"looks like a down-scale of blocks, but {objection.reason}")
    hidden, merges = match
    first = next(node for _, node in iter_statements(function))
    (centres,) = UNSHUFFLE.outputs
    lines = [
        f"if is_tracing() or {studied.grid} is None or {centres} is not None:",
        f"    if {centres} is None:",
        f"        {centres} = {UNSHUFFLE.name}({studied.grid}, {merges})",
        "    else:",
        *(f"        {check.format(args=(studied.grid, merges))}" for check in UNSHUFFLE.checks),
        f"    return scale_down_blocks({hidden}, {centres})",
    ]
    reason = (
        "per-image bilinear down-scale: mean of the central rows while tracing, equal within 1e-6"
    )
    return (
        [Insert(first, tuple(lines)), AddParameters((centres,)), Describe((centres,))],
        (UNSHUFFLE.name, "check_centres", "is_tracing", "scale_down_blocks"),
        reason,
    )


def half_pixel_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Wrap the loop that interpolates a table per image into the branch that is not traced."""
    if not _worth(index, function, ("append",)) or speaks_of(function, "is_tracing"):
        return None
    # The table is often built by a class of another family of models.
    index.open_ancestors(cls, lambda: index.knows_all_of(cls, glance(function)))
    first_study = study(index, cls, cls, function, 1)
    if first_study is not None and first_study.cost is not None:
        return too_costly(*first_study.cost)
    if first_study is None or not first_study.hidden[0]:
        return None
    studied = study(index, cls, cls, function)
    if studied is None:
        return None
    for number, statement in iter_statements(function):
        for name in sorted(assigned_names(statement)):
            match = match_half_pixel(studied, number, name)
            if match is None:
                continue
            first = number
            while first > 0 and understood(studied, first - 1):
                first -= 1
            wrapped = range(first, number + 1)
            objection = half_pixel_objection(index, studied, wrapped, name, match)
            if objection is not None:
                what = "looks like a table interpolated per image"
                return Left(objection.node, f"{what}, but {objection.reason}")
            body = tuple(function.body[first : number + 1])
            return _gathered(body, name, match, studied.grid)
    for number, statement in iter_statements(function):
        names = sorted(assigned_names(statement))
        if any(match_half_pixel(first_study, number, name) is not None for name in names):
            return on_one_grid(statement, "a table interpolated per image")
    return None


def _gathered(body: tuple[ast.stmt, ...], name: str, match: tuple[str, str], grid: str) -> Found:
    """The branch in which a table is gathered from, in place of statements that interpolate it."""
    lines = half_pixel_lines(name, *match, grid)
    reason = "table interpolated per image: gather while tracing, equal within 1e-5"
    results = HALF_PIXEL.outputs
    given = [f"{grid} is None", *(f"{result} is not None" for result in results)]
    edits: list[Edit] = [
        Branch(body, " or ".join(("is_tracing()", *given)), tuple(lines)),
        AddParameters(results),
        Describe(results),
    ]
    needs = (HALF_PIXEL.name, "check_shape", "check_together", "is_tracing")
    return edits, needs, reason


def half_pixel_lines(name: str, hidden: str, table: str, grid: str) -> list[str]:
    """The gather form of ``rows + interpolated table``."""
    indices, weights = HALF_PIXEL.outputs
    side = f"int({table}.weight.shape[0] ** 0.5)"
    rows = f"{hidden}.shape[0]"
    return [
        f"if {indices} is None or {weights} is None:",
        f"    check_together({indices}={indices}, {weights}={weights})",
        f"    {indices}, {weights} = {HALF_PIXEL.name}(",
        f"        {grid}, {side}, num_tokens={rows}",
        "    )",
        "else:",
        *(f"    {check.format(rows=rows)}" for check in HALF_PIXEL.checks),
        f"table_rows = {table}({indices}.to({table}.weight.device))",
        f"table_rows = table_rows * {weights}.to({table}.weight.device)[:, :, None]",
        f"{name} = {hidden} + table_rows.sum(0).to({table}.weight.dtype)",
    ]


def too_costly(statement: ast.stmt, cost: str) -> Left:
    """What is said of a method that is not looked at."""
    return Left(statement, f"not looked at, it would take {cost}")


def on_one_grid(statement: ast.stmt, what: str) -> Left:
    """What is said of a method that gives on the first small grid what a helper gives, and not on all."""
    return Left(statement, f"looks like {what}, but it gives something else on other small grids")


def _worth(index: Index, function: Function, words: tuple[str, ...]) -> bool:
    """Cheap test: the method has a grid, a loop and one of the given attribute names."""
    if not grid_parameters(index, function)[0]:
        return False
    nodes = walk(glance(function))
    return any(isinstance(n, ast.For) for n in nodes) and any(
        isinstance(n, ast.Attribute) and n.attr in words for n in nodes
    )
