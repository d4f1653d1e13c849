"""What statements of a loop over texts do: search, replace, put back, collect, take from iterators and queues."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import is_written, of_kind, only, target_of, walk

_TAKEN = {".pop(0)", ".replace("}
"""What a loop does that puts what waits in a queue in the place of marks: all of it, and nothing else."""


def subject_of(function: Function, loop: ast.For) -> tuple[str, str]:
    """How a loop names one text, and the list of texts; empty if it is no loop over texts."""
    if not isinstance(loop.target, ast.Name):
        return "", ""
    if isinstance(loop.iter, ast.Name):
        return loop.target.id, loop.iter.id
    call = loop.iter
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "range":
        return "", ""
    if len(call.args) != 1:
        return "", ""
    size: ast.expr | None = call.args[0]
    if isinstance(size, ast.Name):
        size = last_value(function, size.id, loop)
    if not isinstance(size, ast.Call) or getattr(size.func, "id", "") != "len":
        return "", ""
    texts = only(size.args)
    if not isinstance(texts, ast.Name):
        return "", ""
    return f"{texts.id}[{loop.target.id}]", texts.id


def searched(test: ast.expr, text: str) -> ast.expr | None:
    """``P`` of ``P in text``."""
    if isinstance(test, ast.Compare) and [*map(type, test.ops)] == [ast.In]:
        return test.left if ast.unparse(test.comparators[0]) == text else None
    return None


def looked_for(node: ast.stmt, text: str, block: Sequence[ast.stmt]) -> ast.expr | None:
    """``P`` of ``while P in text``, or of ``for _ in range(text.count(P))``, whose number may have a name."""
    if isinstance(node, ast.While):
        return searched(node.test, text)
    if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
        return None
    number = node.iter.args[0] if len(node.iter.args) == 1 else None
    if getattr(node.iter.func, "id", "") != "range" or loop_names(node) & _read(node.body):
        return None
    if isinstance(number, ast.Name):
        made = [n for n in block if is_count(n, text) and is_written(target_of(n), number.id)]
        number = getattr(only(made), "value", None)
    is_count_of = isinstance(number, ast.Call) and ast.unparse(number.func) == f"{text}.count"
    return only(number.args) if isinstance(number, ast.Call) and is_count_of else None


def is_count(node: ast.stmt, text: str) -> TypeGuard[ast.Assign]:
    """Whether a statement is ``number = text.count(P)``."""
    made = node.value if isinstance(node, ast.Assign) else None
    return isinstance(made, ast.Call) and ast.unparse(made.func) == f"{text}.count"


def _read(nodes: Sequence[ast.stmt]) -> set[str]:
    names = (n for node in nodes for n in walk(node) if isinstance(n, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Load)}


@dataclass(frozen=True, eq=False)
class Parts:
    """A loop over texts."""

    text: str
    loop: ast.For

    def replacement(self, node: ast.stmt, limited: bool) -> ast.Call | None:
        """``text.replace(P, R, 1)`` of ``text = text.replace(P, R, 1)``."""
        if not isinstance(node, ast.Assign) or not is_written(target_of(node), self.text):
            return None
        return replace_call(node.value, self.text, limited)

    def brought_back(self, node: ast.stmt) -> tuple[str, str] | None:
        """Sentinel and unit of ``text = text.replace(S, unit)``."""
        call = self.replacement(node, False)
        if call is None or not isinstance(call.args[0], ast.Constant):
            return None
        return str(call.args[0].value), ast.unparse(call.args[1])

    def appended(self, node: ast.stmt) -> str:
        """``out`` of ``out.append(text)``."""
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return ""
        is_it = call.func.attr == "append" and [*map(ast.unparse, call.args)] == [self.text]
        return ast.unparse(call.func.value) if is_it else ""


def replace_call(node: ast.expr, text: str, limited: bool) -> ast.Call | None:
    """The expression if it is ``text.replace(a, b)``, or with a third argument 1."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr != "replace" or ast.unparse(node.func.value) != text:
        return None
    third = node.args[2] if len(node.args) == 3 else None
    is_limited = isinstance(third, ast.Constant) and third.value == 1
    return node if is_limited == limited and len(node.args) == 2 + limited else None


