"""What shows of a call of a processor, and when two of them count as equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LACK = ("StopIteration", "IndexError", "KeyError")
"""What bare iterators, lists and dictionaries raise where an item is lacking."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What shows of a run: the result or the exception, and calls of parts; which statements ran.

    ``written`` is whether the caller's list of texts is another one afterwards.
    """

    result: Any
    raised: str
    message: str
    trace: tuple[Any, ...]
    misplaced: str
    replaced: frozenset[str]
    reached: frozenset[int]
    written: bool = False


def disagreement(before: Outcome, after: Outcome, none: bool) -> str:
    """How two outcomes of a prompt differ, which is one without any item or not; empty if they count as equal."""
    if before.raised in LACK:
        # Too few items: another error than a bare one of an iterator or a list is what is wanted,
        # and without any item placeholders stay.
        return "" if after.raised or none else "too few items are no error any more"
    if (before.raised, before.message) != (after.raised, after.message):
        return f"a prompt raises {after.raised or 'nothing'}, before {before.raised or 'nothing'}"
    if before.raised:
        return ""
    if before.trace != after.trace:
        return "the parts of the processor get something else"
    return "" if before.result == after.result else "a prompt gives another result"


def remarks_on(before: Outcome, after: Outcome) -> Iterator[str]:
    """What is another thing after the move, and better so."""
    if before.written and not after.written:
        yield "the caller's list of texts was written into before, and is not any more: a tuple will do"
    if before.raised in LACK and not after.raised:
        yield f"a placeholder without any item ended in {before.raised} before, and stays now"
