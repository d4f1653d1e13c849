"""What ties hunks about an argument of a method: where it is declared, used, handed on and documented."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from codegen.review.model import Line, MemberChange, SourceHunk
from codegen.review.said import documented, words


def documented_pairs(hunks: Sequence[SourceHunk]) -> Iterator[tuple[int, int]]:
    """An argument that came, went or has another name, and what the docstring tells of it."""
    told: dict[tuple[str, str, str, str], int] = {}

    def key(item: SourceHunk, name: str) -> tuple[str, str, str, str]:
        return item.change.path, item.change.member.owner, item.change.member.name, name

    for index, item in enumerate(hunks):
        for name in documented(item.hunk.removed) ^ documented(item.hunk.added):
            told.setdefault(key(item, name), index)
    for index, item in enumerate(hunks if told else ()):
        for name in words(item.hunk.removed) ^ words(item.hunk.added):
            if key(item, name) in told:
                yield told[key(item, name)], index


def argument_pairs(hunks: Sequence[SourceHunk]) -> Iterator[tuple[int, int]]:
    """An argument that a method gets or loses, and what is done with it there, or in calls of the file that
    hand it on, also where something else has the same name."""
    first: dict[tuple[str, str], int] = {}
    changed = [_arguments(item.change) for item in hunks]
    for index, (item, names) in enumerate(zip(hunks, changed)):
        for name in names & _spoken(item) if names else ():
            key = (item.change.path, name)
            yield first.setdefault(key, index), index
    for index, item in enumerate(hunks if first else ()):
        for name in _handed(item.hunk.removed) ^ _handed(item.hunk.added):
            if (item.change.path, name) in first:
                yield first[item.change.path, name], index


def _spoken(item: SourceHunk) -> set[str]:
    """Names, not of attributes, that one side of a hunk has more often than the other."""
    old, new = (Counter(_bare(lines)) for lines in (item.hunk.removed, item.hunk.added))
    return {*(old - new), *(new - old)}


def _bare(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        tokens = ("", *line.tokens)
        yield from (word for before, word in zip(tokens, tokens[1:]) if before != ".")


def _handed(lines: Sequence[Line]) -> set[str]:
    """Names of keywords in calls."""
    return {
        name
        for line in lines
        for before, name, after in zip(line.tokens, line.tokens[1:], line.tokens[2:])
        if after == "=" and before in ("(", ",") and name.isidentifier()
    }


def _arguments(change: MemberChange) -> frozenset[str]:
    """The arguments that a method or function has on one side only."""
    if change.kind != "changed" or change.member.kind not in ("method", "function"):
        return frozenset()
    old, new = (
        _parameters(each.text) if each else frozenset() for each in (change.old, change.new)
    )
    return old ^ new


#: Where a signature ends, most likely: it does if what is in front of it parses.
_SIGNED = re.compile(r"\)[^()\n]*:(?=[ \t]*(?:#.*)?$)", re.M)


@lru_cache(maxsize=1024)
def _parameters(text: str) -> frozenset[str]:
    end = _SIGNED.search(text)
    head = _function(f"{text[: end.end()]} pass") if end is not None else None
    node = head or _function(text)
    found = ast.walk(node.args) if node is not None else ()
    return frozenset(each.arg for each in found if isinstance(each, ast.arg))


def _function(text: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        node = ast.parse(textwrap.dedent(text)).body[-1]
    except (SyntaxError, ValueError, IndexError):
        return None
    return node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
