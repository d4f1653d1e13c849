"""The audio part of extract: chunk, segment and gather tensors of encoders over packed mel frames.

chunk_lengths = ... ; padded, mask, mask_after = pad(features.split(chunk_lengths.tolist()), ...)
    ->  padded_feature, chunk_lengths = chunk_and_pad_features(features, feature_lens, self.n_window)
        valid_indices = get_valid_indices(chunk_lengths)
hidden = embed[mask_after]  ->  hidden = embed.flatten(0, 1)[valid_indices]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from codegen.passes.base import Record, model_of
from codegen.passes.edits import Edit, block
from codegen.passes.flow import Effect, dead_statements, effect
from codegen.passes.helpers import AUDIO_CU_SEQLENS, CHUNKS, POOL_INDICES, VALID_INDICES
from codegen.passes.modules import ClassInfo, Function, parameters
from codegen.passes.probe.trace import iter_statements
from codegen.passes.recognise import understood
from codegen.passes.recognise_audio import AudioMatch, AudioStudy, match_audio, study_lengths
from codegen.passes.workspace import Workspace


@dataclass(frozen=True)
class AudioPlan:
    """What one method gets: new lines by statement, dead statements, gathers that replace masks."""

    lines: Mapping[int, tuple[str, ...]]
    dead: frozenset[int]
    lookups: tuple[ast.Subscript, ...]


def extract_audio(workspace: Workspace) -> set[ast.stmt]:
    """Rewrite the ``forward`` of every encoder that cuts packed frames into chunks.

    Returns the top-level statements that are gone, so that nobody reports them as left.
    """
    gone: set[ast.stmt] = set()
    for info in workspace.candidates():
        for cls in workspace.classes(info):
            function = cls.methods.get("forward")
            if function is None or not _worth(function):
                continue
            studied = study_lengths(workspace.index, cls, function)
            if studied is not None:
                gone |= _rewrite(workspace, cls, studied)
    return gone


def _worth(function: Function) -> bool:
    attributes = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    return (
        any(n.endswith("_lens") for n in parameters(function)) and {"split", "tolist"} <= attributes
    )


def _rewrite(workspace: Workspace, cls: ClassInfo, studied: AudioStudy) -> set[ast.stmt]:
    match, missing = match_audio(studied)
    if match is None:
        return _note_left(workspace, cls, studied, f"recognised, but not {missing}")
    plan = _plan(studied, match)
    taken = sorted(_taken(studied, match, plan))
    if not plan.lookups:
        return _note_left(workspace, cls, studied, f"whose mask {match.valid.name} selects no rows")
    if taken:
        return _note_left(workspace, cls, studied, f"whose name {taken[0]} holds something else")
    workspace.edit(cls.module, _edits(cls, studied, plan))
    _note_extracted(workspace, cls, studied, match)
    return {studied.study.function.body[n] for n in {*plan.dead, *plan.lines}}


def _note_extracted(
    workspace: Workspace, cls: ClassInfo, studied: AudioStudy, match: AudioMatch
) -> None:
    pooled = [POOL_INDICES] if match.pairs is not None else []
    for helper in (CHUNKS, VALID_INDICES, AUDIO_CU_SEQLENS, *pooled):
        workspace.need(cls.module, helper.name)
        workspace.note(
            Record(
                model_of(cls.module.source.module),
                cls.name,
                studied.study.function.name,
                "extracted",
                cls.module.place(studied.study.function.body[match.padded.statement]),
                helper.name,
                helper.outputs,
            )
        )
    for law in {match.valid.law, match.pairs.law if match.pairs is not None else ""} - {""}:
        workspace.need(cls.module, law)


def _note_left(
    workspace: Workspace, cls: ClassInfo, studied: AudioStudy, what: str
) -> set[ast.stmt]:
    function = studied.study.function
    place = cls.module.place(function.body[studied.found.statement])
    reason = f"chunks of audio {what}: kept"
    model = model_of(cls.module.source.module)
    workspace.note(
        Record(model, cls.name, function.name, "left", place, CHUNKS.name, reason=reason)
    )
    return set()


def _plan(studied: AudioStudy, match: AudioMatch) -> AudioPlan:
    """Lines for the matched statements, and what is dead once they are in place."""
    function = studied.study.function
    lookups = tuple(_lookups(function, match.valid.name))
    lines = {
        match.padded.statement: _chunk_lines(studied, match),
        match.segments.statement: _segment_lines(match),
    }
    if match.pairs is not None:
        lines[match.pairs.statement] = _pair_lines(studied, match)
    dead = _dead(studied, match, lookups)
    kept = [n for n, _ in iter_statements(function) if n not in dead and n not in lines]
    first = match.padded.statement
    if not any(_casts(function.body[number], match.padded.name) for number in kept):
        lines[first].insert(2, f"{match.padded.name} = padded_feature.to(self.dtype).contiguous()")
    elif match.padded.name != "padded_feature":
        lines[first].insert(2, f"{match.padded.name} = padded_feature")
    name = studied.found.name
    if name != "chunk_lengths" and any(name in effect(function.body[n]).uses for n in kept):
        lines[first].append(f"{name} = chunk_lengths")
    return AudioPlan({n: tuple(new) for n, new in lines.items()}, dead, lookups)


def _edits(cls: ClassInfo, studied: AudioStudy, plan: AudioPlan) -> list[Edit]:
    function, text = studied.study.function, cls.module.text
    edits = [Edit(*text.statement_lines(function.body[n]), "") for n in plan.dead]
    for number, new in plan.lines.items():
        old = function.body[number]
        edits.append(Edit(*text.statement_lines(old), block(list(new), text.indent(old))))
    for node in plan.lookups:
        rows = text.source(node.value)
        edits.append(Edit(*text.span(node), f"{rows}.flatten(0, 1)[valid_indices]"))
    return edits


def _chunk_lines(studied: AudioStudy, match: AudioMatch) -> list[str]:
    law = f", {match.valid.law}" if match.valid.law else ""
    arguments = f"{match.features}, {studied.lens}, {studied.window}"
    lines = [
        f"padded_feature, chunk_lengths = {CHUNKS.name}({arguments})",
        f"valid_indices = {VALID_INDICES.name}(chunk_lengths{law})",
    ]
    if match.masks is not None:
        frames = "torch.arange(padded_feature.shape[-1], device=padded_feature.device)"
        lengths = "chunk_lengths.to(padded_feature.device)"
        lines.append(f"{match.masks.name} = ({frames} < {lengths}[:, None]).long().unsqueeze(1)")
    return lines


def _segment_lines(match: AudioMatch) -> list[str]:
    arguments = ", ".join(("chunk_lengths", *match.arguments))
    lines = [f"cu_seqlens = {AUDIO_CU_SEQLENS.name}({arguments})"]
    if match.segments.name != "cu_seqlens":
        lines.append(f"{match.segments.name} = cu_seqlens")
    return lines


def _pair_lines(studied: AudioStudy, match: AudioMatch) -> list[str]:
    assert match.pairs is not None
    law = f", {match.pairs.law}" if match.pairs.law else ""
    lines = [f"pool_indices = {POOL_INDICES.name}({studied.lens}{law})"]
    if match.pairs.name != "pool_indices":
        lines.append(f"{match.pairs.name} = pool_indices")
    return lines


def _casts(statement: ast.stmt, name: str) -> bool:
    """Tell whether a statement converts a tensor of that name, so that its dtype is taken care of."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("to", "type")
        and getattr(node.func.value, "id", "") == name
        for node in ast.walk(statement)
    )


