"""Recognise the rotary positions of prompts with sounds by what a method gives for prompts.

As :mod:`codegen.rewrite.recognise.positions`, for methods that find items by the ids of tokens, and are told
the lengths of sounds. They stay as they are: only a graph gets its positions from the helper, and for
prompts of which the grammar of :mod:`codegen.rewrite.probe.sound_prompts` has none nothing changes eagerly.
So a condition may come out one way on all prompts; but each statement and each value has to be shown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.probes import LARGEST_NUMBER, MERGES
from codegen.rewrite.probe.sound_prompts import (
    PER_SECOND,
    STYLES,
    SoundPrompt,
    Style,
    first_prompt,
    large_prompts,
    plainest_prompt,
    prompts_around,
    shortest_film,
    small_prompts,
)
from codegen.rewrite.probe.telling import TokenInterpreter
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.recognise.branch import Branch, made_like, positions_branch, unshown
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.runs import Runs, something_else
from codegen.rewrite.recognise.study import same
from codegen.rewrite.recognise.traces import entered_by, not_understood, shown_by, two_results
from codegen.rewrite.vocabulary import TOKEN_IDS, token_role

STEPS, BYTES = 600_000, 40 << 20
"""Steps of all runs of a method, and bytes of one."""
_LOOPS = frozenset((ast.While, ast.FunctionDef, ast.Yield))
"""What a graph can go without: they end, and are seen by nobody."""
_FORMS = tuple((shared, padding) for shared in (True, False) for padding in (0, 1))
"""Whether the delimiters of a video with sound have one position, and the position of what is masked."""
_TELLING = (plainest_prompt, shortest_film, first_prompt, partial(first_prompt, variant=1))
"""Small prompts that tell most styles apart, the cheapest first."""
_NEEDED = ("image", "video", "audio", "vision_start", "audio_start")


@dataclass(frozen=True)
class SoundRoles:
    """Which parameters hold what."""

    ids: str
    images: str
    videos: str
    mask: str
    with_sound: str
    lengths: str
    seconds: str


@dataclass(frozen=True)
class SoundPositions:
    """What a method computes: the arguments of the helper, and the statement in front of which it is called.

    ``tokens`` are texts that hold ids, by what these stand for.
    """

    roles: SoundRoles
    merge: str
    per_second: str
    tokens: tuple[tuple[str, str], ...]
    shared: bool
    padding: int
    dtype: str
    anchor: ast.stmt


def sound_roles(index: Index, function: Function) -> SoundRoles | None:
    """What the parameters of a method hold, None if it is told no sounds, or of anything else."""
    names = parameters(function)[1:]
    grids = [name for name in names if index.vocabulary.grid_of([name])]
    ids = [name for name in names if name in TOKEN_IDS]
    known = {
        "videos": [name for name in grids if "video" in name],
        "images": [name for name in grids if "video" not in name],
        "mask": [name for name in names if "mask" in name],
        "with_sound": [name for name in names if "audio" in name and "video" in name],
        "seconds": [name for name in names if "second" in name],
    }
    taken = [*ids, *chain(*known.values())]
    known["lengths"] = [name for name in names if "audio" in name and name not in taken]
    if any(len(found) != 1 for found in (ids, *known.values())):
        return None
    roles = {role: found[0] for role, found in known.items()}
    return None if len(names) != 1 + len(roles) else SoundRoles(ids[0], **roles)


def recognise_sounds(
    index: Index, cls: ClassInfo, function: Function
) -> SoundPositions | Objection | None:
    """What a method computes, or why it is left; None if it counts no positions of prompts with sounds."""
    roles = sound_roles(index, function)
    if roles is None or not any(isinstance(node, ast.For) for node in walk(function)):
        return None
    branch = positions_branch(function)
    if branch is None:
        return Objection(function, "it does not return two names at its end")
    changed = {name for statement in branch.before for name in assigned_names(statement)}
    if changed & {roles.ids, roles.images, roles.videos, roles.mask, roles.seconds}:
        return Objection(function, "it changes a parameter in front of its positions")
    dtype = made_like(branch, roles.ids)
    if isinstance(dtype, Objection):
        return dtype
    order = _times_of_frames(function, roles.seconds)
    return order or Trial(index, cls, function, roles, branch, dtype).verdict()


@dataclass
class Trial:
    """Runs of one method."""

    index: Index
    cls: ClassInfo
    function: Function
    roles: SoundRoles
    branch: Branch
    dtype: str
    runs: Runs = field(init=False)
    """By what was given: prompts of several styles can be the same."""

    def __post_init__(self) -> None:
        self.runs = Runs(self.cls, self.function, STEPS, BYTES)

    def verdict(self) -> SoundPositions | Objection:
        """What the method computes, or why it is left."""
        return self._shown() or self._looked_at()

    def _shown(self) -> SoundPositions | None:
        """What the method computes, if prompts of one style show it; of most styles few say that it is another."""
        for style in STYLES:
            for shared, padding in _FORMS:
                if not all(self._gives(told(style), shared, padding) for told in _TELLING):
                    continue
                if self._told(*self.runs.traces) is not None:
                    return None
                found = self._arguments(style, shared, padding)
                if isinstance(found, SoundPositions) and self._objection(style, found) is None:
                    return found
        return None

    def _gives(self, prompt: SoundPrompt, shared: bool, padding: int) -> bool:
        return _agrees(prompt, self._run(prompt), shared, padding)

    def _looked_at(self) -> SoundPositions | Objection:
        """Why the method is left, as the last style says that its first prompt could be of.

        With the runs for all styles everything may be shown, after all.
        """
        firsts: list[Trace] = []
        objections: list[Objection] = []
        for style in STYLES:
            first = first_prompt(style)
            firsts.append(self._run(first))
            for shared, padding in _FORMS:
                if not _agrees(first, firsts[-1], shared, padding):
                    continue
                found = self._told(firsts[-1]) or self._arguments(style, shared, padding)
                if isinstance(found, SoundPositions):
                    # Shorter sounds than the prompt has tokens for can look like text behind them.
                    objection = self._objection(style, found)
                    if objection is None:
                        return found
                    found = objection
                objections.append(found)
        return objections[-1] if objections else self._not_understood(firsts)

    def _run(self, prompt: SoundPrompt) -> Trace:
        known = self.runs.get(prompt.given)
        if known is not None:
            return known
        roles, rows = self.roles, prompt.ids.size
        arrays = {
            roles.ids: prompt.ids,
            roles.images: prompt.images,
            roles.videos: prompt.videos,
            roles.mask: prompt.mask,
            roles.lengths: prompt.lengths,
            roles.seconds: prompt.seconds,
        }
        interpreter = TokenInterpreter(self.index, prompt.variant, rows, self.runs.meter)
        others = {roles.with_sound: prompt.with_sound}
        return self.runs.add(prompt.given, interpreter, arrays, others)

    # -- arguments ---------------------------------------------------------------------------------

    def _arguments(self, style: Style, shared: bool, padding: int) -> SoundPositions | Objection:
        scalars: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for prompt in small_prompts(style):
            scalars[prompt.variant].update(self._run(prompt).scalars)
        texts = [text for text in scalars[0] if text in scalars[1]]
        values = {text: tuple(read[text] for read in scalars) for text in texts}
        merges = [text for text in texts if values[text] == MERGES]
        speeds = [text for text in texts if values[text] == PER_SECOND]
        if len(merges) != 1 or len(speeds) != 1:
            what = "the size of a merge block" if len(merges) != 1 else "the positions in a second"
            return Objection(self.function, f"not one field that it reads is {what}")
        tokens = {token_role(text.rpartition(".")[2]): text for text in texts}
        missing = [role for role in _NEEDED if role not in tokens]
        if missing:
            return Objection(self.function, f"it reads no id of a token for {', '.join(missing)}")
        return SoundPositions(
            self.roles,
            merges[0],
            speeds[0],
            tuple((role, tokens[role]) for role in _NEEDED),
            shared,
            padding,
            self.dtype,
            self.branch.statements[0],
        )

    # -- evidence ----------------------------------------------------------------------------------

    def _objection(self, style: Style, found: SoundPositions) -> Objection | None:
        told = self._told(*self.runs.traces)
        if told is not None:
            return told
        lost = self.runs.vanishing(self.branch.statements, ending=_LOOPS, where=" in a graph")
        if lost is not None:
            return lost
        known: set[int] = set()
        prompts: Iterable[SoundPrompt] = chain(small_prompts(style), large_prompts(style))
        while numbers := self.runs.numbers - known:
            if max(numbers) > LARGEST_NUMBER:
                return Objection(self.function, f"no prompt reaches the number {max(numbers)}")
            around = (prompts_around(style, numbers, variant) for variant in (0, 1))
            for prompt in chain(prompts, *around):
                problem = self._disagreement(prompt, found)
                if problem is not None:
                    return problem
            known, prompts = known | numbers, ()
        return self._coverage()

    def _told(self, *traces: Trace) -> Objection | None:
        """It may have its second form already; one run is enough to see that."""
        if any(trace.asked_tracing for trace in traces):
            return Objection(self.function, "it asks whether it is traced")
        return None

    def _disagreement(self, prompt: SoundPrompt, found: SoundPositions) -> Objection | None:
        trace = self._run(prompt)
        refused = self.runs.refused(prompt, trace)
        if refused:
            return Objection(self.function, refused)
        if (
            prompt.mask is None
            and not trace.refused
            and two_results(trace) is None
            and trace.reasons
        ):
            return None  # it cannot do without a mask
        if not _agrees(prompt, trace, found.shared, found.padding):
            expected = prompt.expected(found.shared, found.padding)
            return Objection(self.function, something_else(prompt, trace, expected))
        return None

    def _coverage(self) -> Objection | None:
        ran, outcomes = shown_by(self.runs.traces)
        called = [function.body for function in entered_by(self.runs.traces)]
        for body in (self.branch.statements, *called):
            missing = unshown(body, ran, outcomes)
            if missing is not None:
                return self.runs.placed(missing)
        return None

    def _not_understood(self, firsts: list[Trace]) -> Objection:
        """Why nothing is known of the results, or that they are others."""
        if any(two_results(trace) is not None for trace in firsts):
            first = first_prompt(STYLES[0])
            return Objection(self.function, f"it gives something else on {first}")
        return not_understood(self.function, firsts)


def _agrees(prompt: SoundPrompt, trace: Trace, shared: bool, padding: int) -> bool:
    """Whether a run gave the positions of a prompt, whole numbers where these should be."""
    found = two_results(trace)
    if found is None:
        return False
    kinds = {result.data.dtype.kind for result in found}
    if kinds != {"i" if prompt.style.whole else "f"}:
        return False
    positions, ahead = prompt.expected(shared, padding)
    return same(found[0].data, positions) and same(found[1].data, ahead)


def _times_of_frames(function: Function, seconds: str) -> Objection | None:
    """Products of three round twice: they have to be made in the order of the helper."""
    for product in _products(function):
        factors = _factors(product)
        places = [n for n, factor in enumerate(factors) if _reads(factor, seconds)]
        if places and (len(factors) != 3 or places != [1]):
            return Objection(product, "the times of frames are multiplied in another order")
    return None


def _products(function: Function) -> Iterator[ast.BinOp]:
    """Products that are no factor of another."""
    inner: set[ast.AST] = set()
    for node in walk(function):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            inner.add(node.left)
            if node not in inner:
                yield node


def _factors(product: ast.expr) -> list[ast.expr]:
    """``a * b * c``, from left to right."""
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        return [*_factors(product.left), product.right]
    return [product]


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in walk(node))
