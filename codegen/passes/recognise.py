"""Recognition by value: compare what a method computes on probes with the helpers' definitions."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codegen.passes import helpers
from codegen.passes.helpers import Helper
from codegen.passes.modules import ClassInfo, Function, Index, ModuleInfo, parameters
from codegen.passes.probe import reference
from codegen.passes.probe.interp import Interpreter
from codegen.passes.probe.trace import Trace
from codegen.passes.probe.values import Arr, is_late


@dataclass(frozen=True)
class Probe:
    """A small grid, merge sizes per entry and the set of configuration scalars it goes with."""

    variant: int
    grid: np.ndarray
    merge_sizes: np.ndarray


PROBES = (
    Probe(0, np.array([[1, 4, 6], [2, 2, 4]]), np.array([2, 1])),
    Probe(0, np.array([[1, 4, 12], [2, 2, 4], [1, 16, 8]]), np.array([1, 2, 4])),
    Probe(1, np.array([[1, 3, 6], [2, 6, 3], [1, 12, 9]]), np.array([3, 1, 3])),
)
SIDE_PROBES = (
    Probe(0, np.array([[1, 4, 6]]), np.array([1])),
    Probe(1, np.array([[1, 5, 3]]), np.array([1])),
)


@dataclass(frozen=True)
class Match:
    """Statement ``statement`` of a method leaves what ``helper`` returns in the local ``names``.

    ``arguments`` are source texts. ``rows`` names what the helper's result is applied to: the text of
    a learned table, or of hidden rows; empty where the names hold the result itself. ``last`` is the
    statement that completes the results where that is a later one.
    """

    statement: int
    helper: Helper
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    rows: str = ""
    last: int = -1


@dataclass(frozen=True)
class Study:
    """A method with its traces on the probes."""

    cls: ClassInfo
    owner: ClassInfo
    function: Function
    grid: str
    merges: str
    probes: tuple[Probe, ...]
    traces: tuple[Trace, ...]
    hidden: tuple[dict[str, np.ndarray], ...]


def grid_parameters(function: Function) -> tuple[str, str]:
    """Names of the parameters that hold the grid and merge sizes per entry (empty where absent)."""
    names = parameters(function)[1:]
    grid = next((n for n in names if n.endswith(("grid_thw", "grids_thw")) or n == "grid"), "")
    merges = next((n for n in names if n.endswith("merge_sizes")), "")
    return grid, merges


def worth_a_look(info: ModuleInfo, function: Function) -> bool:
    """Cheap test before a method is interpreted: it has a grid and index arithmetic or calls on self."""
    if not grid_parameters(function)[0]:
        return "self.inv_freq)" in info.segment(function) and len(parameters(function)) == 3
    names = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    return bool(
        names
        & {"repeat_interleave", "arange", "linspace", "tolist", "cumsum", "unique_consecutive"}
    )


def study(
    index: Index,
    cls: ClassInfo,
    owner: ClassInfo,
    function: Function,
    limit: int = len(PROBES),
    passed: list[list[tuple[str, int]]] | None = None,
) -> Study | None:
    """Run a method on the first ``limit`` probes; None if it takes no grid.

    One probe is enough to see that nothing is recognised, which is so for most methods. A list
    ``passed`` lets rows pass through modules of unknown classes; it receives their calls per probe.
    """
    grid, merges = grid_parameters(function)
    if not grid:
        return _study_sides(index, cls, owner, function)
    traces, hidden = [], []
    probes = PROBES[:limit]
    for probe in probes:
        given = {grid: Arr(probe.grid.copy())}
        if merges:
            given[merges] = Arr(probe.merge_sizes.copy())
        interpreter = Interpreter(index, probe.variant, int(probe.grid.prod(1).sum()))
        if passed is not None:
            interpreter.passed = []
            passed.append(interpreter.passed)
        traces.append(interpreter.run(cls, function, owner, given))
        hidden.append(interpreter.hidden)
    return Study(cls, owner, function, grid, merges, probes, tuple(traces), tuple(hidden))


def _study_sides(
    index: Index, cls: ClassInfo, owner: ClassInfo, function: Function
) -> Study | None:
    """Run a method that takes rows and columns of one image as two ints."""
    names = parameters(function)[1:]
    if len(names) != 2:
        return None
    traces, hidden = [], []
    for probe in SIDE_PROBES:
        interpreter = Interpreter(index, probe.variant, int(probe.grid.prod()))
        sides = dict(zip(names, probe.grid[0, 1:].tolist()))
        traces.append(interpreter.run(cls, function, owner, sides))
        hidden.append(interpreter.hidden)
    return Study(
        cls, owner, function, "", ", ".join(names), SIDE_PROBES, tuple(traces), tuple(hidden)
    )


def values_of(study: Study, statement: int, name: str) -> list[Any] | None:
    """What ``name`` holds after a statement on every probe."""
    found = []
    for trace in study.traces:
        if name not in trace.snapshots.get(statement, {}):
            return None
        found.append(trace.snapshots[statement][name])
    return found


def _candidates(study: Study, role: str) -> Iterator[tuple[str, list[Any]]]:
    """Argument texts for one role with their values per probe, likeliest first."""
    texts = [
        t for t in study.traces[0].scalars if all(t in trace.scalars for trace in study.traces)
    ]
    texts.sort(key=lambda text: (role not in text.rpartition(".")[2], text.count("."), text))
    if role == "merge" and study.merges:
        yield study.merges, [probe.merge_sizes for probe in study.probes]
    for text in texts:
        yield text, [trace.scalars[text] for trace in study.traces]
    if role == "merge":
        yield "1", [1 for _ in study.probes]


def _search(
    study: Study, roles: Sequence[str], test: Callable[[int, tuple[Any, ...]], bool]
) -> tuple[str, ...] | None:
    """Find argument texts for the roles such that ``test(probe number, values)`` holds everywhere."""
    choices = [list(_candidates(study, role)) for role in roles]
    for combination in itertools.product(*choices):
        if len({text for text, _ in combination}) < len(combination):
            continue
        if all(
            test(i, tuple(values[i] for _, values in combination)) for i in range(len(study.probes))
        ):
            return tuple(text for text, _ in combination)
    return None


def _numbers(values: list[Any] | None, ndim: int) -> list[np.ndarray] | None:
    """Early arrays of one rank, else None."""
    if values is None:
        return None
    if not all(isinstance(v, Arr) and not v.late and v.data.ndim == ndim for v in values):
        return None
    return [v.data for v in values]


def _same(left: np.ndarray, right: np.ndarray | None) -> bool:
    return right is not None and left.shape == right.shape and bool((left == right).all())


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
    flat, pairs = _numbers(values, 1), _numbers(values, 2)
    grids = [probe.grid for probe in study.probes]
    if not study.grid:
        return _match_sides(study, statement, name, pairs)
    if flat is not None:
        if all(_same(v, reference.cu_seqlens(g)) for v, g in zip(flat, grids)):
            return Match(statement, helpers.CU_SEQLENS, (name,), (study.grid,))
        return (
            _match_pairs(study, statement, name, flat)
            or _match_order(study, statement, name, flat)
            or _match_window(study, statement, name, flat)
        )
    if pairs is not None and all(v.shape[1] == 3 for v in pairs):
        return _match_frames(study, statement, name, pairs)
    if pairs is not None and all(v.shape[1] == 2 for v in pairs):

        def is_ids(i: int, args: tuple[Any, ...]) -> bool:
            return _fits(grids[i], args[0]) and _same(
                pairs[i], reference.rotary_pos_ids(grids[i], args[0])
            )

        found = _search(study, ("merge",), is_ids)
        if found is not None:
            return Match(statement, helpers.ROTARY_POS_IDS, (name,), (study.grid, *found))
    return None


def _match_sides(
    study: Study, statement: int, name: str, pairs: list[np.ndarray] | None
) -> Match | None:
    """Raster positions of one image whose sides are two parameters (rows first)."""
    if pairs is None:
        return None
    if all(_same(v, reference.rotary_pos_ids(p.grid, 1)) for v, p in zip(pairs, study.probes)):
        return Match(statement, helpers.IMAGE_POS_IDS, (name,), tuple(study.merges.split(", ")))
    return None


def _match_frames(study: Study, statement: int, name: str, rows: list[np.ndarray]) -> Match | None:
    """One grid row per frame."""
    if all(_same(v, reference.flattened_frames(p.grid)) for v, p in zip(rows, study.probes)):
        return Match(statement, helpers.FLATTENED, (name,), (study.grid,))
    return None


def _fits(grid: np.ndarray, merge: Any) -> bool:
    """Tell whether a candidate can be a merge size of this grid at all."""
    sizes = np.asarray(merge)
    if (sizes < 1).any() or (sizes > 16).any():
        return False
    return bool((grid[:, 1:] % (sizes[:, None] if sizes.ndim else sizes) == 0).all())


def _match_pairs(study: Study, statement: int, name: str, values: list[np.ndarray]) -> Match | None:
    """Merge units of even frames or of the frames behind them; the caller joins the two names."""
    grids = [probe.grid for probe in study.probes]
    for position in (0, 1):

        def is_half(i: int, args: tuple[Any, ...], position: int = position) -> bool:
            if not isinstance(args[0], int) or not _fits(grids[i], args[0]):
                return False
            return _same(values[i], reference.temporal_pairs(grids[i], args[0])[position])

        found = _search(study, ("merge",), is_half)
        if found is not None:
            names = (name, "") if position == 0 else ("", name)
            return Match(statement, helpers.TEMPORAL_PAIRS, names, (study.grid, *found))
    return None


def _match_order(study: Study, statement: int, name: str, values: list[np.ndarray]) -> Match | None:
    """Raster positions of the patches in block-major order; blocks of one patch are no order."""
    grids = [probe.grid for probe in study.probes]

    def is_order(i: int, args: tuple[Any, ...]) -> bool:
        if not isinstance(args[0], int) or args[0] < 2 or not _fits(grids[i], args[0]):
            return False
        return _same(values[i], reference.block_order(grids[i], args[0]))

    found = _search(study, ("merge",), is_order)
    if found is None:
        return None
    return Match(statement, helpers.BLOCK_ORDER, (name,), (study.grid, *found))


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
                or not _fits(study.probes[i].grid, merge)
                or window < merge * patch
            ):
                return False
            found = reference.window_index(study.probes[i].grid, merge, window, patch)
            return found is not None and _same(values[i], found[position])

        found = _search(study, ("merge", "window", "patch"), is_window)
        if found is not None:
            names = (name, "") if position == 0 else ("", name)
            return Match(statement, helpers.WINDOW_INDEX, names, (study.grid, *found))
    return None


def _late_rows(values: list[Any] | None) -> list[np.ndarray] | None:
    if values is None:
        return None
    if not all(isinstance(v, Arr) and v.late and v.data.ndim == 2 for v in values):
        return None
    return [v.data for v in values]


def _match_table(study: Study, statement: int, name: str, values: list[Any] | None) -> Match | None:
    """Rows of a learned table, interpolated by the align-corners rule in block-major order."""
    rows = _late_rows(values)
    if rows is None:
        return None
    for text in study.traces[0].embeddings:

        def is_interpolated(i: int, args: tuple[Any, ...], text: str = text) -> bool:
            side, merge = args
            table = study.traces[i].embeddings[text].rows
            if not isinstance(merge, int) or side < 2 or side * side > len(table):
                return False
            if not _fits(study.probes[i].grid, merge):
                return False
            expected = reference.weighted_rows(
                table, *reference.pos_embed_indices(study.probes[i].grid, side, merge)
            )
            return expected.shape == rows[i].shape and bool(
                np.allclose(expected, rows[i], atol=1e-9)
            )

        if all(text in trace.embeddings for trace in study.traces):
            found = _search(study, ("grid_per_side", "merge"), is_interpolated)
            if found is not None:
                return Match(statement, helpers.POS_EMBED, (name,), (study.grid, *found), rows=text)
    return None


def match_unshuffle(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge sizes) if a method returns the bilinear down-scale of packed rows."""
    results = _late_rows([trace.result for trace in study.traces])
    if results is None:
        return None
    for name in study.hidden[0]:

        def is_unshuffle(i: int, args: tuple[Any, ...], name: str = name) -> bool:
            grid, rows = study.probes[i].grid, study.hidden[i].get(name)
            if rows is None or not _fits(grid, args[0]):
                return False
            expected = reference.unshuffled_rows(rows, grid, args[0])
            return expected.shape == results[i].shape and bool(np.allclose(expected, results[i]))

        found = _search(study, ("merge",), is_unshuffle)
        if found is not None and name in parameters(study.function):
            return name, found[0]
    return None


