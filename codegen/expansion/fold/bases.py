"""The bases of a folded class, so that members are found where plain inheritance finds them.

Python looks through the class, then what is listed before the parent, the parent, the parent's
bases and what is listed behind it. Folded, the parent's members are the class's own: they come
first of all, which is right unless something listed before the parent has members of these names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from codegen.expansion.fold.model import CannotFold, Key, Pair
from codegen.text.classes import Base

#: Classes of libraries that are known to derive from a base that they are listed beside.
_DERIVED = {"GradientCheckpointingLayer": "nn.Module"}
#: Bases without members that could be found instead of others.
_EMPTY = frozenset({"object", "ABC", "abc.ABC", "Generic", "Protocol"})


def merge_bases(
    pair: Pair, listed: Sequence[Base], inherited: Sequence[Base], members: Collection[str]
) -> list[str]:
    """The bases of the folded class. ``members`` are those of the parent's own body.

    Raises CannotFold where the order of resolution would be another, or cannot be told.
    """
    names = [base.text for base in listed]
    position = names.index(pair.base)
    bases = [base.text for base in inherited]
    if len(names) == 1:
        return bases
    kin = _Kin(pair, frozenset(members), tuple(bases))
    front: list[str] = []
    for name in names[:position]:
        kin.check_before(name)
        if kin.roles(name):
            bases = kin.in_role(name, bases)
        else:
            front.append(name)
    for name in names[position + 1 :]:
        if name in bases:
            continue
        if kin.roles(name):
            bases = kin.in_role(name, bases)
        else:
            kin.check_behind(name, bases)
            bases.append(name)
    return [*front, *(base for base in dict.fromkeys(bases) if base not in front)]


@dataclass(frozen=True)
class _Kin:
    """The classes around the folded one: ``members`` and ``bases`` are the parent's."""

    pair: Pair
    members: frozenset[str]
    bases: tuple[str, ...]

    def lineage(self, keys: Iterable[Key]) -> set[Key]:
        """Classes and all their known ancestors."""
        found: set[Key] = set()
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key in found:
                continue
            found.add(key)
            known = self.pair.relative(key)
            queue += known.bases if known else ()
        return found

    def of(self, name: str) -> set[Key]:
        """The lineage of a class that the definition lists."""
        return self.lineage([self.pair.key_of(name, False)])

    def roles(self, name: str) -> set[str]:
        """The parent's bases that a class derives from, so that it can stand in their place."""
        derived = _DERIVED.get(name, "")
        lineage = self.of(name)
        keys = {base: self.pair.key_of(base, True) for base in self.bases}
        return {base for base, key in keys.items() if key in lineage or base == derived}

    def in_role(self, name: str, bases: Sequence[str]) -> list[str]:
        """The bases with a class in place of those that it derives from."""
        roles = self.roles(name)
        return list(dict.fromkeys(name if base in roles else base for base in bases))

    def check_before(self, name: str) -> None:
        """Members of a class that is listed before the parent must not be hidden by the parent's."""
        inherited = self.lineage(self.pair.key_of(base, True) for base in self.bases)
        for key in sorted(self.of(name) - inherited):
            known = self.pair.relative(key)
            if known is None:
                if key[1].partition("[")[0] in _EMPTY:
                    continue
                raise CannotFold(f"what {name}, listed before the parent, defines is not known")
            if common := sorted(known.members & self.members):
                raise CannotFold(f"{name}, listed before the parent, defines {common[0]}, too")
            if further := sorted(known.calls & self.members):
                raise CannotFold(f"{name}, listed before the parent, calls its {further[0]}")

    def check_behind(self, name: str, bases: Sequence[str]) -> None:
        """A class behind the parent's bases must be an ancestor's child of none of them."""
        unknown = {key for key in self.of(name) if self.pair.relative(key) is None}
        if all(key[1].partition("[")[0] in _EMPTY for key in unknown):
            return
        for base in bases:
            key = self.pair.key_of(base, True)
            # What is written in the model's files cannot be a base of a library's class.
            if self.pair.relative(key) is None and key[1].partition("[")[0] not in _EMPTY:
                raise CannotFold(f"whether {name} derives from {base} is not known")
