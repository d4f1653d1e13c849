"""Who calls a rotary module: every call has to be found before its parameters may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.heirs import renamed
from codegen.rewrite.modules import ClassInfo, made_of
from codegen.rewrite.nodes import calls_in, children, walk
from codegen.rewrite.state import RewriteState

_DEFERRED = (
    *(ast.Lambda, ast.IfExp, ast.BoolOp),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
"""Expressions whose parts run later, repeatedly or not at all."""


class Refusal(Exception):
    """The reason why a module keeps its parameters; ``place`` if it is not the module itself.

    ``replaced`` tells that another module may take its place, so that callers must not give it
    anything new either.
    """

    def __init__(self, reason: str, place: str = "", *, replaced: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.replaced = replaced


@dataclass(frozen=True)
class CallSite:
    """A call of the module inside one statement at the top of a method."""

    cls: ClassInfo
    function: Function
    statement: ast.stmt
    call: ast.Call
    attribute: str

    @property
    def place(self) -> str:
        """``path:line`` of the call."""
        return self.cls.module.place(self.call)


class Callers:
    """The search for the callers of one rotary module, which its own ``forward`` identifies."""

    def __init__(self, state: RewriteState, cls: ClassInfo, forward: Function) -> None:
        self.state = state
        self.index = state.index
        self.cls = cls
        self.forward = forward
        self.classes = [c for c in self._all_classes() if self._is_module(c)]
        self.attributes = self._attributes()

    def find(self) -> list[CallSite]:
        """All call sites.

        Raises:
            Refusal: there are none, or somebody uses the module in a way that is not understood.
        """
        self._check_overrides()
        sites = [site for cls in self._all_classes() for site in self._sites(cls)]
        if not sites:
            raise Refusal("no caller in the tree")
        self._check_heirs(sites)
        self._check_outside(sites)
        return sites

    def _all_classes(self) -> Iterator[ClassInfo]:
        for info in self.state.candidates():
            yield from self.state.classes(info)

    def _is_module(self, cls: ClassInfo) -> bool:
        found = self.index.method(cls, "forward")
        return found is not None and found[1] is self.forward

    def _attributes(self) -> set[str]:
        """Names of attributes that hold the module; it must not be built for anything else."""
        names = {cls.name for cls in self.classes}
        found: set[str] = set()
        for info in self.state.candidates():
            held = {attribute for _, attribute in made_of(info, names)}
            if "" in held:
                raise Refusal(f"it is not only held as an attribute in {info.source.path}")
            found |= held
        return found

    def _check_overrides(self) -> None:
        """A derived module with a ``forward`` of its own shares callers but not parameters."""
        for cls in self._all_classes():
            derived = any(ancestor.node is self.cls.node for ancestor in self.index.mro(cls)[1:])
            if derived and "forward" in cls.methods:
                place = cls.module.place(cls.methods["forward"])
                raise Refusal(f"{cls.name} overrides its forward", place, replaced=True)

    def _sites(self, cls: ClassInfo) -> Iterator[CallSite]:
        for function in cls.methods.values():
            segment = cls.module.segment(function)
            if any(f".{name}" in segment for name in self.attributes):
                yield from self._sites_in(cls, function)

    def _sites_in(self, cls: ClassInfo, function: Function) -> Iterator[CallSite]:
        parents = {c: p for p in walk(function) for c in children(p)}
        for node in parents:
            if not isinstance(node, ast.Attribute) or node.attr not in self.attributes:
                continue
            parent = parents[node]
            target = self.index.submodule(cls, self_attribute(node))
            if isinstance(node.ctx, ast.Store) or target is None or not self._is_module(target):
                continue
            if isinstance(parent, ast.Attribute) and parent.attr not in ("forward", "__call__"):
                continue
            statement = self._statement(function, node, parents)
            if statement is None or not isinstance(parent, ast.Call) or not _is_plain(parent, node):
                raise Refusal(f"{ast.unparse(parent)} is not understood", cls.module.place(node))
            yield CallSite(cls, function, statement, parent, node.attr)

    @staticmethod
    def _statement(
        function: Function, node: ast.AST, parents: dict[ast.AST, ast.AST]
    ) -> ast.stmt | None:
        """The simple statement around a node, if it stands at the top of the method."""
        while not isinstance(node, ast.stmt):
            if isinstance(node, _DEFERRED):
                return None
            node = parents[node]
        simple = isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr))
        return node if simple and node in function.body else None

    def _check_heirs(self, sites: list[CallSite]) -> None:
        """Classes that inherit a caller have to hold the module, too."""
        for site in sites:
            for cls in self._all_classes():
                if any(ancestor.node is site.cls.node for ancestor in self.index.mro(cls)[1:]):
                    self._check_heir(site, cls)

    def _check_heir(self, site: CallSite, heir: ClassInfo) -> None:
        name, place = site.function.name, heir.module.place(heir.node)
        own = heir.methods.get(name)
        if own is None or f"super().{name}(" in heir.module.segment(own):
            target = self.index.submodule(heir, site.attribute)
            if target is None or not self._is_module(target):
                reason = f"{heir.name} has another self.{site.attribute}"
                raise Refusal(reason, place, replaced=True)
        # Expansion puts a class of the renamed name in the place of this one.
        for name in {renamed(c.name, site.cls.name, heir.name) for c in self.classes}:
            if name in heir.module.classes:
                other = self.index.resolve(heir.module.source.module, name)
                if other is not None and not self._is_module(other):
                    reason = f"{name} takes its place in {heir.name}"
                    raise Refusal(reason, place, replaced=True)

    def _check_outside(self, sites: list[CallSite]) -> None:
        """Nobody may reach into a class that holds the module; files are not analysed without need."""
        holders = {site.cls.name for site in sites} | {cls.name for cls in self.classes}
        buffers = self.index.vocabulary.frequencies
        for source in self.state.others():
            # Looking for a plain word is many times faster than reading the file.
            if not any(name in source.text for name in holders):
                continue
            words = _words_of(source.text)
            if not words & holders:
                continue
            if words.intersection(buffers):
                reason = "a module of a file that is not rewritten may take its place"
                raise Refusal(reason, f"{source.path}:1", replaced=True)
            if words & self.attributes:
                raise Refusal("a file that is not rewritten may call it", f"{source.path}:1")
        for info in self.state.candidates():
            if not any(name in info.source.text for name in holders):
                continue
            for node in (call for part in info.naming(self.attributes) for call in calls_in(part)):
                if self._reaches_in(node.func):
                    reason = f"{ast.unparse(node.func)} is called from outside"
                    raise Refusal(reason, info.place(node))

    def _reaches_in(self, function: ast.expr) -> bool:
        if not isinstance(function, ast.Attribute) or function.attr not in self.attributes:
            return False
        return not self_attribute(function)


def _words_of(text: str) -> set[str]:
    """Names that a file speaks of, in its code or as whole strings.

    Raises:
        Refusal: it cannot be read.
    """
    try:
        nodes = walk(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Refusal("a file that cannot be read may call it") from None
    found = {
        getattr(node, field, None) for node in nodes for field in ("id", "attr", "name", "value")
    }
    return {word for word in found if isinstance(word, str)}


def _is_plain(call: ast.Call, node: ast.Attribute) -> bool:
    """Tell whether a call passes every argument by itself."""
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return call.func is node and not starred and all(k.arg is not None for k in call.keywords)