def match_joined_blocks(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge size) if a method returns rows of blocks, the patches of each side by side."""
    results = _late_rows([trace.result for trace in study.traces])
    if results is None:
        return None
    for name in study.hidden[0]:

        def is_joined(i: int, args: tuple[Any, ...], name: str = name) -> bool:
            grid, rows = study.probes[i].grid, study.hidden[i].get(name)
            if rows is None or not isinstance(args[0], int) or args[0] < 2:
                return False
            if not _fits(grid, args[0]):
                return False
            ordered = rows[reference.block_order(grid, args[0])]
            return _same(results[i], ordered.reshape(-1, args[0] ** 2 * rows.shape[1]))

        found = _search(study, ("merge",), is_joined)
        if found is not None and name in parameters(study.function):
            return name, found[0]
    return None


def match_half_pixel(study: Study, statement: int, name: str) -> tuple[str, str] | None:
    """(hidden rows, table) if a name holds packed rows plus a table interpolated per image."""
    values = _late_rows(values_of(study, statement, name))
    if values is None:
        return None
    for hidden in study.hidden[0]:
        for table in study.traces[0].embeddings:
            if all(_is_sum(study, i, hidden, table, values[i]) for i in range(len(study.probes))):
                return hidden, table
    return None


def _is_sum(study: Study, i: int, hidden: str, table: str, value: np.ndarray) -> bool:
    rows, embedding = study.hidden[i].get(hidden), study.traces[i].embeddings.get(table)
    if rows is None or embedding is None:
        return False
    side = int(len(embedding.rows) ** 0.5)
    grid = study.probes[i].grid
    expected = rows + reference.weighted_rows(
        embedding.rows, *reference.half_pixel_indices(grid, side)
    )
    return expected.shape == value.shape and bool(np.allclose(expected, value))


def understood(study: Study, statement: int) -> bool:
    """Tell whether a statement ran on all probes and left nothing unknown: it may be removed."""
    for trace in study.traces:
        if statement in trace.reasons or statement not in trace.snapshots:
            return False
        values = trace.snapshots[statement].values()
        if not values or any(_unknown(value) for value in values):
            return False
    return True


def _unknown(value: Any) -> bool:
    if isinstance(value, Arr):
        return False
    if isinstance(value, (list, tuple)):
        return any(_unknown(item) for item in value)
    return is_late(value) and not hasattr(value, "positions")
