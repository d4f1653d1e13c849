"""Recognition of the points at which a module samples its table between entries, by a run of its caller.

An encoder hands what it made of its grid to the module that adds learned positions. What that module
samples at is seen in a run of the encoder: it has to be what the helper gives, to the last bit.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codegen.rewrite.flow import effect
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.probes import Probe
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import Claim, Run, Trial, argument_value, participants
from codegen.rewrite.recognise.study import Study, fits, same, search, study


@dataclass(frozen=True)
class Points:
    """Arguments of the helper that gives what a module samples at.

    ``still``: the code fails where an entry of the grid has several frames, for which nothing is known.
    """

    arguments: tuple[str, ...]
    still: bool


def match_points(
    index: Index, cls: ClassInfo, function: Function, statement: ast.stmt, sample: ast.Call
) -> Points | Objection | None:
    """What a method makes a module sample at in one of its statements; None for one without a grid.

    Args:
        cls: the class of the method.
        statement: a top-level statement, which calls the module.
        sample: the call in the module that samples the table.
    """
    glance = study(index, cls, cls, function, 1)
    still = glance is not None and _failed(glance.traces[0])
    known = _studied(index, cls, function, still)
    if known is None:
        return None
    if known.cost is not None:
        return Objection(known.cost[0], f"not looked at: it would take {known.cost[1]}")
    if known.grid in _assigned(function):
        return Objection(statement, f"{known.grid} is changed in front of it")
    values = [_sampled(trace, sample) for trace in known.traces]
    if any(value is None for value in values):
        return Objection(statement, "it is not seen at which points it samples")

    def holds(number: int, arguments: tuple[Any, ...]) -> bool:
        return _is_helper_s(known.probes[number], arguments[0], values[number])

    found = search(known, ("merge",), holds)
    if found is None:
        return Objection(statement, "it samples at other points on small grids")
    number = function.body.index(statement)
    effects = [effect(other) for other in function.body]
    parts = participants(effects, number - 1, effects[number].uses) | {number}

    def agrees(run: Run) -> bool:
        merge = argument_value(known, found[0], run)
        return merge is not None and _is_helper_s(run.probe, merge, _sampled(run.trace, sample))

    trial = (_StillTrial if still else _CallTrial)(index, known, parts)
    objection = trial.objection(Claim(agrees, parts, frozenset()))
    return objection or Points((known.grid, *found), still)


def _is_helper_s(probe: Probe, merge: Any, points: np.ndarray | None) -> bool:
    if points is None or not fits(probe.grid, merge):
        return False
    return same(points, reference.sampling_grid(probe.grid, merge))


def _sampled(trace: Trace, sample: ast.Call) -> np.ndarray | None:
    value = trace.samples.get(sample)
    return value.data if isinstance(value, Arr) and not value.late else None


def _failed(trace: Trace) -> bool:
    """Tell whether a run asked for an entry that is not there."""
    return any(error is IndexError for error in trace.errors)


def _assigned(function: Function) -> set[str]:
    return {name for statement in function.body for name in assigned_names(statement)}


def _studied(index: Index, cls: ClassInfo, function: Function, still: bool) -> Study | None:
    """The method on all small probes; those with one frame an entry where others make it fail."""
    if not still:
        return study(index, cls, cls, function)
    return study(index, cls, cls, function, adapt=stilled)


def stilled(probe: Probe) -> Probe:
    """The probe with one frame an entry."""
    grid = probe.grid.copy()
    grid[:, 0] = 1
    return replace(probe, grid=grid)


class _CallTrial(Trial):
    """Evidence on what one caller makes a module do: of what type its arguments are does not change."""

    def _settled(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance"


@dataclass
class _StillTrial(_CallTrial):
    """Evidence on grids with one frame an entry."""

    _still: dict[Probe, Probe] = field(default_factory=dict)

    def _run(self, probe: Probe) -> Run:
        if probe not in self._still:
            self._still[probe] = stilled(probe)
        return super()._run(self._still[probe])
