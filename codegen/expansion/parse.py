"""Source text to tables: what a module defines, imports and uses.

The only place that looks at the syntax of a whole input file; it does so once per file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from codegen.errors import fail
from codegen.expansion.model import ParsedModule, SourceFile, Symbol
from codegen.text.imports import (
    ImportedName,
    ImportStatement,
    PoolEntry,
    parse_guard,
    parse_import,
)
from codegen.text.lexer import Lexed, Region, lex, merged_regions
from codegen.text.lines import LineMap
from codegen.text.statements import Statement, first_line, split_block
from codegen.trees.names import FILE_TYPES, module_file_type

_ABSOLUTE_IMPORT = re.compile(
    r"^[ \t]*from[ \t]+(?!\.)[\w.]+[ \t]+import(?:[ \t]*\([^)]*\)|(?:[^\n\\]|\\\n)*)", re.MULTILINE
)
_NESTED_RELATIVE = re.compile(r"^[ \t]+from[ \t]+\.", re.MULTILINE)
_NESTED_CLASS = re.compile(r"^[ \t]+class[ \t]", re.MULTILINE)
_COPIED = "# Copied from"


def parse_source(source: SourceFile) -> ast.Module:
    """Parse a file; a syntax error becomes a user error that names its line."""
    try:
        return ast.parse(source.text)
    except SyntaxError as error:
        raise fail(
            "syntax-error",
            f"cannot parse the file: {error.msg}",
            source.path,
            error.lineno or 0,
            "fix the syntax error, then run the command again",
        ) from None
    except ValueError as error:  # null bytes
        raise fail("syntax-error", f"cannot parse the file: {error}", source.path) from None


def parse_module(
    source: SourceFile,
    protected: frozenset[str] = frozenset(),
    tree: ast.Module | None = None,
    strong: Sequence[str] = ("assignment",),
) -> ParsedModule:
    """Build the tables of one file. ``protected`` names are never renamed in it.

    A name that several kinds share denotes the last one of a ``strong`` kind.
    """
    tree = tree or parse_source(source)
    lexed = lex(source.text)
    lines = LineMap(source.text)
    statements, footer = split_block(lines, tree.body, 1, len(lines.starts) - 1)
    collector = _Collector(source, lexed, lines, strong)
    header = footer
    if statements:
        header = statements[0].lead
    for index, statement in enumerate(statements):
        collector.top_level(statement, has_lead=index > 0)
    if _NESTED_CLASS.search(lexed.code):
        collector.nested_classes(tree)
    relative = tuple(_relative_imports(tree, lexed, lines, collector.imports))
    return ParsedModule(
        source,
        lexed,
        header,
        collector.symbols,
        tuple(collector.riders),
        tuple(collector.imports),
        relative,
        dict(_neighbours(relative)),
        merged_regions(
            lexed.fstring_literals,
            (match.span() for match in _ABSOLUTE_IMPORT.finditer(lexed.code)),
            _protected_regions(source.text, lexed, protected),
        ),
        tuple(
            (start, end)
            for start, end in (lexed.comments if _COPIED in source.text else ())
            if _COPIED in source.text[start:end]
        ),
    )


@dataclass
class _Collector:
    """Fills the tables of one module, statement by statement."""

    source: SourceFile
    lexed: Lexed
    lines: LineMap
    strong: Sequence[str]
    symbols: dict[str, Symbol] = field(default_factory=dict)
    riders: list[Symbol] = field(default_factory=list)
    imports: list[PoolEntry] = field(default_factory=list)
    position: int = 0

    def top_level(self, statement: Statement, has_lead: bool) -> None:
        node = statement.node
        lead = statement.lead if has_lead else ""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            parsed = parse_import(self.lines, statement)
            if parsed:
                self.imports.append(parsed if has_lead else _without_lead(parsed))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._add(node.name, "function", statement, len(lead))
        elif isinstance(node, ast.ClassDef):
            self._add(node.name, "class", statement, len(lead))
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            self._assignment(node, statement, len(lead))
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            self._guards([statement], has_lead)

    def nested_classes(self, tree: ast.Module) -> None:
        """Classes below module level are definitions, too (printed without their indentation)."""
        for outer in tree.body:
            for node in ast.walk(outer):
                if not isinstance(node, ast.ClassDef) or node in tree.body:
                    continue
                first = self._first_free_line(first_line(node))
                last = node.end_lineno or node.lineno
                statements, _ = split_block(self.lines, [node], first, last)
                self._add(node.name, "class", statements[0], len(statements[0].lead), True)

    def _first_free_line(self, line: int) -> int:
        """The first of the blank and comment lines that stand directly in front of ``line``."""
        while line > 1:
            start = self.lines.start_of(line - 1)
            content = self.lexed.code[start : self.lines.end_of(line - 1)]
            if content.strip():
                break
            line -= 1
        return line

    def _assignment(self, node: ast.Assign, statement: Statement, lead: int) -> None:
        target = node.targets[0]
        if isinstance(target, ast.Name):
            is_none = isinstance(node.value, ast.Constant) and node.value.value is None
            self._add(target.id, "assignment", statement, lead, value_is_none=is_none)
            return
        owner: ast.expr = target
        while isinstance(owner, (ast.Subscript, ast.Attribute)):
            owner = owner.value
        if owner is not target and isinstance(owner, ast.Name):
            self.riders.append(
                self._symbol(statement.text, "assignment", statement, lead, owner=owner.id)
            )

    def _guards(self, statements: Sequence[Statement], has_lead: bool) -> None:
        """Collect ``if`` blocks of imports, also in nested blocks and ``elif`` branches."""
        for statement in statements:
            node = statement.node
            if node is None:
                continue
            if isinstance(node, ast.If):
                lead = statement.lead if has_lead else ""
                end = self.lines.line_at(max(statement.end - 1, statement.start))
                self._guard(node, lead, end)
            for block in _inner_blocks(node):
                first = block[0].lineno
                inner, _ = split_block(self.lines, block, first, block[-1].end_lineno or first)
                self._guards(inner, True)

    def _guard(self, node: ast.If, lead: str, end: int) -> None:
        guard = parse_guard(self.lines, node, lead, end)
        if guard:
            self.imports.append(replace(guard, path=self.source.path))

    def _add(
        self,
        name: str,
        kind: str,
        statement: Statement,
        lead: int,
        indented: bool = False,
        value_is_none: bool = False,
    ) -> None:
        symbol = self._symbol(name, kind, statement, lead, "", indented, value_is_none)
        known = self.symbols.get(name)
        if known is None:
            self.symbols[name] = symbol
        elif kind in self.strong or known.kind not in self.strong:
            self.symbols[name] = _at_position(symbol, known.position)

    def _symbol(
        self,
        name: str,
        kind: str,
        statement: Statement,
        lead: int,
        owner: str = "",
        indented: bool = False,
        value_is_none: bool = False,
    ) -> Symbol:
        position = self.position
        self.position += 1
        return Symbol(
            name,
            kind,
            statement.start - lead,
            statement.start,
            statement.end,
            position,
            statement.line,
            owner,
            indented,
            value_is_none,
        )


def _at_position(symbol: Symbol, position: int) -> Symbol:
    return replace(symbol, position=position)


def _without_lead(statement: ImportStatement) -> ImportStatement:
    return replace(statement, lead="")


def _inner_blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statement lists inside a block statement that is neither a class nor a function."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if block:
            yield block
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _relative_imports(
    tree: ast.Module, lexed: Lexed, lines: LineMap, imports: Sequence[PoolEntry]
) -> Iterator[ImportStatement]:
    """Every relative import-from of the module, nested ones included."""
    for entry in imports:
        if isinstance(entry, ImportStatement) and entry.module and entry.module.startswith("."):
            yield entry
    if _NESTED_RELATIVE.search(lexed.code):
        top = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level and id(node) not in top:
                names = tuple(ImportedName(item.name, item.asname) for item in node.names)
                yield ImportStatement(
                    "." * node.level + (node.module or ""), names, line=node.lineno
                )


def _neighbours(relative: Sequence[ImportStatement]) -> Iterator[tuple[str, str]]:
    """Names imported from another file of the same model, and the kind of that file."""
    for statement in relative:
        module = statement.module or ""
        if module.startswith(".") and module[1:].startswith(FILE_TYPES):
            kind = module_file_type(module)
            yield from ((name.bound, kind or "") for name in statement.names)


def _protected_regions(text: str, lexed: Lexed, protected: frozenset[str]) -> Iterator[Region]:
    """Where a protected name stands as a whole identifier or as a whole double-quoted string."""
    if not protected or not any(name in text for name in protected):
        return
    identifiers = [name for name in protected if name.isidentifier()]
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, identifiers)) + r")\b")
    yield from (match.span() for match in pattern.finditer(lexed.code))
    for start, end in lexed.strings:
        if text[start:end].strip('"') in protected:
            yield (start, end)
