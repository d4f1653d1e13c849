"""A processor class with the classes it inherits from, as far as their files are in the tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk

if TYPE_CHECKING:
    from codegen.rewrite.tokens.construction import Constructed

MIXIN = "ProcessorMixin"


@dataclass(frozen=True, eq=False)
class Subject:
    """A class and where its parents are looked up."""

    index: Index
    cls: ClassInfo

    @cached_property
    def line(self) -> tuple[ClassInfo, ...]:
        """The class and its parents, nearest first, up to the mixin of the library."""
        found: list[ClassInfo] = []
        pending = [self.cls]
        while pending:
            cls = pending.pop(0)
            if all(cls.node is not known.node for known in found):
                found.append(cls)
                pending += parents(self.index, cls)
        return tuple(found)

    @cached_property
    def constructed(self) -> dict[tuple[bool, bool], list[Constructed]]:
        """What ``__init__`` came to: in worlds nested or not, in runs of the whole or not."""
        return {}

    @cached_property
    def _methods(self) -> dict[str, Function]:
        found: dict[str, Function] = {}
        for cls in reversed(self.line):
            found |= cls.methods
        return found

    @cached_property
    def _behind(self) -> dict[tuple[int, str], Function | None]:
        return {}

    def method(self, name: str) -> Function | None:
        """The method that an instance has."""
        return self._methods.get(name)

    def owner(self, name: str) -> ClassInfo | None:
        """The class whose method an instance has."""
        return next((cls for cls in self.line if name in cls.methods), None)

    def behind(self, node: ast.AST, name: str) -> Function | None:
        """The method that ``super().name`` means at a node of one of the classes."""
        if (id(node), name) not in self._behind:
            self._behind[id(node), name] = self._find_behind(node, name)
        return self._behind[id(node), name]

    def _find_behind(self, node: ast.AST, name: str) -> Function | None:
        for number, cls in enumerate(self.line):
            if any(_holds(method, node) for method in cls.methods.values()):
                later = self.line[number + 1 :]
                return next((c.methods[name] for c in later if name in c.methods), None)
        return None

    def module_of(self, function: ast.AST) -> ModuleInfo:
        """The file that a method of the class stands in."""
        for cls in self.line:
            if any(function is method for method in cls.methods.values()):
                return cls.module
        return self.cls.module


def _holds(method: Function, node: ast.AST) -> bool:
    """Whether a node is one of a method: its line says that it is none of most."""
    line = getattr(node, "lineno", 0)
    if not method.lineno <= line <= (method.end_lineno or line):
        return False
    return any(inner is node for inner in walk(method))


def parents(index: Index, cls: ClassInfo) -> Iterator[ClassInfo]:
    """The parents of a class whose files are known; the mixin itself is none of them."""
    module = cls.module
    for base in cls.node.bases:
        name = base.id if isinstance(base, ast.Name) else ""
        if name in module.classes and module.classes[name] is not cls.node:
            yield ClassInfo(module, module.classes[name])
        elif name in module.imports and name != MIXIN:
            wanted, original = module.imports[name]
            package, _, last = wanted.rpartition(".")
            for place in (f"{package}.modular_{last.partition('_')[2]}", wanted):
                # Inside a definition's package the definition is what a pass edits.
                info = index.open(place) if place != module.source.module else None
                if info is not None and original in info.classes:
                    yield ClassInfo(info, info.classes[original])
                    break
