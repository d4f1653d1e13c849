"""Recognise the rotary positions of prompts with source images, whose grids also describe targets.

As :mod:`codegen.rewrite.recognise.sounds`: the method stays as it is, and only a graph gets its positions from
helpers. What it keeps of targets for later calls, in attributes, is shown as well: how many tokens a prompt
has, and the positions of the tokens to be generated, which a graph cannot count but what they follow from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import resolved, walk
from codegen.rewrite.probe.probes import LARGEST_NUMBER
from codegen.rewrite.probe.source_prompts import (
    SourcePrompt,
    large_prompts,
    prompts_around,
    small_prompts,
)
from codegen.rewrite.probe.sourcing import SourceInterpreter
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.branch import Branch, positions_branch
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.guards import Guards
from codegen.rewrite.recognise.runs import Runs, first_difference, something_else
from codegen.rewrite.recognise.study import same
from codegen.rewrite.recognise.traces import not_understood, two_results
from codegen.rewrite.vocabulary import TOKEN_IDS, token_role

STEPS, BYTES = 600_000, 24 << 20
"""Steps of all runs of a method, and bytes of one."""
LENGTH, TARGETS = "length", "targets"
"""What an attribute keeps: the number of tokens of a prompt, positions of targets."""


@dataclass(frozen=True)
class SourceRoles:
    """Which parameters hold what."""

    ids: str
    grid: str
    sizes: str
    mask: str


@dataclass(frozen=True)
class SourcePositions:
    """What a method computes: the arguments of the helper, and the statement in front of which it is called.

    ``tokens`` are the texts that hold the ids in front of an image and behind it; ``kept`` are the
    attributes that are written, with what they keep.
    """

    roles: SourceRoles
    tokens: tuple[str, str]
    padding: int
    names: tuple[str, str]
    kept: tuple[tuple[str, str], ...]
    anchor: ast.stmt


@dataclass(frozen=True)
class _Spared(Guards):
    """Nodes that do not vanish."""

    nodes: frozenset[ast.AST] = frozenset()

    @property
    def spared(self) -> frozenset[ast.AST]:
        """See :class:`Guards`."""
        return self.nodes


def source_roles(index: Index, function: Function) -> SourceRoles | None:
    """What the parameters of a method hold, None if it is told anything else."""
    names = parameters(function)[1:]
    grids = [name for name in names if index.vocabulary.grid_of([name])]
    ids = [name for name in names if name in TOKEN_IDS]
    masks = [name for name in names if "mask" in name]
    rest = [name for name in names if name not in (*grids, *ids, *masks)]
    if [len(found) for found in (grids, ids, masks, rest)] != [1, 1, 1, 1]:
        return None
    if "video" in grids[0] or "per_sample" not in rest[0]:
        return None
    return SourceRoles(ids[0], grids[0], rest[0], masks[0])


def recognise_targets(
    index: Index, cls: ClassInfo, function: Function
) -> SourcePositions | Objection | None:
    """What a method computes, or why it is left; None if it counts no positions of such prompts."""
    roles = source_roles(index, function)
    if roles is None or not any(isinstance(node, ast.For) for node in walk(function)):
        return None
    branch = positions_branch(function)
    if branch is None:
        return Objection(function, "it does not return two names at its end")
    changed = {name for statement in branch.before for name in assigned_names(statement)}
    if changed & {roles.ids, roles.grid, roles.sizes, roles.mask}:
        return Objection(function, "it changes a parameter in front of its positions")
    made = _made_like(function, branch, roles.ids)
    return made or Trial(index, cls, function, roles, branch).verdict()


def _made_like(function: Function, branch: Branch, like: str) -> Objection | None:
    """Why the results may have another dtype or device than the ids of tokens."""
    last = branch.statements[-1]
    for name in branch.names:
        made = resolved(function, ast.Name(name, ast.Load()))
        given = {k.arg: k.value for k in made.keywords} if isinstance(made, ast.Call) else {}
        for what in ("dtype", "device"):
            value = given.get(what)
            if value is None or ast.unparse(resolved(function, value)) != f"{like}.{what}":
                return Objection(last, f"the {what} of {name} is not known to be that of {like}")
    return None


@dataclass
class Trial:
    """Runs of one method."""

    index: Index
    cls: ClassInfo
    function: Function
    roles: SourceRoles
    branch: Branch
    runs: Runs = field(init=False)
    written: dict[SourcePrompt, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = Runs(self.cls, self.function, STEPS, BYTES)

    def verdict(self) -> SourcePositions | Objection:
        """What the method computes, or why it is left."""
        first = small_prompts()[1]
        trace = self._run(first)
        if trace.asked_tracing:
            return Objection(self.function, "it asks whether it is traced")
        results = two_results(trace)
        if results is None:
            return not_understood(self.function, [trace])
        padding = next((n for n in (0, 1) if same(results[0].data, first.positions(n))), None)
        if padding is None:
            wanted = first.positions(0), np.zeros((len(first.samples), 1), np.int64)
            return Objection(self.function, something_else(first, trace, wanted))
        tokens = {
            token_role(text.rpartition(".")[2]).rpartition("_")[2]: text for text in trace.scalars
        }
        if not {"start", "end"} <= tokens.keys():
            return Objection(self.function, "it reads no ids of tokens around an image")
        kept = self._kept(first)
        if isinstance(kept, Objection):
            return kept
        pair = tokens["start"], tokens["end"]
        anchor = self.branch.statements[0]
        found = SourcePositions(self.roles, pair, padding, self.branch.names, kept, anchor)
        return self._objection(found) or found

    def _run(self, prompt: SourcePrompt) -> Trace:
        known = self.runs.get(prompt)
        if known is not None:
            return known
        roles = self.roles
        arrays = {
            roles.ids: prompt.ids,
            roles.grid: prompt.grid,
            roles.sizes: prompt.sizes,
            roles.mask: prompt.mask,
        }
        interpreter = SourceInterpreter(self.index, 0, prompt.ids.size, self.runs.meter)
        trace = self.runs.add(prompt, interpreter, arrays)
        self.written[prompt] = interpreter.written
        return trace

    def _kept(self, prompt: SourcePrompt) -> tuple[tuple[str, str], ...] | Objection:
        """What the attributes that the method writes keep."""
        found = []
        for text, value in sorted(self.written[prompt].items()):
            kind = next((kind for kind in (LENGTH, TARGETS) if _keeps(value, kind, prompt)), "")
            if not kind or not text.startswith("self."):
                return Objection(self.function, f"what it writes to {text} is not known")
            found.append((text, kind))
        return tuple(found)

    # -- evidence ----------------------------------------------------------------------------------

    def _objection(self, found: SourcePositions) -> Objection | None:
        attributes = {text.partition(".")[2] for text, _ in found.kept}
        stores = {
            node
            for statement in self.branch.statements
            for node in walk(statement)
            if self_attribute(node) in attributes and isinstance(node, ast.Attribute)
        }
        spared = _Spared(nodes=frozenset(stores))
        lost = self.runs.vanishing(self.branch.statements, spared, where=" in a graph")
        if lost is not None:
            return lost
        for prompt in self._prompts():
            problem = self._disagreement(prompt, found)
            if problem:
                return Objection(self.function, problem)
        return self.runs.uncovered(self.branch.statements)

    def _prompts(self) -> Iterator[SourcePrompt]:
        yield from chain(small_prompts(), large_prompts())
        yield from prompts_around(self.runs.numbers)

    def _disagreement(self, prompt: SourcePrompt, found: SourcePositions) -> str:
        trace = self._run(prompt)
        if max((abs(n) for n in chain(*trace.numbers.values())), default=0) > LARGEST_NUMBER:
            return "no prompt reaches the largest of its numbers"
        refused = self.runs.refused(prompt, trace)
        if refused:
            return refused
        wanted = prompt.positions(found.padding), np.zeros((len(prompt.samples), 1), np.int64)
        if first_difference(trace, wanted):
            return something_else(prompt, trace, wanted)
        written = self.written[prompt]
        if written.keys() != {text for text, _ in found.kept}:
            return f"it writes to other attributes on {prompt}"
        wrong = [text for text, kind in found.kept if not _keeps(written[text], kind, prompt)]
        return f"it keeps something else in {wrong[0]} on {prompt}" if wrong else ""


def _keeps(value: Any, kind: str, prompt: SourcePrompt) -> bool:
    if kind == LENGTH:
        return isinstance(value, int) and value == prompt.ids.shape[1]
    expected = prompt.targets()
    if expected is None:
        return value is None
    return isinstance(value, Arr) and not value.late and same(value.data, expected)
