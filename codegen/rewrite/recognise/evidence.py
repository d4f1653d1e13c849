"""What must hold before a computation counts as recognised: more than that it agrees on small grids.

It has to agree on random larger probes, on both sides of every number that takes part in it and, where it
gives anything for it, on a grid without entries; every branch of it has to have run, every bound to have
been met, and it may have no effect that would vanish. The first of these that fails is the reason why it
is left.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codegen.rewrite.flow import Effect
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.machine import UNKNOWN
from codegen.rewrite.probe.probes import (
    DISTINCT,
    LARGEST_NUMBER,
    NO_ENTRY,
    Probe,
    bare,
    large_length_probes,
    large_probes,
    large_side_probes,
    length_probes_around,
    probes_around,
    side_probes_around,
    traced,
)
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import LATE
from codegen.rewrite.recognise.coverage import uncovered
from codegen.rewrite.recognise.effects import NO_GUARDS, Objection, vanishing
from codegen.rewrite.recognise.guards import Guards
from codegen.rewrite.recognise.study import Study, given_to

STEPS = 160_000
"""Steps of all larger probes of a method together."""
Around = Callable[[Collection[int], int, Collection[int]], Iterator[Probe]]
BYTES = 40 << 20
"""Bytes of one of these runs."""


@dataclass(frozen=True)
class Run:
    """One run of a method: the probe, what it left behind, the hidden rows it was given.

    ``passed`` are the calls of modules that let their rows pass, where the trial wants that.
    """

    probe: Probe
    trace: Trace
    hidden: Mapping[str, np.ndarray]
    passed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Claim:
    """That a helper gives what some statements of a method compute.

    ``agrees`` compares the two after a run. ``statements`` are the numbers of those that take part in
    the computation, ``removed`` of those that will not run any more. ``differs`` says what they give in
    place of what the helper gives on a grid without entries: None where they give nothing, because
    they fail, return before, or are not understood there. Without it that grid is not asked about.
    ``said`` is what differs first on any other run, in words.
    """

    agrees: Callable[[Run], bool]
    statements: Collection[int]
    removed: Collection[int]
    differs: Callable[[Run], str | None] | None = None
    said: Callable[[Run], str] | None = None


def participants(effects: Sequence[Effect], last: int, names: Iterable[str]) -> frozenset[int]:
    """Statements up to ``last`` on which what ``names`` hold behind it depends."""
    wanted, found = set(names), set()
    for number in range(last, -1, -1):
        if effects[number].changes & wanted:
            found.add(number)
            wanted |= effects[number].uses - effects[number].places
    return frozenset(found)


def argument_value(study: Study, text: str, run: Run) -> Any:
    """The value of an argument text on a probe, None where the run did not read it."""
    if text == study.grid:
        return run.probe.grid
    if text in study.merges.split(", "):
        return run.probe.merge_sizes if study.grid else text
    return int(text) if text.isdecimal() else run.trace.scalars.get(text)


@dataclass
class Trial:
    """The evidence on one method; runs are shared by all claims about it.

    ``statements`` are those that take part in any of the claims; no others are run. ``passing`` lets
    rows pass through modules of unknown classes. ``guards`` are the refusals that stay.
    """

    index: Index
    study: Study
    statements: frozenset[int]
    passing: bool = False
    guards: Guards = NO_GUARDS
    meter: Meter = field(default_factory=lambda: Meter(STEPS, BYTES))
    _runs: dict[Probe, Run] = field(default_factory=dict)
    _none: list[Run] = field(default_factory=list)
    _around: dict[tuple[int, frozenset[int]], tuple[Probe, ...]] = field(default_factory=dict)

    def objection(self, claim: Claim) -> Objection | None:
        """Why a claim does not count, None if it does; placed in the method itself."""
        return (
            self.effects(claim.removed)
            or self._numbers(claim)
            or self._disagreement(claim)
            or self._beside_none(claim)
            or self._placed(self._coverage(claim))
            or self._unmet(claim)
        )

    def _placed(self, found: Objection | None) -> Objection | None:
        """An objection to what a called function does, placed where the method calls it."""
        function = self.study.function
        if found is None or found.node in walk(function):
            return found
        for trace in self._traces():
            for number, entered in trace.entered.items():
                for called in entered:
                    if found.node in walk(called):
                        statement = function.body[number]
                        return Objection(statement, f"{found.reason} in {called.name}")
        return Objection(function, found.reason)

    # -- effects -----------------------------------------------------------------------------------

    def effects(self, removed: Iterable[int]) -> Objection | None:
        """What would vanish with statements, besides their results."""
        body = self.study.function.body
        statements = [body[number] for number in sorted(removed)]
        return self._placed(vanishing(statements, self.study.function, self._callee, self.guards))

    def _unmet(self, claim: Claim) -> Objection | None:
        """A refusal that would be met in front of the helper, and is not met in every run."""
        kept = sorted(self.guards.kept.keys() & set(claim.removed))
        traces = self._shown(claim) if kept else []
        for number in kept:
            for guard in self.guards.kept[number]:
                if not all(guard in trace.ran.get(number, ()) for trace in traces):
                    what = "an assert" if isinstance(guard, ast.Assert) else "a raise"
                    return Objection(guard, f"{what} would vanish: not every grid leads to it")
        return None

    def _callee(self, call: ast.Call) -> Iterable[Function] | None:
        found = [trace.calls[call] for trace in self.study.traces if call in trace.calls]
        return set().union(*found) if found else None

    # -- numbers -----------------------------------------------------------------------------------

    def _numbers(self, claim: Claim) -> Objection | None:
        """A number that no probe reaches."""
        for node in self._nodes(claim):
            if isinstance(node, ast.Constant) and _size(node.value) > LARGEST_NUMBER:
                return self._placed(Objection(node, f"no probe reaches the number {node.value!r}"))
        for number in sorted(claim.statements):
            read = {n for t in self.study.traces for n in t.numbers.get(number, ())}
            largest = max(read, key=_size, default=0)
            if _size(largest) > LARGEST_NUMBER:
                statement = self.study.function.body[number]
                return Objection(statement, f"no probe reaches the number {largest}")
        return None

    def _read(self, claim: Claim, variant: int) -> frozenset[int]:
        """Numbers that take part, on probes of one set of configuration scalars, and their neighbours."""
        runs = zip(self.study.probes, self.study.traces)
        found = {
            _size(value)
            for probe, trace in runs
            if probe.variant == variant
            for number in claim.statements
            for value in trace.numbers.get(number, ())
        }
        return frozenset(found | self._literals(claim))

    def _literals(self, claim: Claim) -> set[int]:
        """Numbers that stand in the code itself."""
        return {_size(n.value) for n in self._nodes(claim) if isinstance(n, ast.Constant)}

    # -- agreement ---------------------------------------------------------------------------------

    def _disagreement(self, claim: Claim) -> Objection | None:
        body = self.study.function.body
        last = body[max(claim.statements)]
        if not claim.agrees(self._run(self._bare())):
            return Objection(last, "it depends on a parameter with a default")
        if self._ambiguous() and not claim.agrees(self._run(DISTINCT)):
            return Objection(last, "it depends on several fields that probes give one value")
        for probe in self._probes(claim):
            run = self._run(probe)
            if run.trace.cost:
                return self._cost(run)
            if not claim.agrees(run) and run.trace.refused:
                place = body[max(run.trace.stopped, 0)]
                return Objection(place, f"it refuses {probe}: {run.trace.refused}")
            if not claim.agrees(run):
                told = " while tracing" if probe.tracing else ""
                what = claim.said(run) if claim.said is not None else ""
                told += f": {what}" if what else ""
                return Objection(last, f"it gives something else on {probe}{told}")
        return None

    def cost(self, claim: Claim) -> Objection | None:
        """Where a larger probe costs too much, None if none does."""
        runs = map(self._run, self._probes(claim))
        return next((self._cost(run) for run in runs if run.trace.cost), None)

    def _cost(self, run: Run) -> Objection:
        place = self.study.function.body[max(run.trace.stopped, 0)]
        return Objection(place, f"on larger sizes it would take {run.trace.cost}")

    def _probes(self, claim: Claim) -> Iterator[Probe]:
        large, around = self._kinds()
        yield from large()
        if any(trace.asked_tracing for trace in self.study.traces):
            yield from self._tracing()
        for variant in (0, 1):
            key = (variant, self._read(claim, variant))
            if key not in self._around:
                self._around[key] = tuple(around(key[1], variant, self._literals(claim)))
            yield from self._around[key]

    def _kinds(self) -> tuple[Callable[[], tuple[Probe, ...]], Around]:
        if not self.study.grid:
            return large_side_probes, side_probes_around
        if self.study.probes[0].is_audio:
            return large_length_probes, length_probes_around
        return large_probes, probes_around

    def _tracing(self) -> list[Probe]:
        known = [probe for probe in self._runs if probe.tracing]
        return known or [traced(probe) for probe in self.study.probes[:1]]

    def _bare(self) -> Probe:
        known = [probe for probe in self._runs if not probe.defaults]
        return known[0] if known else bare(self.study.probes[0])

    def _ambiguous(self) -> bool:
        """Tell whether two fields of the configuration had the same values on all probes."""
        if self.study.probes[0].is_audio or not self.study.grid:
            return False
        fields = [trace.fields for trace in self.study.traces]
        values = [tuple(read.get(name) for read in fields) for name in fields[0]]
        return len(set(values)) < len(values)

    def _run(self, probe: Probe) -> Run:
        if probe not in self._runs:
            self._runs[probe] = self._interpreted(probe)
        return self._runs[probe]

    def _interpreted(self, probe: Probe) -> Run:
        study = self.study
        self.meter.bytes = BYTES
        interpreter = Interpreter(self.index, probe.variant, probe.rows, self.meter, probe.tracing)
        interpreter.passed = [] if self.passing else None
        interpreter.distinct = probe.distinct
        given = given_to(probe, study.grid, study.merges)
        given |= {} if probe.defaults else {UNKNOWN: LATE}
        trace = interpreter.run(study.cls, study.function, study.owner, given, self.statements)
        passed = tuple(interpreter.passed or ())
        return Run(probe, trace, interpreter.hidden, passed)

    # -- no entries --------------------------------------------------------------------------------

    def _differs(self, claim: Claim) -> str | None:
        """What a claim gives beside its helper on a grid without entries, None where it gives nothing."""
        if claim.differs is None or not self.study.grid or self.study.probes[0].is_audio:
            return None
        if not self._none:
            self._none.append(self._interpreted(NO_ENTRY))
        trace = self._none[0].trace
        return None if trace.cost or trace.refused else claim.differs(self._none[0])

    def _beside_none(self, claim: Claim) -> Objection | None:
        what = self._differs(claim)
        if not what:
            return None
        last = self.study.function.body[max(claim.statements)]
        return Objection(last, f"it gives something else on {NO_ENTRY}: {what}")

    def _shown(self, claim: Claim) -> list[Trace]:
        """All runs in which a claim gives what its helper gives."""
        beside = [self._none[0].trace] if self._differs(claim) == "" else []
        return [*self._traces(), *beside]

    # -- coverage ----------------------------------------------------------------------------------

    def _traces(self) -> list[Trace]:
        return [*self.study.traces, *(run.trace for run in self._runs.values())]

    def _coverage(self, claim: Claim) -> Objection | None:
        """A statement that never ran, or a condition or bound of which one side was never seen."""
        traces = self._shown(claim)
        ran = {node for t in traces for n in claim.statements for node in t.ran.get(n, ())}
        outcomes: dict[ast.AST, set[bool]] = {}
        for trace in traces:
            for (number, node), seen in trace.outcomes.items():
                if number in claim.statements:
                    outcomes.setdefault(node, set()).update(seen)
        for tree in self._trees(claim):
            for node in filter(self._settled, walk(tree)):
                outcomes.setdefault(node, set()).update((True, False))
            found = uncovered(tree, ran, outcomes)
            if found is not None:
                return found
        return None

    def _settled(self, node: ast.AST) -> bool:
        """Tell whether a condition comes out the same whatever the grid."""
        return False

    def _trees(self, claim: Claim) -> list[ast.stmt]:
        """The statements that take part, and those of the functions that they call."""
        entered = {
            f for t in self._traces() for n in claim.statements for f in t.entered.get(n, ())
        }
        called = [s for function in entered for s in function.body]
        return [*(self.study.function.body[n] for n in sorted(claim.statements)), *called]

    def _nodes(self, claim: Claim) -> Iterator[ast.AST]:
        for tree in [self.study.function.args, *self._trees(claim)]:
            yield from walk(tree)


def _size(value: object) -> int:
    """A number as a size: without sign and fraction; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return 0
    return int(min(abs(value), 10**18))
