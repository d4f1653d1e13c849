"""Bring source text to four spaces for each level of indentation, as generated files have it."""

from __future__ import annotations

import io
import re
import tokenize

from codegen.text.lines import split_lines

_UNIT = "    "
_ODD_LINE = re.compile(r"^(?: {1,3}| {5,7}|\t)[^\s#]", re.MULTILINE)


def normalize_indent(text: str) -> str:
    """``text`` with each block indented by four spaces; lines inside brackets and strings stay.

    Text that is so already, or that cannot be tokenized, is returned as it is. Lines keep their
    numbers.
    """
    # Tokenizing is slow; lines that no four-space file has outside strings are rare.
    if not _ODD_LINE.search(text):
        return text
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    if all(
        token.string.strip(" ") == "" and len(token.string) % 4 == 0 for token in _indents(tokens)
    ):
        return text
    return _reindented(text, tokens)


def _indents(tokens: list[tokenize.TokenInfo]) -> list[tokenize.TokenInfo]:
    return [token for token in tokens if token.type == tokenize.INDENT]


def _reindented(text: str, tokens: list[tokenize.TokenInfo]) -> str:
    lines = split_lines(text)
    widths = [0]
    before = widths
    comments: list[int] = []
    at_start = True
    for token in tokens:
        row = token.start[0] - 1
        if token.type == tokenize.INDENT:
            widths = [*widths, len(token.string.expandtabs())]
        elif token.type == tokenize.DEDENT:
            widths = widths[:-1]
        elif token.type == tokenize.NEWLINE:
            at_start, before = True, widths
        elif token.type == tokenize.COMMENT and at_start:
            comments.append(row)
        elif at_start and token.type not in (tokenize.NL, tokenize.ENDMARKER):
            for comment in comments:
                known = max(before, widths, key=len)
                lines[comment] = _UNIT * _level(lines[comment], known) + lines[comment].lstrip()
            lines[row] = _UNIT * (len(widths) - 1) + lines[row].lstrip()
            comments, at_start = [], False
    return "".join(lines)


def _level(line: str, widths: list[int]) -> int:
    """The deepest level that a comment of this indentation can belong to."""
    own = len(line.expandtabs()) - len(line.expandtabs().lstrip())
    return max(level for level, width in enumerate(widths) if width <= own)
