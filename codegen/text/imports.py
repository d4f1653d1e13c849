"""Import statements and import guards (``if`` blocks of imports) as values."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from codegen.text.lines import LineMap, split_lines
from codegen.text.statements import Statement, split_block

#: From the end of a condition over closing brackets and comments up to the colon.
_TO_COLON = re.compile(r"(?:[\s)]|#[^\n]*\n)*:")


@dataclass(frozen=True, slots=True)
class ImportedName:
    """One entry of an import list: ``name [as alias]``."""

    name: str
    alias: str | None = None

    @property
    def bound(self) -> str:
        """The name it is known under; a dotted plain import keeps its dots."""
        return self.alias or self.name

    def __str__(self) -> str:
        return f"{self.name} as {self.alias}" if self.alias else self.name


@dataclass(frozen=True, slots=True)
class ImportStatement:
    """``import a, b`` (``module`` is None) or ``from <module> import a, b``.

    ``module`` is the spelling with leading dots. ``opening`` and ``trailing`` are the comments
    behind an opening parenthesis and behind the statement.
    """

    module: str | None
    names: tuple[ImportedName, ...]
    lead: str = ""
    opening: str = ""
    trailing: str = ""
    parenthesized: bool = False
    line: int = 0

    def text(self) -> str:
        """Source of the statement without its leading lines."""
        names = ", ".join(str(name) for name in self.names)
        if self.module is None:
            return f"import {names}{self.trailing}"
        if self.parenthesized:
            opening = f"{self.opening}\n    " if self.opening else ""
            closing = "\n" if self.opening else ""
            return f"from {self.module} import ({opening}{names}{closing}){self.trailing}"
        return f"from {self.module} import {names}{self.trailing}"

    def only(self, names: tuple[ImportedName, ...]) -> ImportStatement:
        """The same statement restricted to ``names``."""
        return replace(self, names=names)


@dataclass(frozen=True, slots=True)
class ImportGuard:
    """An ``if`` block whose body consists of imports; ``tail`` is its ``else``/``elif`` source.

    ``path`` and ``line`` tell where it was written.
    """

    condition: str
    body: tuple[ImportStatement, ...]
    tail: str
    lead: str = ""
    line: int = 0
    header_comment: str = ""
    mixed: bool = False
    path: str = ""

    def text(self) -> str:
        """Source of the guard without its leading lines."""
        lines = [f"if {self.condition}:{self.header_comment}"]
        for statement in self.body:
            lead = "".join(
                line if not line.strip() else f"    {line.strip()}\n"
                for line in split_lines(statement.lead)
            )
            lines.append(f"{lead}    {statement.text()}")
        return "\n".join(lines) + (f"\n{self.tail}" if self.tail else "")


PoolEntry = ImportStatement | ImportGuard


def parse_import(lines: LineMap, statement: Statement) -> ImportStatement | None:
    """Read a statement as an import; None when it is anything else or shares its line."""
    node = statement.node
    if isinstance(node, ast.Import):
        module, parenthesized, opening = None, False, ""
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        head = statement.text.split("import", 1)[1].lstrip()
        parenthesized = head.startswith("(")
        first = head[1:].split("\n", 1)[0].strip() if parenthesized else ""
        opening = f"  {first}" if first.startswith("#") else ""
    else:
        return None
    _, end = lines.span(node)
    return ImportStatement(
        module,
        tuple(ImportedName(alias.name, alias.asname) for alias in node.names),
        statement.lead,
        opening,
        lines.text[end : statement.end].rstrip(),
        parenthesized,
        node.lineno,
    )


def parse_guard(lines: LineMap, node: ast.If, lead: str, end_line: int) -> ImportGuard | None:
    """Read an ``if`` whose body directly holds an import on its own line; None for other ``if``s.

    A body that holds anything else besides is marked ``mixed``: such a guard cannot be reduced.
    """
    start_line = node.body[0].lineno
    if start_line == node.lineno:
        return None
    last = node.body[-1].end_lineno or start_line
    if node.orelse:
        last = max(last, _else_line(lines, node) - 1)
    test_start, test_end = lines.span(node.test)
    behind = _TO_COLON.match(lines.text, test_end)
    header_end = behind.end() if behind else test_end
    header_line = lines.line_at(header_end)
    statements, _ = split_block(lines, node.body, header_line + 1, last)
    imports = [parse_import(lines, statement) for statement in statements]
    if not any(imports):
        return None
    tail = ""
    if node.orelse:
        # Blank and comment lines in front of `else` belong to it.
        end = node.body[-1].end_lineno or start_line
        tail = lines.text[lines.start_of(end + 1) : lines.end_of(end_line)]
        tail = re.sub(rf"^ {{{node.col_offset}}}", "", tail, flags=re.MULTILINE)
    condition = lines.text[test_start:test_end]
    if "\n" in condition or ")" in lines.text[test_end:header_end]:
        condition = f"({condition})"
    comment = lines.text[header_end : lines.end_of(header_line)].partition("#")
    return ImportGuard(
        condition,
        tuple(statement for statement in imports if statement),
        tail,
        lead,
        node.lineno,
        f"  #{comment[2]}" if comment[1] else "",
        not all(imports),
    )


def _else_line(lines: LineMap, node: ast.If) -> int:
    """The line of the ``else`` or ``elif`` keyword that ends the body of ``node``."""
    line = (node.body[-1].end_lineno or node.lineno) + 1
    indent = " " * node.col_offset
    while not lines.text.startswith((indent + "else", indent + "elif"), lines.start_of(line)):
        line += 1
    return line
