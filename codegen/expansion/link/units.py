"""A module as a sequence of units: its module-level statements, with what each binds and needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from codegen.expansion.model import SourceFile
from codegen.text.imports import (
    ImportedName,
    ImportGuard,
    ImportStatement,
    PoolEntry,
    parse_guard,
    parse_import,
)
from codegen.text.lexer import Lexed, lex
from codegen.text.lines import LineMap
from codegen.text.mentions import Mentions, scan
from codegen.text.statements import Statement, first_line, split_block


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One module-level statement (or several that share a line).

    ``kind`` is ``class``, ``function``, ``variable``, ``block`` (``if``, ``try``, ``for``, ...),
    ``effect`` (binds nothing), ``import``, ``exports`` or ``text`` (a docstring). ``entries`` are the
    imports of an ``import`` unit. ``start`` includes the comments in front of the statement.
    """

    module: str
    index: int
    kind: str
    nodes: tuple[ast.stmt, ...]
    start: int
    lead_end: int
    end: int
    line: int
    mentions: Mentions
    entries: tuple[PoolEntry, ...] = ()

    @property
    def binds(self) -> frozenset[str]:
        """Names of the module that the unit binds."""
        return self.mentions.of("binds")

    @property
    def name(self) -> str:
        """The name of a class or function, or the only name that is bound."""
        node = self.nodes[0]
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.name
        return min(self.binds, default="")


@dataclass(frozen=True, eq=False)
class ModuleUnits:
    """The units of one source file, in order."""

    source: SourceFile
    lexed: Lexed
    lines: LineMap
    units: tuple[Unit, ...]
    header: str
    lazy_annotations: bool

    @cached_property
    def binders(self) -> Mapping[str, tuple[Unit, ...]]:
        """For each name that the module itself defines, the units that bind it, in order."""
        found: dict[str, list[Unit]] = {}
        for unit in self.units:
            if unit.kind not in ("import", "exports"):
                for name in unit.binds:
                    found.setdefault(name, []).append(unit)
        return {name: tuple(units) for name, units in found.items()}

    @cached_property
    def imported(self) -> Mapping[str, tuple[ImportStatement, ImportedName]]:
        """For each name that an import binds, the last import of it."""
        return {
            name.bound.split(".")[0]: (statement, name)
            for unit in self.units
            for statement in statements_of(unit.entries)
            for name in statement.names
        }

    @cached_property
    def classes(self) -> frozenset[str]:
        """Names of the classes that the module defines."""
        return (
            frozenset(unit.name for unit in self.units if unit.kind == "class")
            & self.binders.keys()
        )

    def kind_of(self, name: str) -> str:
        """The kind of the last unit that binds a name."""
        return self.binders[name][-1].kind

    @cached_property
    def riders(self) -> Mapping[Unit, frozenset[str]]:
        """Units that change something the module defines, and the names of what they change.

        Some do so by themselves, others by what they call while the module is imported, such as a
        decorator that registers.
        """
        found = {}
        for unit in self.units:
            changed = set(unit.mentions.changed if unit.kind in ("effect", "block") else ())
            for name in unit.mentions.called & self.binders.keys():
                changed |= self._changes_when_called(name, set()) - unit.binds
            changed = {
                name
                for name in changed
                if name in self.binders and self.kind_of(name) != "function"
            }
            if changed:
                found[unit] = frozenset(changed)
        return found

    def _changes_when_called(self, name: str, seen: set[str]) -> set[str]:
        """Variables that a function or class of the module changes when it is called."""
        if name in seen:
            return set()
        seen.add(name)
        changed: set[str] = set()
        for unit in self.binders[name]:
            if unit.kind not in ("function", "class"):
                continue
            changed |= {each for each in unit.mentions.changed_later if each in self.binders}
            for used in unit.mentions.of("later") & self.binders.keys():
                if self.kind_of(used) == "function":
                    changed |= self._changes_when_called(used, seen)
        return {each for each in changed if self.kind_of(each) == "variable"}


def statements_of(entries: Iterable[PoolEntry]) -> Iterator[ImportStatement]:
    """The import statements of some entries, those in guards included."""
    for entry in entries:
        if isinstance(entry, ImportGuard):
            yield from entry.body
        else:
            yield entry


@lru_cache(maxsize=128)
def read_units(source: SourceFile) -> ModuleUnits:
    """Split a parsed source (its syntax is right) into units."""
    tree = ast.parse(source.text)
    lexed, lines = lex(source.text), LineMap(source.text)
    statements, footer = split_block(lines, tree.body, 1, len(lines.starts) - 1)
    lazy = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and "annotations" in {alias.name for alias in node.names}
        for node in tree.body
    )
    units = []
    for index, statement in enumerate(statements):
        lead = len(statement.lead) if index else 0
        units.append(_unit(source, index, statement, lead, lines, lexed, lazy))
    header = statements[0].lead if statements else footer
    placed = tuple(_in_place(units))
    return ModuleUnits(source, lexed, lines, placed, header, lazy)


