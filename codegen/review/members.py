"""Split a file into members, and a member into logical lines.

Members cover the whole file: comments in front of a statement belong to it, so that no changed line
is outside of all members.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

from codegen.review.model import Line, Member
from codegen.review.names import Naming
from codegen.review.syntax import parse_module
from codegen.text.lines import split_lines
from codegen.text.statements import first_line

_SKIPPED = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_NAMED = {tokenize.STRING, tokenize.COMMENT} | {
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(tokenize, name)
}
#: What a text is called that is no Python.
BROKEN = "a file that does not parse"
_TRIPLE = re.compile(r"[rRbBuUfF]*(?:\"\"\"|''')")


def split_members(text: str) -> list[Member]:
    """The members of a module in order; a text that is no Python is one member."""
    lines = split_lines(text)
    tree = parse_module(text)
    if tree is None:
        return [Member("", BROKEN, "statement", 1, text)]
    body = tree.body
    members: list[Member] = []
    end = 0
    for index, node in enumerate(body):
        start, end = end, _end(body, index, len(lines))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            start = _header(members, lines, start, first_line(node) - 1)
            _append(members, "", "imports", "imports", lines, start, end)
        elif isinstance(node, ast.ClassDef):
            members += _class_members(node, lines, start, end)
        else:
            name, kind = _name_and_kind(node, index)
            if kind == "docstring":
                start = _header(members, lines, start, first_line(node) - 1)
            _append(members, "", name, kind, lines, start, end)
    if end < len(lines):
        _append(members, "", "", "statement", lines, end, len(lines))
    return members


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


def logical_lines(member: Member, naming: Naming) -> list[Line]:
    """The logical lines of a member, with what layout and model names leave of their tokens."""
    try:
        return list(_logical(member, naming))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return plain_lines(member, naming)


def plain_lines(member: Member, naming: Naming) -> list[Line]:
    """The lines of a text that is no Python."""
    return [
        Line(line.rstrip("\n"), member.line + index, (naming.text(line.strip()),))
        for index, line in enumerate(split_lines(member.text))
        if line.strip()
    ]


def _logical(member: Member, naming: Naming) -> Iterator[Line]:
    physical = split_lines(member.text)
    pending: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(member.text).readline):
        alone = token.type == tokenize.COMMENT and not pending
        if token.type in _SKIPPED:
            if pending:
                pending.append(token)
            continue
        if token.type != tokenize.NEWLINE:
            pending.append(token)
        if (token.type == tokenize.NEWLINE or alone) and pending:
            yield from _lines_of(pending, physical, member, naming)
            pending = []
    if pending:
        yield from _lines_of(pending, physical, member, naming)


def _lines_of(
    tokens: Sequence[tokenize.TokenInfo], physical: Sequence[str], member: Member, naming: Naming
) -> Iterator[Line]:
    first, last = tokens[0].start[0], tokens[-1].end[0]
    real = [token for token in tokens if token.type not in _SKIPPED]
    last = max(token.end[0] for token in real)
    if len(real) == 1 and first != last and _TRIPLE.match(real[0].string):
        for number in range(first, last + 1):  # a docstring is read line by line
            shown = physical[number - 1].rstrip("\n")
            if shown.strip():
                yield Line(shown, member.line + number - 1, (naming.text(shown.strip()),))
        return
    text = "".join(physical[first - 1 : last]).rstrip("\n")
    depth = str(tokens[0].start[1] // 4)
    yield Line(text, member.line + first - 1, (depth, *_spelled(tokens, naming)))


_PART = re.compile(r"#.*|[rRbBuUfF]{0,2}(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|\w+|[^\w\s]")


def physical_lines(line: Line, naming: Naming) -> list[Line]:
    """A logical line as it stands in the file, without commas at the ends of its lines."""
    if "\n" not in line.text:
        return [line]
    found = []
    for index, shown in enumerate(line.text.split("\n")):
        parts = _PART.findall(shown.strip().removesuffix(","))
        spelled = (naming.name(p) if p.isidentifier() else naming.text(p) for p in parts)
        if parts:
            depth = str((len(shown) - len(shown.lstrip())) // 4)
            found.append(Line(shown, line.number + index, (depth, *spelled)))
    return found


def _spelled(tokens: Sequence[tokenize.TokenInfo], naming: Naming) -> Iterator[str]:
    for index, token in enumerate(tokens):
        if token.type in _SKIPPED:
            continue
        if token.string == "," and _closes(tokens, index + 1):
            continue
        if token.type == tokenize.NAME:
            yield naming.name(token.string)
        elif token.type in _NAMED:
            yield naming.text(token.string)
        else:
            yield token.string


def _closes(tokens: Sequence[tokenize.TokenInfo], index: int) -> bool:
    """Whether only line breaks, at least one, stand before a closing bracket."""
    broken = False
    while index < len(tokens) and tokens[index].type == tokenize.NL:
        broken, index = True, index + 1
    return broken and index < len(tokens) and tokens[index].string in ")]}"
