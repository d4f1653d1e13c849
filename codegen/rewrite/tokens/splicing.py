"""Loops that splice something into a text at its placeholders, from the back: they stay, and fill a list."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text, walk
from codegen.rewrite.tokens.inline import LIST, written
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression


def spliced_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop over texts is, if a loop in it goes backwards through the placeholders of a text.

    That is ``if test: text = text[:at] + r + text[at + len(P):]; texts[i] = text``; without the test
    being true the placeholder stays.
    """
    loop = block[number]
    if not isinstance(loop, ast.For):
        return None
    inner = next((node for node in loop.body if _backwards(node) is not None), None)
    forwards = _backwards(inner) if inner is not None else None
    if not isinstance(inner, ast.For) or forwards is None or len(inner.body) != 1:
        return None
    test = inner.body[0]
    if not isinstance(test, ast.If) or test.orelse or len(test.body) < 2:
        return None
    put, back = test.body[-2:]
    found = _spliced(put)
    place = target_of(back)
    if found is None:
        return None
    token, value = found
    assert isinstance(put, ast.Assign)
    text = target_text(put)
    if not isinstance(place, ast.Subscript) or not isinstance(place.value, ast.Name):
        return None
    assert isinstance(back, ast.Assign)
    others = (n for node in test.body[:-2] for n in walk(node))
    read = any(isinstance(n, ast.Name) and n.id == text for n in others)
    if read or ast.unparse(back.value) != text or not _goes_through(loop, place, text):
        return None
    margin = " " * test.col_offset
    added = f"{LIST}.append({expression(info, value)})"
    stays = f"\n{margin}else:\n{margin}    {LIST}.append({ast.unparse(token)})"
    edits: list[tuple[ast.AST, str]] = [(inner.iter, expression(info, forwards))]
    edits += [(put, ""), (back, added + stays)]
    texts = place.value.id
    return Site(
        *(function, block, (loop,), token, texts, texts, tuple(test.body[:-2]), value),
        kept=written(info, loop, edits),
        seen=put,
    )


def _backwards(node: ast.stmt) -> ast.expr | None:
    """``x`` of ``for ... in reversed(list(x))``, or of ``reversed(x)``."""
    call = node.iter if isinstance(node, ast.For) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "reversed":
        return None
    inner = only(call.args)
    if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "list":
        return only(inner.args)
    return inner


def _spliced(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """Placeholder and replacement of ``text = text[:at] + r + text[at + len(P):]``."""
    made = node.value if isinstance(node, ast.Assign) else None
    left = made.left if isinstance(made, ast.BinOp) else None
    if not isinstance(node, ast.Assign) or not isinstance(made, ast.BinOp):
        return None
    if not isinstance(left, ast.BinOp) or not isinstance(made.right, ast.Subscript):
        return None
    text, tail = ", ".join(map(ast.unparse, node.targets)), made.right.slice
    start = left.left.slice if isinstance(left.left, ast.Subscript) else None
    lower = tail.lower if isinstance(tail, ast.Slice) else None
    if not isinstance(start, ast.Slice) or start.upper is None or not isinstance(lower, ast.BinOp):
        return None
    at, length = ast.unparse(start.upper), lower.right
    if not isinstance(length, ast.Call) or ast.unparse(length.func) != "len":
        return None
    end = f"{at} + {ast.unparse(length)}"
    whole = f"{text}[:{at}] + {ast.unparse(left.right)} + {text}[{end}:]"
    token = only(length.args)
    return (token, left.right) if token is not None and ast.unparse(made) == whole else None


def _goes_through(loop: ast.For, place: ast.Subscript, text: str) -> bool:
    """Tell whether a loop counts texts, and calls the one of that number so."""
    call = loop.iter
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "enumerate":
        return False
    source, target = only(call.args), loop.target
    assert isinstance(place.value, ast.Name)
    if source is None or not isinstance(target, ast.Tuple) or len(target.elts) != 2:
        return False
    number, first = target.elts
    if isinstance(source, ast.Call) and getattr(source.func, "id", "") == "zip":
        if not source.args or not isinstance(first, ast.Tuple) or not first.elts:
            return False
        source, first = source.args[0], first.elts[0]
    found = [*map(ast.unparse, (number, source, first))]
    return found == [ast.unparse(place.slice), place.value.id, text]
