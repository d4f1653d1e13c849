"""Runs of methods on probe grids, and the search for the arguments that explain what they computed."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import glance, of_kind
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.probes import PROBES, SIDE_PROBES, Probe
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr, is_late

_STEPS_OF_A_TRIAL = 10
MOST_TRIED = 2_000
"""Combinations of arguments that are tried to explain a result; likelier ones come first."""


_TELLING = ("repeat_interleave", "arange", "linspace", "tolist", "cumsum", "unique_consecutive")
"""Functions one of which takes part where positions and lengths are computed."""


@dataclass(frozen=True)
class Study:
    """A method with its traces on the probes; ``left`` are the steps and bytes behind the last run."""

    cls: ClassInfo
    owner: ClassInfo
    function: Function
    grid: str
    merges: str
    probes: tuple[Probe, ...]
    traces: tuple[Trace, ...]
    hidden: tuple[dict[str, np.ndarray], ...]
    meter: Meter
    left: tuple[int, int] = (0, 0)

    @property
    def cost(self) -> tuple[ast.stmt, str] | None:
        """The statement that would cost too much, and what it asked for."""
        for trace in self.traces:
            if trace.cost:
                return self.function.body[max(trace.stopped, 0)], trace.cost
        return None


def grid_parameters(index: Index, function: Function) -> tuple[str, str]:
    """Names of the parameters that hold the grid and merge sizes per entry (empty where absent)."""
    names = parameters(function)[1:]
    known = index.vocabulary.grid_of(names)
    return known or _grid_by_use(function), index.vocabulary.merges_of(names)


def _grid_by_use(function: Function) -> str:
    """A parameter whose rows are used as three numbers."""
    used = rows_of_three(glance(function))
    return next((name for name in parameters(function)[1:] if name in used), "")


@lru_cache(maxsize=8192)
def rows_of_three(function: Function) -> frozenset[str]:
    """Names whose rows are used as three numbers: unpacked in a loop, or column by column."""
    columns: dict[str, set[int]] = {}
    for node in of_kind(function, ast.For):
        if isinstance(node.target, ast.Tuple):
            rows = node.iter
            if isinstance(rows, ast.Call) and isinstance(rows.func, ast.Attribute):
                rows = rows.func.value if rows.func.attr == "tolist" else rows
            if isinstance(rows, ast.Name) and len(node.target.elts) == 3:
                columns.setdefault(rows.id, set()).update(range(3))
    for part in of_kind(function, ast.Subscript):
        if isinstance(part.value, ast.Name):
            key = part.slice
            if (
                isinstance(key, ast.Tuple)
                and len(key.elts) == 2
                and isinstance(key.elts[0], ast.Slice)
            ):
                last = key.elts[1]
                if isinstance(last, ast.Constant) and isinstance(last.value, int):
                    columns.setdefault(part.value.id, set()).add(last.value)
    return frozenset(name for name, read in columns.items() if read == {0, 1, 2})


def worth_a_look(index: Index, info: ModuleInfo, function: Function) -> bool:
    """Cheap test before a method is interpreted: it has a grid and index arithmetic or calls on self."""
    wanted = (*_TELLING, *index.vocabulary.frequencies)
    aliases = {name for name, dotted in info.aliases.items() if dotted.endswith(_TELLING)}
    text = info.segment(function)
    if not any(word in text for word in (*wanted, *aliases)):
        return False  # looking for words is many times faster than walking
    names = {n.attr for n in of_kind(glance(function), ast.Attribute)}
    if not grid_parameters(index, function)[0]:
        known = names & set(index.vocabulary.frequencies)
        return bool(known) and len(parameters(function)) == 3
    return not names.isdisjoint(_TELLING)


def study(
    index: Index,
    cls: ClassInfo,
    owner: ClassInfo,
    function: Function,
    limit: int = len(PROBES),
    passed: list[list[tuple[str, int]]] | None = None,
    adapt: Callable[[Probe], Probe] | None = None,
) -> Study | None:
    """Run a method on the first ``limit`` probes; None if it takes no grid.

    One probe is enough to see that nothing is recognised, which is so for most methods. A list
    ``passed`` lets rows pass through modules of unknown classes; it receives their calls per probe.
    ``adapt`` changes the probes. All runs share one budget; a run that exceeds it is the last one.
    """
    if passed is None and adapt is None:
        return _remembered(index, cls, owner, function, limit, index.revision)
    return _study(index, cls, owner, function, limit, passed, adapt)


@lru_cache(maxsize=8)
def _remembered(
    index: Index, cls: ClassInfo, owner: ClassInfo, function: Function, limit: int, revision: int
) -> Study | None:
    """Several rules look at one method, one after the other; what is known of the first probe is kept."""
    first = _remembered(index, cls, owner, function, 1, revision) if limit > 1 else None
    return _study(index, cls, owner, function, limit, None, begun=first)


def _study(
    index: Index,
    cls: ClassInfo,
    owner: ClassInfo,
    function: Function,
    limit: int,
    passed: list[list[tuple[str, int]]] | None,
    adapt: Callable[[Probe], Probe] | None = None,
    begun: Study | None = None,
) -> Study | None:
    grid, merges = grid_parameters(index, function)
    probes = PROBES[:limit]
    if not grid:
        names = parameters(function)[1:]
        if len(names) != 2:
            return None
        merges, probes = ", ".join(names), SIDE_PROBES
    probes = tuple(map(adapt, probes)) if adapt is not None else probes
    meter = Meter(*begun.left) if begun is not None else Meter()
    traces = list(begun.traces) if begun is not None else []
    hidden = list(begun.hidden) if begun is not None else []
    stopped = bool(traces and traces[-1].cost)
    for probe in () if stopped else probes[len(traces) :]:
        interpreter = Interpreter(index, probe.variant, probe.rows, meter)
        if passed is not None:
            interpreter.passed = []
            passed.append(interpreter.passed)
        given = given_to(probe, grid, merges)
        traces.append(interpreter.run(cls, function, owner, given))
        hidden.append(interpreter.hidden)
        if traces[-1].cost:
            break
    probes = probes[: len(traces)]
    return Study(
        cls,
        owner,
        function,
        grid,
        merges,
        probes,
        tuple(traces),
        tuple(hidden),
        meter,
        (meter.steps, meter.bytes),
    )


def given_to(probe: Probe, grid: str, merges: str) -> dict[str, Any]:
    """Arguments of a method on a probe; without a grid the two sides of an image.

    For audio ``grid`` is the name of the lengths.
    """
    if probe.is_audio:
        return {grid: Arr(probe.grid[:, 0].copy())}
    if not grid:
        return dict(zip(merges.split(", "), probe.grid[0, 1:].tolist()))
    given = {grid: Arr(probe.grid.copy())}
    return {**given, merges: Arr(probe.merge_sizes.copy())} if merges else given


def values_of(study: Study, statement: int, name: str) -> list[Any] | None:
    """What ``name`` holds after a statement on every probe."""
    found = []
    for trace in study.traces:
        if name not in trace.snapshots.get(statement, {}):
            return None
        found.append(trace.snapshots[statement][name])
    return found


def understood(study: Study, statement: int) -> bool:
    """Tell whether a statement ran on all probes and left nothing unknown: it may be removed."""
    for trace in study.traces:
        if statement in trace.reasons or statement not in trace.snapshots:
            return False
        values = trace.snapshots[statement].values()
        if not values or any(is_unknown(value) for value in values):
            return False
    return True


def is_unknown(value: Any) -> bool:
    """Tell whether a value is not known before a run, apart from rows that stand for hidden ones."""
    if isinstance(value, Arr):
        return False
    if isinstance(value, (list, tuple)):
        return any(is_unknown(item) for item in value)
    return is_late(value) and not hasattr(value, "positions")


def candidates(study: Study, role: str) -> Iterator[tuple[str, list[Any]]]:
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


def search(
    study: Study, roles: Sequence[str], test: Callable[[int, tuple[Any, ...]], bool]
) -> tuple[str, ...] | None:
    """Find argument texts for the roles such that ``test(probe number, values)`` holds everywhere."""
    choices = [list(candidates(study, role)) for role in roles]
    for combination in itertools.islice(itertools.product(*choices), MOST_TRIED):
        if len({text for text, _ in combination}) < len(combination):
            continue
        study.meter.steps -= _STEPS_OF_A_TRIAL
        if study.meter.steps < 0:
            return None
        if all(
            test(i, tuple(values[i] for _, values in combination)) for i in range(len(study.probes))
        ):
            return tuple(text for text, _ in combination)
    return None


def early_numbers(values: list[Any] | None, ndim: int) -> list[np.ndarray] | None:
    """Early arrays of one rank, else None."""
    if values is None:
        return None
    if not all(isinstance(v, Arr) and not v.late and v.data.ndim == ndim for v in values):
        return None
    return [v.data for v in values]


def late_rows(values: list[Any] | None) -> list[np.ndarray] | None:
    """Rows that stand for hidden ones, else None."""
    if values is None:
        return None
    if not all(isinstance(v, Arr) and v.late and v.data.ndim == 2 for v in values):
        return None
    return [v.data for v in values]


def same(left: np.ndarray, right: np.ndarray | None) -> bool:
    """Tell whether two arrays have one shape and the same numbers."""
    return right is not None and left.shape == right.shape and bool((left == right).all())


def fits(grid: np.ndarray, merge: Any) -> bool:
    """Tell whether a candidate can be a merge size of this grid at all."""
    if merge.__class__ is int:
        return 1 <= merge <= 16 and not (grid[:, 1:] % merge).any()
    sizes = np.asarray(merge)
    if (sizes < 1).any() or (sizes > 16).any():
        return False
    return bool((grid[:, 1:] % (sizes[:, None] if sizes.ndim else sizes) == 0).all())
