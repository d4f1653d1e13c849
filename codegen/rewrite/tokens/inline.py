"""Loops whose code for a placeholder needs what is around it: they stay, and make a list instead of texts.

``while P in text`` becomes a loop over the number of placeholders, and what a placeholder is replaced by is
appended to a list. All else of the loop stays as it is: counters that start anew in every text, what is
taken from other lists, other work.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text, walk
from codegen.rewrite.tokens.endings import Ending, ending
from codegen.rewrite.tokens.replacing import (
    Parts,
    queue_loops,
    queued,
    searched,
    subject_of,
)
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.swaps import swapped
from codegen.rewrite.tokens.wording import expression

POSITIONS, NEXT, ORDER = "placeholder_positions", "next_item", "order_by_form"
"""Helpers: the places of the placeholders in a text, ``next`` for those who have run out of items, and an order."""
OWN = "replacements_in_text"
"""Name of the list for one text, where its order is not that of the text."""
LIST = "__replacements"
"""Stands for the list until it is known what kind of item it is about."""


@dataclass(frozen=True, eq=False)
class _Filling:
    """What the loop over the placeholders of a text does with the replacement: which list gets it, and when.

    ``put`` replaces the placeholder, ``token`` is that, ``longer`` another one that is looked for first.
    ``edits`` are those of statements that put replacements, or what waits in a ``queue`` for them, into the list.
    """

    put: ast.stmt
    call: ast.Call
    token: ast.expr
    longer: ast.expr | None
    queue: str
    edits: tuple[tuple[ast.AST, str], ...]

    @property
    def tokens(self) -> tuple[ast.expr, ...]:
        """What is looked for, the longer first."""
        return (self.token,) if self.longer is None else (self.longer, self.token)


def inline_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop over texts is, if it can stay as a loop that fills a list.

    Args:
        info: the file.
        function: the method.
        block: that the loop stands in.
        number: of the loop in the block.
    """
    loop = block[number]
    if not isinstance(loop, ast.For):
        return None
    text, texts = subject_of(function, loop)
    parts = Parts(copy_of(loop, text), loop)
    loops = [node for node in loop.body if isinstance(node, ast.While)]
    emptying = [*queue_loops(loops)]
    whiles = [n for n in loops if searched(n.test, parts.text) and n not in emptying]
    inner = only(whiles)
    if not parts.text or inner is None:
        return None
    filling = _filling(info, parts, inner, emptying)
    if filling is None:
        return None
    token = filling.token if filling.longer is None else ast.Tuple([*filling.tokens], ast.Load())
    header, found_at = _header(parts.text, inner, filling, token)
    edits = [*filling.edits, *([(found_at, "")] if found_at is not None else [])]
    around, end = _around(parts, block, number, emptying, filling, texts)
    edits += around
    if filling.longer and (len(end.sentinels) != 1 or end.is_behind or _binds_name(function, OWN)):
        return None
    touched = _touches(inner, parts.text, [filling.put, found_at])
    if touched or _result_elsewhere(loop, end.result, edits):
        return None
    return Site(
        *(function, block, end.statements, token, texts, end.result),
        tuple(node for node in inner.body if node is not filling.put),
        filling.call.args[1],
        end.sentinels,
        end.unit,
        kept=without_end(written(info, loop, edits, (inner, header)), token),
        queue=filling.queue,
        calls=(POSITIONS, NEXT, ORDER),
        returned=end.returned,
    )


def _filling(
    info: ModuleInfo, parts: Parts, inner: ast.While, emptying: Sequence[ast.stmt]
) -> _Filling | None:
    """What a loop over the placeholders of a text does, None if it replaces none or several."""
    token = searched(inner.test, parts.text)
    calls = [(node, call) for node in inner.body if (call := parts.replacement(node, True))]
    longer = None
    for node in inner.body:
        two = _two_forms(parts, node)
        if two is not None:
            longer = two[0].args[0]
            calls.append((node, two[1]))
    if token is None or len(calls) != 1:
        return None
    ((put, call),) = calls
    if not isinstance(call.args[1], ast.Constant):
        added = f"{OWN if longer else LIST}.append({expression(info, call.args[1])})"
        return _Filling(put, call, token, longer, "", ((put, added),))
    emptied = " ".join(map(ast.unparse, emptying))
    found = [n for n in inner.body if (q := queued(n)) and f"{q[0]}.pop(0)" in emptied]
    filling = only(found)
    if filling is None:
        return None
    queue, value = queued(filling) or ("", call.args[1])
    edits = (filling, f"{LIST}.append({expression(info, value)})"), (put, "")
    return _Filling(put, call, token, longer, queue, edits)


def _header(
    text: str, inner: ast.While, filling: _Filling, token: ast.expr
) -> tuple[str, ast.Assign | None]:
    """The head of the loop over placeholders, and the statement that has found the place of one before."""
    for node in inner.body:
        if isinstance(node, ast.Assign) and _finds(node, text, token):
            return f"for {target_text(node)} in {POSITIONS}({text}, {ast.unparse(token)})", node
    header = f"for _ in range({text}.count({ast.unparse(filling.token)}))"
    if filling.longer is not None:
        header = f"{OWN} = []\n{' ' * inner.col_offset}{header}"
    return header, None


