"""Whether a processor without its own ``__call__`` does the same: that of the library runs in its place.

Both run as in :mod:`codegen.rewrite.tokens.evidence`, and a few things count as the same that are written
in other ways: tensors are asked of the tokenizer or made at the end, and what is checked behind the tokenizer are
the placeholders that the processor has.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.evidence import run
from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.mixin import find_mixin
from codegen.rewrite.tokens.outcomes import Outcome
from codegen.rewrite.tokens.own_call import GENERIC, Stays, change_of_call, parts_of, unused_imports
from codegen.rewrite.tokens.prompts import ITEMS, Prompt, has_no_text, prompt_of
from codegen.rewrite.tokens.scopes import Raised
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Unsupported, World
from codegen.rewrite.tokens.whole import CHECK
from codegen.rewrite.values import Record, model_of

RUNS, WANTED = 60, 8
"""Prompts at most, and those among them with placeholders that have to agree."""
_STEPS = frozenset(
    (
        "__call__",
        "prepare_inputs_layout",
        "validate_inputs",
        "_process_images",
        "_process_videos",
        "_process_audio",
        "all_special_multimodal_tokens",
        "unused_input_names",
    )
)
"""Methods of the library's mixin that its call consists of; all others do what they do in both."""
_OURS = (
    "add_replacement_offsets",
    "pop_offsets_option",
    "auto_docstring",
    "Unpack",
    "BatchFeature",
)


@dataclass(frozen=True, eq=False)
class _Steps(ClassInfo):
    """The library's mixin with nothing but the steps of its call."""

    @cached_property
    def methods(self) -> dict[str, Function]:
        """Those of them that it has."""
        found = (n for n in self.node.body if isinstance(n, ast.FunctionDef))
        return {node.name: node for node in found if node.name in _STEPS}


@dataclass(frozen=True, eq=False)
class Whole(Subject):
    """A class, its parents, and the steps of the library's call behind them."""

    mixin: ClassInfo

    @cached_property
    def line(self) -> tuple[ClassInfo, ...]:
        """The class and its parents, the mixin last."""
        own = Subject(self.index, self.cls).line
        return (*own, _Steps(self.mixin.module, self.mixin.node))


def drop_call(state: RewriteState, cls: ClassInfo, tokens: Sequence[str]) -> None:
    """Take ``__call__`` out of a class that was moved, if the library's own is shown to do the same.

    Where that is nearly so, it is noted why not.

    Args:
        state: of the passes, which have moved the class.
        cls: as it was.
        tokens: its placeholders, as expressions.
    """
    from codegen.rewrite.settle import settle

    mixin = find_mixin(state)
    info = state.index.open(cls.module.source.module)
    if mixin is None or "__call__" not in mixin.methods or info is None:
        return
    moved = ClassInfo(info, info.classes[cls.name])
    if "__call__" not in moved.methods:
        return
    try:
        parts = parts_of(moved)
        change = change_of_call(moved, parts)
        if not state.permits(change):
            return
        trial = settle([change], state.settings.helper_package, state.optional)
        failed = [record.reason for record in trial.records if record.kind == "failed"]
        new = next((m for m in trial.modules if m.source.module == info.source.module), None)
        if failed or new is None:
            raise Stays(failed[0] if failed else "nothing was written")
        after = Whole(state.index, ClassInfo(new, new.classes[cls.name]), mixin)
        problem = _differs(Subject(state.index, moved), after, cls.methods["__call__"], tokens)
        if problem:
            raise Stays(problem)
    except Stays as stays:
        if stays.near:
            reason = f"its own __call__ stays: {stays.reason}"
            place = cls.module.place(cls.methods["__call__"])
            model = model_of(cls.module.source.module)
            state.note(Record(model, cls.name, "__call__", "left", place, GENERIC, reason=reason))
        return
    state.adopt(trial)
    done = ClassInfo(new, new.classes[cls.name])
    for name in [*unused_imports(done, _OURS)]:
        state.forget(info.source.module, name)


def _differs(old: Subject, new: Whole, call: Function, tokens: Sequence[str]) -> str:
    """Why the two are not shown to be the same; empty if they are."""
    good, failure = 0, ""
    for number in range(RUNS):
        try:
            prompt, _ = prompt_of(old, call, tokens, number, False)
            if number % 5 == 4:  # without any item, too
                kept = {key: value for key, value in prompt.arguments.items() if key not in ITEMS}
                prompt = replace(prompt, arguments=kept)
        except Unsupported as error:
            return str(error)
        before, after = _outcome(old, prompt), _outcome(new, prompt)
        if isinstance(before, str) or isinstance(after, str):
            if isinstance(before, str) and isinstance(after, Outcome) and has_no_text(number):
                if not after.raised:
                    return "it takes no images without a text"
            elif has_no_text(number) is False:
                failure = before if isinstance(before, str) else str(after)
            continue
        if (before.raised, before.message) != (after.raised, after.message):
            now, then = after.raised or "nothing", before.raised or "nothing"
            return f"a prompt raises {now}, before {then}"
        if before.trace != after.trace:
            return _said(before.trace, after.trace)
        if before.result != after.result:
            return "a prompt gives another result"
        good += bool(after.replaced) and not before.raised
    if good >= WANTED:
        return ""
    why = f": {failure}" if failure else ""
    return f"too few prompts went through it to compare ({good} of {WANTED}){why}"


def _outcome(subject: Subject, prompt: Prompt) -> Outcome | str:
    """What a call does, or why that cannot be followed."""
    machine = Machine(subject, World(prompt.number), whole=True)
    try:
        machine.construct()
        return run(subject, prompt, built=machine)
    except Raised as error:
        return f"__init__ raises {error.kind}"
    except Unsupported as error:
        return str(error)


def _said(before: Sequence[object], after: Sequence[object]) -> str:
    """What the parts of a processor are given that they were not before, in words."""
    checks = [sum(CHECK in repr(entry) for entry in trace) for trace in (before, after)]
    if checks[0] < checks[1]:
        return "that truncation cuts off no placeholder, only the library's own call checks"
    return "the parts of the processor get something else"
