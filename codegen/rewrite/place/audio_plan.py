"""What replaces the chunks of an audio encoder: lines by statement, what is dead behind them, names that change."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from codegen.rewrite.audio_helpers import AUDIO_CU_SEQLENS, CHUNKS, POOL_INDICES, VALID_INDICES
from codegen.rewrite.flow import Effect, dead_statements, effect
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helpers import INPUTS
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names, iter_statements
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.audio import AudioMatch, AudioStudy, Found
from codegen.rewrite.recognise.effects import NO_GUARDS
from codegen.rewrite.recognise.evidence import participants
from codegen.rewrite.recognise.grids import CASTS
from codegen.rewrite.recognise.guards import Guards, guards_of
from codegen.rewrite.recognise.study import understood
from codegen.rewrite.vocabulary import torch_name

HALVED = "halved_lengths"


@dataclass(frozen=True)
class AudioPlan:
    """What one method gets: new lines by statement, dead statements, gathers, names that change, refusals that stay."""

    lines: Mapping[int, tuple[str, ...]]
    dead: frozenset[int]
    lookups: tuple[ast.Subscript, ...]
    renames: Mapping[str, str]
    guards: Guards


def plan_audio(studied: AudioStudy, match: AudioMatch) -> AudioPlan:
    """Lines for the matched statements, and what is dead once they are in place."""
    function = studied.study.function
    lookups = tuple(_lookups(function, match.valid.name))
    lines = _lines(studied, match)
    dead, guards = _dead_and_refusals(studied, match, lookups, lines)
    kept = [n for n, _ in iter_statements(function) if n not in dead and n not in lines]
    renames = _renames(studied, match, kept)
    used = {name for n in kept for name in effect(function.body[n]).uses}
    cast = any(_casts(function.body[number], match.padded.name) for number in kept)
    dtype = "" if cast else _dtype(studied, match)
    cast = not dtype
    if dtype:
        name = renames.get(match.padded.name, match.padded.name)
        line = f"{name} = padded_feature.to({dtype}).contiguous()"
        lines[match.padded.statement].insert(2, line)
    for canonical, found in results_of(studied, match).items():
        conversion = _conversion(studied, canonical, found)
        named = found.name in (canonical, *renames) or (found is match.padded and not cast)
        if (conversion or not named) and found.name in used:
            place = match.padded.statement if found is studied.found else found.statement
            lines[place].append(f"{found.name} = {canonical}{conversion}")
    return AudioPlan({n: tuple(new) for n, new in lines.items()}, dead, lookups, renames, guards)


def _conversion(studied: AudioStudy, canonical: str, found: Found) -> str:
    """What gives integers the width that they have in the method, empty where the helper's have it."""
    value = studied.study.traces[0].snapshots.get(found.statement, {}).get(found.name)
    kind = str(value.data.dtype) if isinstance(value, Arr) else ""
    return f".{CASTS[kind]}()" if kind in CASTS and kind != INPUTS[canonical].dtype else ""


def _dtype(studied: AudioStudy, match: AudioMatch) -> str:
    """What the padded chunks are converted to, empty where they have the dtype of the features.

    They have that of the model where what makes them asks for it; a plain module need not know one:
    there they have torch's own where they are copied into a tensor that was made without one.
    """
    study, number = studied.study, match.padded.statement
    effects = [effect(statement) for statement in study.function.body]
    parts = participants(effects, number, [match.padded.name])
    made: list[ast.AST] = [node for n in parts for node in walk(study.function.body[n])]
    entered = {f for trace in study.traces for n in parts for f in trace.entered.get(n, ())}
    made += [node for function in entered for node in walk(function)]
    is_plain = [ast.unparse(base) for base in study.cls.node.bases] == ["nn.Module"]
    if not is_plain or any(self_attribute(n) == "dtype" for n in made):
        return "self.dtype"
    values = [
        n
        for n in made
        if isinstance(n, ast.Call)
        and torch_name(n.func) in ("torch.zeros", "torch.full", "torch.empty")
        and all(keyword.arg not in ("dtype", None) for keyword in n.keywords)
    ]
    return "torch.get_default_dtype()" if values else ""


def results_of(studied: AudioStudy, match: AudioMatch) -> dict[str, Found]:
    """What the helpers give under their canonical names, except for the mask that becomes indices."""
    results = {
        "padded_feature": match.padded,
        "chunk_lengths": studied.found,
        "cu_seqlens": match.segments,
    }
    return results if match.pairs is None else {**results, "pool_indices": match.pairs}


def _renames(studied: AudioStudy, match: AudioMatch, kept: list[int]) -> dict[str, str]:
    """Local names that take the canonical name in the statements that stay."""
    function = studied.study.function
    taken = {n.id for n in walk(function) if isinstance(n, ast.Name)}
    taken |= set(parameters(function))
    renames = {}
    for canonical, found in results_of(studied, match).items():
        earlier = (function.body[n] for n in kept if n < found.statement)
        if _conversion(studied, canonical, found):
            continue
        if canonical not in taken and all(found.name not in effect(s).changes for s in earlier):
            renames[found.name] = canonical
    return renames


