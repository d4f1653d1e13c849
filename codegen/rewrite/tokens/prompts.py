"""Prompts by chance: texts with placeholders, and the items that stand in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.scopes import Raised, Scope
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Unsupported, World, term

ITEMS = ("images", "videos", "audio", "audios")
SHAPES = {1: (1, 0, 1), 2: (0, 2), 4: (1, 1, 1), 5: (2, 0, 0, 1)}
"""Placeholders of the texts of a few prompts: what goes by texts and what goes by items differs there."""
NO_ITEMS = frozenset((6, 9, 14))
"""Prompts that come with placeholders, and without any item."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The arguments of one call; ``items`` are those of the kind that has the most, where they fit."""

    number: int
    arguments: dict[str, Any]
    fits: bool
    items: int = 0


def prompt_of(
    subject: Subject, call: ast.FunctionDef, tokens: Sequence[str], number: int, nested: bool
) -> tuple[Prompt, Machine]:
    """Arguments for one call, by chance: texts, the items that stand in them, and a processor to be called."""
    random = Random(number)
    machine = Machine(subject, World(number, nested))
    try:
        machine.construct()
    except Raised as error:
        raise Unsupported(f"__init__ raises {error.kind}") from None
    names = [arg.arg for arg in (*call.args.args[1:], *call.args.kwonlyargs)]
    kinds = [name for name in names if name in ITEMS]
    given = [kind for kind in kinds if random.random() < 0.75] or kinds[-1:]
    standing = given
    if number in NO_ITEMS:
        given = []
    by_kind = placeholders(machine, tokens)
    counts: dict[str, list[int]] = {kind: [] for kind in given}
    texts = []
    for wanted in SHAPES.get(number, (None,) * random.choice((1, 1, 2, 3))):
        text, stood = _text(random, standing, by_kind, wanted)
        texts.append(text)
        for kind in given:
            counts[kind].append(stood.count(kind))
            if kind in ("audio", "audios") and number % 4 == 1:
                counts[kind][-1] += stood.count("videos")  # videos may come with their sound
    fits = random.random() < 0.8 or number in SHAPES
    arguments: dict[str, Any] = {}
    for kind in given:
        arguments[kind] = _items(random, kind, counts[kind], fits)
    arguments["text"] = texts[0] if len(texts) == 1 and random.random() < 0.3 else texts
    plain = call.args.args[1 : len(call.args.args) - len(call.args.defaults)]
    if has_no_text(number) and "text" not in [arg.arg for arg in plain]:
        del arguments["text"]  # the processor may have a text of its own for them
    optional = [arg for arg in names if arg not in (*ITEMS, "text")]
    required = len(call.args.args) - 1 - len(call.args.defaults)
    arguments |= {name: term("named", name) for name in names[:required] if name in optional}
    arguments |= _switched(call, number)
    for kind in kinds:
        if kind not in arguments and names.index(kind) < required:
            arguments[kind] = []
    items = max((sum(counts[kind]) for kind in given), default=0)
    return Prompt(number, {k: v for k, v in arguments.items() if k in names}, fits, items), machine


def has_no_text(number: int) -> bool:
    """Whether the prompt of this number comes without a text."""
    return number % 4 == 3


def _switched(call: ast.FunctionDef, number: int) -> dict[str, bool]:
    """Switches among the parameters, now and then the other way."""
    places = zip(reversed(call.args.args), reversed(call.args.defaults))
    pairs = [*places, *zip(call.args.kwonlyargs, call.args.kw_defaults)]
    switches = {
        arg.arg: not default.value
        for arg, default in pairs
        if isinstance(default, ast.Constant) and isinstance(default.value, bool)
    }
    if not switches:
        return {}
    random = Random(f"switches {number}")
    return {name: other for name, other in switches.items() if random.random() < 0.4}


def placeholders(machine: Machine, tokens: Sequence[str]) -> dict[str, list[str]]:
    """The placeholders by the parameter that their items come in."""
    found: dict[str, list[str]] = {}
    for token in tokens:
        value = machine.value(_parsed(token), Scope({"self": machine.instance}))
        if not isinstance(value, str):
            continue  # the processor has no such placeholder
        low = f"{token} {value}".lower()
        kind = "videos" if "video" in low else "audio" if "audio" in low else "images"
        found.setdefault(kind, []).append(value)
    if not found:
        raise Unsupported("placeholders that are no strings")
    return found


@lru_cache(maxsize=256)
def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def _text(
    random: Random, given: Sequence[str], by_kind: dict[str, list[str]], wanted: int | None
) -> tuple[str, list[str]]:
    """A text with placeholders, and the kinds of its placeholders in order."""
    parts, stood = [random.choice(("", "a ", "\n", "é\\g<0> "))], []
    for _ in range(random.choice((0, 1, 1, 2, 3)) if wanted is None else wanted):
        kind = random.choice(list(given))
        tokens = by_kind.get("audio" if kind == "audios" else kind)
        if tokens:
            parts += [random.choice(tokens), random.choice(("", " b", "\nc "))]
            stood.append(kind)
    return "".join(parts), stood


def _items(random: Random, kind: str, counts: Sequence[int], fits: bool) -> list[Any]:
    """Items for texts with so many placeholders: flat, or a list for each text."""
    numbers = iter(range(10_000))
    change = 0 if fits else random.choice((-1, 1))
    nested = random.random() < 0.4
    lists = [
        [term(kind, next(numbers)) for _ in range(max(0, count + (change if n == 0 else 0)))]
        for n, count in enumerate(counts)
    ]
    return lists if nested else [item for inner in lists for item in inner]


def prompts(subject: Subject, tokens: Sequence[str], most: int) -> Iterator[Prompt]:
    """Prompts as :func:`difference` makes them."""
    call = subject.method("__call__")
    assert call is not None
    return (prompt_of(subject, call, tokens, number, False)[0] for number in range(most))
