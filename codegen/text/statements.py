"""Statements as text slices with the comments that belong to them.

A comment block always belongs to the statement that follows it; comments indented deeper than the
block they close belong to the compound statement in front of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.text.lexer import Region
from codegen.text.lines import LineMap, split_lines

_COMMENT_TAIL = re.compile(r"#.*")


@dataclass(frozen=True, slots=True)
class Statement:
    """One line-level statement: whole lines, without the final line break.

    ``lead`` holds the blank and comment lines in front (each with its line break), ``text`` the
    statement with its indentation and trailing comment. ``nodes`` are the small statements on it
    (more than one only for ``a; b``). ``start`` and ``end`` are offsets of ``text``.
    """

    lead: str
    text: str
    nodes: tuple[ast.stmt, ...]
    start: int
    end: int

    @property
    def node(self) -> ast.stmt | None:
        """The only node of the line, or None when several share it."""
        return self.nodes[0] if len(self.nodes) == 1 else None

    @property
    def line(self) -> int:
        """1-based line of the statement in the text it was parsed from."""
        return first_line(self.nodes[0])

    def comparable(self) -> str:
        """The statement without comments and trailing blanks, for textual comparison."""
        return _COMMENT_TAIL.sub("", self.text).strip()


def first_line(node: ast.stmt) -> int:
    """First line of a statement, decorators included."""
    decorators = getattr(node, "decorator_list", None)
    return int(decorators[0].lineno) if decorators else node.lineno


def split_block(
    lines: LineMap, body: Sequence[ast.stmt], first: int, last: int
) -> tuple[list[Statement], str]:
    """Slice the statements of one block and return them with the comments that end the block.

    ``first`` and ``last`` are the 1-based lines that the block may use, from the line after its
    header to the last line before the next outer statement.
    """
    groups: list[list[ast.stmt]] = []
    for node in body:
        if groups and first_line(node) <= (groups[-1][-1].end_lineno or 0):
            groups[-1].append(node)
        else:
            groups.append([node])
    statements: list[Statement] = []
    cursor = first
    for index, group in enumerate(groups):
        begin, finish = first_line(group[0]), group[-1].end_lineno or group[-1].lineno
        limit = first_line(groups[index + 1][0]) - 1 if index + 1 < len(groups) else last
        if getattr(group[-1], "body", None):
            finish = _with_footer(lines, finish, limit, group[-1].col_offset)
        start, end = lines.start_of(begin), lines.end_of(finish)
        lead = lines.text[lines.start_of(cursor) : start] if cursor < begin else ""
        statements.append(Statement(lead, lines.text[start:end], tuple(group), start, end))
        cursor = finish + 1
    footer = lines.text[lines.start_of(cursor) : lines.end_of(last)] if cursor <= last else ""
    return statements, footer


def _with_footer(lines: LineMap, finish: int, limit: int, indent: int) -> int:
    """Extend a compound statement over the comments behind it that are indented deeper."""
    extended = finish
    for line in range(finish + 1, limit + 1):
        content = lines.text[lines.start_of(line) : lines.end_of(line)]
        stripped = content.lstrip()
        if stripped and len(content) - len(stripped) > indent:
            extended = line
    return extended


def reindent(text: str, old: str, new: str, strings: Sequence[Region]) -> str:
    """Replace the indentation ``old`` of every line by ``new``, except inside ``strings``."""
    if old == new:
        return text
    inside = [(start, end) for start, end in strings if "\n" in text[start:end]]
    pieces, position = [], 0
    for line in split_lines(text):
        in_string = any(start < position < end for start, end in inside)
        if line.startswith(old) and not in_string:
            pieces.append(new + line[len(old) :])
        else:
            pieces.append(line)
        position += len(line)
    return "".join(pieces)
