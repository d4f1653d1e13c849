"""Loops that replace placeholders and change the texts besides: the rest of the loop stays, behind the helper.

Either all placeholders of a text are replaced at once and the text is worked on afterwards, or it is worked
on once for every placeholder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text, walk
from codegen.rewrite.tokens.endings import ending
from codegen.rewrite.tokens.replacing import Parts, all_of, searched, subject_of, taken_of
from codegen.rewrite.tokens.sites import EXPANDED, Site
from codegen.rewrite.tokens.wording import lines_of

GIVEN = ("given", "given_text", "given_sample", "text_given")
"""Names of a text as the caller gave it, beside the same one as the helper made it; the first free one."""


def rest_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop over texts is, if it does more than to replace, and collects what it makes."""
    loop = block[number]
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Name):
        return None
    text, texts = subject_of(function, loop)
    if not text:
        return None
    site = _at_once(info, function, block, loop, text, texts)
    return site or _for_each(info, function, block, number, text, texts)


def _at_once(
    info: ModuleInfo,
    function: Function,
    block: Sequence[ast.stmt],
    loop: ast.For,
    text: str,
    texts: str,
) -> Site | None:
    """``new = text.replace(P, r)`` with other statements around it."""
    found = [
        (place, node, pair)
        for place, node in enumerate(loop.body)
        if isinstance(node, ast.Assign) and target_of(node) is not None
        if (pair := all_of(node.value, text, function, loop))
        if isinstance(pair[0], (ast.Name, ast.Attribute))
    ]
    if len(found) != 1:
        return None
    ((place, put, (token, value)),) = found
    before, after = loop.body[:place], loop.body[place + 1 :]
    name = target_text(put)
    result = next(filter(None, map(Parts(name, loop).appended, after)), "")
    inside = {*_names((loop,), ast.Store)}
    if not result or text in _names(before, ast.Store) or inside & {*_names((value,), ast.Load)}:
        return None
    both = name != text and text in _names(after, ast.Load)
    head = (
        f"for {text}, {name} in zip({texts}, {EXPANDED}):" if both else f"for {name} in {EXPANDED}:"
    )
    return Site(
        *(function, block, (loop,), token, texts, result, (), value),
        taken=taken_of((), value),
        lead=_lines(info, f"for {text} in {texts}:", before) if before else "",
        rest=_lines(info, head, after),
    )


def _for_each(
    info: ModuleInfo,
    function: Function,
    block: Sequence[ast.stmt],
    number: int,
    text: str,
    texts: str,
) -> Site | None:
    """``while P in text: text = text.replace(P, r, 1)`` with something done to the text beside it."""
    loop = block[number]
    assert isinstance(loop, ast.For)
    parts = Parts(text, loop)
    whiles = [n for n in loop.body if isinstance(n, ast.While) and searched(n.test, text)]
    inner = only(whiles)
    if inner is None:
        return None
    puts = [(node, call) for node in inner.body if (call := parts.replacement(node, True))]
    beside = [n for n in inner.body if text in _names((n,)) and all(n is not p for p, _ in puts)]
    token = searched(inner.test, text)
    if len(puts) != 1 or not beside or token is None:
        return None
    ((put, call),) = puts
    item = [n for n in inner.body if n is not put and all(n is not b for b in beside)]
    value = call.args[1]
    if isinstance(value, ast.Constant) or {*_names(item, ast.Store)} & {*_names(beside, ast.Load)}:
        return None
    before, behind = _around(loop, inner)
    marks = [back for node in behind if (back := parts.brought_back(node))]
    after = [node for node in behind if parts.brought_back(node) is None]
    result = next(filter(None, map(parts.appended, after)), "")
    if not result or before or {*GIVEN} <= {*_names((function,))}:
        return None
    given = next(n for n in GIVEN if n not in _names((function,)))
    lines = [f"for {given}, {text} in zip({texts}, {EXPANDED}):"]
    lines += [f"    for _ in range({given}.count({ast.unparse(token)})):"]
    lines += [f"        {line}" for line in lines_of(info, beside)]
    lines += [f"    {line}" for line in lines_of(info, after)]
    end = ending(block, number, result, [mark for mark, _ in marks], marks[-1][1] if marks else "")
    if len(end.statements) > 1:
        lines.append(f"{end.result} = {result}")
    return Site(
        *(function, block, end.statements, token, texts, end.result, tuple(item), value),
        *(end.sentinels, end.unit),
        taken=taken_of(item, value),
        rest="\n".join(lines),
        returned=end.returned,
    )


def _around(loop: ast.For, inner: ast.stmt) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """What stands in a loop in front of another one, and behind it."""
    place = loop.body.index(inner)
    return loop.body[:place], loop.body[place + 1 :]


def _lines(info: ModuleInfo, head: str, body: Sequence[ast.stmt]) -> str:
    return "\n".join([head, *(f"    {line}" for line in lines_of(info, body))])


def _names(nodes: Sequence[ast.AST], context: type | None = None) -> Iterator[str]:
    for root in nodes:
        for node in walk(root):
            if isinstance(node, ast.Name) and isinstance(node.ctx, context or ast.expr_context):
                yield node.id
