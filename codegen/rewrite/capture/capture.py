"""capture: give constructs that prevent whole-graph capture a second form that is used while tracing.

Last of the passes. The form that runs eagerly stays as it is; only where both forms compute the same
integers is one written instead of the other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from codegen.rewrite.capture.ahead import count_ahead
from codegen.rewrite.capture.attention import attention_edits
from codegen.rewrite.capture.behind import owed
from codegen.rewrite.capture.blocks import block_edits
from codegen.rewrite.capture.branches import branches
from codegen.rewrite.capture.checks import checks_edits
from codegen.rewrite.capture.chunks import chunk_edits
from codegen.rewrite.capture.features import features_edits
from codegen.rewrite.capture.first_rows import first_rows_edits
from codegen.rewrite.capture.item_codes import item_codes_edits
from codegen.rewrite.capture.mask import mask_edits
from codegen.rewrite.capture.ones import ones_edits
from codegen.rewrite.capture.parts import parts_edits
from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.capture.pooling import pooling_edits
from codegen.rewrite.capture.reads import is_told, reads
from codegen.rewrite.capture.refusals import refusals_edits
from codegen.rewrite.capture.repeats import lengths_edits, repeat_edits
from codegen.rewrite.capture.rows import half_pixel_edits, unshuffle_edits
from codegen.rewrite.capture.sampling import sampling_edits
from codegen.rewrite.capture.sounds import sounds_edits
from codegen.rewrite.capture.targets import targets_edits
from codegen.rewrite.emit.edits import Change, Edit, Insert, Site
from codegen.rewrite.functions import Function
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.place.overridden import reasons_of, with_called
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import is_host_class

Found = tuple[list[Edit], tuple[str, ...], str]
Rule = Callable[[Index, ClassInfo, Function], list[Found | Left] | Found | Left | None]
"""A rule gives edits, the helpers they need and what the report says; or why there are none; or both."""

RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (attention_edits, ("split", ".tolist()", "zip(")),
    (repeat_edits, (".repeat(", "range(len(")),
    (lengths_edits, ("[1:]", ".tolist()")),
    (unshuffle_edits, ("grid", "split(", "for ")),
    (block_edits, ("grid", "split(", "for ", ".append(")),
    (half_pixel_edits, ("grid", ".append(", "for ")),
    (mask_edits, ("for ", "range(", "] = ")),
    (parts_edits, ("split(", "for ")),
    (pooling_edits, ("get_audio_cu_seqlens(", ".append(")),
    (sampling_edits, ("grid_sample(",)),
    (chunk_edits, ("chunk_and_pad_features(",)),
    (features_edits, ("_features(", "split", ".tolist()")),
    (sounds_edits, ("audio", "grid", "_token_i", ".append(")),
    (checks_edits, ("torch_compilable_check(", " f")),
    (refusals_edits, ("raise ", "sum(", "if ")),
    (item_codes_edits, ("grid", "split(", ".tolist()", "enumerate(")),
    (targets_edits, ("grid", "per_sample", "range(", ".append(", "where(")),
    (first_rows_edits, ("split(", ".tolist()", "for ", "cat(")),
)
"""Rules with words that a method must contain for the rule to be tried."""

WHOLE = ("sounds", "targets")
"""Rules whose helper stands in for all that a method does, the methods that it calls included."""


def capture(state: RewriteState) -> None:
    """Apply every rule to every method of the state."""
    mended: set[str] = set()
    for info in state.candidates():
        for cls in state.classes(info):
            for function in () if is_host_class(cls.name) else cls.methods.values():
                segment = info.segment(function)
                told = False
                for rule, words in RULES:
                    if not all(word in segment for word in words):
                        continue
                    if rule is not attention_edits and "is_tracing()" in segment.replace(
                        "jit.is_tracing()", ""
                    ):
                        continue
                    name = rule.__name__.removesuffix("_edits")
                    found = None
                    with state.attempt(name, cls, function):
                        found = rule(state.index, cls, function)
                        if isinstance(found, tuple):
                            found = owed(function, found[0]) or found
                        if isinstance(found, tuple) and name in WHOLE:
                            found = _otherwise(state, cls, function, found[0]) or found
                    if found is None:
                        continue
                    told = True
                    for item in found if isinstance(found, list) else [found]:
                        if isinstance(item, Left):
                            note_left(state, cls, function, item, name)
                        else:
                            state.propose(_change(cls, function, item, name))
                split = None if told else host_split(segment, function)
                if split is not None:
                    note_left(state, cls, function, split, "split")
            if state.reports and not is_host_class(cls.name):
                with state.attempt("branches", cls):
                    _look_at_branches(state, cls, mended)
    count_ahead(state)
    state.settle()
    if state.reports:
        _report_reads(state)


def _otherwise(
    state: RewriteState, cls: ClassInfo, function: Function, edits: Sequence[Edit]
) -> Left | None:
    """Which object counts otherwise, though it has the method: one with another method that this calls."""
    heirs = Heirs(state.index, state.inheriting())
    nodes = map(glance, with_called(state.index, cls, function))
    lines = "\n".join(line for edit in edits if isinstance(edit, Insert) for line in edit.lines)
    why = next(reasons_of(state.index, heirs, cls, function, nodes, lines), "")
    return Left(function, f"the helper does not stand in for it: {why}") if why else None


def _look_at_branches(state: RewriteState, cls: ClassInfo, mended: set[str]) -> None:
    """Give branches on values a second form, once where several classes inherit them, or report them."""
    for owner, function, left in branches(state.index, cls):
        place = owner.module.place(left.node)
        if place in mended:
            continue
        found = ones_edits(state.index, owner, function)
        if isinstance(found, tuple):
            mended.add(place)
            state.propose(_change(owner, function, found, "ones"))
        else:
            note_left(state, cls, function, found or left, "ones" if found else "branches", place)


def _report_reads(state: RewriteState) -> None:
    """Report what encoders still read on the host, and nothing has been said of."""
    seen: set[int] = set()
    files = {info.source.path: info for info in state.candidates()}
    for info in files.values():
        for cls in state.classes(info):
            if is_host_class(cls.name):
                continue
            with state.attempt("reads", cls):
                for owner, function, left in reads(state.index, cls):
                    known = id(left.node) in seen or owner.module.source.path not in files
                    seen.add(id(left.node))
                    if not known and not is_told(state, owner, function, left.node):
                        note_left(state, owner, function, left, "reads")


def host_split(segment: str, function: Function) -> Left | None:
    """A split of rows by numbers that the host reads, in a method that no rule knows the form of."""
    if "split(" not in segment or ".tolist()" not in segment or "is_tracing()" in segment:
        return None
    read = {
        name
        for node in walk(function)
        if isinstance(node, ast.Assign) and _reads(node.value)
        for name in assigned_names(node)
    }
    for node in walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        sizes = [*node.args, *(keyword.value for keyword in node.keywords)]
        named = any(isinstance(size, ast.Name) and size.id in read for size in sizes)
        if node.func.attr == "split" and (named or any(map(_reads, sizes))):
            written = ast.unparse(node)
            why = (
                "its parts are not attended to, pooled, or run through modules that keep rows apart"
            )
            near = f"{written} reads its sizes on the host, in a form that no rule knows"
            return Left(node, f"{near}: {why}")
    return None


def _reads(node: ast.expr) -> bool:
    """Tell whether an expression is a list of a tensor's numbers."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr == "tolist"


def _change(cls: ClassInfo, function: Function, found: Found, rule: str) -> Change:
    """What a rule found for a method, as a change."""
    info, (edits, helpers, reason) = cls.module, found
    record = Record(
        model_of(info.source.module),
        cls.name,
        function.name,
        "captured",
        info.place(function),
        ", ".join(helpers),
        reason=reason,
    )
    needs = tuple((info, helper) for helper in helpers)
    return Change(rule, (Site(cls, function, tuple(edits)),), needs, (record,))


def note_left(
    state: RewriteState,
    cls: ClassInfo,
    function: Function,
    left: Left,
    rule: str,
    place: str = "",
) -> None:
    """Report a method that is near a rule, with the condition that it does not meet.

    ``place`` is where it stands, if not in the file of its class.
    """
    info = cls.module
    place, model = place or info.place(left.node), model_of(info.source.module)
    reason = f"{left.reason}: no second form while tracing"
    state.note(Record(model, cls.name, function.name, "left", place, rule, reason=reason))
