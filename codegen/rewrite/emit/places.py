"""Where the nodes of ``ast`` are in the lines that libcst is given, and which edits are due there.

libcst knows lines and characters, ``ast`` lines of the file and bytes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst

from codegen.rewrite.emit.hidden import NEW, Hidden, Lines
from codegen.rewrite.emit.masked import Span, masked, unmasked
from codegen.rewrite.emit.positions import Place, Places, places_of
from codegen.text.lines import LineMap

_FORM_FEED = re.compile(r"(?P<before>[ \t\f]*\f)[ \t]*[^\s#]")
_MARK = "# \ue000"
_MARKED = re.compile(rf"^[ \t]*{_MARK}(?P<before>[ \tF]*)\n", re.MULTILINE)
_KEPT = re.compile(
    r"^[ \t]*(?:def )?_codegen_lines_(?P<first>\d+)_(?P<last>\d+)(?:\(\):)?\n", re.MULTILINE
)


_NEW = re.compile(rf"^(?P<margin>[ \t]*){NEW}(?P<number>\d+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some whole lines of a file, as they are given to libcst.

    ``text`` are the lines below a header of ``added`` lines, but for those that are ``hidden``: each
    such range is one line in it. Where code follows a form feed, Python begins to count its
    indentation anew and libcst does not: ``cut`` holds for such lines of the file how much was moved
    into a comment line in front. Names stand for the expressions in ``spans``.
    """

    map: LineMap
    first: int
    text: str
    added: int
    cut: Mapping[int, int]
    hidden: Hidden
    spans: tuple[Span, ...] = ()

    def place(self, line: int, byte_column: int) -> Place:
        """A position of ``ast`` in lines that are not hidden, or where a hidden range begins."""
        character = self.map.offset(line, byte_column) - self.map.start_of(line)
        if self.hidden.head is not None and line <= self.hidden.head[1]:
            line = self.first  # behind decorators, too
        moved = sum(marked <= line for marked in self.cut)
        moved -= sum(last - first for first, last in self.hidden.ranges if last < line)
        return line - self.first + 1 + self.added + moved, character - self.cut.get(line, 0)

    def start(self, node: ast.stmt | ast.expr) -> Place:
        """Where a node begins; a function at its ``def``, not at its decorators."""
        return self.place(node.lineno, node.col_offset)

    def span(self, node: ast.expr) -> Places:
        """Where an expression begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.start(node), self.place(node.end_lineno, node.end_col_offset)

    def restored(self, text: str, new: Sequence[Sequence[str]] = ()) -> str:
        """Lines that came back from libcst, without the header, with what was hidden from it.

        ``new`` are the lines that it did not see although they are written.
        """
        for _ in range(self.added):
            text = text[text.index("\n") + 1 :]
        if new:
            text = _NEW.sub(lambda match: _led(new[int(match["number"])], match["margin"]), text)
        text = unmasked(text, self.map.lines, self.spans)
        text = _MARKED.sub(lambda match: match["before"].replace("F", "\f"), text)
        return _KEPT.sub(
            lambda match: self.map.text[
                self.map.start_of(int(match["first"])) : self.map.start_of(int(match["last"]) + 1)
            ],
            text,
        )


def excerpt(
    text: LineMap, lines: Lines, header: str, hidden: Hidden, spans: tuple[Span, ...] = ()
) -> Excerpt:
    """Lines of a file below a header; of those that are hidden libcst does not see more than one."""
    first, last = lines
    whole = text.text[text.start_of(first) : text.start_of(last + 1)]
    feeds = "\f" in whole
    inside = _string_lines(header + whole, first - header.count("\n")) if feeds else set()
    cut: dict[int, int] = {}
    names = masked(text.lines, spans)
    out = [header]
    begin = first
    for start, end in (*hidden.ranges, (last + 1, last + 1)):
        for number in range(begin, start):
            line = names.get(number) or text.lines[number - 1]
            match = _FORM_FEED.match(line) if feeds and number not in inside else None
            if match is None:
                out.append(line)
                continue
            before, rest = match["before"], line[len(match["before"]) :]
            cut[number] = len(before)
            out += [f"{_margin(rest)}{_MARK}{before.replace(chr(12), 'F')}\n", rest]
        if start <= last:
            name = f"_codegen_lines_{start}_{end}"
            margin = _margin(text.lines[start - 1])
            is_head = (start, end) == hidden.head
            out.append(f"{margin}def {name}():\n" if is_head else f"{margin}{name}\n")
        begin = end + 1
    return Excerpt(text, first, "".join(out), header.count("\n"), cut, hidden, spans)


def _led(lines: Sequence[str], margin: str) -> str:
    """Lines behind a margin; blank ones at the end belong to nothing."""
    text = "".join(f"{margin}{line}\n" if line.strip() else "\n" for line in lines)
    return text.rstrip("\n") + "\n"


@lru_cache(maxsize=8)
def parsed(text: str) -> tuple[cst.Module, Mapping[int, Places]]:
    """Lines and where their nodes are; asked for again where names of torch get another spelling."""
    module = cst.parse_module(text)
    return module, places_of(module)


def _margin(line: str) -> str:
    """The indentation of a line, which Python counts anew behind a form feed."""
    return line[: len(line) - len(line.lstrip(" \t\f"))].rpartition("\f")[2]


def _string_lines(text: str, first: int) -> set[int]:
    """Lines that begin inside a string, counted from ``first``."""
    return {
        line + first - 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Constant, ast.JoinedStr))
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
