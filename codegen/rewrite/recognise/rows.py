"""Recognition of what is done to hidden rows image by image: down-scaled, joined, given learned positions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.flow import effect
from codegen.rewrite.functions import parameters
from codegen.rewrite.library import Index
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.trace import iter_statements
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import Claim, Run, Trial, argument_value, participants
from codegen.rewrite.recognise.study import (
    Study,
    fits,
    late_rows,
    same,
    search,
    values_of,
)

RowTest = Callable[[np.ndarray, np.ndarray, Any, np.ndarray], bool]
"""Whether a result is what a helper gives for a grid, hidden rows and a merge size."""


def match_unshuffle(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge sizes) if a method returns the bilinear down-scale of packed rows."""
    return _match_result(study, _is_unshuffled)


def match_joined_blocks(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge size) if a method returns rows of blocks, the patches of each side by side."""
    return _match_result(study, _is_joined)


def _match_result(study: Study, test: RowTest) -> tuple[str, str] | None:
    results = late_rows([trace.result for trace in study.traces])
    if results is None:
        return None
    for name in study.hidden[0]:

        def holds(i: int, args: tuple[Any, ...], name: str = name) -> bool:
            rows = study.hidden[i].get(name)
            return rows is not None and test(study.probes[i].grid, rows, args[0], results[i])

        found = search(study, ("merge",), holds)
        if found is not None and name in parameters(study.function):
            return name, found[0]
    return None


def _is_unshuffled(grid: np.ndarray, rows: np.ndarray, merge: Any, result: np.ndarray) -> bool:
    if not fits(grid, merge):
        return False
    expected = reference.unshuffled_rows(rows, grid, merge)
    return expected.shape == result.shape and bool(np.allclose(expected, result))


def _is_joined(grid: np.ndarray, rows: np.ndarray, merge: Any, result: np.ndarray) -> bool:
    if not isinstance(merge, int) or merge < 2 or not fits(grid, merge):
        return False
    ordered = rows[reference.block_order(grid, merge)]
    return same(result, ordered.reshape(-1, merge**2 * rows.shape[1]))


def unshuffle_objection(index: Index, study: Study, match: tuple[str, str]) -> Objection | None:
    """Why a method does not return the down-scale of packed rows on more than small grids."""
    return _result_objection(index, study, match, _is_unshuffled)


def joined_objection(
    index: Index, study: Study, match: tuple[str, str], calls: Sequence[str]
) -> Objection | None:
    """Why a method does not return joined blocks on more than small grids.

    ``calls`` are the modules that the rows of every image pass through.
    """
    return _result_objection(index, study, match, _is_joined, calls)


def _result_objection(
    index: Index,
    study: Study,
    match: tuple[str, str],
    test: RowTest,
    calls: Sequence[str] | None = None,
) -> Objection | None:
    def agrees(run: Run) -> bool:
        result, rows = run.trace.result, run.hidden.get(match[0])
        merge = argument_value(study, match[1], run)
        if rows is None or merge is None or not isinstance(result, Arr) or not result.late:
            return False
        if calls is not None and [n for n, _ in run.passed] != [*calls] * len(run.probe.grid):
            return False
        return test(run.probe.grid, rows, merge, result.data)

    def differs(run: Run) -> str | None:
        merge = argument_value(study, match[1], Run(run.probe, study.traces[0], {}))
        result, rows = run.trace.result, run.hidden.get(match[0])
        if rows is None or not isinstance(result, Arr) or not result.late:
            return None
        agreed = test(run.probe.grid, rows, merge, result.data)
        return "" if agreed else f"its result has shape {result.data.shape}"

    numbers = frozenset(number for number, _ in iter_statements(study.function))
    trial = Trial(index, study, numbers, passing=calls is not None)
    return trial.objection(Claim(agrees, numbers, numbers, differs))


def match_half_pixel(study: Study, statement: int, name: str) -> tuple[str, str] | None:
    """(hidden rows, table) if a name holds packed rows plus a table interpolated per image."""
    values = late_rows(values_of(study, statement, name))
    if values is None:
        return None
    for hidden in study.hidden[0]:
        for table in study.traces[0].embeddings:
            runs = (Run(*parts) for parts in zip(study.probes, study.traces, study.hidden))
            if all(_is_sum(run, hidden, table, value) for run, value in zip(runs, values)):
                return hidden, table
    return None


def half_pixel_objection(
    index: Index, study: Study, statements: Collection[int], name: str, match: tuple[str, str]
) -> Objection | None:
    """Why what a name holds behind some statements is not that sum on more than small grids."""
    last = max(statements)

    def agrees(run: Run) -> bool:
        value = run.trace.snapshots.get(last, {}).get(name)
        return isinstance(value, Arr) and value.late and _is_sum(run, *match, value.data)

    effects = [effect(statement) for statement in study.function.body]
    parts = participants(effects, last, [name])
    trial = Trial(index, study, parts)
    removed = frozenset(statements)
    return trial.effects(removed - parts) or trial.objection(Claim(agrees, parts, removed & parts))


def _is_sum(run: Run, hidden: str, table: str, value: np.ndarray) -> bool:
    rows, embedding = run.hidden.get(hidden), run.trace.embeddings.get(table)
    if rows is None or embedding is None:
        return False
    side = int(len(embedding.rows) ** 0.5)
    expected = rows + reference.weighted_rows(
        embedding.rows, *reference.half_pixel_indices(run.probe.grid, side)
    )
    return expected.shape == value.shape and bool(np.allclose(expected, value))
