"""Split a file into members.

Members cover the whole file: comments in front of a statement belong to it, so that no changed line
is outside of all members.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache

from codegen.review.model import Member
from codegen.review.pieces import Piece, parse_piece, split_pieces
from codegen.text.lines import split_lines
from codegen.text.statements import first_line

#: Pieces that several stages ask for, or both sides.
_KEPT = 16_384
#: What a text is called that is no Python.
BROKEN = "a file that does not parse"


def split_members(text: str) -> list[Member]:
    """The members of a module in order; a text that is no Python is one member."""
    pieces = split_pieces(text)
    members = None if pieces is None else [each for piece in pieces for each in of_piece(piece)]
    if members is None or any(member.name == BROKEN for member in members):
        return [Member("", BROKEN, "statement", 1, text)]
    return members


def of_piece(piece: Piece) -> list[Member]:
    """The members of a piece, with the lines of its text; one named ``BROKEN`` if it does not parse."""
    found = _of_text(piece.text, piece.is_first)
    if piece.start == 0:
        return list(found)
    return [
        Member(each.owner, each.name, each.kind, each.line + piece.start, each.text)
        for each in found
    ]


@lru_cache(maxsize=_KEPT)
def _of_text(text: str, is_first: bool) -> tuple[Member, ...]:
    """The members of the text of a piece; only the first piece of a file has a header."""
    lines = split_lines(text)
    tree = parse_piece(text)
    if tree is None:
        return (Member("", BROKEN, "statement", 1, text),)
    body = tree.body
    members: list[Member] = []
    end = 0
    for index, node in enumerate(body):
        start, end = end, _end(body, index, len(lines))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if is_first:
                start = _header(members, lines, start, first_line(node) - 1)
            _append(members, "", "imports", "imports", lines, start, end)
        elif isinstance(node, ast.ClassDef):
            members += _class_members(node, lines, start, end)
        else:
            name, kind = _name_and_kind(node, index if is_first else -1)
            if kind == "docstring":
                start = _header(members, lines, start, first_line(node) - 1)
            _append(members, "", name, kind, lines, start, end)
    if end < len(lines):
        _append(members, "", "", "statement", lines, end, len(lines))
    return tuple(members)


def _end(body: Sequence[ast.stmt], index: int, length: int) -> int:
    """Where a statement's lines end; statements on one line end together."""
    node = body[index]
    end = node.end_lineno or node.lineno
    return end if index + 1 < len(body) else max(end, min(length, end))


def _header(members: list[Member], lines: Sequence[str], start: int, first: int) -> int:
    """What stands above the first statement is the header: banner and licence."""
    if not members and first > start:
        _append(members, "", "header", "header", lines, start, first)
        return first
    return start


def _append(
    members: list[Member],
    owner: str,
    name: str,
    kind: str,
    lines: Sequence[str],
    start: int,
    end: int,
) -> None:
    while start < end and not lines[start].strip():
        start += 1
    if start >= end:
        return
    text = "".join(lines[start:end])
    if kind == "imports" and members and members[-1].kind == "imports":
        last = members.pop()
        gap = "".join(lines[last.line - 1 + last.text.count("\n") : start])
        text, start = last.text + gap + text, last.line - 1
    members.append(Member(owner, name, kind, start + 1, text))


def _class_members(
    node: ast.ClassDef, lines: Sequence[str], start: int, end: int
) -> Iterator[Member]:
    members: list[Member] = []
    head = node.body[0].lineno - 1 if node.body else end
    first = node.body[0]
    head = min(head, first_line(first) - 1)
    while head > node.lineno and lines[head - 1].lstrip().startswith("#"):
        head -= 1  # a comment above the first member belongs to it
    head = max(head, node.lineno)
    _append(members, node.name, node.name, "class", lines, start, head)
    cursor = head
    for index, item in enumerate(node.body):
        begin, cursor = cursor, max(cursor, _end(node.body, index, end))
        name, kind = _name_and_kind(item, index)
        kind = {"function": "method", "statement": "attribute"}.get(kind, kind)
        _append(members, node.name, name, kind, lines, begin, cursor)
    if cursor < end:
        _append(members, node.name, "", "attribute", lines, cursor, end)
    yield from members


def _name_and_kind(node: ast.stmt, index: int) -> tuple[str, str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for decorator in node.decorator_list:  # a setter is another member than its property
            if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter"):
                return f"{node.name}.{decorator.attr}", "function"
        return node.name, "function"
    if isinstance(node, ast.ClassDef):
        return node.name, "statement"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and index == 0:
        return "__doc__", "docstring"
    targets: Sequence[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        targets = [node.target]
    return " = ".join(ast.unparse(target) for target in targets), "statement"