def _lookups(function: Function, mask: str) -> Iterator[ast.Subscript]:
    """Every ``rows[mask]``, also where the mask is moved to a device first."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and _mask_name(node.slice) == mask:
            yield node


def _mask_name(node: ast.expr) -> str:
    """``mask`` of ``mask`` and of ``mask.to(device)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value if node.func.attr == "to" else node
    return node.id if isinstance(node, ast.Name) else ""


def _dead(
    studied: AudioStudy, match: AudioMatch, lookups: tuple[ast.Subscript, ...]
) -> frozenset[int]:
    """Statements that only fed what the helpers now give."""
    function = studied.study.function
    effects = [effect(statement) for statement in function.body]
    changed: dict[int, Effect] = {}
    for number, statement in enumerate(function.body):
        inside = {id(node) for node in ast.walk(statement)}
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
    removable = [n for n, _ in iter_statements(function) if understood(studied.study, n)]
    return dead_statements(effects, removable, changed)


def _gives(uses: frozenset[str], names: set[str]) -> Effect:
    return Effect(uses, frozenset(names), frozenset(names))


def _taken(studied: AudioStudy, match: AudioMatch, plan: AudioPlan) -> set[str]:
    """Canonical names that statements which stay give another value."""
    wanted = {
        "padded_feature": match.padded,
        "chunk_lengths": studied.found,
        "valid_indices": match.valid,
        "cu_seqlens": match.segments,
    }
    if match.pairs is not None:
        wanted["pool_indices"] = match.pairs
    taken = set()
    for number, statement in iter_statements(studied.study.function):
        if number in plan.dead or number in plan.lines:
            continue
        changes = effect(statement).changes
        for name, found in wanted.items():
            # The source itself goes on changing its own name behind the place that is replaced.
            if name in changes and (found.name != name or number < found.statement):
                taken.add(name)
    return taken
