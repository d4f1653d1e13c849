"""Edits of source text by offset: collected against one text, applied together, last to first."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``text[start:end]`` by ``new``; an insertion has ``start == end``."""

    start: int
    end: int
    new: str


class SourceText:
    """A text with the tables that turn ``ast`` positions (utf-8 columns) into offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Offset of a 1-based line and a utf-8 column."""
        content = self.lines[line - 1] if line <= len(self.lines) else ""
        if not content.isascii():
            column = len(content.encode()[:column].decode())
        return self._starts[line - 1] + column

    def span(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> tuple[int, int]:
        """Offsets of a node, decorators excluded."""
        end_line, end_column = node.end_lineno, node.end_col_offset
        assert end_line is not None and end_column is not None
        return self.offset(node.lineno, node.col_offset), self.offset(end_line, end_column)

    def source(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> str:
        """Source text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, line: int) -> int:
        """Offset of the first character of a 1-based line (the end of the text past the last)."""
        return self._starts[min(line - 1, len(self.lines))]

    def statement_lines(self, node: ast.stmt) -> tuple[int, int]:
        """Offsets of the whole lines of a statement, with its leading comment lines."""
        first = node.lineno
        while first > 1 and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        assert node.end_lineno is not None
        return self.line_start(first), self.line_start(node.end_lineno + 1)

    def indent(self, node: ast.stmt) -> str:
        """Whitespace in front of a statement."""
        return " " * node.col_offset


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits that refer to ``text``; one that lies inside a larger one is dropped with it.

    Raises:
        ValueError: two edits overlap without one containing the other.
    """
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, -edit.end))
    out: list[str] = []
    done = 0
    previous: Edit | None = None
    for edit in ordered:
        if previous is not None and edit.start < previous.end:
            if edit.end > previous.end:
                raise ValueError(
                    f"edits overlap at {edit.start}: {previous.new!r} and {edit.new!r}"
                )
            continue
        out += [text[done : edit.start], edit.new]
        done = edit.end
        previous = edit
    out.append(text[done:])
    return "".join(out)


def block(lines: Iterable[str], indent: str) -> str:
    """Join lines of code at one indentation, with a final line break."""
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
