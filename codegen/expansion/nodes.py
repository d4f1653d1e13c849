"""Definitions as the new model sees them: a parent's symbols under their new names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from codegen.expansion.model import Item, ParsedModule, Symbol
from codegen.expansion.rename import Spelling
from codegen.text.lexer import lex
from codegen.text.statements import reindent
from codegen.trees.names import FILE_TYPES


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One symbol of a module, seen through the renaming of that module (None: as written)."""

    name: str
    kind: str
    module: ParsedModule
    symbol: Symbol
    spelling: Spelling | None
    model: str

    def uses(self) -> frozenset[str]:
        """Name tokens of the source under their new names."""
        uses = self.module.uses(self.symbol)
        if self.spelling is None:
            return uses
        return frozenset(map(self.spelling.name, uses))

    def render(self) -> Item:
        """The definition as it goes into a generated file."""
        symbol = self.symbol
        lead = render_slice(self.module, self.spelling, self.model, symbol.start, symbol.lead_end)
        text = render_slice(self.module, self.spelling, self.model, symbol.lead_end, symbol.end)
        if symbol.indented:
            indent = text[: len(text) - len(text.lstrip())]
            text = reindent(text, indent, "", lex(text).strings)
            lead = reindent(lead, indent, "", ())
        source = self.module.source
        return Item(self.name, self.kind, lead, text, f"{source.path}:{symbol.line}")


def render_slice(
    module: ParsedModule, spelling: Spelling | None, model: str, start: int, end: int
) -> str:
    """A slice of a module under its new names, without "Copied from" comments."""
    text = module.source.text
    if spelling is None:
        return text[start:end]
    pieces, done = [], start
    for begin, stop in module.copied_comments:
        if start <= begin < end:
            pieces.append(spelling.text(text, done, begin, module.frozen))
            done = stop
    pieces.append(spelling.text(text, done, end, module.frozen))
    result = "".join(pieces)
    if spelling.new_lower != model and "from ." in result:
        result = _fix_neighbour_imports(result, spelling.new_lower, model)
    return result


def _fix_neighbour_imports(text: str, new_lower: str, model: str) -> str:
    """Neighbour files carry the model name, whatever the prefix of the class names is."""
    kinds = "|".join(FILE_TYPES)
    pattern = rf"^([ \t]*from[ \t]+\.+(?:{kinds})_){re.escape(new_lower)}(?=[ \t]+import\b)"
    return re.sub(pattern, rf"\g<1>{model}", text, flags=re.MULTILINE)


@dataclass
class Scope:
    """The names that one module offers to the classes built from it, with their dependencies.

    ``nodes`` may be redirected to another parent's functions; dependencies that were derived
    before (``immediate``) are not revised then, except for the redirected names themselves.
    """

    nodes: dict[str, Node]
    positions: dict[str, int]
    neighbours: dict[str, str] = field(default_factory=dict)
    file_type: str | None = None
    extra_names: frozenset[str] = frozenset()
    riders: dict[str, list[str]] = field(default_factory=dict)
    immediate: dict[str, frozenset[str]] = field(default_factory=dict)
    redirected: dict[str, frozenset[str]] = field(default_factory=dict)
    _linked: frozenset[str] = frozenset()
    _class_uses: dict[str, frozenset[str]] = field(default_factory=dict)
    _closures: dict[str, frozenset[str]] = field(default_factory=dict)

    def known(self) -> set[str]:
        """All names that count as definitions in this scope."""
        return self.nodes.keys() | self.extra_names

    def link(self, only: set[str] | None = None) -> None:
        """Derive the immediate uses of the functions and assignments (of ``only`` those named)."""
        names = frozenset(self.known())
        self._linked = names
        for name, node in self.nodes.items():
            if node.kind == "class" or node.symbol.owner or not (only is None or name in only):
                continue
            uses = node.uses()
            for rider in self.riders.get(name, ()):
                uses |= self.nodes[rider].uses() | {rider}
            self.immediate[name] = uses & names

    def closure(self, name: str) -> frozenset[str]:
        """Everything reachable from a function or assignment, redirections respected."""
        if name in self.redirected:
            return self.redirected[name]
        return self.original_closure(name)

    def original_closure(self, name: str) -> frozenset[str]:
        """Reachable names by the module's own tables; classes are leaves."""
        known = self._closures.get(name)
        if known is None:
            found: set[str] = set()
            queue = list(self.immediate.get(name, ()))
            while queue:
                current = queue.pop()
                if current not in found:
                    found.add(current)
                    queue += self.immediate.get(current, ())
            known = frozenset(found)
            self._closures[name] = known
        return known

    def class_uses(self, name: str) -> frozenset[str]:
        """What the module's own class of that name needs; other classes are not expanded."""
        known = self._class_uses.get(name)
        if known is None:
            node = self.own_classes.get(name)
            direct = node.uses() & self._linked - {name} if node else frozenset()
            expanded = set(direct)
            for used in direct:
                expanded |= self.original_closure(used)
            known = frozenset(expanded)
            self._class_uses[name] = known
        return known

    @property
    def own_classes(self) -> dict[str, Node]:
        """Classes that the module itself defines."""
        return self._own_classes

    def __post_init__(self) -> None:
        self._own_classes = {
            name: node for name, node in self.nodes.items() if node.kind == "class"
        }
