"""The logical lines of a member: what is compared, without layout and model names.

A logical line is tokenized once, wherever it stands: most lines of a member are in its other state as well,
and many are in other models.
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
_NAMED = {tokenize.STRING, tokenize.COMMENT} | {
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(tokenize, name)
}
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
    number = member.line
    for chunk in _chunks(member.text):
        for raw in _read(chunk):
            tokens = tuple(_spelled(part, naming) for part in raw.parts)
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
    (nothing for a line of a docstring), and its tokens with what can hold the name of a model."""

    text: str
    row: int
    depth: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]


def _spelled(part: tuple[str, str], naming: Naming) -> str:
    kind, text = part
    return naming.name(text) if kind == "name" else naming.text(text) if kind == "text" else text


@lru_cache(maxsize=_KEPT)
def _read(chunk: str) -> tuple[_Raw, ...]:
    """The logical lines of a chunk. Raises what ``tokenize`` does."""
    if not chunk.strip():
        return ()
    return tuple(_tokenized(chunk))


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
        for number in range(first, last + 1):  # a docstring is read line by line
            shown = physical[number - 1].rstrip("\n")
            if shown.strip():
                yield _Raw(shown, number - 1, (), (("text", shown.strip()),))
        return
    text = "".join(physical[first - 1 : last]).rstrip("\n")
    depth = str(tokens[0].start[1] // 4)
    yield _Raw(text, first - 1, (depth,), tuple(_parts(tokens)))


def _parts(tokens: Sequence[tokenize.TokenInfo]) -> Iterator[tuple[str, str]]:
    for index, token in enumerate(tokens):
        if token.type in _SKIPPED:
            continue
        if token.string == "," and _closes(tokens, index + 1):
            continue
        kind = "name" if token.type == tokenize.NAME else "text" if token.type in _NAMED else ""
        yield kind, token.string


def _closes(tokens: Sequence[tokenize.TokenInfo], index: int) -> bool:
    """Whether only line breaks, at least one, stand before a closing bracket."""
    broken = False
    while index < len(tokens) and tokens[index].type == tokenize.NL:
        broken, index = True, index + 1
    return broken and index < len(tokens) and tokens[index].string in ")]}"


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