def _around(
    parts: Parts,
    block: Sequence[ast.stmt],
    number: int,
    emptying: Sequence[ast.stmt],
    filling: _Filling,
    texts: str,
) -> tuple[list[tuple[ast.AST, str]], Ending]:
    """Edits of what stands around the loop over placeholders, and how the loop over texts ends."""
    both = ", ".join((parts.text, *map(ast.unparse, filling.tokens)))
    ordered = f"{LIST} += {ORDER}({OWN}, {both})" if filling.longer else ""
    edits: list[tuple[ast.AST, str]] = []
    result, unit, sentinels = texts, "", []
    for node in parts.loop.body:
        back = parts.brought_back(node)
        if back is not None:
            sentinels.append(back[0])
            unit = back[1]
            edits.append((node, ordered))
        elif parts.appended(node):
            result = parts.appended(node)
            edits.append((node, ""))
        elif node in emptying or (filling.queue and _binds(node, filling.queue)):
            edits.append((node, ""))
    return edits, ending(block, number, result, sentinels, unit)


def copy_of(loop: ast.For, text: str) -> str:
    """The name of a copy of the text that the loop works on, if there is one."""
    for node in loop.body:
        target = target_of(node)
        if isinstance(target, ast.Name) and ast.unparse(node) == f"{target.id} = {text}":
            return target.id
    return text


def _binds(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _two_forms(parts: Parts, node: ast.stmt) -> tuple[ast.Call, ast.Call] | None:
    """The calls of ``if LONG in text: text = text.replace(LONG, r, 1) else: text = text.replace(P, r, 1)``."""
    if not isinstance(node, ast.If) or len(node.body) != 1 or len(node.orelse) != 1:
        return None
    first = parts.replacement(node.body[0], True)
    last = parts.replacement(node.orelse[0], True)
    looked_for = searched(node.test, parts.text)
    if first is None or last is None or looked_for is None:
        return None
    same = ast.unparse(looked_for) == ast.unparse(first.args[0])
    same = same and ast.unparse(first.args[1]) == ast.unparse(last.args[1])
    return (first, last) if same and ast.unparse(last.args[0]) in ast.unparse(looked_for) else None


def _binds_name(function: Function, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in walk(function))


def _finds(node: ast.stmt, text: str, token: ast.expr) -> bool:
    """Tell whether a statement is ``at = text.find(P)``."""
    value = node.value if isinstance(node, ast.Assign) and target_of(node) is not None else None
    return value is not None and ast.unparse(value) == f"{text}.find({ast.unparse(token)})"


def _touches(inner: ast.While, text: str, gone: Sequence[ast.stmt | None]) -> bool:
    """Tell whether the body of a loop reads or changes the text elsewhere.

    Where it knows the place of its placeholder, slices of the text are the characters around that.
    """
    nodes = [n for statement in inner.body if statement not in gone for n in walk(statement)]
    around = [
        n.value for n in nodes if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Slice)
    ]
    allowed = {id(n) for n in around} if any(node is not None for node in gone[1:]) else set()
    return any(
        isinstance(n, ast.expr) and ast.unparse(n) == text and id(n) not in allowed for n in nodes
    )


def _result_elsewhere(loop: ast.For, result: str, edits: Sequence[tuple[ast.AST, str]]) -> bool:
    """Tell whether a loop reads the list of its results, or changes it otherwise."""
    gone = {id(node) for statement, _ in edits for node in walk(statement)}
    names = (n for n in walk(loop) if isinstance(n, ast.Name) and n.id == result)
    return any(id(name) not in gone for name in names) and ast.unparse(loop.iter) not in (
        result,
        f"range(len({result}))",
    )


def written(
    info: ModuleInfo,
    loop: ast.For,
    edits: Sequence[tuple[ast.AST, str]],
    head: tuple[ast.While, str] | None = None,
) -> str:
    """The lines of a loop with edits, and another head of a loop in it, at the margin that they have."""
    start = info.text.start_of(loop.lineno)
    end = info.text.start_of((loop.end_lineno or loop.lineno) + 1)
    splices = []
    if head is not None:
        inner, header = head
        first, last = _span(info, inner)[0], _span(info, inner.test)[1]
        splices.append(Splice(first - start, last - start, header))
    for node, new in edits:
        first, last = _span(info, node)
        splices.append(Splice(first - start, last - start, new or "pass"))
    made = spliced(info.source.text[start:end], sorted(splices, key=lambda s: s.start))
    return _without_pass(made)


def without_end(text: str, token: ast.expr) -> str:
    """Code that takes the next of an iterator, and says what is missing where there is none."""

    def new(node: ast.expr) -> str | None:
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "next" or node.keywords:
            return None
        name = node.args[0] if len(node.args) == 1 else None
        if not isinstance(name, ast.Name):
            return None
        return f"{NEXT}({name.id}, {ast.unparse(token)})"

    return swapped(text, new)


def _without_pass(text: str) -> str:
    """Lines without those that say nothing; at least one statement is left in every block."""
    return "".join(f"{line}\n" for line in text.split("\n")[:-1] if line.strip() != "pass")


def _span(info: ModuleInfo, node: ast.AST) -> tuple[int, int]:
    return tuple(_positions(info, node))  # type: ignore[return-value]


def _positions(info: ModuleInfo, node: ast.AST) -> Iterator[int]:
    """Where a node begins and ends in the text: ``ast`` counts bytes."""
    for line, column in (
        (getattr(node, "lineno"), getattr(node, "col_offset")),  # noqa: B009
        (getattr(node, "end_lineno"), getattr(node, "end_col_offset")),  # noqa: B009
    ):
        start = info.text.start_of(line)
        head = info.text.lines[line - 1].encode()[:column]
        yield start + len(head.decode())
