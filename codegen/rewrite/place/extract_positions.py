"""Replace methods that count the positions of prompts token by token by one call of the helper.

    for row, ids in enumerate(input_ids):               return get_prompt_positions(
        for kind, start, end in runs_of(types[row]):        token_types.to(input_ids.device),
            ...                                       ->     image_grid_thw, video_grid_thw,
    return positions, deltas                                self.config.vision_config.merge_size, ...)

First part of *extract*: what then has no loop is nothing to report on.
"""

from __future__ import annotations

from codegen.rewrite.emit.edits import Change, Replace, Site
from codegen.rewrite.functions import Function
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.helpers import PROMPT_POSITIONS
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance
from codegen.rewrite.place.overridden import reasons_of
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.frames import recognise_frames
from codegen.rewrite.recognise.positions import Positions, recognise_positions
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vision_helpers import FLATTENED
from codegen.rewrite.vocabulary import is_host_class


def extract_positions(state: RewriteState) -> None:
    """Rewrite the methods of all candidates that give positions, and report those that are left."""
    heirs = Heirs(state.index, state.inheriting())
    for info in state.candidates():
        for cls in state.classes(info):
            for function in () if is_host_class(cls.name) else cls.methods.values():
                with state.attempt("extract", cls, function):
                    _look(state, heirs, cls, function)
    state.settle()


def _look(state: RewriteState, heirs: Heirs, cls: ClassInfo, function: Function) -> None:
    found = recognise_positions(state.index, cls, function)
    if isinstance(found, Positions):
        found = _otherwise(state, heirs, cls, function, found) or found
    if isinstance(found, Positions):
        edit = Replace(found.statements, call_lines(found))
        state.propose(_change(cls, function, edit, PROMPT_POSITIONS))
        return
    if found is not None:
        _leave(state, cls, function, found, PROMPT_POSITIONS)
    for frames in recognise_frames(state.index, cls, function):
        if isinstance(frames, Objection):
            _leave(state, cls, function, frames, FLATTENED)
            continue
        line = f"{frames.grid} = {FLATTENED.name}({frames.grid})"
        edit = Replace(tuple(frames.node.body), (line,))
        state.propose(_change(cls, function, edit, FLATTENED))


def _otherwise(
    state: RewriteState, heirs: Heirs, cls: ClassInfo, function: Function, found: Positions
) -> Objection | None:
    """Which object counts otherwise, though it has the method: one with another method that this calls."""
    nodes = (*found.statements, *map(glance, found.entered))
    arguments = "\n".join(call_lines(found))
    why = next(reasons_of(state.index, heirs, cls, function, nodes, arguments), "")
    return Objection(found.statements[0], why) if why else None


def _change(cls: ClassInfo, function: Function, edit: Replace, helper: Helper) -> Change:
    """One edit of a method, which then calls a helper."""
    info = cls.module
    place, model = info.place(edit.statements[0]), model_of(info.source.module)
    record = Record(model, cls.name, function.name, "extracted", place, helper.name)
    site = Site(cls, function, (edit,))
    return Change("extract", (site,), ((info, helper.name),), (record,))


def _leave(
    state: RewriteState, cls: ClassInfo, function: Function, found: Objection, helper: Helper
) -> None:
    """Report why a method is left as it is."""
    info = cls.module
    place, model = info.place(found.node), model_of(info.source.module)
    reason = f"not replaced by {helper.name}: {found.reason}"
    state.note(Record(model, cls.name, function.name, "left", place, helper.name, reason=reason))


def call_lines(found: Positions) -> tuple[str, ...]:
    """The call of the helper, an argument a line."""
    roles = found.roles
    types = roles.types if roles.types == found.like else f"{roles.types}.to({found.like}.device)"
    arguments = [types, roles.images or "None", roles.videos or "None", found.merge]
    keywords = {
        "temporal_merge_size": found.temporal,
        "frames_apart": "True" if found.apart else "",
        "tokens_per_second": found.per_second,
        "seconds": roles.seconds if found.per_second else "",
        "attention_mask": roles.mask,
        "dtype": f"{found.like}.dtype",
    }
    arguments += [f"{name}={text}" for name, text in keywords.items() if text]
    return (
        f"return {PROMPT_POSITIONS.name}(",
        *(f"    {argument}," for argument in arguments),
        ")",
    )
