"""Recognise the rotary positions of prompts with images and videos by what a method gives for prompts.

A method that takes grids and the types of tokens and returns two tensors is run on prompts
(:mod:`codegen.rewrite.probe.prompts`); names of parameters only tell which to try first. It counts as
recognised if it agrees on small, on large and on prompts around its numbers, if all of it has run, and if
nothing but the two results would vanish.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, of_kind, walk
from codegen.rewrite.probe.probes import LARGEST_NUMBER, MERGES
from codegen.rewrite.probe.prompting import PromptInterpreter
from codegen.rewrite.probe.prompts import (
    APART,
    LAYOUTS,
    MERGED,
    TEMPORAL_MERGE,
    Prompt,
    large_prompts,
    prompts_around,
    prompts_of_other_types,
    small_prompts,
)
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import BYTES, STEPS
from codegen.rewrite.recognise.guards import refuses
from codegen.rewrite.recognise.runs import Runs, alike_positions, something_else
from codegen.rewrite.recognise.sounds import sound_roles
from codegen.rewrite.recognise.study import same
from codegen.rewrite.recognise.targets import source_roles
from codegen.rewrite.recognise.traces import entered_by, not_understood, two_results
from codegen.rewrite.vocabulary import TOKEN_IDS, TOKEN_TYPES

MOST_TRIED = 4
"""Parameters that are tried as the types of tokens, where none is called so."""


@dataclass(frozen=True)
class Roles:
    """Which parameters hold what; empty where none does. ``others`` have a value for every token."""

    types: str
    images: str
    videos: str
    mask: str
    seconds: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Positions:
    """What a method computes: the arguments of the helper, and the statements that it replaces.

    ``merge``, ``temporal`` and ``per_second`` are texts that hold numbers, the last two may be empty.
    ``like`` is the parameter whose dtype and device the results have, ``entered`` the functions that
    were called on the way.
    """

    roles: Roles
    merge: str
    temporal: str
    per_second: str
    apart: bool
    like: str
    statements: tuple[ast.stmt, ...]
    entered: frozenset[Function] = frozenset()


def roles_of(index: Index, function: Function) -> Iterator[Roles]:
    """The ways in which the parameters of a method can be understood, none if it is no candidate."""
    names = parameters(function)[1:]
    grids = [name for name in names if index.vocabulary.grid_of([name])]
    if not grids or len(grids) > 2 or len(_returned(glance(function))) != 2:
        return
    videos = next((name for name in grids if "video" in name), "")
    images = next((name for name in grids if name != videos), "")
    mask = next((name for name in names if "mask" in name), "")
    seconds = next((name for name in names if "second" in name), "")
    rest = [name for name in names if name not in (*grids, mask, seconds)]
    known = [name for name in rest if name.endswith(TOKEN_TYPES)]
    several = [name for name in rest if name not in TOKEN_IDS]
    for types in known or several[:MOST_TRIED]:
        others = tuple(name for name in rest if name in TOKEN_IDS)
        yield Roles(types, images, videos, mask, seconds, others)


def is_near(index: Index, cls: ClassInfo, function: Function) -> bool:
    """Tell whether a method counts positions of the tokens of prompts, so that it is worth a word if it stays."""
    names = parameters(function)[1:]
    takes = any(name.endswith((*TOKEN_TYPES, *TOKEN_IDS)) for name in names)
    if not takes or not index.vocabulary.grid_of(names):
        return False
    values = [node.value for node in of_kind(glance(function), ast.Return)]
    pairs = [v for v in values if isinstance(v, ast.Tuple) and len(v.elts) == 2]
    return len(pairs) == len(values) > 0 and "arange(" in cls.module.segment(function)


def _returned(function: Function) -> list[ast.Name]:
    """The two names that a method returns at its end; none if it returns anything else."""
    last = function.body[-1]
    value = last.value if isinstance(last, ast.Return) else None
    elements = value.elts if isinstance(value, ast.Tuple) else []
    named = [element for element in elements if isinstance(element, ast.Name)]
    return named if len(named) == len(elements) == 2 else []


def recognise_positions(
    index: Index, cls: ClassInfo, function: Function
) -> Positions | Objection | None:
    """What a method computes, or why it is left; None if it has nothing to do with positions."""
    # Without a grid it has no roles and is not near.
    if not index.vocabulary.grid_of(parameters(function)[1:]):
        return None
    if not any(isinstance(node, ast.For) for node in walk(glance(function))):
        return None
    if sound_roles(index, function) is not None or source_roles(index, function) is not None:
        return None  # a graph gets them: codegen.rewrite.recognise.sounds, .targets
    objection: Objection | None = None
    for roles in roles_of(index, function):
        found = Trial(index, cls, function, roles).verdict()
        if isinstance(found, Positions):
            return found
        objection = objection or found
    if not is_near(index, cls, function):
        return None
    if objection is None and len(_returned(glance(function))) != 2:
        return Objection(function.body[-1], "what it returns at its end are not two names")
    return objection or Objection(function, "it is not told the types of the tokens")


@dataclass
class Trial:
    """Runs of one method, with its parameters understood in one way."""

    index: Index
    cls: ClassInfo
    function: Function
    roles: Roles
    runs: Runs = field(init=False)

    def __post_init__(self) -> None:
        self.runs = Runs(self.cls, self.function, STEPS, BYTES)

    def verdict(self) -> Positions | Objection:
        """What the method computes, or why it is left."""
        layout = next((name for name in LAYOUTS if self._glance(name)), "")
        if not layout:
            return not_understood(self.function, self.runs.traces)
        found = self._arguments(layout)
        if isinstance(found, Objection):
            return found
        lost = self._objection(layout, found)
        return lost or replace(found, entered=frozenset(entered_by(self.runs.traces)))

    # -- runs --------------------------------------------------------------------------------------

    def _run(self, prompt: Prompt) -> Trace:
        known = self.runs.get(prompt)
        if known is not None:
            return known
        roles = self.roles
        arrays = {roles.types: prompt.types, **dict.fromkeys(roles.others, prompt.ids)}
        optional = {roles.images: prompt.images, roles.videos: prompt.videos}
        optional |= {roles.mask: prompt.mask, roles.seconds: prompt.seconds}
        given = {**arrays, **{name: array for name, array in optional.items() if name}}
        rows = prompt.types.size
        interpreter = PromptInterpreter(self.index, prompt.variant, rows, self.runs.meter)
        return self.runs.add(prompt, interpreter, given)

    def _prompts(self, layout: str) -> Iterator[Prompt]:
        """Prompts that the parameters can hold."""
        for prompt in small_prompts(layout):
            if self._holds(prompt):
                yield prompt

    def _holds(self, prompt: Prompt) -> bool:
        wanted = ((prompt.images, self.roles.images), (prompt.videos, self.roles.videos))
        if any(grid is not None and not name for grid, name in wanted):
            return False
        return bool(self.roles.mask) or prompt.mask is None or bool(prompt.mask.all())

    def _glance(self, layout: str) -> bool:
        """Whether the method gives two tensors for the first prompt of a layout, if its parameters can hold one."""
        first = next(self._prompts(layout), None)
        return first is not None and two_results(self._run(first)) is not None

    # -- arguments ---------------------------------------------------------------------------------

    def _arguments(self, layout: str) -> Positions | Objection:
        known = {prompt.variant: prompt for prompt in reversed([*self._prompts(layout)])}
        if known.keys() != {0, 1}:
            return Objection(self.function, "its parameters hold too few kinds of prompts")
        firsts = [known[variant] for variant in (0, 1)]
        scalars = [self._run(prompt).scalars for prompt in firsts]
        texts = [text for text in scalars[0] if text in scalars[1]]
        values = {text: tuple(read[text] for read in scalars) for text in texts}
        merges = [text for text in texts if values[text] == MERGES]
        temporal = [""]
        if layout == MERGED:
            temporal = [text for text in texts if set(values[text]) == {TEMPORAL_MERGE}]
        if not merges or not temporal:
            what = "a merge block" if not merges else "the frames of a token"
            return Objection(self.function, f"no field that it reads is the size of {what}")
        if len(merges) > 1 or len(temporal) > 1:
            several = ", ".join(merges if len(merges) > 1 else temporal)
            return Objection(self.function, f"several fields have one value: {several}")
        known_types = {self.roles.types, *self.roles.others}
        like = _like(self.function, entered_by(self.runs.traces), known_types)
        if isinstance(like, Objection):
            return like
        choices = ["", *(text for text in texts if text not in (*merges, *temporal))]
        for per_second in choices:
            if all(_agrees(p, self._run(p), per_second) for p in firsts):
                kept = _refusals(self.function)
                rest = tuple(s for s in self.function.body if s not in kept and not _is_text(s))
                return Positions(
                    self.roles, merges[0], temporal[0], per_second, layout == APART, like, rest
                )
        return Objection(self.function, self._something_else(firsts[0], choices))

    def _something_else(self, prompt: Prompt, choices: Sequence[str]) -> str:
        """Where it differs from the helper with the field for positions in a second that comes nearest."""
        trace = self._run(prompt)
        expected = [prompt.expected(trace.scalars.get(text)) for text in choices]
        found = two_results(trace)
        if found is None:
            return something_else(prompt, trace)
        alike = [alike_positions(found[0].data, positions) for positions, _ in expected]
        return something_else(prompt, trace, expected[alike.index(max(alike))])

    # -- evidence ----------------------------------------------------------------------------------

    def _objection(self, layout: str, found: Positions) -> Objection | None:
        if self.runs.asked_tracing:
            return Objection(self.function, "it asks whether it is traced")
        lost = self.runs.vanishing(found.statements)
        if lost is not None:
            return lost
        numbers = self.runs.numbers
        if max(numbers, default=0) > LARGEST_NUMBER:
            return Objection(self.function, f"no prompt reaches the number {max(numbers)}")
        around = (prompts_around(layout, numbers, variant) for variant in (0, 1))
        for prompt in chain(self._prompts(layout), large_prompts(layout), *around):
            if not self._holds(prompt):
                continue
            trace = self._run(prompt)
            problem = self.runs.refused(prompt, trace)
            if not problem and not _agrees(prompt, trace, found.per_second):
                expected = prompt.expected(trace.scalars.get(found.per_second))
                problem = something_else(prompt, trace, expected)
            if problem:
                return Objection(self.function, problem)
        return self.runs.uncovered(found.statements) or self._other_types(numbers)

    def _other_types(self, numbers: Collection[int]) -> Objection | None:
        """Tokens that are neither of text nor of an image or a video, and are counted all the same."""
        for prompt in prompts_of_other_types(numbers):
            if two_results(self._run(prompt)) is not None:
                kind = prompt.types.max()
                return Objection(self.function, f"it counts tokens of type {kind}, too")
        return None


def _agrees(prompt: Prompt, trace: Trace, per_second: str) -> bool:
    """Whether a run gave the positions of a prompt, with a field for those in a second."""
    found = two_results(trace)
    if found is None:
        return False
    positions, ahead = prompt.expected(trace.scalars.get(per_second))
    return same(found[0].data, positions) and same(found[1].data, ahead)


def _like(function: Function, entered: Iterable[Function], known: set[str]) -> str | Objection:
    """The parameter whose dtype and device the results have, as the statements say that make them."""
    made, ahead = (_made(function, name.id) for name in _returned(function))
    keywords = {k.arg: ast.unparse(k.value) for k in made.keywords} if made is not None else {}
    names = {keywords.get(what, "").removesuffix(f".{what}") for what in ("dtype", "device")}
    if len(names) != 1 or not names <= known:
        return Objection(function, "the dtype and the device of its positions are not of one input")
    (like,) = names
    devices = [ast.unparse(k.value) for k in ahead.keywords] if ahead is not None else []
    if devices != [f"{like}.device"]:
        return Objection(function, f"what it returns besides is not made on the device of {like}")
    for tree in (function, *entered):
        for node in walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("int", "float", "double", "half"):
                return Objection(node, "it converts what it computes")
            inside = made is not None and node in walk(made)
            if isinstance(node, ast.Attribute) and node.attr == "dtype" and not inside:
                return Objection(node, "it says the dtype of more than its positions")
    return like


def _made(function: Function, name: str) -> ast.Call | None:
    """The call of a torch function that makes what a name holds in the end."""
    found: ast.Call | None = None
    for node in walk(function):
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
            inner = [n for n in walk(node.value) if isinstance(n, ast.Call) and n.keywords]
            found = inner[0] if inner else None
            if isinstance(node.value, (ast.List, ast.ListComp)):
                found = None
    return found


def _refusals(function: Function) -> list[ast.stmt]:
    """Statements at the beginning that only refuse; they stay where they are."""
    found: list[ast.stmt] = []
    for statement in function.body:
        if refuses(statement) and not assigned_names(statement):
            found.append(statement)
        elif not _is_text(statement):
            break
    return found


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