def queued(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """``queue`` and ``value`` of ``queue.append(value)``."""
    call = node.value if isinstance(node, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr != "append":
        return None
    assert isinstance(call, ast.Call)
    is_one = isinstance(function.value, ast.Name) and len(call.args) == 1
    return (function.value.id, call.args[0]) if is_one else None  # type: ignore[attr-defined]


def queue_loops(whiles: Sequence[ast.While]) -> Iterator[ast.stmt]:
    """Loops that put what waits in a queue in the place of marks."""
    for node in whiles:
        test = node.test
        is_mark = isinstance(test, ast.Compare) and isinstance(test.left, ast.Constant)
        steps = [{part for part in _TAKEN if part in ast.unparse(n)} for n in node.body]
        if is_mark and all(steps) and set.union(*steps) == _TAKEN:
            yield node


def counted(body: Sequence[ast.stmt]) -> tuple[str, list[ast.stmt]]:
    """The name that is counted up at the end of a body, and the rest of the body."""
    for node in body:
        added = node.target if isinstance(node, ast.AugAssign) else None
        if isinstance(added, ast.Name) and ast.unparse(node) == f"{added.id} += 1":
            return added.id, [other for other in body if other is not node]
    return "", list(body)


def taken_of(body: Sequence[ast.stmt], value: ast.expr) -> tuple[tuple[str, str], ...]:
    """What is taken out of iterators and queues: the text of the call, and the name."""
    found = {}
    for root in (*body, value):
        for node in walk(root):
            if not isinstance(node, ast.Call):
                continue
            first = node.args[0] if node.args else None
            if getattr(node.func, "id", "") == "next" and isinstance(first, ast.Name):
                found[ast.unparse(node)] = first.id
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "pop":
                owner = node.func.value
                if isinstance(owner, ast.Name) and ast.unparse(node).endswith(".pop(0)"):
                    found[ast.unparse(node)] = owner.id
    return tuple(found.items())


def loop_names(loop: ast.For) -> set[str]:
    """Names that a loop gives other values each time."""
    return {name_of(node) for node in walk(loop.target)} - {""}


def name_of(node: ast.AST) -> str:
    """The name that a node is, if any."""
    return node.id if isinstance(node, ast.Name) else ""


def all_of(
    node: ast.expr, text: str, function: Function, before: ast.stmt | ast.expr
) -> tuple[ast.expr, ast.expr] | None:
    """Placeholder and replacement of what replaces all placeholders of a text.

    That is ``text.replace(P, r)``, ``r.join(text.split(P))``, ``re.sub(re.escape(P), lambda _: r, text)``, or the same with a pattern
    that has a name or was compiled.
    """
    call = replace_call(node, text, False)
    if call is not None:
        is_sentinel = isinstance(call.args[0], ast.Constant) and "placeholder" in str(
            call.args[0].value
        )
        return None if is_sentinel else (call.args[0], call.args[1])
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr == "join" and len(node.args) == 1:
        parts = node.args[0]
        token = split_at(parts, text)
        return (token, node.func.value) if token is not None else None
    pattern, given = node.func.value, list(node.args)
    if ast.unparse(node.func) == "re.sub" and given:
        pattern = given.pop(0)
    if node.func.attr != "sub" or len(given) != 2 or ast.unparse(given[1]) != text:
        return None
    token = _escaped(pattern, function, before)
    value = given[0].body if isinstance(given[0], ast.Lambda) else given[0]
    return (token, value) if token is not None else None


def split_at(node: ast.expr, text: str) -> ast.expr | None:
    """``P`` of ``text.split(P)``."""
    is_split = isinstance(node, ast.Call) and ast.unparse(node.func) == f"{text}.split"
    return node.args[0] if isinstance(node, ast.Call) and is_split and len(node.args) == 1 else None


def _escaped(node: ast.expr, function: Function, before: ast.stmt | ast.expr) -> ast.expr | None:
    """``P`` of ``re.escape(P)``, which may have a name or be compiled."""
    found: ast.expr | None = node
    for _ in range(4):
        if isinstance(found, ast.Name):
            found = last_value(function, found.id, before)
        elif isinstance(found, ast.Call) and ast.unparse(found.func) == "re.compile":
            found = found.args[0] if len(found.args) == 1 else None
        elif isinstance(found, ast.Call) and ast.unparse(found.func) == "re.escape":
            return found.args[0] if len(found.args) == 1 else None
    return None


def last_value(function: Function, name: str, before: ast.stmt | ast.expr) -> ast.expr | None:
    """What a name was last given in front of a node, as the lines go; None for a parameter.

    That something is absent (``None``) counts only where nothing else is given.
    """
    found: tuple[int, ast.expr] | None = None
    for node in of_kind(function, ast.Assign):
        if node.lineno < before.lineno:
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    absent = isinstance(node.value, ast.Constant) and node.value.value is None
                    if found is None or (node.lineno > found[0] and not absent):
                        found = node.lineno, node.value
    return found[1] if found is not None else None
