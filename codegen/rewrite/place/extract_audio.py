"""The audio part of extract: chunk, segment and gather tensors of encoders over packed mel frames.

chunk_lengths = ... ; padded, mask, mask_after = pad(features.split(chunk_lengths.tolist()), ...)
    ->  padded_feature, chunk_lengths = chunk_and_pad_features(features, feature_lens, self.n_window)
        valid_indices = get_valid_indices(chunk_lengths)
hidden = embed[mask_after]  ->  hidden = embed.flatten(0, 1)[valid_indices]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from codegen.rewrite.audio_helpers import AUDIO_CU_SEQLENS, CHUNKS, POOL_INDICES, VALID_INDICES
from codegen.rewrite.capture.chunks import divides_by
from codegen.rewrite.emit.edits import Change, Edit, Insert, Replace, Site, Substitute
from codegen.rewrite.flow import effect
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.place.audio_plan import HALVED, AudioPlan, names_taken, plan_audio, results_of
from codegen.rewrite.place.replacements import refusal_lines
from codegen.rewrite.recognise.audio import (
    AudioMatch,
    AudioStudy,
    agrees_on_audio,
    match_audio,
    study_lengths,
)
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import Claim, Trial, participants
from codegen.rewrite.recognise.study import Study
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import LAW_STRIDES

_CHECK = "check_columns"


def extract_audio(state: RewriteState) -> set[ast.stmt]:
    """Rewrite the ``forward`` of every encoder that cuts packed frames into chunks.

    Returns the top-level statements that are gone, so that nobody reports them as left.
    """
    gone: set[ast.stmt] = set()
    for info in state.candidates():
        for cls in state.classes(info):
            function = cls.methods.get("forward")
            if function is None or not _worth(state.index, function):
                continue
            with state.attempt("extract", cls, function):
                studied = study_lengths(state.index, cls, function)
                if isinstance(studied, Study):
                    _note_cost(state, cls, studied)
                elif studied is not None:
                    gone |= _rewrite(state, cls, studied)
    return gone


def _worth(index: Index, function: Function) -> bool:
    if not index.vocabulary.lengths_of(parameters(function)):
        return False
    attributes = {n.attr for n in walk(glance(function)) if isinstance(n, ast.Attribute)}
    return {"split", "tolist"} <= attributes


def _rewrite(state: RewriteState, cls: ClassInfo, studied: AudioStudy) -> set[ast.stmt]:
    match, missing = match_audio(studied)
    if match is None:
        return _note_left(state, cls, studied, f"recognised, but not {missing}")
    plan = plan_audio(studied, match)
    taken = sorted(names_taken(studied, match, plan))
    if not plan.lookups:
        return _note_left(state, cls, studied, f"whose mask {match.valid.name} selects no rows")
    if taken:
        return _note_left(
            state, cls, studied, f"whose name {', '.join(taken)} holds something else"
        )
    unchecked = _unchecked(state.index, cls, studied, match, plan)
    for lookup in unchecked:
        if not isinstance(lookup.value, ast.Name):
            what = f"{ast.unparse(lookup.value)} is not known to have the rows that the mask needs"
            return _note_left(state, cls, studied, f"in which {what}", lookup)
    objection = _objection(state.index, studied, match, plan)
    if objection is not None:
        what = f"not replaced by helpers: {objection.reason}"
        return _note_left(state, cls, studied, what, objection.node)
    state.propose(_change(cls, studied, match, plan, unchecked))
    return {studied.study.function.body[n] for n in {*plan.dead, *plan.lines}}


def _unchecked(
    index: Index, cls: ClassInfo, studied: AudioStudy, match: AudioMatch, plan: AudioPlan
) -> tuple[ast.Subscript, ...]:
    """Lookups by the mask that may not fit it: convolutions are not known to leave what the law says.

    The original refuses such rows, those without the padding would be others than the mask selects.
    """
    stride = LAW_STRIDES.get(match.valid.law or HALVED, 0)
    known = stride and divides_by(index, cls, studied.study.function, stride)
    return () if known else plan.lookups


def _change(
    cls: ClassInfo,
    studied: AudioStudy,
    match: AudioMatch,
    plan: AudioPlan,
    unchecked: tuple[ast.Subscript, ...],
) -> Change:
    pooled = [POOL_INDICES] if match.pairs is not None else []
    given = (CHUNKS, VALID_INDICES, AUDIO_CU_SEQLENS, *pooled)
    laws = {match.valid.law, match.pairs.law if match.pairs is not None else ""} - {""}
    function = studied.study.function
    records = tuple(
        Record(
            model_of(cls.module.source.module),
            cls.name,
            function.name,
            "extracted",
            cls.module.place(function.body[match.padded.statement]),
            helper.name,
            helper.outputs,
        )
        for helper in given
    )
    laws |= {match.valid.law or HALVED} if unchecked else set()
    names = (*(helper.name for helper in given), *sorted(laws), *[_CHECK] * bool(unchecked))
    checks = _checks(function, match, plan, unchecked)
    site = Site(cls, function, (*_edits(cls, studied, plan), *checks))
    return Change("extract", (site,), tuple((cls.module, name) for name in names), records)


def _objection(
    index: Index, studied: AudioStudy, match: AudioMatch, plan: AudioPlan
) -> Objection | None:
    """Why the match does not hold when it is looked at more closely."""
    effects = [effect(statement) for statement in studied.study.function.body]
    found = [studied.found, *results_of(studied, match).values(), match.valid]
    found += [match.masks] if match.masks is not None else []
    parts = [participants(effects, one.statement, [one.name]) for one in found]
    everything = frozenset().union(*parts)
    removed = plan.dead | set(plan.lines)
    trial = Trial(index, studied.study, everything, guards=plan.guards)
    agrees = partial(agrees_on_audio, studied, match)
    return trial.effects(removed - everything) or trial.objection(
        Claim(agrees, everything, removed & everything)
    )


def _note_cost(state: RewriteState, cls: ClassInfo, study: Study) -> None:
    assert study.cost is not None
    statement, cost = study.cost
    model, place = model_of(cls.module.source.module), cls.module.place(statement)
    reason = f"not looked at: it would take {cost}"
    state.note(Record(model, cls.name, study.function.name, "left", place, reason=reason))


def _note_left(
    state: RewriteState,
    cls: ClassInfo,
    studied: AudioStudy,
    what: str,
    node: ast.AST | None = None,
) -> set[ast.stmt]:
    function = studied.study.function
    place = cls.module.place(node or function.body[studied.found.statement])
    reason = f"chunks of audio {what}: kept"
    model = model_of(cls.module.source.module)
    state.note(Record(model, cls.name, function.name, "left", place, CHUNKS.name, reason=reason))
    return set()


def _edits(cls: ClassInfo, studied: AudioStudy, plan: AudioPlan) -> Iterator[Edit]:
    function, text = studied.study.function, cls.module.text
    kept = {n: refusal_lines(cls.module, nodes) for n, nodes in plan.guards.kept.items()}
    for number in sorted(plan.dead):
        yield Replace((function.body[number],), kept.get(number, ()))
    for number, new in plan.lines.items():
        yield Replace((function.body[number],), (*kept.get(number, ()), *new))
    masks: set[ast.AST] = set()
    for lookup in plan.lookups:
        rows = lookup.value
        name = plan.renames.get(rows.id) if isinstance(rows, ast.Name) else None
        yield Substitute(rows, f"{name or text.source(rows)}.flatten(0, 1)")
        yield Substitute(lookup.slice, "valid_indices")
        masks.update(walk(lookup))
    for number, statement in enumerate(function.body):
        if number in plan.dead or number in plan.lines:
            continue
        for node in walk(statement):
            if isinstance(node, ast.Name) and node.id in plan.renames and node not in masks:
                yield Substitute(node, plan.renames[node.id])


def _checks(
    function: Function,
    match: AudioMatch,
    plan: AudioPlan,
    unchecked: tuple[ast.Subscript, ...],
) -> Iterator[Edit]:
    """Refuse rows that do not fit in front of the statements that select some of them."""
    seen: set[tuple[int, str]] = set()
    for lookup in unchecked:
        around = [n for n in walk(function) if isinstance(n, ast.stmt) and lookup in walk(n)]
        name = getattr(lookup.value, "id", "")
        name = plan.renames.get(name, name)
        if (id(around[-1]), name) not in seen:
            seen.add((id(around[-1]), name))
            needed = f"{match.valid.law or HALVED}(chunk_lengths)"
            yield Insert(around[-1], (f'{_CHECK}("{name}", {name}, {needed})',))
