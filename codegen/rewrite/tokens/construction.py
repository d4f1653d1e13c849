"""Construct a processor once for all worlds that give its questions the same answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.scopes import Closure, Instance, Native
from codegen.rewrite.tokens.terms import Gone, Term, World

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Answers = dict[tuple[str, str], object]
"""What a world said about terms: by question and by how the term was made."""


@dataclass(frozen=True)
class AskedWorld(World):
    """A world that remembers what it was asked."""

    answers: Answers = field(default_factory=dict)

    def _decide(self, value: Term, question: str) -> int:
        decided = World._decide(self, value, question)
        self.answers[question, value.said()] = decided
        return decided


@dataclass(frozen=True)
class Constructed:
    """What ``__init__`` has left in a machine where the world gave these answers."""

    answers: Answers
    state: dict[str, Any]

    def holds_in(self, world: World) -> bool:
        """Whether ``__init__`` leaves the same in another world, since that answers in the same way."""
        return all(
            world.decided(said, question) == answer
            for (question, said), answer in self.answers.items()
        )


_STATE = ("instance", "trace", "components", "present", "offsets", "replaced", "tokenized", "left")
_PLAIN = frozenset((str, int, float, bool, type(None), range, Gone, re.Pattern))


_MOST_KNOWN = 16
"""So many sets of answers are remembered: with more questions than that no two worlds agree."""


class _NotCopied(Exception):
    """A value with a state that cannot be copied, such as an iterator."""


def construct(machine: Machine) -> None:
    """Run ``__init__`` on a machine, or take over what it did in another world."""
    world = machine.world
    known = machine.subject.constructed.setdefault((world.nested, machine.whole), [])
    for made in known:
        if made.holds_in(world):
            _restore(machine, made.state)
            return
    asked = AskedWorld(world.number, world.nested)
    machine.world = asked
    try:
        machine.run_init()
    finally:
        machine.world = world
    if len(known) < _MOST_KNOWN:
        with suppress(_NotCopied):
            known.append(Constructed(asked.answers, dict(_copies(machine))))


def _copies(machine: Machine) -> Iterator[tuple[str, Any]]:
    seen: dict[int, Any] = {}
    for name in _STATE:
        yield name, _copied(getattr(machine, name), seen)
    yield "reached", set(machine.reached)


def _restore(machine: Machine, state: dict[str, Any]) -> None:
    seen: dict[int, Any] = {}
    for name in _STATE:
        setattr(machine, name, _copied(state[name], seen))
    machine.reached = set(state["reached"])


def _copied(value: Any, seen: dict[int, Any]) -> Any:
    """A value with copies of all that can change in it; what is one object stays one.

    Raises:
        _NotCopied: it holds something that cannot be copied.
    """
    if value.__class__ in _PLAIN:
        return value
    known = seen.get(id(value))
    if known is not None:
        return known
    copy = _COPIES.get(value.__class__)
    if copy is None:
        raise _NotCopied
    return copy(value, seen)


def _term(value: Term, seen: dict[int, Any]) -> Term:
    made = seen[id(value)] = Term(value.digest, value.length, value.nested, value.items)
    if value.children:
        made.children = _copied(value.children, seen)
    if value.changed:
        made.changed = _copied(value.changed, seen)
    return made


def _instance(value: Instance, seen: dict[int, Any]) -> Instance:
    made = seen[id(value)] = Instance()
    made.attributes = _copied(value.attributes, seen)
    return made


def _list(value: list[Any], seen: dict[int, Any]) -> list[Any]:
    made: list[Any] = []
    seen[id(value)] = made
    made += [_copied(item, seen) for item in value]
    return made


def _dict(value: dict[Any, Any], seen: dict[int, Any]) -> dict[Any, Any]:
    made = seen[id(value)] = value.copy()
    for key, item in value.items():
        if item.__class__ not in _PLAIN:
            made[key] = _copied(item, seen)
    return made


def _set(value: set[Any], seen: dict[int, Any]) -> set[Any]:
    made: set[Any] = seen.setdefault(id(value), set(value))
    return made


def _closure(value: Closure, seen: dict[int, Any]) -> Closure:
    if value.scope is not None:
        raise _NotCopied
    return Closure(value.node, None, _copied(value.owner, seen))


_COPIES: Mapping[type, Callable[[Any, dict[int, Any]], Any]] = {
    Term: _term,
    Instance: _instance,
    list: _list,
    dict: _dict,
    set: _set,
    tuple: lambda value, seen: tuple([_copied(item, seen) for item in value]),
    Native: lambda value, seen: Native(value.name, _copied(value.owner, seen)),
    Closure: _closure,
}
"""What copies a kind of value; nothing else is copied."""
