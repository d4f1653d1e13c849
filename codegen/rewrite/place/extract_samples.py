"""Compute ahead where a module samples its table of learned positions, and hand it the points.

    hidden = self.embeddings(hidden, lengths, grid_thw, rows, columns)
        ->  sampling_grid = get_sampling_grid(grid_thw, self.merge)
            hidden = self.embeddings(hidden, lengths, grid_thw, rows, columns, sampling_grid=sampling_grid)

and in the module, whose other callers may not give them:

    points = <of lengths, grid and positions>       if sampling_grid is not None:
    sampled = F.grid_sample(table, points)     ->       points = sampling_grid.to(table.device)
                                                    else:
                                                        points = <of lengths, grid and positions>
                                                    sampled = F.grid_sample(table, points)

Part of *extract*, before its other parts, whose helper calls no run sees through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddParameters,
    Branch,
    Change,
    Describe,
    Insert,
    Site,
)
from codegen.rewrite.flow import effect
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, only, walk
from codegen.rewrite.probe.calls import SAMPLE
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import participants
from codegen.rewrite.recognise.samples import Points, match_points
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vision_helpers import SAMPLING_GRID
from codegen.rewrite.vocabulary import torch_name

(POINTS,) = SAMPLING_GRID.outputs
_OTHER_KINDS = frozenset(("dtype", "half", "bfloat16", "double", "float16", "float64", "type"))
"""What makes numbers of another kind than those of the helper."""


@dataclass(frozen=True)
class Receiver:
    """A module that samples a table: its ``forward``, the call that samples, and what makes the points."""

    cls: ClassInfo
    forward: Function
    sample: ast.Call
    points: str
    table: str
    block: tuple[ast.stmt, ...]


@dataclass(frozen=True)
class Caller:
    """A statement that calls such a module, with the points that it leads to."""

    cls: ClassInfo
    function: Function
    statement: ast.stmt
    call: ast.Call
    points: Points


def extract_samples(state: RewriteState) -> None:
    """Edit all modules of the candidates that sample tables, and their callers."""
    if not any(SAMPLE in info.source.text for info in state.candidates()):
        return
    found: dict[int, tuple[Receiver, list[Caller]]] = {}
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                with state.attempt("extract", cls, function):
                    for receiver, caller in _calls(state, cls, function):
                        known = found.setdefault(id(receiver.forward), (receiver, []))
                        known[1].append(caller)
    for receiver, callers in found.values():
        _propose(state, receiver, callers)
    state.settle()


def _calls(
    state: RewriteState, cls: ClassInfo, function: Function
) -> Iterator[tuple[Receiver, Caller]]:
    """Calls of modules that sample at what a method makes of its grid."""
    index = state.index
    if not index.vocabulary.grid_of(parameters(function)[1:]):
        return
    if not any(_samples(index, cls, call) for call in calls_in(glance(function))):
        return
    for statement in function.body:
        for call in calls_in(statement):
            target = _samples(index, cls, call)
            if target is None:
                continue
            found = _seen(state, cls, function, statement, call, target)
            if isinstance(found, Objection):
                _leave(state, cls, function, found)
            elif found is not None:
                yield found


def _samples(index: Index, cls: ClassInfo, call: ast.Call) -> tuple[ClassInfo, Function] | None:
    """The ``forward`` of the module that a call of an attribute of ``self`` runs, if it samples."""
    attribute = self_attribute(call.func)
    held = index.submodule(cls, attribute) if attribute else None
    target = index.method(held, "forward") if held is not None else None
    if target is None or SAMPLE not in target[0].module.segment(target[1]):
        return None
    return target


def _seen(
    state: RewriteState,
    cls: ClassInfo,
    function: Function,
    statement: ast.stmt,
    call: ast.Call,
    target: tuple[ClassInfo, Function],
) -> tuple[Receiver, Caller] | Objection | None:
    if POINTS in parameters(target[1]) or {POINTS} & _names(function):
        return None
    samples = [n for n in calls_in(target[1]) if torch_name(n.func).endswith(f".{SAMPLE}")]
    sample = only(samples)
    if sample is None:
        several = f"{target[0].name}.forward samples in several places"
        return Objection(statement, several) if samples else None
    points = match_points(state.index, cls, function, statement, sample)
    if points is None:
        return None
    if isinstance(points, Objection):
        return points
    if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try)):
        return Objection(statement, "the call depends on a condition")
    receiver = _receiver(*target, sample)
    if isinstance(receiver, str):
        return Objection(statement, f"{target[0].name}.forward {receiver}")
    unlike = _unlike_heir(state, cls, function, call, target[1])
    if unlike:
        return Objection(statement, unlike)
    return receiver, Caller(cls, function, statement, call, points)


def _names(function: Function) -> set[str]:
    return {n.id for n in walk(function) if isinstance(n, ast.Name)} | set(parameters(function))


def _unlike_heir(
    state: RewriteState, cls: ClassInfo, function: Function, call: ast.Call, forward: Function
) -> str:
    """The class that inherits a call and holds another module there, as a reason; empty if none does."""
    heirs = Heirs(state.index, state.inheriting())
    attribute = self_attribute(call.func)
    for heir in heirs.of(cls, function.name):
        held = heirs.submodule(heir, cls, attribute)
        method = state.index.method(held, "forward") if held is not None else None
        if method is None or method[1] is not forward:
            return f"{heir.name} inherits it, and its self.{attribute} is another module"
    return ""


def _receiver(cls: ClassInfo, forward: Function, sample: ast.Call) -> Receiver | str:
    """The parts of a module that samples, or why its points cannot be given."""
    given = dict(zip(("input", "grid"), sample.args))
    given |= {keyword.arg or "": keyword.value for keyword in sample.keywords}
    table, points = given.get("input"), given.get("grid")
    if not isinstance(table, ast.Name) or not isinstance(points, ast.Name):
        return "samples at points, or a table, that have no name"
    number = next((n for n, s in enumerate(forward.body) if sample in walk(s)), -1)
    effects = [effect(statement) for statement in forward.body]
    parts = participants(effects, number - 1, [points.id])
    made = [n for n in sorted(parts) if points.id in effects[n].changes]
    if not made or forward.args.vararg or points.id in parameters(forward):
        return f"takes {points.id} from outside"
    first = last = made[-1]
    while first > 0 and _belongs(forward, first - 1, last, points.id, parts):
        first -= 1
    block = tuple(forward.body[first : last + 1])
    whole = all(_belongs(forward, n, last, points.id, parts) for n in range(first, last + 1))
    if made[0] < first or not whole:
        return f"uses what {points.id} is made of for something else, too"
    other = next(
        (n for s in block for n in walk(s) if getattr(n, "attr", "") in _OTHER_KINDS), None
    )
    if other is not None:
        return f"makes its points of another kind: {ast.unparse(other)}"
    return Receiver(cls, forward, sample, points.id, table.id, block)


def _belongs(forward: Function, number: int, last: int, points: str, parts: frozenset[int]) -> bool:
    """Tell whether a statement does nothing but prepare the points."""
    statement = forward.body[number]
    if number not in parts or not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    if not all(isinstance(target, ast.Name) for target in targets):
        return False
    behind = [effect(other).uses for other in forward.body[last + 1 :]]
    left = effect(statement).changes - {points}
    return not any(left & uses for uses in behind)


def _propose(state: RewriteState, receiver: Receiver, callers: list[Caller]) -> None:
    """Give the module its parameter, and its callers the computation."""
    given = (f"{receiver.points} = {POINTS}.to({receiver.table}.device)",)
    edits = (
        Branch(receiver.block, f"{POINTS} is not None", given),
        AddParameters((POINTS,)),
        Describe((POINTS,)),
    )
    sites = [Site(receiver.cls, receiver.forward, edits)]
    records, needs = [], []
    for caller in callers:
        line = f"{POINTS} = {SAMPLING_GRID.name}({', '.join(caller.points.arguments)})"
        keyword = AddKeywords(caller.call, (f"{POINTS}={POINTS}",))
        sites.append(
            Site(caller.cls, caller.function, (Insert(caller.statement, (line,)), keyword))
        )
        needs.append((caller.cls.module, SAMPLING_GRID.name))
        records.append(_record(caller, receiver))
    state.propose(Change("extract", tuple(sites), tuple(needs), tuple(records)))


def _record(caller: Caller, receiver: Receiver) -> Record:
    info = caller.cls.module
    reason = f"where {receiver.cls.name} samples its table is computed in front of its call"
    if caller.points.still:
        reason += "; entries of several frames, with which it fails, are sampled frame by frame"
    return Record(
        model_of(info.source.module),
        caller.cls.name,
        caller.function.name,
        "extracted",
        info.place(caller.statement),
        SAMPLING_GRID.name,
        reason=reason,
    )


def _leave(state: RewriteState, cls: ClassInfo, function: Function, found: Objection) -> None:
    """Report why a call is left as it is."""
    info = cls.module
    model, place = model_of(info.source.module), info.place(found.node)
    reason = f"not replaced by {SAMPLING_GRID.name}: {found.reason}"
    state.note(
        Record(model, cls.name, function.name, "left", place, SAMPLING_GRID.name, reason=reason)
    )
