"""Loops that hand every text to a method which expands it with what an iterator gives.

What one placeholder becomes is what that method makes of a text that is nothing but the placeholder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import is_written, target_of, walk
from codegen.rewrite.tokens.replacing import Parts, last_value, searched, subject_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression


def per_text_sites(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Iterator[Site]:
    """The sites of what does nothing but ``text = self.method(text, P, iterator)`` for every text, and collect.

    That is a loop or a list in brackets; where ``P`` is not handed over, the method says what it looks for.
    """
    made = block[number]
    if isinstance(made, ast.Assign):
        yield from _listed(info, function, block, made)
    if not isinstance(made, ast.For):
        return
    text, texts = subject_of(function, made)
    parts = Parts(text, made)
    calls = [(n, found) for n in made.body if (found := _assigned(info, function, n, text, made))]
    collected = [name for node in made.body if (name := parts.appended(node))]
    if not text or not calls or len(collected) != 1 or len(calls) + 1 != len(made.body):
        return
    for place, (node, handed) in enumerate(calls):
        yield Site(
            *(function, block, (made,) if place == 0 else (), handed.token),
            *(texts if place == 0 else collected[0], collected[0], (), handed.call),
            taken=((f"next({handed.queue})", handed.queue),),
            first=made,
            written=handed.written(info),
            seen=node,
        )


@dataclass(frozen=True)
class _Handed:
    """A call of an own method with a text, what it looks for there, and the iterator that it is given."""

    call: ast.Call
    token: ast.expr
    queue: str

    def written(self, info: ModuleInfo) -> str:
        """The same call for a text that is nothing but the placeholder."""
        given = [self.token if item is self.call.args[0] else item for item in self.call.args]
        written = ", ".join(
            f"iter([next({self.queue})])"
            if getattr(item, "id", "") == self.queue
            else expression(info, item)
            for item in given
        )
        return f"{ast.unparse(self.call.func)}({written})"


def _listed(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], node: ast.Assign
) -> Iterator[Site]:
    """The site of ``out = [self.method(text, iterator) for text in texts]``."""
    made, target = node.value, target_of(node)
    if not isinstance(made, ast.ListComp) or len(made.generators) != 1:
        return
    generator = made.generators[0]
    if not isinstance(generator.iter, ast.Name) or not isinstance(target, ast.Name):
        return
    handed = _handed(info, function, made.elt, ast.unparse(generator.target), node)
    if handed is not None and not generator.ifs:
        yield Site(
            *(function, block, (node,), handed.token, generator.iter.id, target.id, ()),
            handed.call,
            taken=((f"next({handed.queue})", handed.queue),),
            written=handed.written(info),
            seen=node,
        )


def _assigned(
    info: ModuleInfo, function: Function, node: ast.stmt, text: str, loop: ast.For
) -> _Handed | None:
    """What ``text = self.method(text, ...)`` hands to the method."""
    if not isinstance(node, ast.Assign) or not is_written(target_of(node), text):
        return None
    return _handed(info, function, node.value, text, loop)


def _handed(
    info: ModuleInfo, function: Function, call: ast.expr, text: str, before: ast.stmt
) -> _Handed | None:
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) < 2:
        return None
    is_own = bool(self_attribute(call.func))
    if not is_own or ast.unparse(call.args[0]) != text:
        return None
    tokens = [item for item in call.args[1:] if ast.unparse(item).endswith("_token")]
    queues = []
    for item in call.args[1:]:
        made = last_value(function, item.id, before) if isinstance(item, ast.Name) else None
        if isinstance(made, ast.Call) and getattr(made.func, "id", "") == "iter":
            assert isinstance(item, ast.Name)
            queues.append(item.id)
    tokens = tokens or [*_looked_for(info, function, call.func.attr)]  # type: ignore[attr-defined]
    return _Handed(call, tokens[0], queues[0]) if len(tokens) == len(queues) == 1 else None


def _looked_for(info: ModuleInfo, function: Function, name: str) -> Iterator[ast.expr]:
    """The placeholder that a method of the same class looks for in its first argument."""
    for cls in info.classes.values():
        methods = {n.name: n for n in cls.body if isinstance(n, ast.FunctionDef)}
        method = methods.get(name) if any(n is function for n in methods.values()) else None
        given = [p for p in parameters(method) if p != "self"][:1] if method is not None else []
        for node in walk(method) if method is not None and given else ():
            found = searched(node.test, given[0]) if isinstance(node, ast.While) else None
            if found is not None and ast.unparse(found).startswith("self."):
                yield found
