"""Index arithmetic on grids that stands where extract does not look: reported with place and reason.

cu_seqlens = bounds(grid_thw)                    both = torch.cat([image_grid, video_grid])
                                                 lengths = both[:, 1] * both[:, 2]
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from codegen.rewrite.functions import Function, is_static, parameters, self_attribute
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.probe.trace import assigned_names, iter_statements
from codegen.rewrite.reach import read_names
from codegen.rewrite.recognise.left import indexes, is_reported
from codegen.rewrite.recognise.nearest import beside
from codegen.rewrite.recognise.study import grid_parameters, rows_of_three
from codegen.rewrite.signs import TELLING, sizes_by_use
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import is_host_class


def report_elsewhere(
    state: RewriteState, cls: ClassInfo, function: Function, handled: Collection[int]
) -> None:
    """Report what a method leaves to functions that get its grid, and does with grids that it joins.

    ``handled`` are the numbers of statements that are replaced or removed.
    """
    if is_host_class(cls.name):
        return
    grid = state.index.vocabulary.grid_of(parameters(function)[1:])
    joined = _joined(cls, function)
    if not grid and not joined:
        return
    for number, statement in iter_statements(function):
        if number in handled or is_reported(state, cls, function, statement):
            continue
        what = ", ".join(sorted(assigned_names(statement)))
        name = next(_computing(state, cls, statement, grid), "") if grid else ""
        if name:
            gives = f" that gives {what}" if what else ""
            reason = f"index arithmetic on sizes{gives} stands in {name}, which gets {grid}"
            _note(state, cls, function, statement, f"{reason}: nothing replaces it: kept")
            continue
        made = sorted(joined.keys() & read_names(statement))
        if made and what and any(indexes(node) for node in walk(statement)):
            why = f"{made[0]} is joined of {' and '.join(joined[made[0]])}, and no parameter"
            reason = f"index arithmetic on sizes that gives {what}: {why}: kept"
            _note(state, cls, function, statement, reason)


def report_unnamed(
    state: RewriteState, cls: ClassInfo, function: Function, gone: Collection[ast.stmt]
) -> None:
    """Report sizes that are called like none, at which nothing has looked, and boundaries of lengths.

    ``gone`` are statements that something else replaces.
    """
    aliases = {name for name, long in cls.module.aliases.items() if long.endswith(TELLING)}
    segment = cls.module.segment(function)
    if is_host_class(cls.name) or not any(word in segment for word in (*TELLING, *aliases)):
        return
    sizes = sizes_by_use(function)
    if sizes is None or grid_parameters(state.index, function)[0]:
        return
    # What is found stands at the same place of the function itself.
    node = walk(function)[walk(glance(function)).index(sizes.node)]
    statement = next(s for s in function.body if any(inner is node for inner in walk(s)))
    if statement in gone or is_reported(state, cls, function, node):
        return
    lengths = state.index.vocabulary.lengths_of(parameters(function)[1:])
    if lengths and lengths != sizes.name:
        return
    reason = (
        f"index arithmetic on {sizes.name}, which is used as sizes and named like none: not looked at "
        f'unless {sizes.role} = ["{sizes.name}"] in [tool.codegen.vocabulary] says what it is'
    )
    if not sizes.role:
        reason = f"boundaries of {sizes.name}, whose rows are two sizes: no helper gives them: kept"
    elif lengths:
        near = beside(state.index, cls, function, node)
        reason = f"boundaries of {lengths}: no helper gives them in this form{near}: kept"
    _note(state, cls, function, node, reason)


def _computing(
    state: RewriteState, cls: ClassInfo, statement: ast.stmt, grid: str
) -> Iterator[str]:
    """Functions of the file, and static methods, with index arithmetic of their own that are given the grid."""
    for call in walk(statement):
        if not isinstance(call, ast.Call):
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if not any(isinstance(value, ast.Name) and value.id == grid for value in given):
            continue
        name = getattr(call.func, "id", "")
        called = cls.module.functions.get(name)
        method = state.index.method(cls, self_attribute(call.func))
        if called is None and method is not None and is_static(method[1]):
            called = method[1]
        if called is not None and any(indexes(node) for node in walk(called)):
            yield called.name


def _joined(cls: ClassInfo, function: Function) -> dict[str, list[str]]:
    """Local names that are used as rows of three sizes, with the several parameters that they are made of."""
    segment = cls.module.segment(function)
    if not any(word in segment for word in ("cat(", "stack(")):
        return {}
    given = set(parameters(function)[1:])
    found: dict[str, list[str]] = {}
    for name in rows_of_three(glance(function)) - given:
        for _, statement in iter_statements(function):
            parts = sorted(read_names(statement) & given)
            if name in assigned_names(statement) and len(parts) > 1:
                found.setdefault(name, parts)
    return found


def _note(
    state: RewriteState, cls: ClassInfo, function: Function, node: ast.AST, reason: str
) -> None:
    model, place = model_of(cls.module.source.module), cls.module.place(node)
    state.note(Record(model, cls.name, function.name, "left", place, reason=reason))
