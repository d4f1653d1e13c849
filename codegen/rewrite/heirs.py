"""Classes that inherit a method, and what they hold in the attributes that it uses.

What a parent's method is rewritten to has to be right for every class that inherits it: a child may
build another encoder under the same name, and expansion puts a class of the renamed name in place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk


class Heirs:
    """The classes of the candidates with their ancestors, looked at once."""

    def __init__(self, index: Index, classes: Iterable[ClassInfo]) -> None:
        self.index = index
        self._classes = list(classes)
        self._unsure: set[int] = set()

    @cached_property
    def _by_ancestor(self) -> dict[int, list[ClassInfo]]:
        found: dict[int, list[ClassInfo]] = {}
        for cls in self._classes:
            for ancestor in (*self.index.mro(cls)[1:], *self._perhaps(cls)):
                found.setdefault(id(ancestor.node), []).append(cls)
        return found

    def _perhaps(self, cls: ClassInfo) -> Iterator[ClassInfo]:
        """Classes that a call among the bases of a class is given."""
        calls = [base for base in cls.node.bases if isinstance(base, ast.Call)]
        for name in (n.id for call in calls for n in walk(call) if isinstance(n, ast.Name)):
            found = self.index.resolve(cls.module.source.module, name)
            if found is not None:
                self._unsure.add(id(cls.node))
                yield from self.index.mro(found)

    def of(self, cls: ClassInfo, method: str) -> Iterator[ClassInfo]:
        """Classes that have the method of ``cls``, or call it in one of their own."""
        for heir in self._by_ancestor.get(id(cls.node), ()):
            own = self.index.method(heir, method)
            inherits = own is not None and own[0].node is cls.node
            calls = method in heir.methods and f"super().{method}(" in heir.module.segment(
                heir.methods[method]
            )
            if inherits or calls or own is None and id(heir.node) in self._unsure:
                yield heir

    def submodule(self, heir: ClassInfo, owner: ClassInfo, attribute: str) -> ClassInfo | None:
        """The class of ``self.<attribute>`` in an heir of ``owner``, None where it is not known.

        That is the one its own ``__init__`` builds, or the one that takes the place of the parent's
        when the parent's model name is replaced by that of the child.
        """
        found = self.index.submodule(heir, attribute)
        if found is None:
            return None
        new = renamed(found.name, owner.name, heir.name)
        if new != found.name and new in heir.module.classes:
            return self.index.resolve(heir.module.source.module, new)
        return found


def held_module(index: Index, cls: ClassInfo, attribute: str) -> ClassInfo | None:
    """The class of ``self.<attribute>``, also where an ancestor builds it, under the name that it gets here."""
    found = index.attribute(cls, attribute)
    owner = found[0] if found is not None else cls
    return Heirs(index, ()).submodule(cls, owner, attribute)


def renamed(name: str, parent: str, child: str) -> str:
    """A name after expansion replaced the parent's model name by the child's."""
    common = 0
    while common < min(len(parent), len(child)) and parent[-1 - common] == child[-1 - common]:
        common += 1
    old, new = parent[: len(parent) - common], child[: len(child) - common]
    return new + name.removeprefix(old) if old and name.startswith(old) else name
