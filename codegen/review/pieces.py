"""A module in pieces: its classes, its functions, and the statements between them.

Two states of a file share most of their pieces, and so do files of many models. A piece is parsed when
somebody looks into it, and once for all texts that have it. Where pieces begin is read from the lines: a
``class``, a ``def`` or a decorator at the margin, outside of all strings. Brackets cannot lead this astray:
``class`` and ``def`` stand in none, and the statements between are parsed at once, where an odd bracket
would not pass. Text in which a look at the quotes does not settle it is parsed as a whole.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from codegen.review.syntax import dotted
from codegen.text.lines import split_lines
from codegen.text.statements import first_line

#: Pieces of all texts of both sides: a release has some twenty thousand.
_KEPT = 65_536
_TEXTS = 8_192


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a text, with the comments in front, from 0-based line ``start``.

    ``kind``: class, function, or "" for statements between. ``head`` is the 0-based line of ``text`` in
    which its statement begins (decorators included), ``keyword`` the one with ``class`` or ``def``.
    ``is_first``: none is in front of it.
    """

    text: str
    start: int
    kind: str
    name: str
    head: int
    keyword: int
    is_first: bool

    @property
    def code(self) -> str:
        """The statement alone, from its first decorator to its last line."""
        return _from_line(self.text, self.head)

    @property
    def from_keyword(self) -> str:
        """The same without decorators."""
        return _from_line(self.text, self.keyword)

    @property
    def line(self) -> int:
        """The 1-based line of the whole text in which ``class`` or ``def`` stands."""
        return self.start + 1 + self.keyword

    @property
    def body(self) -> Sequence[ast.stmt]:
        """Its statements, with lines counted from its own first; none where it does not parse."""
        tree = parse_piece(self.text)
        return tree.body if tree is not None else ()


def _from_line(text: str, number: int) -> str:
    at = 0
    for _ in range(number):
        at = text.index("\n", at) + 1
    return text[at:]


#: A class statement that can be read without a look at what follows.
_HEADER = re.compile(r"class[ \t]+\w+[ \t]*(?P<bases>\([^()#\"'\\]*\))?[ \t]*:")


def bases_of(piece: Piece) -> tuple[str, ...]:
    """The bases of a class as they are written."""
    text = piece.from_keyword
    header = _HEADER.match(text)
    return _bases(f"{header[0]} ..." if header else text)


@lru_cache(maxsize=_KEPT)
def _bases(text: str) -> tuple[str, ...]:
    tree = parse_piece(text)
    node = tree.body[0] if tree is not None and tree.body else None
    return tuple(dotted(base) for base in node.bases) if isinstance(node, ast.ClassDef) else ()


@lru_cache(maxsize=_KEPT)
def parse_piece(text: str) -> ast.Module | None:
    """The tree of a piece, None where it does not parse. Nobody may change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


@lru_cache(maxsize=_TEXTS)
def split_pieces(text: str) -> tuple[Piece, ...] | None:
    """The pieces of a text, which cover it but for blank lines; None where the statements at its margin
    do not parse."""
    starts = _starts(text)
    pieces = list(_cut(text, starts)) if starts is not None else None
    if pieces is None or any(not each.kind and parse_piece(each.text) is None for each in pieces):
        tree = parse_piece(text)
        if tree is None:
            return None
        pieces = list(_cut(text, list(_of_tree(tree, text))))
    return tuple(pieces)


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a piece begins: offset of its first decorator, and of its ``class`` or ``def``."""

    at: int
    kind: str
    keyword: int


def _of_tree(tree: ast.Module, text: str) -> Iterator[_Start]:
    """Where the pieces of a parsed text begin."""
    offsets = [0]
    for line in split_lines(text):
        offsets.append(offsets[-1] + len(line))
    last: str | None = None
    for node in tree.body:
        found = _KINDS.get(type(node), "")
        if found or found != last:
            yield _Start(offsets[first_line(node) - 1], found, offsets[node.lineno - 1])
        last = found


_KINDS: dict[type[ast.stmt], str] = {
    ast.ClassDef: "class",
    ast.FunctionDef: "function",
    ast.AsyncFunctionDef: "function",
}
_QUOTES = ('"' * 3, "'" * 3)
#: A line at the margin that can begin a statement, behind the break of the one before.
_MARGIN = re.compile(r"\n(?P<mark>(?:class|def|async[ \t]+def)\b|[^\s#)\]}])")


def _marks(text: str) -> list[tuple[int, str]]:
    """Offsets of quotes of strings over several lines, and of lines at the margin with how these begin."""
    first = _MARGIN.match(f"\n{text[:80]}")
    found = [(0, first["mark"])] if first else []
    found += [(match.start("mark"), match["mark"]) for match in _MARGIN.finditer(text)]
    for quote in _QUOTES:
        at = text.find(quote)
        while at >= 0:
            found.append((at, quote))
            at = text.find(quote, at + 3)
    return sorted(found)


_NAME = re.compile(r"(?:class|def|async[ \t]+def)[ \t]+(?P<name>\w+)")


def _starts(text: str) -> list[_Start] | None:
    """Where the pieces of a text begin; None where quotes leave open what is a string."""
    found: list[_Start] = []
    inside, decorator = "", -1
    for at, mark in _marks(text):
        if inside:
            if mark == inside:
                inside = ""
                if text[at - 1] == "\\":
                    return None
            continue
        margin = text.rfind("\n", 0, at) + 1
        if mark in _QUOTES:
            if any(each in text[margin:at] for each in "#\"'"):
                return None
            inside = mark
            if at > margin:
                continue
        elif text.startswith(_QUOTES, at):
            continue  # told as quotes
        if text[max(at - 2, 0) : at] == "\\\n":
            return None
        kind = "class" if mark == "class" else "function" if mark[1:] and not inside else ""
        if mark == "@":
            decorator = at if decorator < 0 else decorator
        elif kind:
            found.append(_Start(at if decorator < 0 else decorator, kind, at))
            decorator = -1
        elif decorator >= 0:
            return None
        elif not found or found[-1].kind:
            found.append(_Start(at, "", at))
    return None if inside or decorator >= 0 else found


def _cut(text: str, starts: Sequence[_Start]) -> Iterator[Piece]:
    """The pieces that begin, behind their comments, at the given places."""
    begin = line = 0
    for index, start in enumerate(starts):
        end = starts[index + 1].at if index + 1 < len(starts) else len(text)
        end = _end_of_code(text, start.at, end)
        while text[begin : start.at] and text[begin] == "\n":
            begin, line = begin + 1, line + 1
        piece = text[begin:end]
        name = _NAME.match(text, start.keyword) if start.kind else None
        head = text.count("\n", begin, start.at)
        keyword = text.count("\n", begin, start.keyword)
        shown = name["name"] if name else ""
        yield Piece(piece, line, start.kind, shown, head, keyword, not index)
        line += piece.count("\n")
        begin = end
    if text[begin:].strip():
        yield Piece(text[begin:], line, "", "", 0, 0, not starts)


def _end_of_code(text: str, start: int, end: int) -> int:
    """Where the last line ends that is neither blank nor a comment."""
    while end > start:
        line = max(text.rfind("\n", start, end - 1) + 1, start)
        stripped = text[line:end].strip()
        if stripped and not stripped.startswith("#"):
            return end
        end = line
    return end
