"""What a run of a processor's code may make: asked for before an operation is done, as in ``probe``.

    "ab" * 10 ** 9        2 ** 10 ** 9        sum(range(10 ** 8))        f"{3:1000000000}"

A run that asks for too much is not followed to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from codegen.rewrite.probe import budget
from codegen.rewrite.tokens.terms import Unsupported

_BYTES = 6 << 20
"""Bytes that the larger values of a run take together."""
_STEPS = 60_000
"""Looks at values that a run takes, for terms and comparisons."""
_SMALL = 256
"""Characters or entries that need not be asked for: the steps of a run bound how many there are."""
_BITS = 4096
_MOST_WEIGHED = 20_000
_PER_ITEM = 16
"""Characters that take the time and memory of an entry of a list."""
_MOST_MATCHED = {0: 5_000, 1: 5_000, 2: 1_000, 3: 200}
"""Characters of a string that a pattern may search, by how many parts of it match any number of them."""

_WIDE = re.compile(r"\d{5}")


class TooMuch(Unsupported):
    """A run would make too much, and so would the next one."""


@contextmanager
def limited() -> Iterator[None]:
    """Let what runs inside have one budget; beyond it the run cannot be followed."""
    try:
        with budget.metered(budget.Meter(_STEPS, _BYTES)):
            yield
    except budget.OverBudget as error:
        raise TooMuch(f"{error}") from None


def entries(count: int) -> None:
    """Ask for entries of a list, or for a look at them."""
    if count > _SMALL:
        budget.items(count)


def characters(count: int) -> None:
    """Ask for a string."""
    if count > _SMALL:
        budget.items(count // _PER_ITEM + 1)


def weighed(value: Any) -> None:
    """Refuse a list or dictionary that is looked at to its end, if too much is in it."""
    pending, left = [value], _MOST_WEIGHED
    while pending:
        inner = pending.pop()
        held = inner.values() if isinstance(inner, dict) else inner
        left -= len(held)
        if left < 0:
            raise TooMuch("too many values")
        pending += [item for item in held if isinstance(item, (list, tuple, dict, set))]


def numbers(name: str, left: Any, right: Any) -> None:
    """Ask for what an operator makes of two numbers."""
    if not isinstance(left, int) or not isinstance(right, int):
        return
    size = left.bit_length()
    wanted = size * abs(right) if name == "Pow" else size + right.bit_length()
    if wanted > _BITS:
        raise TooMuch("a huge number")


def formatted(form: str, *values: Any) -> None:
    """Refuse a width or precision that makes a long string."""
    large = any(isinstance(value, int) and abs(value) > 9_999 for value in values)
    if _WIDE.search(form) or large and any(word in form for word in ("*", "{:{", "}}")):
        raise TooMuch("a long string")


def called(owner: str, name: str, args: list[Any]) -> None:
    """Ask for what a method of a string makes."""
    if name in ("ljust", "rjust", "center", "zfill", "expandtabs"):
        width = args[0] if args and isinstance(args[0], int) else 0
        characters(width * max(owner.count("\t"), 1))
    elif name == "replace" and len(args) > 1 and isinstance(args[1], str):
        found = owner.count(str(args[0]))
        characters(len(owner) + found * len(args[1]))
    elif name in ("format", "format_map"):
        formatted(owner, *args)
    characters(len(owner))


def matched(pattern: str, content: str) -> None:
    """Refuse a pattern that could go over a string again and again."""
    plain = re.sub(r"\[[^\]]*\]", "x", re.sub(r"\\.", "x", pattern))
    if re.search(r"\([^()]*[+*{|)][^()]*\)[+*{]|\)\)[+*{]|\{\d{4}", plain):
        raise TooMuch("a pattern with repetitions in a repetition")
    repeated = len(re.findall(r"[+*]|\{\d*,", plain))
    if len(content) > _MOST_MATCHED.get(repeated, 50):
        raise TooMuch("a pattern over a long string")
