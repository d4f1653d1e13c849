"""Compare a processor before and after on prompts: what it returns, gives to its parts, and raises.

Both run in the same worlds (:mod:`codegen.rewrite.tokens.terms`), on texts with placeholders in all
orders, with too few and too many items, flat and nested. What differs once differs.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from codegen.rewrite.tokens import limits
from codegen.rewrite.tokens.asking import OPTION
from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.offsets import wrong
from codegen.rewrite.tokens.ours import SINGLE
from codegen.rewrite.tokens.outcomes import Outcome, disagreement, remarks_on
from codegen.rewrite.tokens.prompts import (
    ITEMS,
    NO_ITEMS,
    Prompt,
    has_no_text,
    placeholders,
    prompt_of,
)
from codegen.rewrite.tokens.scopes import Closure, Raised
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.tally import MOST_RUNS, TOO_FEW, Tally
from codegen.rewrite.tokens.terms import Unsupported, World, freeze

_SINGLES = 6
"""Prompts one of which shows what becomes of a single string."""
_SINGLE_TAKEN = (
    "a single string as text is taken as it is, which the helper refuses: make a list of it first"
)


def difference(
    old: Subject,
    new: Subject,
    tokens: Sequence[str],
    seen: Collection[ast.stmt],
    nested: bool = False,
    others: Sequence[str] = (),
    remarks: set[str] | None = None,
) -> str:
    """Why two versions of a processor are not shown to be equal; empty if they are.

    Args:
        old: the class as it was.
        new: the class as it is to be.
        tokens: the placeholders, as expressions of the class, each of which has to have been replaced.
        others: placeholders that stand in prompts besides.
        seen: statements of the old class that have to have run.
        nested: the code goes through what processors of items return as through lists for every text.
        remarks: gets what is not the same and need not be.
    """
    call = old.method("__call__")
    if call is None:
        return "there is no __call__ to compare"
    both, noted = (tokens, others), remarks if remarks is not None else set()
    everything = [*tokens, *others]
    if nested:
        flat = _compared(old, new, call, both, seen, True, noted)
        return flat or _single(old, new, call, everything, True)
    flat = _compared(old, new, call, both, seen, False, noted)
    if not flat.startswith(TOO_FEW):
        return flat or _single(old, new, call, everything, False)
    other = _compared(old, new, call, both, seen, True, noted)
    return flat if other.startswith(TOO_FEW) else other


def _compared(
    old: Subject,
    new: Subject,
    call: ast.FunctionDef,
    tokens: tuple[Sequence[str], Sequence[str]],
    seen: Collection[ast.stmt],
    nested: bool,
    noted: set[str],
) -> str:
    """See :func:`difference`; in worlds with outputs over all items, or nested ones."""
    tally = Tally(seen)
    for number in range(MOST_RUNS):
        if tally.skips(number):
            continue
        try:
            prompt, machine = prompt_of(old, call, [*tokens[0], *tokens[1]], number, nested)
            if number == 0:
                tally.expect(placeholders(machine, tokens[0]).values())
            before = run(old, prompt, nested, machine)
            if not tally.is_comparable(prompt, before):
                continue
            after = run(new, prompt, nested, asked=number % 3 != 2)
        except limits.TooMuch as error:
            return f"it cannot be followed: it would take {error}"
        except Unsupported as error:
            if tally.gives_up(number, str(error)):
                return f"it cannot be followed: {error}"
            continue
        none = number in NO_ITEMS or any(prompt.arguments.get(k) == [] for k in ITEMS)
        problem = after.misplaced or disagreement(before, after, none)
        if problem:
            return problem
        noted.update(remarks_on(before, after))
        tally.add(prompt, before, after)
        if tally.is_enough:
            return ""
    return tally.lack


def _misplaced(prompt: Prompt, machine: Machine) -> str:
    """Why offsets are not those from the caller's texts to the tokenizer's; empty if they are."""
    text, offsets = prompt.arguments.get("text"), machine.offsets
    if not machine.asked or text is None or text == [] or not machine.tokenized:
        return ""  # the processor has a text of its own, or ends before there is anything
    if not offsets:
        return "offsets would not be given" if machine.replaced else ""
    own, final = [text] if isinstance(text, str) else text, machine.tokenized[-1]
    if not isinstance(final, list) or not all(isinstance(item, str) for item in (*own, *final)):
        return ""
    return wrong(offsets, own[: len(final)], final, machine.replaced)


def _single(
    old: Subject, new: Subject, call: ast.FunctionDef, tokens: Sequence[str], nested: bool
) -> str:
    """Why a single string as text, which the old class takes, gets to the helper as it is; empty if none does."""
    for number in range(_SINGLES):
        try:
            prompt, _ = prompt_of(old, call, tokens, number, nested)
            text = prompt.arguments.get("text")
            if has_no_text(number) or not prompt.fits or not text:
                continue
            single = text if isinstance(text, str) else text[0]
            prompt = replace(prompt, arguments={**prompt.arguments, "text": single})
            if run(new, prompt, nested).message != SINGLE:
                return ""
        except Unsupported:
            continue
        try:
            # What goes through the characters of a text is not followed, and yet no error.
            return "" if run(old, prompt, nested).raised else _SINGLE_TAKEN
        except Unsupported:
            return _SINGLE_TAKEN
    return ""


def run(
    subject: Subject,
    prompt: Prompt,
    nested: bool = False,
    built: Machine | None = None,
    asked: bool = False,
) -> Outcome:
    """One call of a processor; ``built`` is one in the same world on which nothing was called yet.

    With ``asked`` the caller wants offsets, which are compared with the texts.

    Raises:
        Unsupported: it cannot be followed.
    """
    machine = built or Machine(subject, World(prompt.number, nested))
    machine.asked = asked
    call = subject.method("__call__")
    assert call is not None
    raised = message = misplaced = ""
    result = freeze(None)
    arguments = _fresh(prompt.arguments)
    if asked and any(arg.arg == OPTION for arg in (*call.args.args, *call.args.kwonlyargs)):
        arguments[OPTION] = True
    try:
        with limits.limited():
            if built is None:
                machine.construct()
            result = freeze(machine.call(Closure(call, owner=machine.instance), (), arguments))
            misplaced = _misplaced(prompt, machine)
    except Raised as error:
        raised, message = error.kind, error.message
    except Unsupported:
        raise
    except Exception as error:
        # The code makes something of values that it would not be given: no evidence either way.
        raise Unsupported(f"{type(error).__name__}: {error}") from None
    reached = frozenset(machine.reached)
    replaced = frozenset(machine.replaced)
    trace = tuple(machine.trace)
    written = arguments.get("text") != prompt.arguments.get("text")
    return Outcome(result, raised, message, trace, misplaced, replaced, reached, written)


def _fresh(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: [*v] if isinstance(v, list) else v for k, v in arguments.items()}
