"""What of a method libcst need not see: to read and write a line by it costs more than all else here.

Hidden are statements that no edit speaks of, such as go or stay as a whole, and the head of a method
whose parameters stay. Their lines come back as they are in the file. So do new lines that libcst would
write as they are given.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from codegen.rewrite.emit.edits import (
    AddOption,
    AddParameters,
    Branch,
    Describe,
    Edit,
    ElseIf,
    Insert,
    LetOut,
    Redefine,
    Replace,
    nodes_of,
)
from codegen.rewrite.nodes import children, walk
from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.statements import first_line

Lines = tuple[int, int]
"""First and last line of a file, both 1-based."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Ranges of lines in their order, of which the first may be the ``head`` of a method.

    ``comments`` are those inside of hidden statements that go, by statement: they have to stay.
    """

    ranges: tuple[Lines, ...] = ()
    head: Lines | None = None
    comments: Mapping[ast.stmt, tuple[str, ...]] = field(default_factory=dict)


def hidden(text: LineMap, node: ast.stmt, edits: Sequence[Edit]) -> Hidden:
    """What can be kept from libcst while it carries out some edits of a method."""
    whole = any(isinstance(e, Redefine) or e == Replace((node,)) for e in edits)
    if not isinstance(node, ast.FunctionDef) or whole:
        return Hidden()
    touched = {part.lineno for edit in edits for part in nodes_of(edit)}
    if any(isinstance(edit, (Describe, LetOut)) for edit in edits):
        touched.add(node.body[0].lineno)
    moved = [e.statements for e in edits if isinstance(e, (Replace, Branch))]
    whole_ones = {id(statement) for statements in moved for statement in statements}
    assert node.end_lineno is not None
    whole_lines = dict(_whole(text, edits, node.end_lineno))
    hideable = {id(statement) for statement in whole_lines}
    header_end = _header_end(node)
    ranges = untouched(text, node.body, touched, whole_ones, hideable, header_end, node.end_lineno)
    held = {
        statement: found
        for statement, lines in whole_lines.items()
        if id(statement) in whole_ones and lines in ranges and (found := _comments(text, lines))
    }
    head = _head(text, node, edits, header_end)
    return Hidden((head, *ranges) if head else tuple(ranges), head, held)


NEW = "_codegen_new_"
"""Begins the names that stand for new lines while libcst writes what is around them."""
INDENT = "    "
_NOT_PLAIN = ("#", "\\", "\n", "\t", "\f", "'''")
_QUOTES = '"""'


def is_plain(lines: Sequence[str]) -> bool:
    """Whether new lines are statements that come out of libcst as they go in, each behind the margin."""
    if any(mark in line for line in lines for mark in _NOT_PLAIN):
        return False
    if not all(_is_docstring(line.strip()) for line in lines if _QUOTES in line):
        return False
    margins = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    first = next((margin for margin in margins if margin), len(INDENT))
    return bool(margins) and first == len(INDENT) and not any(m % len(INDENT) for m in margins)


def _is_docstring(line: str) -> bool:
    """Whether a line is a string from its first to its last character."""
    begins, ends = line.startswith(_QUOTES), line.endswith(_QUOTES)
    return begins and ends and line.count(_QUOTES) == 2 and len(line) > 2 * len(_QUOTES)


def _header_end(node: ast.FunctionDef) -> int:
    """The last line on which a parameter or the result of a method is described."""
    arguments = [child for child in walk(node.args) if isinstance(child, (ast.expr, ast.arg))]
    ends = [child.end_lineno for child in (*arguments, *filter(None, [node.returns]))]
    return max([node.lineno, *filter(None, ends)])


def _head(
    text: LineMap, node: ast.FunctionDef, edits: Sequence[Edit], header_end: int
) -> Lines | None:
    """The lines of a method up to its colon, if no edit is due in them and the body stands below."""
    if any(isinstance(edit, (AddParameters, LetOut, AddOption, Describe)) for edit in edits):
        return None
    body = first_line(node.body[0])
    if any(part.lineno < body and part is not node for e in edits for part in nodes_of(e)):
        return None
    for last in (header_end, header_end + 1):
        # All that can follow the last parameter is brackets, commas and the colon.
        if last < body and text.lines[last - 1].rstrip().endswith(":"):
            lines = text.lines[first_line(node) - 1 : last]
            plain = "#" not in text.lines[last - 1] and not any("\f" in line for line in lines)
            return (first_line(node), last) if plain else None
    return None