def _in_place(units: list[Unit]) -> Iterator[Unit]:
    """The units, with those imports as statements in their place that cannot stand at the top."""
    defined = {name for unit in units if unit.kind != "import" for name in unit.binds}
    rebound = {
        name: _is_read_between(name, units)
        or _is_imported_last(name, units)
        or _depends_on_guards(name, units)
        for name in _bound_twice(units)
    }
    for unit in units:
        guarded = any(isinstance(entry, ImportGuard) for entry in unit.entries)
        if unit.kind != "import":
            yield unit
        elif guarded and unit.mentions.of("now") & defined:
            # if has_fast_path():                    a function of the module
            yield replace(unit, kind="block", entries=())
        elif gone := {name for name in unit.binds if rebound.get(name)}:
            # from math import floor; down = floor; from math import ceil as floor
            entries = tuple(_without(entry, gone) for entry in unit.entries)
            if unit.binds - gone:
                yield replace(unit, entries=entries)
            names = tuple(
                mention
                for mention in unit.mentions.names
                if mention.when != "binds" or mention.name in gone
            )
            mentions = replace(unit.mentions, names=names)
            yield replace(unit, kind="block", entries=(), mentions=mentions)
        else:
            yield unit


def _bound_twice(units: list[Unit]) -> set[str]:
    """Names that an import binds, and something else as well."""
    imported = {name for unit in units if unit.kind == "import" for name in unit.binds}
    return {name for name in imported if sum(name in unit.binds for unit in units) > 1}


def _is_read_between(name: str, units: list[Unit]) -> bool:
    """Whether something is read while it does not have its last meaning yet."""
    binding = [unit.index for unit in units if name in unit.binds]
    between = units[binding[0] : binding[-1] + 1]
    return any(name in unit.mentions.of("now") for unit in between)


def _is_imported_last(name: str, units: list[Unit]) -> bool:
    """Whether an import replaces what another statement bound: at the top it would be replaced itself."""
    kinds = [unit.kind for unit in units if name in unit.binds]
    return kinds[-1] == "import" and any(kind != "import" for kind in kinds)


def _depends_on_guards(name: str, units: list[Unit]) -> bool:
    """Whether it is for conditions to say which of several imports a name is."""
    found = [
        (isinstance(entry, ImportGuard), statement.module, item)
        for unit in units
        for entry in unit.entries
        for statement in statements_of([entry])
        for item in statement.names
        if item.bound.split(".")[0] == name
    ]
    guarded = any(guard for guard, _, _ in found)
    return guarded and len({(module, item) for _, module, item in found}) > 1


def _without(entry: PoolEntry, names: set[str]) -> PoolEntry:
    if isinstance(entry, ImportGuard):
        body = (_without_names(statement, names) for statement in entry.body)
        return replace(entry, body=tuple(statement for statement in body if statement.names))
    return _without_names(entry, names)


def _without_names(statement: ImportStatement, names: set[str]) -> ImportStatement:
    kept = (name for name in statement.names if name.bound.split(".")[0] not in names)
    return statement.only(tuple(kept))


def _unit(
    source: SourceFile,
    index: int,
    statement: Statement,
    lead: int,
    lines: LineMap,
    lexed: Lexed,
    lazy: bool,
) -> Unit:
    mentions = scan(statement.nodes, lines, lexed.code, lazy)
    entries = tuple(_entries(source, statement, lead, lines))
    kind = "import" if entries else _kind(statement.nodes, mentions)
    if kind == "import" and not _only_imports(entries, mentions):
        kind, entries = "block", ()
    return Unit(
        source.module,
        index,
        kind,
        statement.nodes,
        statement.start - lead,
        statement.start,
        statement.end,
        first_line(statement.nodes[0]),
        mentions,
        entries,
    )


def _entries(
    source: SourceFile, statement: Statement, lead: int, lines: LineMap
) -> Iterator[PoolEntry]:
    """The imports that a statement consists of; nothing if it is anything else."""
    text = statement.lead if lead else ""
    if all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in statement.nodes):
        if parsed := parse_import(lines, statement):
            yield replace(parsed, lead=text)
            return
        for node in statement.nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield _plain_import(node, text if node is statement.nodes[0] else "")
    elif isinstance(statement.node, ast.If):
        end = lines.line_at(max(statement.end - 1, statement.start))
        guard = parse_guard(lines, statement.node, text, end)
        if guard and not guard.mixed:
            yield replace(guard, path=source.path)


def _plain_import(node: ast.Import | ast.ImportFrom, lead: str) -> ImportStatement:
    module = None
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
    names = tuple(ImportedName(alias.name, alias.asname) for alias in node.names)
    return ImportStatement(module, names, lead, line=node.lineno)


def _only_imports(entries: tuple[PoolEntry, ...], mentions: Mentions) -> bool:
    """Whether nothing but imports happens: a guard whose other branches act is a block."""
    bound = {
        name.bound.split(".")[0] for statement in statements_of(entries) for name in statement.names
    }
    return mentions.of("binds") <= bound and not mentions.acts


def _kind(nodes: tuple[ast.stmt, ...], mentions: Mentions) -> str:
    node = nodes[0]
    if len(nodes) == 1:
        if isinstance(node, ast.ClassDef):
            return "class"
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return "function"
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return "text"
        if isinstance(node, ast.Pass):
            return "text"
    bound = mentions.of("binds")
    if bound == {"__all__"} or "__all__" in mentions.changed:
        return "exports"
    if not bound:
        return "effect" if mentions.acts else "text"
    simple = (ast.Assign, ast.AnnAssign, ast.AugAssign)
    return "variable" if all(isinstance(item, simple) for item in nodes) else "block"
