"""Where the nodes of ``ast`` are in the lines that libcst is given, and which edits are due there.

libcst knows lines and characters, ``ast`` lines of the file and bytes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from codegen.text.lines import LineMap, split_lines

Place = tuple[int, int]
"""Line and character, as libcst counts them in the lines it is given."""

_FORM_FEED = re.compile(r"(?P<before>[ \t\f]*\f)[ \t]*[^\s#]")
_MARK = "# \ue000"
_MARKED = re.compile(rf"^[ \t]*{_MARK}(?P<before>[ \tF]*)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some whole lines of a file, as they are given to libcst.

    ``text`` are the lines below a header of ``added`` lines. Where code follows a form feed, Python
    begins to count its indentation anew and libcst does not: ``cut`` holds for such lines of the file
    how much was moved into a comment line in front.
    """

    map: LineMap
    first: int
    text: str
    added: int
    cut: Mapping[int, int]

    def place(self, line: int, byte_column: int) -> Place:
        """A position of ``ast``."""
        character = self.map.offset(line, byte_column) - self.map.start_of(line)
        marks = sum(marked <= line for marked in self.cut)
        return line - self.first + 1 + self.added + marks, character - self.cut.get(line, 0)

    def start(self, node: ast.stmt | ast.expr) -> Place:
        """Where a node begins; a function at its ``def``, not at its decorators."""
        return self.place(node.lineno, node.col_offset)

    def span(self, node: ast.expr) -> tuple[Place, Place]:
        """Where an expression begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.start(node), self.place(node.end_lineno, node.end_col_offset)


def excerpt(text: LineMap, first: int, last: int, header: str) -> Excerpt:
    """The lines of a file from ``first`` to ``last`` (both 1-based) below a header."""
    lines = text.text[text.start_of(first) : text.start_of(last + 1)]
    added = header.count("\n")
    if "\f" not in lines:
        return Excerpt(text, first, header + lines, added, {})
    inside = _string_lines(header + lines, first - added)
    cut: dict[int, int] = {}
    out = [header]
    for number, line in enumerate(split_lines(lines), first):
        match = _FORM_FEED.match(line)
        if match is None or number in inside:
            out.append(line)
            continue
        before, rest = match["before"], line[len(match["before"]) :]
        cut[number] = len(before)
        margin = rest[: len(rest) - len(rest.lstrip(" \t"))]
        out += [f"{margin}{_MARK}{before.replace(chr(12), 'F')}\n", rest]
    return Excerpt(text, first, "".join(out), added, cut)


def restored(text: str) -> str:
    """Lines that came back from libcst, with the form feeds where they were."""
    return _MARKED.sub(lambda match: match["before"].replace("F", "\f"), text)


def _string_lines(text: str, first: int) -> set[int]:
    """Lines that begin inside a string, counted from ``first``."""
    return {
        line + first - 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Constant, ast.JoinedStr))
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
