"""What a second form would owe to the code behind it: names that only the first form makes.

if is_tracing():                 here `piece` has no value behind the branch while tracing,
    rows = ...                   and a `weights` of the author's would have another one
else:
    for piece in pieces: ...
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import AddParameters, Branch, Edit, ElseIf, Insert
from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import Reaching, read_names


def owed(function: Function, edits: Sequence[Edit]) -> Left | None:
    """Why the code behind would miss a name, or find its own overwritten; None where neither is so."""
    added = {name for e in edits if isinstance(e, AddParameters) for name in e.names}
    for edit in edits:
        written = _written(function, edit)
        if written is not None:
            return Left(written, f"a graph would skip that {ast.unparse(written)} is written")
        if not isinstance(edit, (Branch, ElseIf)):
            continue
        first = edit.statements if isinstance(edit, Branch) else tuple(edit.node.orelse)
        old = frozenset[str]().union(*(assigned_names(statement) for statement in first))
        new = frozenset[str]().union(
            *(assigned_names(s) for s in ast.parse("\n".join(edit.lines)).body)
        )
        inside = {id(node) for statement in first for node in walk(statement)}
        for other, name in _stores(function):
            if name in added:
                return Left(other, f"{name} would be overwritten, a name of the method")
        reaching = Reaching(function)
        for other, name in _reads(function, inside):
            if name in old - new and reaching.definitions(other, name) & inside:
                return Left(other, f"{name} is made by what a graph would skip, and used behind it")
            if name in new - old - added:
                return Left(other, f"{name} would be overwritten, a name of the method")
    return None


def _written(function: Function, edit: Edit) -> ast.expr | None:
    """An attribute that is written in what a graph skips, and not by the lines that it takes instead."""
    skipped: Sequence[ast.stmt] = ()
    if isinstance(edit, Branch):
        skipped = edit.statements
    elif isinstance(edit, ElseIf):
        skipped = edit.node.orelse
    elif isinstance(edit, Insert) and edit.lines[-1].lstrip().startswith("return "):
        behind = [s for s in function.body if s.lineno >= edit.anchor.lineno]
        skipped = behind if edit.lines[0].startswith("if ") else ()
    stores = [n for statement in skipped for n in walk(statement) if _is_written(n)]
    if not stores:
        return None
    assert isinstance(edit, (Branch, ElseIf, Insert))
    lines = ast.parse("\n".join(edit.lines))
    instead = {ast.unparse(node) for node in ast.walk(lines) if _is_written(node)}
    left = (node for node in stores if ast.unparse(node) not in instead)
    return next((node for node in left if isinstance(node, ast.Attribute)), None)


def _is_written(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del))


def _stores(function: Function) -> Iterator[tuple[ast.stmt, str]]:
    """Names that the method assigns, and where: what is given under such a name would be lost."""
    for statement in function.body:
        yield from ((statement, name) for name in sorted(assigned_names(statement)))


def _reads(function: Function, inside: set[int]) -> Iterator[tuple[ast.stmt, str]]:
    """Names that are read outside of some statements, and where."""
    for other in walk(function):
        if isinstance(other, ast.stmt) and id(other) not in inside and other is not function:
            yield from ((other, name) for name in sorted(read_names(other)))
