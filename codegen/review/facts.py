"""What can break about a module: its classes, functions, public names, and how they hang together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from codegen.review.classes import ClassFacts
from codegen.review.names import Naming
from codegen.review.signatures import Parameter
from codegen.review.weights import Weight
from codegen.review.words import foreign_names, names_any


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function at the top of a module. Texts are without model names."""

    signature: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    operators: Counter[str]


_PLAIN = frozenset({"parameter", "buffer", "module", "container"})
#: Bases that bring nothing of their own.
EMPTY_BASES = frozenset({"nn.Module", "torch.nn.Module", "Module", "object"})


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module: its classes, functions, public names; of each class the bases, of each of both the lines."""

    classes: Mapping[str, ClassFacts] = field(default_factory=dict)
    functions: Mapping[str, FunctionFacts] = field(default_factory=dict)
    exported: tuple[str, ...] | None = None
    imports: frozenset[tuple[str, str]] = frozenset()
    text: str = ""
    bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    function_segments: Mapping[str, str] = field(default_factory=dict)
    read_by: tuple[Naming, frozenset[str]] = (Naming(""), frozenset())

    @property
    def foreign(self) -> frozenset[str]:
        """Attributes that are read of anything but ``self``, and strings that may name one."""
        return foreign_names(self.text)

    def ancestors(self, name: str) -> Iterator[ClassFacts]:
        """A class and those it inherits from within the module."""
        return (self.classes[each] for each in self._above(name))

    def _above(self, name: str) -> Iterator[str]:
        queue, seen = [name], set()
        while queue:
            current = queue.pop(0)
            if current in self.bases and current not in seen:
                seen.add(current)
                yield current
                queue += self.bases[current]

    def holds_weights(self, name: str) -> bool:
        """Whether anything in the state dict comes from a class: True where nobody can tell."""
        return self._holds(name, set())

    def holds_weights_of(self, weight: Weight) -> bool:
        """The same of what a class assigns."""
        return self.holds_weights(weight.kind) if weight.kind in self.classes else True

    def _holds(self, name: str, seen: set[str]) -> bool:
        if name not in self.classes:
            return True
        if name in seen:
            return False
        seen.add(name)
        item = self.classes[name]
        if any(w.kind in _PLAIN or self._holds(w.kind, seen) for w in item.weights.values()):
            return True
        return any(b not in EMPTY_BASES and self._holds(b, seen) for b in item.plain_bases)

    def keys_of(self, name: str) -> object:
        """What decides about the keys and sizes of a class, whatever it is called: equal for one that has
        only got another name. None for what is no class of the module."""
        return self._keys(name, ()) if name in self.classes else None

    def _keys(self, name: str, seen: tuple[str, ...]) -> object:
        if name not in self.classes or name in seen:
            return name
        item, seen = self.classes[name], (*seen, name)
        made = [
            (key, w.made.removeprefix(w.constructor), w.size, self._keys(w.kind, seen))
            for key, w in sorted(item.weights.items())
        ]
        return made, [self._keys(base, seen) for base in item.plain_bases]

    def heirs(self, name: str) -> Iterator[ClassFacts]:
        """Classes of the module that inherit from a class."""
        for other in self.bases:
            if other != name and name in self._above(other):
                yield self.classes[other]

    def concerned(self, other: ModuleFacts) -> list[str]:
        """Classes that are not the same in another state, with those of their families, and those that
        name an attribute which code elsewhere in either state alone reads."""
        changed = {n for n, lines in self.segments.items() if other.segments.get(n) != lines}
        apart = self.foreign ^ other.foreign
        if apart:
            named = (n for n, lines in self.segments.items() if names_any(lines, apart))
            changed |= set(named)
        gone = other.segments.keys() - self.segments.keys()
        changed |= {name for name, bases in self.bases.items() if not gone.isdisjoint(bases)}
        near = {each for name in changed for each in self._above(name)}
        return [n for n in self.bases if n in near or not changed.isdisjoint(self._above(n))]
