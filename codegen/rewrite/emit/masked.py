"""Expressions that libcst need not take apart: a name of the same length stands for each while it writes.

What stands on one line and holds nothing that an edit speaks of comes out as it went in. Nothing else
moves, so that places stay what they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.emit.edits import AddParameters, Edit, LetOut, nodes_of
from codegen.rewrite.emit.hidden import Hidden
from codegen.rewrite.nodes import children
from codegen.text.lines import LineMap

_SIGN = "\u01c1"
"""A letter that hardly any name begins with; a file that has it is written as a whole."""
_MASK = re.compile(rf"{_SIGN}(?P<number>\d+)_*")
_MASKED = (
    ast.Attribute,
    ast.BinOp,
    ast.BoolOp,
    ast.Call,
    ast.Compare,
    ast.Dict,
    ast.DictComp,
    ast.IfExp,
) + (ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Subscript, ast.Tuple, ast.UnaryOp)
_WHOLE = (ast.JoinedStr, ast.Lambda, ast.GeneratorExp, ast.NamedExpr, ast.Yield, ast.Await)
"""Of these neither the whole nor a part gets another name: where they stand says too little."""
_WORD = re.compile(r"\w")

Span = tuple[int, int, int]
"""The line of an expression and where it begins and ends in it, in characters."""


def masks(text: LineMap, node: ast.stmt, edits: Sequence[Edit], hidden: Hidden) -> tuple[Span, ...]:
    """The expressions in the lines of a method that are not hidden, and that libcst need not take apart."""
    if not isinstance(node, ast.FunctionDef) or not (hidden.ranges or hidden.head):
        return ()
    spoken = {(part.lineno, part.col_offset) for edit in edits for part in nodes_of(edit)}
    parts = [*_header(node, edits)] if hidden.head is None else []
    parts += _shown(node.body, hidden)
    found = [span for part in parts for span in _outermost(text, part, spoken)]
    whole = text.text[text.start_of(node.lineno) : text.start_of((node.end_lineno or 0) + 1)]
    return () if _SIGN in whole or "\f" in whole else tuple(sorted(found))


def masked(lines: Sequence[str], spans: Sequence[Span]) -> dict[int, str]:
    """The lines of a file that hold masked expressions, by their numbers, as libcst sees them."""
    found: dict[int, str] = {}
    for number, (line, start, end) in enumerate(spans):
        before = found.get(line, lines[line - 1])
        found[line] = f"{before[:start]}{f'{_SIGN}{number}':_<{end - start}}{before[end:]}"
    return found


def unmasked(text: str, lines: Sequence[str], spans: Sequence[Span]) -> str:
    """Lines that came back from libcst, with the expressions that it did not see."""

    def written(match: re.Match[str]) -> str:
        line, start, end = spans[int(match["number"])]
        return lines[line - 1][start:end]

    return _MASK.sub(written, text) if spans else text


def _header(node: ast.FunctionDef, edits: Sequence[Edit]) -> Iterator[ast.expr]:
    """What is said of parameters that no edit is about, and of the result."""
    named = [edit.names for edit in edits if isinstance(edit, (AddParameters, LetOut))]
    known = {name for names in named for name in names}
    spec = node.args
    several = [arg for arg in (spec.vararg, spec.kwarg) if arg is not None]
    for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *several):
        if arg.annotation is not None and arg.arg not in known:
            yield arg.annotation
    if node.returns is not None:
        yield node.returns


def _shown(block: Sequence[ast.AST], hidden: Hidden) -> Iterator[ast.expr]:
    """The expressions of statements that are not hidden, with those in them."""
    pending = list(block)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.expr):
            yield node
        elif isinstance(node, ast.stmt):
            first, last = node.lineno, node.end_lineno or node.lineno
            inside = any(start <= first and last <= end for start, end in hidden.ranges)
            if not inside and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                pending += children(node)
        elif isinstance(node, (ast.ExceptHandler, ast.withitem, ast.comprehension)):
            pending += children(node)


def _outermost(text: LineMap, node: ast.AST, spoken: Collection[tuple[int, int]]) -> Iterator[Span]:
    """The largest expressions in one that can be masked."""
    if isinstance(node, _WHOLE):
        return
    if isinstance(node, _MASKED) and isinstance(getattr(node, "ctx", None), (ast.Load, type(None))):
        span = _span(text, node, spoken)
        if span is not None:
            yield span
            return
    for child in children(node):
        yield from _outermost(text, child, spoken)


def _span(text: LineMap, node: ast.expr, spoken: Collection[tuple[int, int]]) -> Span | None:
    """Where an expression stands, if it can be masked there."""
    line, start, end = node.lineno, node.col_offset, node.end_col_offset or 0
    written = text.lines[line - 1]
    if node.end_lineno != line or end - start < 6 or not written.isascii():
        return None
    if any(place[0] == line and start <= place[1] < end for place in spoken):
        return None
    beside = written[start - 1 : start] + written[end : end + 1]
    return None if _WORD.search(beside) else (line, start, end)
