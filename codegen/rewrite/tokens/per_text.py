"""Loops that hand every text to a method which expands it with what an iterator gives.

What one placeholder becomes is what that method makes of a text that is nothing but the placeholder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.library import Function, ModuleInfo, self_attribute
from codegen.rewrite.nodes import is_written, target_of
from codegen.rewrite.tokens.replacing import Parts, last_value, subject_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression


def per_text_sites(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Iterator[Site]:
    """The sites of a loop over texts that does nothing but ``text = self.method(text, P, iterator)``, and collect."""
    loop = block[number]
    if not isinstance(loop, ast.For):
        return
    text, texts = subject_of(function, loop)
    parts = Parts(text, loop)
    calls = [(node, found) for node in loop.body if (found := _handed(function, node, text, loop))]
    collected = [name for node in loop.body if (name := parts.appended(node))]
    if not text or not calls or len(collected) != 1 or len(calls) + 1 != len(loop.body):
        return
    for place, (node, (call, token, queue)) in enumerate(calls):
        given = [token if item is call.args[0] else item for item in call.args]
        written = ", ".join(
            f"iter([next({queue})])" if getattr(item, "id", "") == queue else expression(info, item)
            for item in given
        )
        yield Site(
            *(function, block, (loop,) if place == 0 else (), token),
            *(texts if place == 0 else collected[0], collected[0], (), call),
            taken=((f"next({queue})", queue),),
            first=loop,
            written=f"{ast.unparse(call.func)}({written})",
            seen=node,
        )


def _handed(
    function: Function, node: ast.stmt, text: str, loop: ast.For
) -> tuple[ast.Call, ast.expr, str] | None:
    """Call, placeholder and iterator of ``text = self.method(text, P, iterator)``."""
    call = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) < 3:
        return None
    is_own = bool(self_attribute(call.func)) and is_written(target_of(node), text)
    if not is_own or ast.unparse(call.args[0]) != text:
        return None
    tokens = [item for item in call.args[1:] if ast.unparse(item).endswith("_token")]
    queues = []
    for item in call.args[1:]:
        made = last_value(function, item.id, loop) if isinstance(item, ast.Name) else None
        if isinstance(made, ast.Call) and getattr(made.func, "id", "") == "iter":
            assert isinstance(item, ast.Name)
            queues.append(item.id)
    return (call, tokens[0], queues[0]) if len(tokens) == len(queues) == 1 else None