def _whole(text: LineMap, edits: Sequence[Edit], limit: int) -> Iterator[tuple[ast.stmt, Lines]]:
    """Statements that are replaced, or beside which something is inserted, with no other edit in them."""
    given = [n for edit in edits if isinstance(edit, (Replace, Insert)) for n in nodes_of(edit)]
    kept = {n for e in edits if isinstance(e, (Branch, ElseIf)) for n in nodes_of(e)}
    spoken_of = {node for edit in edits for node in nodes_of(edit)}
    for statement in dict.fromkeys(given):
        if not isinstance(statement, ast.stmt) or statement in kept:
            continue
        first, last = first_line(statement), last_line(text, statement, limit)
        inside = any(first <= node.lineno <= last for node in spoken_of if node is not statement)
        feeds = any("\f" in line for line in text.lines[first - 1 : last])
        if first == statement.lineno and not inside and not feeds:
            yield statement, (first, last)


def _comments(text: LineMap, lines: Lines) -> tuple[str, ...]:
    """The comments on some lines."""
    whole = text.text[text.start_of(lines[0]) : text.start_of(lines[1] + 1)]
    found = lex(whole).comments if "#" in whole else ()
    return tuple(whole[start:end].rstrip("\r\n") for start, end in found)


def last_line(text: LineMap, statement: ast.stmt, limit: int) -> int:
    """Last line of a statement, with the comments behind it that stand as deep as its last block.

    No line behind ``limit`` is looked at.
    """
    last = statement.end_lineno or statement.lineno
    block = [inner for _, inner in _blocks(statement)][-1:]
    if not block:
        return last
    first = block[0][0]
    if is_elif(text, first):
        return last_line(text, first, limit)
    if text.lines[first.lineno - 1][: first.col_offset].strip():
        return last
    for number in range(last + 1, limit + 1):
        line = text.lines[number - 1]
        margin = len(line) - len(line.lstrip())
        if line.strip() and (margin < first.col_offset or line[margin] != "#"):
            break
        last = number if line.strip() else last
    return last


def is_elif(text: LineMap, node: ast.stmt) -> bool:
    """Whether a statement is written as another branch of the one that holds it."""
    line = text.lines[node.lineno - 1]
    return isinstance(node, ast.If) and line[node.col_offset :].startswith("elif")


def untouched(
    text: LineMap,
    body: Sequence[ast.stmt],
    lines: Collection[int],
    moved: Collection[int],
    hideable: Collection[int],
    header_end: int,
    limit: int,
) -> list[Lines]:
    """Runs of statements that hold none of some lines, and share no line with others.

    Some of these are hidden as well, each for itself.

    Args:
        text: of the file.
        body: the statements of a block; those in it are looked at, too.
        lines: on which something is to be done.
        moved: identities of statements that are replaced or get another indentation, with all in them.
        hideable: identities of those that go or stay as a whole.
        header_end: the last line that belongs to what the block is the body of.
        limit: the last line of the method.
    """
    found: list[Lines] = []
    before, joins = header_end, False
    for node, behind in zip_longest(body, body[1:]):
        first, last = first_line(node), last_line(text, node, limit)
        shared = first <= before or (behind is not None and first_line(behind) <= last)
        line = text.lines[first - 1]
        alone = not shared and not line[: node.col_offset].strip()
        elif_ = is_elif(text, node)
        if elif_ or any(first <= number <= last for number in lines):
            hidden = False
            if id(node) in hideable and alone and not elif_:
                found.append((first, last))
            elif id(node) not in moved:
                for end, block in _blocks(node):
                    found += untouched(text, block, lines, moved, hideable, end, limit)
        else:
            hidden = alone
            if hidden:
                found.append((found.pop()[0] if joins else first, last))
        before, joins = last, hidden
    return found


def _blocks(node: ast.stmt) -> Iterator[tuple[int, Sequence[ast.stmt]]]:
    """The blocks of a compound statement in their order, each with the last line in front of it."""
    if not hasattr(node, "body"):
        return
    end = node.lineno
    for child in children(node):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            end = max(end, *(getattr(part, "end_lineno", None) or 0 for part in walk(child)))
    for name in ("body", "handlers", "orelse", "finalbody"):
        block = getattr(node, name, ())
        handlers = [item for item in block if isinstance(item, ast.ExceptHandler)]
        for handler in handlers:
            start = handler.type.end_lineno if handler.type is not None else handler.lineno
            yield start or handler.lineno, handler.body
            end = handler.body[-1].end_lineno or end
        if block and not handlers:
            yield end, block
            end = block[-1].end_lineno or end
