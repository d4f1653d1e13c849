"""Recognition by value: compare what a method computes on probes with the helpers' definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from codegen.rewrite import vision_helpers
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.evidence import Run, argument_value
from codegen.rewrite.recognise.study import (
    Study,
    early_numbers,
    fits,
    late_rows,
    same,
    search,
    values_of,
)

CLOSE = 4e-6
"""How close rows of a table have to be: products of weights may be off by as much as 32 bits are."""


@dataclass(frozen=True)
class Match:
    """Statement ``statement`` of a method leaves what ``helper`` returns in the local ``names``.

    ``arguments`` are source texts. ``rows`` names what the helper's result is applied to: the text of
    a learned table, or of hidden rows; empty where the names hold the result itself. ``last`` is the
    statement that completes the results where that is a later one. ``casts`` are the methods that give
    the names the dtype that the original has, "" for those that have it.
    """

    statement: int
    helper: Helper
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    rows: str = ""
    last: int = -1
    casts: tuple[str, ...] = ()


def agrees(study: Study, match: Match, run: Run) -> bool:
    """Tell whether the names of a match hold what its helper gives on the probe of another run."""
    values = [_held(run.trace, match, name) for name in match.names]
    arguments = [argument_value(study, text, run) for text in match.arguments]
    if any(argument is None for argument in arguments) or not all(
        isinstance(value, Arr) for value in values
    ):
        return False
    expected = _EXPECTED[match.helper.name](run.probe.grid, *arguments[1:])
    if match.helper is vision_helpers.POS_EMBED:
        table = run.trace.embeddings.get(match.rows)
        rows = values[0].data
        if table is None or not values[0].late:
            return False
        wanted = reference.weighted_rows(table.rows, *expected)
        return wanted.shape == rows.shape and bool(np.allclose(wanted, rows, atol=CLOSE))
    results = expected if isinstance(expected, tuple) else (expected,)
    return all(not v.late and same(v.data, r) for v, r in zip(values, results))


def first_difference(study: Study, match: Match, run: Run) -> str:
    """Where the names of a match first differ from what its helper gives on a run, in words; empty where they do not."""
    arguments = [argument_value(study, text, run) for text in match.arguments]
    if match.helper is vision_helpers.POS_EMBED or any(argument is None for argument in arguments):
        return ""
    expected = _EXPECTED[match.helper.name](run.probe.grid, *arguments[1:])
    for name, wanted in zip(match.names, expected if isinstance(expected, tuple) else (expected,)):
        value = _held(run.trace, match, name) if name else None
        if isinstance(value, Arr) and wanted is not None and not same(value.data, wanted):
            return _difference(name, value.data, wanted)
    return ""


def _difference(name: str, value: np.ndarray, wanted: np.ndarray) -> str:
    if value.shape != wanted.shape:
        return f"{name} has shape {value.shape}, not {wanted.shape}"
    place = tuple(int(n) for n in np.argwhere(value != wanted)[0])
    where = ", ".join(map(str, place))
    return f"{name}[{where}] is {value[place]}, not {wanted[place]}"


def without_entries(study: Study, match: Match, run: Run) -> str | None:
    """What the names of a match hold, on a run without entries, in place of what its helper gives.

    Empty where that is the same; None where the names hold nothing that is known. What arguments are is
    read on the first probe: a loop over no entries reads none.
    """
    if not {match.statement, max(match.statement, match.last)} <= run.trace.snapshots.keys():
        return None
    values = [(name, _held(run.trace, match, name)) for name in match.names if name]
    if match.helper is vision_helpers.POS_EMBED:
        return _rows_beside(study, match, *values)
    if any(not isinstance(value, Arr) or value.late for _, value in values):
        return None
    known = Run(run.probe, study.traces[0], {})
    arguments = [argument_value(study, text, known) for text in match.arguments[1:]]
    expected = _EXPECTED[match.helper.name](run.probe.grid, *arguments)
    wanted = dict(zip(match.names, expected if isinstance(expected, tuple) else (expected,)))
    for name, value in values:
        kind = _kind(study.traces[0], match, name)
        if not same(value.data, wanted[name]):
            return _difference(name, value.data, wanted[name])
        # Of a list without numbers torch makes floats: that is nothing a caller could rely on.
        if str(value.data.dtype) != kind and value.data.dtype.kind != "f":
            return f"{name} holds {_told(str(value.data.dtype))}, not {kind}"
    return ""


def _rows_beside(study: Study, match: Match, held: tuple[str, Any]) -> str | None:
    """The same of rows of a table: there are none, as wide as the table."""
    name, value = held
    if not isinstance(value, Arr):
        return None
    wanted = (0, study.traces[0].embeddings[match.rows].rows.shape[1])
    shape = value.data.shape
    return "" if shape == wanted else f"{name} has shape {shape}, not {wanted}"


CASTS = {"int32": "int", "int64": "long"}
"""Methods that convert to a dtype."""
_AS_THEY_ARE = (vision_helpers.POS_EMBED, vision_helpers.FLATTENED)
"""Helpers whose results have the dtype of the table, or of the grid."""


def typed(study: Study, small: Study | None, match: Match) -> Match | str:
    """A match that gives its names the dtype that they have, or why that cannot be.

    ``small`` are runs on grids of 32 bits: what has another dtype there has that of the grid.
    """
    if match.helper in _AS_THEY_ARE or small is None:
        return match
    casts = []
    for name, result in zip(match.names, match.helper.results):
        kinds = {_kind(trace, match, name) for trace in (*study.traces, *small.traces)} - {""}
        failed = [t.reasons for t in small.traces if t.reasons and not _kind(t, match, name)]
        if failed and kinds:
            return f"on grids of 32 bits there is no {name}: {next(iter(failed[0].values()))}"
        if len(kinds) > 1:
            return f"the dtype of {name} is that of {study.grid or 'its input'}, not {result.dtype}"
        kind = next(iter(kinds), "")
        if kind not in CASTS:
            return f"{name} holds {_told(kind)}, not {result.dtype}"
        casts.append("" if kind == result.dtype else CASTS[kind])
    return replace(match, casts=tuple(casts)) if any(casts) else match


def is_whole(study: Study, match: Match) -> bool:
    """Tell whether a match holds whole numbers, as the results of its helper are."""
    kinds = {_kind(study.traces[0], match, name) for name in match.names}
    return match.helper in _AS_THEY_ARE or kinds <= {"", *CASTS}


def _kind(trace: Trace, match: Match, name: str) -> str:
    """The dtype of a name behind the statements of a match, empty where the run did not get there."""
    value = _held(trace, match, name)
    return str(value.data.dtype) if isinstance(value, Arr) else ""


def _told(dtype: str) -> str:
    return "floating point numbers" if dtype.startswith("float") else dtype


def _held(trace: Trace, match: Match, name: str) -> Any:
    """What a name holds behind the statements of a match."""
    last = max(match.statement, match.last)
    numbers = [n for n, names in trace.snapshots.items() if n <= last and name in names]
    return trace.snapshots[max(numbers)][name] if numbers else None


_EXPECTED: dict[str, Callable[..., Any]] = {
    vision_helpers.CU_SEQLENS.name: reference.cu_seqlens,
    vision_helpers.ROTARY_POS_IDS.name: reference.rotary_pos_ids,
    vision_helpers.IMAGE_POS_IDS.name: lambda grid, *sides: reference.rotary_pos_ids(grid, 1),
    vision_helpers.WINDOW_INDEX.name: reference.window_index,
    vision_helpers.POS_EMBED.name: reference.pos_embed_indices,
    vision_helpers.TEMPORAL_PAIRS.name: reference.temporal_pairs,
    vision_helpers.BLOCK_ORDER.name: reference.block_order,
    vision_helpers.FLATTENED.name: reference.flattened_frames,
}


def match_statement(study: Study, statement: int, names: Sequence[str]) -> Iterator[Match]:
    """Matches of the names that one statement assigns."""
    for name in names:
        values = values_of(study, statement, name)
        match = _match_early(study, statement, name, values) or _match_table(
            study, statement, name, values
        )
        if match is not None:
            yield match


def _match_early(study: Study, statement: int, name: str, values: list[Any] | None) -> Match | None:
    flat, pairs = early_numbers(values, 1), early_numbers(values, 2)
    grids = [probe.grid for probe in study.probes]
    if not study.grid:
        return _match_sides(study, statement, name, pairs)
    if flat is not None:
        if all(same(v, reference.cu_seqlens(g)) for v, g in zip(flat, grids)):
            return Match(statement, vision_helpers.CU_SEQLENS, (name,), (study.grid,))
        return (
            _match_pairs(study, statement, name, flat)
            or _match_order(study, statement, name, flat)
            or _match_window(study, statement, name, flat)
        )
    if pairs is not None and all(v.shape[1] == 3 for v in pairs):
        return _match_frames(study, statement, name, pairs)
    if pairs is not None and all(v.shape[1] == 2 for v in pairs):

        def is_ids(i: int, args: tuple[Any, ...]) -> bool:
            return fits(grids[i], args[0]) and same(
                pairs[i], reference.rotary_pos_ids(grids[i], args[0])
            )

        found = search(study, ("merge",), is_ids)
        if found is not None:
            return Match(statement, vision_helpers.ROTARY_POS_IDS, (name,), (study.grid, *found))
    return None


def _match_sides(
    study: Study, statement: int, name: str, pairs: list[np.ndarray] | None
) -> Match | None:
    """Raster positions of one image whose sides are two parameters (rows first)."""
    if pairs is None:
        return None
    if all(same(v, reference.rotary_pos_ids(p.grid, 1)) for v, p in zip(pairs, study.probes)):
        return Match(
            statement, vision_helpers.IMAGE_POS_IDS, (name,), tuple(study.merges.split(", "))
        )
    return None


def _match_frames(study: Study, statement: int, name: str, rows: list[np.ndarray]) -> Match | None:
    """One grid row per frame."""
    if all(same(v, reference.flattened_frames(p.grid)) for v, p in zip(rows, study.probes)):
        return Match(statement, vision_helpers.FLATTENED, (name,), (study.grid,))
    return None


def _match_pairs(study: Study, statement: int, name: str, values: list[np.ndarray]) -> Match | None:
    """Merge units of even frames or of the frames behind them; the caller joins the two names."""
    grids = [probe.grid for probe in study.probes]
    for position in (0, 1):

        def is_half(i: int, args: tuple[Any, ...], position: int = position) -> bool:
            if not isinstance(args[0], int) or not fits(grids[i], args[0]):
                return False
            return same(values[i], reference.temporal_pairs(grids[i], args[0])[position])

        found = search(study, ("merge",), is_half)
        if found is not None:
            names = (name, "") if position == 0 else ("", name)
            return Match(statement, vision_helpers.TEMPORAL_PAIRS, names, (study.grid, *found))
    return None


def _match_order(study: Study, statement: int, name: str, values: list[np.ndarray]) -> Match | None:
    """Raster positions of the patches in block-major order; blocks of one patch are no order."""
    grids = [probe.grid for probe in study.probes]

    def is_order(i: int, args: tuple[Any, ...]) -> bool:
        if not isinstance(args[0], int) or args[0] < 2 or not fits(grids[i], args[0]):
            return False
        return same(values[i], reference.block_order(grids[i], args[0]))

    found = search(study, ("merge",), is_order)
    if found is None:
        return None
    return Match(statement, vision_helpers.BLOCK_ORDER, (name,), (study.grid, *found))


def _match_window(
    study: Study, statement: int, name: str, values: list[np.ndarray]
) -> Match | None:
    """The window order or its boundaries; the two names are joined by the caller."""
    if not any("window" in text for text in study.traces[0].scalars):
        return None
    for position in (0, 1):

        def is_window(i: int, args: tuple[Any, ...], position: int = position) -> bool:
            merge, window, patch = args
            if (
                not isinstance(merge, int)
                or not fits(study.probes[i].grid, merge)
                or window < merge * patch
            ):
                return False
            found = reference.window_index(study.probes[i].grid, merge, window, patch)
            return found is not None and same(values[i], found[position])

        found = search(study, ("merge", "window", "patch"), is_window)
        if found is not None:
            names = (name, "") if position == 0 else ("", name)
            return Match(statement, vision_helpers.WINDOW_INDEX, names, (study.grid, *found))
    return None


def _match_table(study: Study, statement: int, name: str, values: list[Any] | None) -> Match | None:
    """Rows of a learned table, interpolated by the align-corners rule in block-major order."""
    rows = late_rows(values)
    if rows is None:
        return None
    for text in study.traces[0].embeddings:

        def is_interpolated(i: int, args: tuple[Any, ...], text: str = text) -> bool:
            side, merge = args
            table = study.traces[i].embeddings[text].rows
            if not isinstance(merge, int) or side < 2 or side * side > len(table):
                return False
            if not fits(study.probes[i].grid, merge):
                return False
            expected = reference.weighted_rows(
                table, *reference.pos_embed_indices(study.probes[i].grid, side, merge)
            )
            return expected.shape == rows[i].shape and bool(
                np.allclose(expected, rows[i], atol=CLOSE)
            )

        if all(text in trace.embeddings for trace in study.traces):
            found = search(study, ("grid_per_side", "merge"), is_interpolated)
            if found is not None:
                return Match(
                    statement, vision_helpers.POS_EMBED, (name,), (study.grid, *found), rows=text
                )
    return None
