"""The functions that calls may enter: own methods, forwards of submodules and layers, functions of a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from codegen.rewrite.functions import Function, is_static, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk


@dataclass(frozen=True, eq=False)
class _Context:
    """The file that a function stands in, and the classes that ``self`` may be of."""

    info: ModuleInfo
    classes: tuple[ClassInfo, ...] = ()


@dataclass(eq=False)
class Called:
    """What calls enter in a method, in its heirs, and in everything that was entered from there."""

    index: Index
    heirs: Heirs
    _contexts: dict[int, _Context] = field(default_factory=dict)

    def start(self, cls: ClassInfo, function: Function) -> None:
        """Look at calls of a method of a class, whichever class inherits it."""
        classes = (cls, *self.heirs.of(cls, function.name))
        self._contexts[id(function)] = _Context(cls.module, classes)

    def by(self, function: Function, call: ast.Call) -> Sequence[tuple[Function, bool]]:
        """The functions that a call in a function may enter, each with whether it is given ``self``."""
        found = {}
        for entered, context, is_bound in self._entered(function, call):
            self._contexts[id(entered)] = context
            found[id(entered)] = entered, is_bound
        return list(found.values())

    def _entered(
        self, function: Function, call: ast.Call
    ) -> Iterator[tuple[Function, _Context, bool]]:
        context, called = self._contexts[id(function)], call.func
        if isinstance(called, ast.Name):
            yield from self._plain(context, called.id)
        for cls in context.classes:
            name = self_attribute(called)
            method = self.index.method(cls, name) if name else None
            if method is not None:
                inner = _Context(method[0].module, context.classes)
                yield method[1], inner, not is_static(method[1])
                continue
            for held in self._held(cls, function, called):
                found = self.index.method(held, "forward")
                if found is not None:
                    yield found[1], _Context(found[0].module, (held,)), True

    def _plain(self, context: _Context, name: str) -> Iterator[tuple[Function, _Context, bool]]:
        """A function of the file, or one that it imports from another that is looked at."""
        info: ModuleInfo | None = context.info
        if name not in context.info.functions and name in context.info.imports:
            module, name = context.info.imports[name]
            info = self.index.get(module)
        if info is not None and name in info.functions:
            yield info.functions[name], _Context(info), False

    def _held(self, cls: ClassInfo, function: Function, called: ast.expr) -> Iterator[ClassInfo]:
        """The classes of ``self.<name>``, or of the layers that a name stands for in a loop."""
        held = self.index.submodule(cls, self_attribute(called))
        if held is not None:
            yield held
        if not isinstance(called, ast.Name):
            return
        for node in walk(function):
            if isinstance(node, ast.For) and called.id in _names(node.target):
                for attribute in filter(None, map(self_attribute, walk(node.iter))):
                    yield from self._layers(cls, attribute)

    def _layers(self, cls: ClassInfo, attribute: str) -> Iterator[ClassInfo]:
        """The classes of what ``self.<attribute> = nn.ModuleList([Layer(...) for ...])`` holds."""
        made = self.index.attribute(cls, attribute)
        for node in walk(made[2]) if made is not None else ():
            if made is not None and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                layer = self.index.resolve(made[0].module.source.module, node.func.id)
                if layer is not None:
                    yield layer


def _names(target: ast.expr) -> set[str]:
    return {node.id for node in walk(target) if isinstance(node, ast.Name)}
