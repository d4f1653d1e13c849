"""The audio part of extract: chunk, segment and gather tensors of encoders over packed mel frames.

    chunk_lengths = ... ; padded, mask, mask_after = pad(features.split(chunk_lengths.tolist()), ...)
        ->  padded_feature, chunk_lengths = chunk_and_pad_features(features, feature_lens, self.n_window)
            valid_indices = get_valid_indices(chunk_lengths)
    hidden = embed[mask_after]  ->  hidden = embed.flatten(0, 1)[valid_indices]

Values are compared on probes, as for grids; the two known length laws are tried for what the
convolutions leave.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from codegen.passes.base import Record, model_of
from codegen.passes.edits import Edit, block
from codegen.passes.flow import Effect, dead_statements, effect
from codegen.passes.helpers import AUDIO_CU_SEQLENS, CHUNKS, VALID_INDICES
from codegen.passes.modules import ClassInfo, Function, Index, parameters
from codegen.passes.probe import reference
from codegen.passes.probe.interp import Interpreter
from codegen.passes.probe.trace import Trace, iter_statements
from codegen.passes.probe.values import Arr
from codegen.passes.recognise import Study, understood
from codegen.passes.workspace import Workspace

LENGTHS = (np.array([5, 13, 6]), np.array([4, 30, 17, 10]))
LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": reference.halved,
    "chunked_eighth_lengths": reference.chunked_eighth,
}

Test = Callable[[int, np.ndarray], bool]


@dataclass(frozen=True)
class Found:
    """A name, the statement that completes it, and the length law it was recognised with."""

    name: str
    statement: int
    law: str = ""


@dataclass(frozen=True)
class AudioStudy:
    """Traces of a method on the length probes with what the references need."""

    study: Study
    lens: str
    window: str
    chunks: tuple[np.ndarray, ...]

    def find(
        self, test: Test, law: str = "", *, late: bool = False, first: int = 0
    ) -> Found | None:
        """The first name, from statement ``first`` on, whose value passes a test on every probe."""
        for number, _ in iter_statements(self.study.function):
            if number < first:
                continue
            for name in sorted(self.study.traces[0].snapshots.get(number, {})):
                values = [t.snapshots.get(number, {}).get(name) for t in self.study.traces]
                arrays = [v.data for v in values if isinstance(v, Arr) and v.late == late]
                if len(arrays) == len(values) and all(test(i, a) for i, a in enumerate(arrays)):
                    return Found(name, number, law)
        return None


def extract_audio(workspace: Workspace) -> None:
    """Rewrite the ``forward`` of every encoder that cuts packed frames into chunks."""
    for info in workspace.candidates():
        for cls in workspace.classes(info):
            function = cls.methods.get("forward")
            if function is None or not _worth(function):
                continue
            studied = study_lengths(workspace.index, cls, function)
            if studied is not None:
                _rewrite(workspace, cls, studied)


def _worth(function: Function) -> bool:
    attributes = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    return (
        any(n.endswith("_lens") for n in parameters(function)) and {"split", "tolist"} <= attributes
    )


def study_lengths(index: Index, cls: ClassInfo, function: Function) -> AudioStudy | None:
    """Run a method on length probes; None unless it computes chunk lengths from a window scalar."""
    lens = next(name for name in parameters(function) if name.endswith("_lens"))
    traces: list[Trace] = []
    hidden = []
    for variant, lengths in enumerate(LENGTHS):
        interpreter = Interpreter(index, variant, int(lengths.sum()))
        traces.append(interpreter.run(cls, function, cls, {lens: Arr(lengths.copy())}))
        hidden.append(interpreter.hidden)
    study = Study(cls, cls, function, lens, "", (), tuple(traces), tuple(hidden))
    for text in sorted(traces[0].scalars, key=len):
        windows = [t.scalars.get(text, 0) for t in traces]
        if min(windows) < 1:
            continue
        chunks = tuple(reference.chunk_lengths(n, w) for n, w in zip(LENGTHS, windows))
        studied = AudioStudy(study, lens, text, chunks)
        if studied.find(_is_one_of(chunks)) is not None:
            return studied
    return None


def _is_one_of(expected: Sequence[np.ndarray], boolean: bool = False) -> Test:
    """Test that a value on probe ``i`` is ``expected[i]``."""

    def test(i: int, value: np.ndarray) -> bool:
        if i >= len(expected) or (boolean and value.dtype != bool):
            return False
        return _equal(value, expected[i])

    return test


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def _padded(studied: AudioStudy) -> tuple[Found, str] | None:
    """The padded chunks and the packed features they come from."""
    for features in studied.study.hidden[0]:

        def is_padded(i: int, value: np.ndarray, features: str = features) -> bool:
            rows = studied.study.hidden[i].get(features)
            return rows is not None and _equal(
                value, reference.padded_chunks(rows, studied.chunks[i])
            )

        found = studied.find(is_padded, late=True)
        if found is not None:
            return found, features
    return None


def _valid(studied: AudioStudy) -> Found | None:
    """The boolean mask of rows that exist after the convolutions."""
    for law, function in LAWS.items():
        masks = [reference.frame_mask(function(c)) for c in studied.chunks]
        found = studied.find(_is_one_of(masks, boolean=True), law)
        if found is not None:
            return found
    return None


def _boundaries(studied: AudioStudy) -> tuple[Found, tuple[str, ...]] | None:
    """The segment boundaries and the further arguments of the helper that gives them."""
    for law, function in LAWS.items():
        ends = [reference.chunk_boundaries(function(c)) for c in studied.chunks]
        found = studied.find(_is_one_of(ends), law)
        if found is not None:
            return found, ()
        for text in studied.study.traces[0].scalars:
            arguments = (studied.lens, text, studied.window)
            bounds = list(_windows(studied, function, text))
            found = studied.find(_is_one_of(bounds), law)
            if text != studied.window and found is not None:
                return found, arguments
    return None


def _windows(
    studied: AudioStudy, law: Callable[[np.ndarray], np.ndarray], text: str
) -> Iterator[np.ndarray]:
    for lengths, chunks, trace in zip(LENGTHS, studied.chunks, studied.study.traces):
        ratio = trace.scalars.get(text, 0) // (2 * trace.scalars[studied.window])
        if ratio > 0:
            yield reference.window_boundaries(law(lengths), int(law(chunks).max()) * ratio)


def _rewrite(workspace: Workspace, cls: ClassInfo, studied: AudioStudy) -> None:
    padded, valid, segments = _padded(studied), _valid(studied), _boundaries(studied)
    if padded is None or valid is None or segments is None:
        return
    # The two forms of the boundaries helper have their own length laws.
    if bool(segments[1]) != bool(segments[0].law):
        return
    function, text = studied.study.function, cls.module.text
    masks = studied.find(_is_one_of([reference.frame_mask(c)[:, None] for c in studied.chunks]))
    lines = {padded[0].statement: _chunk_lines(studied, padded, valid, masks)}
    arguments = ", ".join(("chunk_lengths", *segments[1]))
    lines[segments[0].statement] = [f"cu_seqlens = {AUDIO_CU_SEQLENS.name}({arguments})"]
    if segments[0].name != "cu_seqlens":
        lines[segments[0].statement].append(f"{segments[0].name} = cu_seqlens")
    lookups = [n for n in ast.walk(function) if _is_lookup(n, valid.name)]
    names = {padded[0].name, "padded_feature", "chunk_lengths", *([masks.name] if masks else [])}
    bounds = frozenset({"cu_seqlens", segments[0].name})
    dead = _dead(studied, lines, lookups, frozenset(names), padded[1], bounds)
    edits = [Edit(*text.statement_lines(function.body[n]), "") for n in dead]
    for number, new in lines.items():
        old = function.body[number]
        edits.append(Edit(*text.statement_lines(old), block(new, text.indent(old))))
    for node in lookups:
        assert isinstance(node, ast.Subscript)
        edits.append(
            Edit(*text.span(node), f"{text.source(node.value)}.flatten(0, 1)[valid_indices]")
        )
    workspace.edit(cls.module, edits)
    for helper in (CHUNKS, VALID_INDICES, AUDIO_CU_SEQLENS):
        workspace.need(cls.module, helper.name)
        workspace.note(
            Record(
                model_of(cls.module.source.module),
                cls.name,
                function.name,
                "extracted",
                cls.module.place(function.body[padded[0].statement]),
                helper.name,
                helper.outputs,
            )
        )
    if valid.law:
        workspace.need(cls.module, valid.law)


def _chunk_lines(
    studied: AudioStudy, padded: tuple[Found, str], valid: Found, masks: Found | None
) -> list[str]:
    law = f", {valid.law}" if valid.law else ""
    lines = [
        f"padded_feature, chunk_lengths = {CHUNKS.name}({padded[1]}, {studied.lens}, {studied.window})",
        f"valid_indices = {VALID_INDICES.name}(chunk_lengths{law})",
        f"{padded[0].name} = padded_feature.to(self.dtype).contiguous()",
    ]
    if masks is not None:
        frames = "torch.arange(padded_feature.shape[-1], device=padded_feature.device)"
        lengths = "chunk_lengths.to(padded_feature.device)"
        lines.append(f"{masks.name} = ({frames} < {lengths}[:, None]).long().unsqueeze(1)")
    return lines


def _is_lookup(node: ast.AST, mask: str) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Name)
        and node.slice.id == mask
    )


def _dead(
    studied: AudioStudy,
    lines: dict[int, list[str]],
    lookups: list[ast.AST],
    names: frozenset[str],
    features: str,
    bounds: frozenset[str],
) -> frozenset[int]:
    """Statements that only fed what the helpers now give."""
    function = studied.study.function
    effects = [effect(statement) for statement in function.body]
    changed: dict[int, Effect] = {}
    for number, statement in enumerate(function.body):
        gone = {
            n.slice.id
            for n in lookups
            if _inside(n, statement)
            and isinstance(n, ast.Subscript)
            and isinstance(n.slice, ast.Name)
        }
        if gone:
            old = effects[number]
            changed[number] = Effect(old.uses - gone, old.changes, old.sets)
    first, last = min(lines), max(lines)
    changed[first] = Effect(frozenset({features, studied.lens}), names, names)
    changed[last] = Effect(frozenset({studied.lens}), bounds, bounds)
    removable = [n for n, _ in iter_statements(function) if understood(studied.study, n)]
    return dead_statements(effects, removable, changed)


def _inside(node: ast.AST, statement: ast.stmt) -> bool:
    return any(child is node for child in ast.walk(statement))
