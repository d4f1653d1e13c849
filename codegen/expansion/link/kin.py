"""What is known of the classes around one that is folded, without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.expansion.fold.model import CannotFold, Key, Relative, members_of
from codegen.expansion.fold.sites import is_super
from codegen.expansion.link.namespace import Namespace
from codegen.expansion.link.units import ModuleUnits
from codegen.expansion.model import ParentImport
from codegen.text.read_body import read_body

_OWN, _OUT = "own", "out"


@dataclass(eq=False)
class Kin:
    """The classes of a definition and of its parent modules, as seen from one parent module.

    A class of a parent goes by its name there, with its module. ``imported`` are the names that the
    definition imports from parents.
    """

    space: Namespace
    imported: Mapping[str, ParentImport]
    module: str
    _known: dict[Key, Relative | None] = field(default_factory=dict)

    def key_of(self, name: str, of_parent: bool) -> Key:
        """Where the class is written that a name of the definition, or of the parent, denotes.

        A name of the parent is spelled as in generated code.
        """
        if of_parent:
            spelled = self.space.renamed[self.module]
            before = {new: old for old, new in spelled.items()}
            return self._inside(before.get(name, name), self.module)
        if name in self.space.definition.classes:
            return _OWN, name
        item = self.imported.get(name)
        return self._inside(item.name, item.module) if item else (_OUT, name)

    def _inside(self, name: str, module: str) -> Key:
        return (module, name) if name in self.space.parents[module].classes else (_OUT, name)

    def relative(self, key: Key) -> Relative | None:
        """A class as it is written; None for one of a library, or one that cannot be read."""
        if key not in self._known:
            self._known[key] = self._read(key)
        return self._known[key]

    def _read(self, key: Key) -> Relative | None:
        place, name = key
        if place == _OUT:
            return None
        units = self.space.definition if place == _OWN else self.space.parents[place]
        found = _relative(units, name)
        if found is None:
            return None
        members, calls, listed, metaclass = found
        if place == _OWN:
            bases = tuple(self.key_of(base, False) for base in listed)
        else:
            bases = tuple(self._inside(base, place) for base in listed)
        return Relative(members, calls, bases, metaclass)


def _relative(
    units: ModuleUnits, name: str
) -> tuple[frozenset[str], frozenset[str], list[str], str] | None:
    unit = units.binders[name][-1]
    body = read_body(units.source.text[unit.lead_end : unit.end])
    try:
        members = {each for member in members_of(body, True, True) for each in member.bound}
    except CannotFold:
        return None
    calls: set[str] = set()
    handed_on = 0
    for inner in ast.walk(body.node):
        handed_on += is_super(inner)
        if isinstance(inner, ast.Attribute) and is_super(inner.value):
            calls.add(inner.attr)
            handed_on -= 1
    # A super() that is handed on can call anything.
    if handed_on:
        return None
    named = (each.value for each in body.node.keywords if each.arg == "metaclass")
    metaclass = next(map(ast.unparse, named), "")
    return frozenset(members), frozenset(calls), [base.text for base in body.head.bases], metaclass
