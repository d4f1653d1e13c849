"""The values that flow between the stages of an expansion.

:class:`SourceFile` (read) -> :class:`ParsedModule` and :class:`Definition` (parse) ->
:class:`DraftFile` (expand) -> text (render, format) -> files (write). All are frozen; a later
stage never adds to an earlier value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.text.imports import ImportStatement, PoolEntry
from codegen.text.lexer import Lexed, Region, name_tokens


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as read: ``path`` is relative to the tree, ``module`` its dotted name."""

    path: str
    module: str
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """A module-level class, function or assignment and the slice of source that defines it.

    ``start`` includes the leading comment lines, ``lead_end`` is where they end. ``owner`` is set
    for statements such as ``TABLE["x"] = 1`` that travel with the variable they modify.
    """

    name: str
    kind: str
    start: int
    lead_end: int
    end: int
    position: int
    line: int
    owner: str = ""
    indented: bool = False
    value_is_none: bool = False


@dataclass(frozen=True, slots=True)
class ParsedModule:
    """A source file with its tables; independent of who uses it.

    ``neighbours`` are names imported from another generated file of the same model, with its kind.
    ``frozen`` are the ranges that renaming must not touch, ``copied_comments`` the comments that a
    copy drops. ``riders`` are the statements that travel with a variable.
    """

    source: SourceFile
    lexed: Lexed
    header: str
    symbols: Mapping[str, Symbol]
    riders: tuple[Symbol, ...]
    imports: tuple[PoolEntry, ...]
    relative_imports: tuple[ImportStatement, ...]
    neighbours: Mapping[str, str]
    frozen: tuple[Region, ...]
    copied_comments: tuple[Region, ...]
    _uses: dict[Symbol, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def uses(self, symbol: Symbol) -> frozenset[str]:
        """Name tokens of a symbol's source (comments and strings excluded), computed once."""
        known = self._uses.get(symbol)
        if known is None:
            known = frozenset(name_tokens(self.lexed.code[symbol.lead_end : symbol.end]))
            self._uses[symbol] = known
        return known

    def of_kind(self, kind: str) -> dict[str, Symbol]:
        """The symbols of one kind (``class``, ``function``, ``assignment``) by name."""
        return {name: symbol for name, symbol in self.symbols.items() if symbol.kind == kind}


@dataclass(frozen=True, slots=True)
class ParentImport:
    """A name that a definition imports from a parent module.

    ``via`` are the files of the packages that hand it on, if it is imported from one of these.
    """

    name: str
    alias: str | None
    module: str
    line: int
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseClass:
    """A class statement of a definition, as far as votes and file types need it."""

    name: str
    bases: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A parsed modular file: what it defines, what it inherits, what it exports."""

    model: str
    module: ParsedModule
    parents: tuple[ParentImport, ...]
    classes: tuple[BaseClass, ...]
    exports: tuple[str, ...]
    exports_lead: str = ""
    export_texts: tuple[str, ...] = ()

    @property
    def parent_modules(self) -> tuple[str, ...]:
        """Parent modules in the order of their first import."""
        return tuple(dict.fromkeys(parent.module for parent in self.parents))


@dataclass(frozen=True, slots=True)
class Item:
    """One definition of a generated file: its text with leading lines, and where it came from."""

    name: str
    kind: str
    lead: str
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Piece:
    """An import as it is printed: its leading lines and its text."""

    lead: str
    text: str


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A generated file before rendering: header comment, imports, definitions in order."""

    file_type: str
    name: str
    header: str
    imports: tuple[Piece, ...]
    items: tuple[Item, ...]
