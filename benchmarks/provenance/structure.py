"""Edits that take statements away or add some: which lines go, and behind which lines others come."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from benchmarks.provenance.oracle import Edit, Line, as_read
from benchmarks.provenance.words import sources
from codegen.explain.atlas import Atlas
from codegen.explain.forward import changed_with
from codegen.text.lines import LineMap

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Assert, ast.Raise)
Statement = tuple[str, ast.stmt]


def statement(atlas: Atlas, chance: random.Random) -> Statement | None:
    """A random simple statement of one line in a function, right behind another one."""
    path = chance.choice(sources(atlas))
    try:
        tree = ast.parse(as_read(atlas, path))
    except SyntaxError:
        return None
    found = [
        node
        for function in ast.walk(tree)
        # Beside `super()` a statement takes the place of the parent's, wherever that is.
        if isinstance(function, ast.FunctionDef) and "super()" not in ast.unparse(function)
        for node in _inner(function)
        if node.lineno == node.end_lineno
    ]
    return (path, chance.choice(found)) if found else None


def _inner(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    for block in ast.walk(function):
        body = getattr(block, "body", None)
        if isinstance(body, list) and len(body) > 1 and isinstance(block, ast.stmt):
            yield from (
                node
                for before, node in pairwise(body)
                if isinstance(node, _SIMPLE)
                and isinstance(before, _SIMPLE)
                and before.lineno == before.end_lineno == node.lineno - 1
            )


def removed(atlas: Atlas, path: str, node: ast.stmt) -> list[Edit]:
    """The statement taken away, with its line."""
    lines = LineMap(as_read(atlas, path))
    start, end = lines.start_of(node.lineno), lines.start_of(node.lineno + 1)
    return [Edit(path, start, lines.text[start:end], "")]


def added(atlas: Atlas, path: str, node: ast.stmt, what: str) -> list[Edit]:
    """Another statement in front of it."""
    lines = LineMap(as_read(atlas, path))
    start = lines.start_of(node.lineno)
    return [Edit(path, start, "", f"{' ' * node.col_offset}{what}\n")]


def imported(atlas: Atlas, path: str) -> Edit:
    """An import behind the last one of the file's top level, or in front of everything."""
    text = as_read(atlas, path)
    imports = [
        node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    line = (imports[-1].end_lineno or 0) + 1 if imports else 1
    return Edit(path, LineMap(text).start_of(line), "", "import colorsys\n")


def lines_of(atlas: Atlas, path: str, node: ast.stmt) -> set[Line]:
    """The generated lines that were said to come from a statement."""
    lines = LineMap(as_read(atlas, path))
    start, end = lines.start_of(node.lineno), lines.start_of(node.lineno + 1)
    return {(spot.path, atlas.line(spot)) for spot in changed_with(atlas, [(path, start, end)])}


def gone(old: Sequence[str], new: Sequence[str], said: set[int]) -> set[int]:
    """The numbers of the lines that are not there any more; of equal ones those that were said."""
    if [line for number, line in enumerate(old, 1) if number not in said] == list(new):
        return said
    return {
        number + 1
        for tag, first, last, _, _ in _differences(old, new)
        if tag != "insert"
        for number in range(first, last)
    }


def preceded(old: Sequence[str], new: Sequence[str]) -> set[int]:
    """The numbers of the old lines in front of which there are new ones."""
    return {first + 1 for tag, first, _, _, _ in _differences(old, new) if tag != "delete"}


def _differences(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    matcher = SequenceMatcher(
        None, old[head : len(old) - tail], new[head : len(new) - tail], autojunk=False
    )
    return [
        (tag, a + head, b + head, c + head, d + head)
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    ]