def _lines(studied: AudioStudy, match: AudioMatch) -> dict[int, list[str]]:
    """Helper calls by the statement they replace."""
    law = f", {match.valid.law}" if match.valid.law else ""
    features = f"{match.features}, {studied.lens}, {studied.window}"
    chunks = [
        f"padded_feature, chunk_lengths = {CHUNKS.name}({features})",
        f"valid_indices = {VALID_INDICES.name}(chunk_lengths{law})",
    ]
    if match.masks is not None:
        frames = "torch.arange(padded_feature.shape[-1], device=padded_feature.device)"
        lengths = "chunk_lengths.to(padded_feature.device)"
        chunks.append(f"{match.masks.name} = ({frames} < {lengths}[:, None]).long().unsqueeze(1)")
    arguments = ", ".join(("chunk_lengths", *match.arguments))
    segments = [f"cu_seqlens = {AUDIO_CU_SEQLENS.name}({arguments})"]
    lines = {match.padded.statement: chunks, match.segments.statement: segments}
    if match.pairs is not None:
        law = f", {match.pairs.law}" if match.pairs.law else ""
        call = f"pool_indices = {POOL_INDICES.name}({studied.lens}{law})"
        lines[match.pairs.statement] = [call]
    return lines


def _casts(statement: ast.stmt, name: str) -> bool:
    """Tell whether a statement converts a tensor of that name, so that its dtype is taken care of."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("to", "type")
        and getattr(node.func.value, "id", "") == name
        for node in walk(statement)
    )


def _lookups(function: Function, mask: str) -> Iterator[ast.Subscript]:
    """Every ``rows[mask]``, also where the mask is moved to a device first."""
    for node in walk(function):
        if isinstance(node, ast.Subscript) and _mask_name(node.slice) == mask:
            yield node


def _mask_name(node: ast.expr) -> str:
    """``mask`` of ``mask`` and of ``mask.to(device)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value if node.func.attr == "to" else node
    return node.id if isinstance(node, ast.Name) else ""


def _dead_and_refusals(
    studied: AudioStudy,
    match: AudioMatch,
    lookups: tuple[ast.Subscript, ...],
    lines: Collection[int],
) -> tuple[frozenset[int], Guards]:
    """Statements that only fed what the helpers now give, and the refusals in them that stay."""
    function = studied.study.function
    dead = _dead(studied, match, lookups, NO_GUARDS)
    guards = guards_of(function, dead.union(lines))
    if guards.kept:
        # What a refusal reads has to stay with it.
        dead = _dead(studied, match, lookups, guards) | (guards.kept.keys() & dead)
    gone = {name for n in dead.union(lines) for name in assigned_names(function.body[n])}
    return dead, guards_of(function, dead.union(lines), gone)


def _dead(
    studied: AudioStudy,
    match: AudioMatch,
    lookups: tuple[ast.Subscript, ...],
    guards: Guards,
) -> frozenset[int]:
    """Statements that only fed what the helpers now give; what refusals read is read by them."""
    function = studied.study.function
    effects = [effect(statement) for statement in function.body]
    changed: dict[int, Effect] = {}
    for number, statement in enumerate(function.body):
        inside = {id(node) for node in walk(statement)}
        if any(id(node) in inside for node in lookups):
            old = effects[number]
            changed[number] = Effect(old.uses - {match.valid.name}, old.changes, old.sets)
    lens = frozenset({studied.lens})
    first = {match.padded.name, studied.found.name, "padded_feature", "chunk_lengths"}
    first |= {match.masks.name} if match.masks is not None else set()
    changed[match.padded.statement] = _gives(lens | {match.features}, first)
    changed[match.segments.statement] = _gives(lens, {"cu_seqlens", match.segments.name})
    if match.pairs is not None:
        changed[match.pairs.statement] = _gives(lens, {"pool_indices", match.pairs.name})
    for number in guards.kept:
        known = changed.get(number, _gives(frozenset(), set()))
        changed[number] = replace(known, uses=known.uses | guards.names(number))
    removable = [n for n, _ in iter_statements(function) if understood(studied.study, n)]
    return dead_statements(effects, removable, changed)


def _gives(uses: frozenset[str], names: set[str]) -> Effect:
    return Effect(uses, frozenset(names), frozenset(names))


def names_taken(studied: AudioStudy, match: AudioMatch, plan: AudioPlan) -> set[str]:
    """Canonical names that parameters have, or that statements which stay give another value."""
    wanted = {"valid_indices": match.valid, **results_of(studied, match)}
    taken = set(wanted) & set(parameters(studied.study.function))
    for number, statement in iter_statements(studied.study.function):
        if number in plan.dead or number in plan.lines:
            continue
        changes = effect(statement).changes
        for name, found in wanted.items():
            # The source itself goes on changing its own name behind the place that is replaced.
            if name in changes and (found.name != name or number < found.statement):
                taken.add(name)
    return taken
