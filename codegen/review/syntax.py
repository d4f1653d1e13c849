"""Syntax trees of texts; a text that several stages ask for is parsed once."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache

#: Lineages hold on to the classes of what they have read anyway: keeping whole modules costs little more.
_KEPT = 4096


@lru_cache(maxsize=_KEPT)
def parse_module(text: str) -> ast.Module | None:
    """The tree of a module, None where it does not parse. Nobody may change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def below(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, in the order of the source (statements before what is in them), without
    those that only say how a name is used or which operator it is."""
    pending = list(_children(node))
    while pending:
        item = pending.pop()
        yield item
        pending += _children(item)


_NO_NODES = (str, int, float, bytes, bool, type(None), ast.expr_context, ast.operator)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes in one, the last one first."""
    for name in reversed(node._fields):
        value = getattr(node, name, None)
        if isinstance(value, list):
            yield from (each for each in reversed(value) if isinstance(each, ast.AST))
        elif not isinstance(value, _NO_NODES) and isinstance(value, ast.AST):
            yield value


def dotted(node: ast.expr) -> str:
    """The source of an expression; that of names and attributes at once."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
        return f"{dotted(node.value)}.{node.attr}"
    return ast.unparse(node)
