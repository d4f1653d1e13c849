"""Values of which nothing is known but how they came about, and a world that decides about them.

What a processor computes from pixels is no concern of the texts: it is a term, equal to any term of the
same making. Where a program has to know more of one (is it true, how long is it, how often is a token
repeated), the world says so: the same for equal terms, and otherwise by chance.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from codegen.rewrite.probe import budget

MOST = 4
"""Counts, and lengths of what belongs to no item, are smaller than this."""


_ANSWERS = {"truth": 2, "count": MOST, "length": MOST}
"""Questions about terms, and how many answers there are, one as likely as the other."""

Arguments = Sequence[Any]
"""What a call is given by place."""


class Unsupported(Exception):
    """Something that cannot be followed; what was to be shown is not shown."""


@dataclass(eq=False, slots=True, init=False)
class Term:
    """A value that is known by its making only, and what was stored in it since.

    ``length`` is the number of its entries where that follows from what it was made of; ``nested``
    the numbers of entries of its entries. ``items`` are the numbers of images, videos or audios per text
    of what a processor of these returns: what it returns under a name has an entry for each of them.
    """

    digest: str
    length: int | None
    nested: tuple[int, ...]
    items: tuple[int, ...]
    children: dict[Hashable, Any]
    changed: dict[Hashable, Any]

    def __init__(
        self,
        digest: str,
        length: int | None = None,
        nested: tuple[int, ...] = (),
        items: tuple[int, ...] = (),
    ) -> None:
        # There are hundreds of thousands of them: nothing is built that can be written down.
        self.digest = digest
        self.length = length
        self.nested = nested
        self.items = items
        self.children = {}
        self.changed = {}

    def frozen(self) -> tuple[Any, ...]:
        """Its making and its changes, as something that can be compared."""
        if not self.is_changed():
            return ("term", self.digest, (), ())
        changes = tuple(sorted((repr(k), repr(freeze(v))) for k, v in self.changed.items()))
        inner = tuple(
            sorted((repr(k), repr(f)) for k, v in self.children.items() if (f := _changed(v)))
        )
        return ("term", self.digest, changes, inner)

    def said(self) -> str:
        """What :meth:`frozen` gives, as a text."""
        return str(self.frozen()) if self.is_changed() else f"('term', '{self.digest}', (), ())"

    def is_changed(self) -> bool:
        """Whether something was stored in it, or in what it holds."""
        if self.changed:
            return True
        for child in self.children.values():
            if child.__class__ is Term and child.is_changed():
                return True
        return False


class Gone:
    """What an entry is once it was taken out."""


GONE = Gone()


def _changed(value: Any) -> Any:
    """The frozen form of a term that was changed, or that holds one; None for any other value."""
    return value.frozen() if isinstance(value, Term) and value.is_changed() else None


_PLAIN = frozenset((str, int, float, bool, type(None)))


def freeze(value: Any) -> Any:
    """A value as something that can be compared and hashed.

    Raises:
        Unsupported: iterators and functions, whose state is not known.
    """
    kind = value.__class__
    if kind is Term:
        return value.frozen()
    if kind in _PLAIN:
        return (kind.__name__, value)
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > 1:
        budget.steps(len(value))  # one list can stand in another again and again
    if isinstance(value, (list, tuple)):
        return (kind.__name__, *[freeze(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return ("set", *sorted((freeze(item) for item in value), key=repr))
    if isinstance(value, dict):
        return ("dict", *[(key, freeze(item)) for key, item in value.items()])
    if value is None or isinstance(value, (str, int, float, bool, range, Gone)):
        return (type(value).__name__, value if not isinstance(value, Gone) else "")
    if isinstance(value, slice):
        return ("slice", freeze(value.start), freeze(value.stop), freeze(value.step))
    name = getattr(value, "stands_for", "")
    if name:
        return ("known", name)
    raise Unsupported(f"{type(value).__name__} as a value")


def term(operation: str, *parts: Any, length: int | None = None) -> Term:
    """The term of an operation on values."""
    said = ", ".join([_said(part) for part in parts])
    return Term(_digest(f"({operation!r}, {said})" if parts else f"({operation!r},)"), length)


@lru_cache(maxsize=16_384)
def _digest(making: str) -> str:
    """What a term is known by: the same in all worlds, so that it is asked for in many."""
    return blake2b(making.encode(), digest_size=9).hexdigest()


@lru_cache(maxsize=16_384, typed=True)
def _entry_digest(digest: str, key: str | int) -> str:
    return term("entry", digest, key).digest


def _said(value: Any) -> str:
    """What :func:`freeze` makes of a value, as a text."""
    kind = value.__class__
    if kind is Term:
        if value.changed or value.children:
            return str(value.said())
        return f"('term', '{value.digest}', (), ())"
    if kind is str:
        return f"('str', {value!r})"
    if kind is int:
        return f"('int', {value!r})"
    if (kind is list or kind is tuple or kind is dict) and len(value) > 1:
        budget.steps(len(value))
    if kind is list or kind is tuple:
        inner = "".join([f", {_said(item)}" for item in value])
        return f"({kind.__name__!r}{inner or ','})"
    if kind is dict:
        inner = "".join([f", ({key!r}, {_said(item)})" for key, item in value.items()])
        return f"('dict'{inner or ','})"
    return repr(freeze(value))


@dataclass(frozen=True)
class World:
    """What holds of terms, by chance: another number, another world.

    In a ``nested`` one, processors of items return lists of what they have for the items of each text.
    """

    number: int
    nested: bool = False

    def decided(self, said: str, question: str) -> int:
        """The answer to a question about a term that is known by what is said of its making."""
        asked = f"{self.number} {question} {said}".encode()
        drawn = int.from_bytes(blake2b(asked, digest_size=4).digest(), "big")
        return int(drawn % 4 != 0) if question == "likely" else drawn % _ANSWERS[question]

    def _decide(self, value: Term, question: str) -> int:
        return self.decided(value.said(), question)

    def truth(self, value: Term) -> bool:
        """Whether it counts as true."""
        return bool(value.items) or self._decide(value, "truth") == 0

    def likely(self, value: Term) -> bool:
        """Whether something holds that mostly does."""
        return self._decide(value, "likely") != 0

    def count(self, value: Term) -> int:
        """How often something is repeated that is repeated so often."""
        return self._decide(value, "count")

    def length(self, value: Term) -> int:
        """How many entries it has."""
        return value.length if value.length is not None else self._decide(value, "length")

    def entries(self, value: Term) -> Iterator[Any]:
        """Its entries, one after the other."""
        return (self.entry(value, index) for index in range(self.length(value)))

    def entry(self, value: Term, key: Any) -> Any:
        """What stands at a key or position: the same object whenever it is asked for.

        Raises:
            IndexError, KeyError: there is none.
        """
        if isinstance(key, int) and value.length is not None and -value.length <= key < 0:
            key += value.length
        known = _key(key)
        if known in value.changed:
            if value.changed[known] is GONE:
                raise KeyError(key)
            return value.changed[known]
        if value.length is not None and isinstance(key, int):
            if not -value.length <= key < value.length:
                raise IndexError(key)
            known = key = key % value.length
        if known not in value.children:
            if key.__class__ is str or key.__class__ is int:
                made = Term(_entry_digest(value.digest, key))
            else:
                made = term("entry", value.digest, key)
            if isinstance(key, slice):
                made.length = _slice_length(value, key)
            elif isinstance(key, int) and 0 <= key < len(value.nested):
                made.length = value.nested[key]
            elif isinstance(key, str) and value.items:
                made.length = sum(value.items)
                if self.nested:
                    made.length, made.nested = len(value.items), value.items
            value.children[known] = made
        return value.children[known]


def _key(key: Any) -> Hashable:
    return key if isinstance(key, (str, int)) else repr(freeze(key))


def _slice_length(value: Term, key: slice) -> int | None:
    if value.length is None or not all(
        part is None or isinstance(part, int) for part in (key.start, key.stop, key.step)
    ):
        return None
    return len(range(value.length)[key])


def store(value: Term, key: Any, new: Any) -> None:
    """Put something into a term, or :data:`GONE` in the place of what was there."""
    value.changed[_key(key)] = new


def is_stored(value: Term, key: Any) -> bool:
    """Whether something was put there, or taken out."""
    return _key(key) in value.changed


def derived(operation: str, source: Term, *parts: Any, keep: bool = True) -> Term:
    """A term made of another one with as many entries, unless ``keep`` says otherwise."""
    made = term(operation, source, *parts)
    if keep:
        made.length, made.nested = source.length, source.nested
    return made


def flat(items: Sequence[Any]) -> list[Any]:
    """The entries of lists in a list, one level after the other."""
    found: list[Any] = []
    for item in items:
        found += flat(item) if isinstance(item, (list, tuple)) else [item]
    return found
