"""What is known of the classes around one that is folded, without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.expansion.fold.model import Key, Relative, members_of
from codegen.expansion.fold.sites import is_super
from codegen.expansion.model import Definition
from codegen.expansion.nodes import Node, Scope
from codegen.expansion.rename import Spelling
from codegen.text.read_body import read_body

_OWN = "own"


@dataclass
class Kin:
    """The classes of a definition and of its parent modules, as seen from one parent module.

    ``home`` gives the parent module of every imported name, ``module`` is that of the parent class.
    """

    definition: Definition
    own: Scope
    scopes: Mapping[str, Scope]
    spellings: Mapping[str, Spelling]
    home: Mapping[str, str]
    module: str
    _known: dict[Key, Relative | None] = field(default_factory=dict)

    def key_of(self, name: str, of_parent: bool) -> Key:
        """Where the class is written that a name of the definition, or of the parent, denotes."""
        if of_parent:
            return self._inside(name, self.module)
        if name in self.own.own_classes:
            return _OWN, name
        module = self.home.get(name)
        return self._inside(self.spellings[module].name(name), module) if module else ("out", name)

    def _inside(self, name: str, module: str) -> Key:
        return (module, name) if name in self.scopes[module].own_classes else ("out", name)

    def relative(self, key: Key) -> Relative | None:
        """A class as it is written; None for one of a library, or one that cannot be read."""
        if key not in self._known:
            self._known[key] = self._read(key)
        return self._known[key]

    def _read(self, key: Key) -> Relative | None:
        module, name = key
        if module == "out":
            return None
        node = (self.own if module == _OWN else self.scopes[module]).own_classes[name]
        found = _relative(node)
        if found is None:
            return None
        members, calls, listed = found
        if module == _OWN:
            bases = tuple(self.key_of(base, False) for base in listed)
        else:
            bases = tuple(self._inside(base, module) for base in listed)
        return Relative(members, calls, bases)


def _relative(node: Node) -> tuple[frozenset[str], frozenset[str], list[str]] | None:
    body = read_body(node.render().text)
    members = {name for member in members_of(body, True, True) for name in member.bound}
    calls: set[str] = set()
    found = 0
    for inner in ast.walk(body.node):
        found += is_super(inner)
        if isinstance(inner, ast.Attribute) and is_super(inner.value):
            calls.add(inner.attr)
            found -= 1
    # A super() that is handed on can call anything.
    return (
        None if found else (frozenset(members), frozenset(calls), [b.text for b in body.head.bases])
    )
