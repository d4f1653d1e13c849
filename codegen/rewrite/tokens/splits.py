"""Loops that split a text at its placeholders and join the parts with what they become."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text, walk
from codegen.rewrite.tokens.inline import LIST, written
from codegen.rewrite.tokens.replacing import counted, taken_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import without_brackets

ITEMS = "per_{}"
"""Name of the list with what there is for every item, where the method has such lists for every text."""


def split_site(function: Function, block: Sequence[ast.stmt], loop: ast.For) -> Site | None:
    """The site that a loop over texts is, if it splits them."""
    text, texts = _subject(loop)
    split = next((node for node in loop.body if text and _split_of(node, text)), None)
    if split is None:
        return None
    assert isinstance(split, ast.Assign)
    token, parts = _split_of(split, text), target_text(split)
    result = next(filter(None, (_collected(node) for node in loop.body)), "")
    if token is None or not result:
        return None
    for inner in (node for node in loop.body if isinstance(node, ast.For)):
        listed = _listed(loop, inner)
        if listed is not None:
            body, value, queue = listed
            if not any(_reads(node, queue) for node in loop.body if node is not inner):
                continue
            each = _each(loop, inner)
            return Site(
                *(function, block, (loop,), token, texts, result, body, value),
                each=each,
            )
        found = _joined(inner, parts)
        if found is not None:
            body, value = found
            counter, rest = counted(body)
            return Site(
                *(function, block, (loop,), token, texts, result, tuple(rest), value),
                counter=counter,
                taken=taken_of(rest, value),
            )
    return None


def joined_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site of a loop that makes a list of replacements for each text, and joins that with the text's parts.

    ``text = parts[0]; for i, r in enumerate(replacements): text += r + parts[i + 1]``: the loop stays
    without this, and with all else that it makes.
    """
    loop = block[number]
    text, texts = _subject(loop) if isinstance(loop, ast.For) else ("", "")
    if not text or not isinstance(loop, ast.For):
        return None
    split = next((node for node in loop.body if _split_of(node, text)), None)
    first = next(
        (n for n in loop.body if ast.unparse(n) == f"{text} = {target_text(split)}[0]"), None
    )
    ends = [node for node in loop.body if (found := _appended(node)) and _is_name(found[1], text)]
    end = only(ends)
    if split is None or first is None or end is None:
        return None
    joins = [node for node in loop.body if (made := _joins(node, text, target_text(split)))]
    join = only(joins)
    made = _joins(join, text, target_text(split)) if join is not None else ""
    token, result = _split_of(split, text), _collected(end)
    others = [node for node in loop.body if node not in (split, first, *joins, *ends)]
    if join is None or token is None or any(_stores(node, text) for node in others):
        return None
    edits: list[tuple[ast.AST, str]] = [(join, f"{LIST} += {made}"), (first, ""), (end, "")]
    if not any(_reads(node, target_text(split)) for node in others):
        edits.append((split, ""))
    return Site(
        *(function, block, (loop,), token, texts, result, (), token),
        kept=written(info, loop, edits),
        seen=join,
    )


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _joins(node: ast.stmt, text: str, parts: str) -> str:
    """``r`` of ``for i, s in enumerate(r): text += s + parts[i + 1]``."""
    if not isinstance(node, ast.For) or not isinstance(node.target, ast.Tuple):
        return ""
    if len(node.target.elts) != 2:
        return ""
    number, one = map(ast.unparse, node.target.elts)
    given = only(node.iter.args) if isinstance(node.iter, ast.Call) else None
    source = ast.unparse(given) if given is not None else ""
    wanted = f"for {number}, {one} in enumerate({source}): {text} += {one} + {parts}[{number} + 1]"
    return source if ast.unparse(node) == ast.unparse(ast.parse(wanted)) else ""


def _stores(node: ast.AST, name: str) -> bool:
    names = (n for n in walk(node) if isinstance(n, ast.Name) and n.id == name)
    return any(isinstance(n.ctx, ast.Store) for n in names)


def _subject(loop: ast.For) -> tuple[str, str]:
    """How a loop names one text, and the texts that it goes through: with ``zip`` no more than there are."""
    if isinstance(loop.target, ast.Name) and isinstance(loop.iter, ast.Name):
        return loop.target.id, loop.iter.id
    if not isinstance(loop.target, ast.Tuple) or not isinstance(loop.iter, ast.Call):
        return "", ""
    first = loop.target.elts[0]
    if getattr(loop.iter.func, "id", "") != "zip" or not isinstance(first, ast.Name):
        return "", ""
    return first.id, f"[{first.id} for {first.id}, *_ in {ast.unparse(loop.iter)}]"


def _split_of(node: ast.stmt, text: str) -> ast.expr | None:
    """``P`` of ``parts = text.split(P)``."""
    call = node.value if isinstance(node, ast.Assign) and target_of(node) is not None else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    is_split = call.func.attr == "split" and ast.unparse(call.func.value) == text
    return call.args[0] if is_split and len(call.args) == 1 else None


def _collected(node: ast.stmt) -> str:
    """``out`` of ``out.append(...)``, where it is the last thing that a loop does for a text."""
    found = _appended(node)
    return found[0] if found is not None else ""


def _appended(node: ast.stmt) -> tuple[str, ast.expr] | None:
    call = node.value if isinstance(node, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr != "append":
        return None
    assert isinstance(call, ast.Call)
    name = function.value.id if isinstance(function.value, ast.Name) else ""
    return (name, call.args[0]) if name and call.args else None


def _joined(inner: ast.For, parts: str) -> tuple[tuple[ast.stmt, ...], ast.expr] | None:
    """What a loop does for one placeholder, and what it puts between two parts of the text."""
    pieces = {parts, *(n.id for n in walk(inner.target) if isinstance(n, ast.Name))}
    for body in _bodies(inner):
        puts = [
            (node, found[1])
            for node in body
            if (found := _appended(node)) and not any(_reads(found[1], name) for name in pieces)
        ]
        if len(puts) == 1:
            ((put, value),) = puts
            rest = [node for node in body if node is not put and not _adds_part(node, pieces)]
            return tuple(rest), value
    return None


def _bodies(inner: ast.For) -> Iterator[Sequence[ast.stmt]]:
    yield from (node.body for node in inner.body if isinstance(node, ast.If))
    yield inner.body


def _adds_part(node: ast.stmt, pieces: set[str]) -> bool:
    found = _appended(node)
    return found is not None and any(_reads(found[1], name) for name in pieces)


def _listed(loop: ast.For, inner: ast.For) -> tuple[tuple[ast.stmt, ...], ast.expr, str] | None:
    """The body of a loop over what there is for one text, what it makes of each, and the list of that."""
    names = {n.id for n in walk(loop.target) if isinstance(n, ast.Name)}
    source = inner.iter
    is_zip = isinstance(source, ast.Call) and getattr(source.func, "id", "") == "zip"
    used = source.args if isinstance(source, ast.Call) and is_zip else [source]
    if not all(isinstance(item, ast.Name) and item.id in names for item in used):
        return None
    last = _appended(inner.body[-1])
    if last is None:
        return None
    return tuple(inner.body[:-1]), last[1], last[0]


def _each(loop: ast.For, inner: ast.For) -> tuple[str, str]:
    """Names for what there is for an item, and the list of it over all texts."""
    target = without_brackets(inner.target)
    outer = f"for {without_brackets(loop.target)} in {ast.unparse(loop.iter)}"
    return target, f"[item {outer} for item in {ast.unparse(inner.iter)}]"


def _reads(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in walk(node))
