"""The helpers of this tool as a run of a processor knows them: by plain definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.members import attribute
from codegen.rewrite.tokens.offsets import chained, moved, one_pass
from codegen.rewrite.tokens.scopes import Native, Raised
from codegen.rewrite.tokens.terms import (
    Arguments,
    Unsupported,
)

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine


SINGLE = "a single string"
"""What the helper says of a text that is no list of texts."""


def expanded(machine: Machine, called: Native, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    """One pass over the texts: what the helper is defined to do."""
    given = dict(keywords)
    names = ("images_replacements", "videos_replacements", "audio_replacements")
    given.update(zip(("text", *names), args))
    lists = []
    for modality, name in zip(("image", "video", "audio"), names):
        replacements = given.get(name) or []
        token = given.get(f"{modality}_token")
        if replacements and token is None and called.owner is not None:
            token = attribute(machine, called.owner, f"{modality}_token")
        if replacements:
            made = [operators.text(item) for item in machine.entries(replacements)]
            lists.append((modality, token if isinstance(token, tuple) else (str(token),), made))
    if isinstance(given["text"], str):
        raise Raised("TypeError", SINGLE)
    try:
        contents = list(machine.entries(given["text"]))
        texts, offsets = one_pass(contents, lists)
    except StopIteration:
        raise Raised("ValueError", "placeholders") from None
    machine.replaced |= {entry["text"] for entries in offsets for entry in entries}
    return texts, offsets if machine.truth(given.get("return_replacement_offsets")) else []


def _add_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    machine.offsets = args[1]
    return args[0]


def _chain_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> None:
    found, more = args
    if not found:
        found += more
    else:
        found[: len(more)] = [chained(*pair) for pair in zip(found, more)]


def _move_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> None:
    offsets, before, after = args
    offsets[:] = [
        moved(entries, old, new) if isinstance(old, str) and isinstance(new, str) else entries
        for entries, old, new in zip(offsets, before, after)
    ]


def _by_form(made: list[Any], text: str, *forms: str) -> list[Any]:
    found = re.findall("|".join(map(re.escape, forms)), text)
    queues, start = {}, 0
    for form in forms:
        queues[form] = iter(made[start : start + found.count(form)])
        start += found.count(form)
    return [next(queues[form]) for form in found]


def _next_item(machine: Machine, args: Arguments) -> Any:
    if not hasattr(args[0], "__next__"):
        raise Unsupported("next of something")
    for found in args[0]:
        return found
    raise Raised("ValueError", "placeholders")


def _placeholders_in(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> list[str]:
    return re.findall("|".join(re.escape(str(token)) for token in args[1:]), args[0])


def _positions(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(str(args[1])), args[0])]


OURS: Mapping[str, Callable[[Any, Arguments, Mapping[str, Any]], Any]] = {
    "AddedToken": lambda m, a, k: a[0],
    "add_replacement_offsets": _add_offsets,
    "chain_offsets": _chain_offsets,
    "move_offsets": _move_offsets,
    "order_by_form": lambda m, a, k: _by_form(list(m.entries(a[0])), *a[1:]),
    "next_item": lambda m, a, k: _next_item(m, a),
    "placeholders_in": _placeholders_in,
    "placeholder_positions": _positions,
    "pop_offsets_option": lambda m, a, k: m.asked,
}
"""What is ours, by plain definition."""
