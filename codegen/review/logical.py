"""The logical lines of a member: what is compared, without layout and model names.

A logical line is cut into tokens once, wherever it stands: most lines of a member are in its other state as
well, and many are in other models. One pattern does that, in a tenth of the time of ``tokenize``, which is asked
where the pattern leaves something over.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from codegen.review.model import Line, Member
from codegen.review.names import Naming
from codegen.text.lines import split_lines

_SKIPPED = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_TRIPLE = re.compile(r"[rRbBuUfF]*(?:\"\"\"|''')")
#: Logical lines that are kept as tokens: those of both sides of many files.
_KEPT = 131_072


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
    number, spelled = member.line, naming.spelled
    for chunk in _chunks(member.text):
        for raw in _read(chunk):
            if raw.depth:
                tokens = [spelled[part] for part in raw.parts]
            else:  # a line of a docstring
                tokens = [naming.text(part) for part in raw.parts]
            yield Line(raw.text, number + raw.row, (*raw.depth, *tokens))
        number += chunk.count("\n")


#: What can hide a line break, or say that a logical line goes on behind it.
_SCAN = re.compile(
    r"\"\"\"(?:[^\\\"]+|\\.|\"(?!\"\"))*\"\"\"|'''(?:[^\\']+|\\.|'(?!''))*'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*|\\\n|[(\[{]|[)\]}]|\n",
    re.S,
)


def _chunks(text: str) -> Iterator[str]:
    """The text in parts that end where a logical line, a comment or a blank line does."""
    begin = depth = 0
    for match in _SCAN.finditer(text):
        mark = match[0]
        if mark == "\n":
            if depth == 0:
                yield text[begin : match.end()]
                begin = match.end()
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
    if begin < len(text):
        yield text[begin:]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A logical line as it is written: ``row`` lines below the first of its chunk, how deep it stands
    (nothing for a line of a docstring), and its tokens."""

    text: str
    row: int
    depth: tuple[str, ...]
    parts: tuple[str, ...]


#: The tokens of a line, and what stands between them. Longer operators go first.
_TOKEN = re.compile(
    r"[ \t]+|\\\n|\n|\#[^\n]*"
    r"|[rRbBuUfF]{0,2}(?:\"\"\"(?:[^\\\"]+|\\.|\"(?!\"\"))*\"\"\"|'''(?:[^\\']+|\\.|'(?!''))*'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?"
    r"|\w+|\*\*=|//=|>>=|<<=|\.\.\.|[-+*/%@&|^=!<>:]=|->|\*\*|//|<<|>>|[^\w\s\"'\\]",
    re.S,
)
_BREAK, _BLANK = "\n", frozenset(" \t\\")


@lru_cache(maxsize=_KEPT)
def _read(chunk: str) -> tuple[_Raw, ...]:
    """The logical lines of a chunk. Raises what ``tokenize`` does."""
    if not chunk.strip():
        return ()
    found = _TOKEN.findall(chunk)
    if sum(map(len, found)) < len(chunk) or not _is_closed(found):
        return tuple(_tokenized(chunk))
    parts = tuple(_without_breaks([token for token in found if token[0] not in _BLANK]))
    text = chunk.rstrip("\n")
    if len(parts) == 1 and "\n" in text and _TRIPLE.match(parts[0]):
        return tuple(_docstring(text.split("\n")))
    depth = len(found[0]) if found[0][0] in _BLANK else 0
    return (_Raw(text, 0, (str(depth // 4),), parts),)


def _is_closed(tokens: Sequence[str]) -> bool:
    """Whether a chunk is one logical line: it begins with its code, and every bracket is closed."""
    opened = sum(tokens.count(each) for each in "([{")
    return tokens[0][0] not in "\n\\" and opened == sum(tokens.count(each) for each in ")]}")


def _docstring(physical: Sequence[str], row: int = 0) -> Iterator[_Raw]:
    """A docstring is read line by line."""
    for number, shown in enumerate(physical):
        if shown.strip():
            yield _Raw(shown, row + number, (), (shown.strip(),))


def _tokenized(text: str) -> Iterator[_Raw]:
    physical = split_lines(text)
    pending: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        alone = token.type == tokenize.COMMENT and not pending
        if token.type in _SKIPPED:
            if pending:
                pending.append(token)
            continue
        if token.type != tokenize.NEWLINE:
            pending.append(token)
        if (token.type == tokenize.NEWLINE or alone) and pending:
            yield from _lines_of(pending, physical)
            pending = []
    if pending:
        yield from _lines_of(pending, physical)


def _lines_of(tokens: Sequence[tokenize.TokenInfo], physical: Sequence[str]) -> Iterator[_Raw]:
    first = tokens[0].start[0]
    real = [token for token in tokens if token.type not in _SKIPPED]
    last = max(token.end[0] for token in real)
    if len(real) == 1 and first != last and _TRIPLE.match(real[0].string):
        shown = [line.rstrip("\n") for line in physical[first - 1 : last]]
        yield from _docstring(shown, first - 1)
        return
    text = "".join(physical[first - 1 : last]).rstrip("\n")
    depth = str(tokens[0].start[1] // 4)
    plain = [
        _BREAK if token.type == tokenize.NL else token.string
        for token in tokens
        if token.type == tokenize.NL or token.type not in _SKIPPED
    ]
    yield _Raw(text, first - 1, (depth,), tuple(_without_breaks(plain)))


def _without_breaks(tokens: Sequence[str]) -> Iterator[str]:
    """Tokens without line breaks, and without commas that only line breaks, at least one, part from a
    closing bracket."""
    for index, token in enumerate(tokens):
        if token != _BREAK and (token != "," or not _closes(tokens, index + 1)):
            yield token


def _closes(tokens: Sequence[str], index: int) -> bool:
    broken = False
    while index < len(tokens) and tokens[index] == _BREAK:
        broken, index = True, index + 1
    return broken and index < len(tokens) and tokens[index] in ")]}"


_PART = re.compile(r"#.*|[rRbBuUfF]{0,2}(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|\w+|[^\w\s]")


def physical_lines(line: Line, naming: Naming) -> list[Line]:
    """A logical line as it stands in the file, without commas at the ends of its lines."""
    if "\n" not in line.text:
        return [line]
    found = []
    for index, shown in enumerate(line.text.split("\n")):
        parts = _PART.findall(shown.strip().removesuffix(","))
        if parts:
            depth = str((len(shown) - len(shown.lstrip())) // 4)
            tokens = [naming.spelled[part] for part in parts]
            found.append(Line(shown, line.number + index, (depth, *tokens)))
    return found
