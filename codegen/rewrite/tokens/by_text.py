"""Loops that have one replacement for all placeholders of a text: they stay, and fill a list."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import target_of, walk
from codegen.rewrite.tokens.inline import LIST
from codegen.rewrite.tokens.replacing import all_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression, lines_of, without_brackets


def by_text_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop is whose body is ``texts[i] = texts[i].replace(P, r)`` or its like."""
    loop = block[number]
    put = loop.body[-1] if isinstance(loop, ast.For) else None
    if not isinstance(loop, ast.For) or not isinstance(put, ast.Assign):
        return None
    place = target_of(put)
    if not isinstance(place, ast.Subscript) or not isinstance(place.value, ast.Name):
        return None
    text, texts = ast.unparse(place), place.value.id
    found = all_of(put.value, text, function, loop)
    bound = {n.id for n in walk(loop.target) if isinstance(n, ast.Name)}
    if found is None or not isinstance(place.slice, ast.Name) or place.slice.id not in bound:
        return None
    token, value = found
    before = loop.body[:-1]
    if any(isinstance(n, ast.Name) and n.id == texts for node in before for n in walk(node)):
        return None
    lines = [f"for {without_brackets(loop.target)} in {expression(info, loop.iter)}:"]
    lines += [f"    {line}" for line in lines_of(info, before)]
    count = f"{text}.count({ast.unparse(token)})"
    lines.append(f"    {LIST} += [{expression(info, value)}] * {count}")
    return Site(
        *(function, block, (loop,), token, texts, texts, tuple(before), value),
        kept="\n".join(lines) + "\n",
        seen=put,
    )
