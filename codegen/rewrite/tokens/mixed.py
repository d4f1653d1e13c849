"""Loops over two kinds of placeholders at once, in the order of the text: they stay, and make two lists."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.tokens.inline import LIST, copy_of, written
from codegen.rewrite.tokens.replacing import Parts, queue_loops, queued, searched, subject_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression

EACH = "placeholders_in"
"""The helper that gives the placeholders of a text in their order."""


def mixed_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop over texts is, if it looks for either of two placeholders.

    ``while A in text or B in text: if A comes first: ... else: ...``, each branch with one mark in the
    place of its placeholder, and what it stands for put into a queue.
    """
    loop = block[number]
    if not isinstance(loop, ast.For):
        return None
    text, texts = subject_of(function, loop)
    text = copy_of(loop, text)
    loops = [node for node in loop.body if isinstance(node, ast.While)]
    emptying = [*queue_loops(loops)]
    inner = next((node for node in loops if node not in emptying), None)
    branches = _branches(inner, text) if inner is not None else None
    if inner is None or branches is None or not text:
        return None
    parts = Parts(text, loop)
    emptied = " ".join(map(ast.unparse, emptying))
    steps = [step for branch in branches if (step := _step(parts, branch, emptied)) is not None]
    names = [ast.unparse(step.token) for step in steps]
    if len(set(names)) != 2:
        return None
    edits: list[tuple[ast.AST, str]] = []
    for position, step in enumerate(steps):
        edits.append((step.put, ""))
        added = f"{LIST}{position}.append({expression(info, step.value)})"
        edits.append((step.filling, added))
    result, head = texts, inner.body[0]
    assert isinstance(head, ast.If)
    edits.append((head.test, f"placeholder == {names[0]}"))
    for node in loop.body:
        if parts.appended(node):
            result = parts.appended(node)
            edits.append((node, ""))
        elif node in emptying:
            edits.append((node, ""))
    header = f"for placeholder in {EACH}({text}, {', '.join(names)})"
    first, last = steps
    return Site(
        *(function, block, (loop,), first.token, texts, result),
        *((*first.rest, *last.rest), first.token),
        kept=written(info, loop, edits, (inner, header)),
        queue=last.queue,
        others=(last.token,),
        calls=(EACH,),
    )


@dataclass(frozen=True, eq=False)
class _Step:
    """What a loop does for one of its placeholders: ``put`` a mark there, fill a ``queue`` with a value."""

    put: ast.stmt
    token: ast.expr
    filling: ast.stmt
    queue: str
    value: ast.expr
    rest: tuple[ast.stmt, ...]
    """All that it does but put a mark."""


def _step(parts: Parts, branch: Sequence[ast.stmt], emptied: str) -> _Step | None:
    """What a branch does, None if it puts no mark, fills no queue that is ``emptied``, or reads the text."""
    puts = [(node, call) for node in branch if (call := parts.replacement(node, True))]
    found = [(n, q) for n in branch if (q := queued(n)) and f"{q[0]}.pop(0)" in emptied]
    if len(puts) != 1 or len(found) != 1:
        return None
    ((put, call),), ((filling, (queue, value)),) = puts, found
    if _reads(branch, parts.text, put):
        return None
    rest = tuple(node for node in branch if node is not put)
    return _Step(put, call.args[0], filling, queue, value, rest)


def _branches(inner: ast.While, text: str) -> tuple[list[ast.stmt], list[ast.stmt]] | None:
    """What a loop does for each of two placeholders."""
    tests = inner.test.values if isinstance(inner.test, ast.BoolOp) else []
    is_either = isinstance(inner.test, ast.BoolOp) and isinstance(inner.test.op, ast.Or)
    if not is_either or len(tests) != 2 or not all(searched(test, text) for test in tests):
        return None
    head = inner.body[0]
    if len(inner.body) != 1 or not isinstance(head, ast.If) or not head.orelse:
        return None
    return head.body, head.orelse


def _reads(branch: Sequence[ast.stmt], text: str, put: ast.stmt) -> bool:
    nodes = (node for statement in branch if statement is not put for node in walk(statement))
    return any(isinstance(node, ast.Name) and node.id == text for node in nodes)
