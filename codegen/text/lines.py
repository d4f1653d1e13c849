"""Lines as Python counts them: only line breaks end one, not form feeds or Unicode separators."""

from __future__ import annotations

import ast
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from codegen.text.lexer import Region


def split_lines(text: str) -> list[str]:
    r"""The lines of a text with their line breaks, which are ``\n`` in every text read from a file."""
    *whole, last = text.split("\n")
    return [line + "\n" for line in whole] + ([last] if last else [])


class LineMap:
    """Offsets of the lines of a text, and of the positions that :mod:`ast` reports in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        lengths = [len(line) + 1 for line in text.split("\n")]
        self.starts = [0, *accumulate(lengths)]
        if text.endswith("\n"):
            self.starts.pop()
        self._ascii = text.isascii()

    def start_of(self, line: int) -> int:
        """Offset of the first character of 1-based ``line``; past the end: the text's length."""
        return self.starts[line - 1] if line <= len(self.starts) else len(self.text)

    def end_of(self, line: int) -> int:
        """Offset of the line break that ends 1-based ``line`` (or the end of the text)."""
        return (
            min(self.starts[line] - 1, len(self.text))
            if line < len(self.starts)
            else len(self.text)
        )

    def offset(self, line: int, byte_column: int) -> int:
        """Turn an ``ast`` position (1-based line, UTF-8 byte column) into a character offset."""
        start = self.starts[line - 1]
        if self._ascii:
            return start + byte_column
        return start + len(self.text[start : self.end_of(line)].encode()[:byte_column].decode())

    def span(self, node: ast.expr | ast.arg | ast.stmt | ast.keyword) -> Region:
        """Character range of an ``ast`` node."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    @cached_property
    def lines(self) -> list[str]:
        """The lines with their line breaks."""
        return split_lines(self.text)

    def source(self, node: ast.expr | ast.arg | ast.stmt | ast.keyword) -> str:
        """Source text of a node, decorators excluded."""
        start, end = self.span(node)
        return self.text[start:end]

    def statement_lines(self, node: ast.stmt) -> Region:
        """Range of the whole lines of a statement, with the comment lines in front of it."""
        first = node.lineno
        while first > 1 and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        assert node.end_lineno is not None
        return self.start_of(first), self.start_of(node.end_lineno + 1)

    def line_at(self, offset: int) -> int:
        """1-based line that contains ``offset``."""
        return bisect_right(self.starts, offset)
