"""Runs of one method on prompts, each made once, and what all of them show of it together."""

from __future__ import annotations

import ast
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.machine import UNKNOWN
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import LATE, Arr
from codegen.rewrite.recognise.coverage import uncovered
from codegen.rewrite.recognise.effects import NO_GUARDS, Objection, vanishing
from codegen.rewrite.recognise.guards import Guards
from codegen.rewrite.recognise.study import same
from codegen.rewrite.recognise.traces import (
    callees_of,
    entered_by,
    placed,
    shown_by,
    two_results,
)


class Runs:
    """Runs of a method with known tensors as its parameters.

    ``steps`` are those of all runs together, ``most_bytes`` what one may hold. ``changed`` tells whether the
    method has changed what it was given.
    """

    def __init__(self, cls: ClassInfo, function: Function, steps: int, most_bytes: int) -> None:
        self._cls, self._function = cls, function
        self._most_bytes = most_bytes
        self.meter = Meter(steps, most_bytes)
        self.changed = False
        self._traces: dict[Hashable, Trace] = {}

    def get(self, key: Hashable) -> Trace | None:
        """The run that was made for a prompt, None if there was none yet."""
        return self._traces.get(key)

    def add(
        self,
        key: Hashable,
        interpreter: Interpreter,
        arrays: Mapping[str, np.ndarray | None],
        others: Mapping[str, Any] | None = None,
    ) -> Trace:
        """Run the method for a prompt: with arrays by the names of parameters, and ``others`` beside them."""
        self.meter.bytes = self._most_bytes
        given = {n: None if a is None else Arr(a.copy()) for n, a in arrays.items()}
        whole = {**given, **(others or {}), UNKNOWN: LATE}
        trace = interpreter.run(self._cls, self._function, self._cls, whole)
        pairs = ((given[name], array) for name, array in arrays.items())
        self.changed |= any(
            arr is not None and array is not None and not same(arr.data, array)
            for arr, array in pairs
        )
        self._traces[key] = trace
        return trace

    @property
    def traces(self) -> Collection[Trace]:
        """What all runs have left."""
        return self._traces.values()

    @property
    def numbers(self) -> set[int]:
        """The numbers that have taken part so far."""
        return {int(abs(n)) for t in self.traces for n in chain(*t.numbers.values())}

    @property
    def asked_tracing(self) -> bool:
        """Whether the method asks if it is traced: it may have a second form already."""
        return any(trace.asked_tracing for trace in self.traces)

    def refused(self, prompt: object, trace: Trace) -> str:
        """Why nothing can be said of the run for a prompt: its cost, or a change of what it was given."""
        if trace.cost:
            return f"on {prompt} it would take {trace.cost}"
        return f"it changes what it is given on {prompt}" if self.changed else ""

    def placed(self, found: Objection) -> Objection:
        """An objection to what the method or a called function does, placed at the method."""
        return placed(found, self._function, self.traces)

    def vanishing(
        self,
        statements: Iterable[ast.stmt],
        guards: Guards = NO_GUARDS,
        ending: Collection[type[ast.AST]] = (),
        where: str = "",
    ) -> Objection | None:
        """What else would be lost with statements, ``where`` in words.

        What is written under the names of parameters reaches nobody, or ``changed`` tells.
        """
        callees = partial(callees_of, self.traces)
        own = frozenset(parameters(self._function)[1:])
        lost = vanishing(statements, self._function, callees, guards, own, ending)
        return self.placed(replace(lost, reason=f"{lost.reason}{where}")) if lost else None

    def uncovered(self, statements: Iterable[ast.stmt]) -> Objection | None:
        """What no run shows of statements, and of the functions that were entered."""
        ran, outcomes = shown_by(self.traces)
        called = [s for function in entered_by(self.traces) for s in function.body]
        for tree in (*statements, *called):
            missing = uncovered(tree, ran, outcomes)
            if missing is not None:
                return self.placed(missing)
        return None


def something_else(
    prompt: object, trace: Trace, expected: tuple[np.ndarray, np.ndarray] | None = None
) -> str:
    """That the run for a prompt gives other results, and what it refuses or where they first differ, in words.

    Args:
        prompt: what the method was run on.
        trace: the run.
        expected: positions ``(axes, batch, L)`` and what the next ones are ahead, ``(batch, 1)``, as the helper
            gives them.
    """
    why = trace.refused or (first_difference(trace, expected) if expected is not None else "")
    return f"it gives something else on {prompt}{f': {why}' if why else ''}"


def first_difference(trace: Trace, expected: tuple[np.ndarray, np.ndarray]) -> str:
    """Where two results of a run first differ from positions and what the next ones are ahead; else empty."""
    found = two_results(trace)
    if found is None:
        return "its results are not known"
    (positions, ahead), (wanted, next_ones) = (result.data for result in found), expected
    if positions.shape != wanted.shape:
        return f"its positions have shape {positions.shape}, the helper's {wanted.shape}"
    different = np.argwhere((positions != wanted).any(0))
    if len(different):
        sample, token = (int(number) for number in different[0])
        here, there = (_place(some[:, sample, token]) for some in (positions, wanted))
        return f"token {token} of sample {sample} is at {here}, with the helper at {there}"
    if ahead.shape != next_ones.shape:
        return f"its second result has shape {ahead.shape}, the helper's {next_ones.shape}"
    different = np.argwhere(ahead != next_ones)
    if not len(different):
        return ""
    place = tuple(int(number) for number in different[0])
    return f"sample {place[0]} is {ahead[place]} ahead, with the helper {next_ones[place]}"


def _place(axes: np.ndarray) -> tuple[float, ...]:
    """A position as it is written down: whole numbers without a fraction."""
    return tuple(int(number) if number == int(number) else number for number in axes.tolist())


def alike_positions(left: np.ndarray, right: np.ndarray) -> int:
    """How many numbers are the same; none where there are more on one side."""
    return int((left == right).sum()) if left.shape == right.shape else -1
