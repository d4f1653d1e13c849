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
    pending = [node]
    while pending:
        item = pending.pop()
        if item is not node:
            yield item
        kind = type(item)
        if kind not in _INNER:
            _INNER[kind] = _inner(kind)
        for name in _INNER[kind]:
            value = getattr(item, name, None)
            if type(value) is list:
                pending += [each for each in reversed(value) if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)


#: Fields in which no node is that ``below`` yields: names, numbers, how a name is used, operators.
_PLAIN = frozenset(
    {
        *("id", "ctx", "attr", "arg", "op", "module", "asname", "level"),
        *("kind", "type_comment", "is_async", "simple", "conversion"),
    }
)


_INNER: dict[type[ast.AST], tuple[str, ...]] = {}


def _inner(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a kind of node in which others may be, the last one first."""
    if kind is ast.Constant:
        return ()
    return tuple(name for name in reversed(kind._fields) if name not in _PLAIN)


def dotted(node: ast.expr) -> str:
    """The source of an expression; that of names and attributes at once."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
        return f"{dotted(node.value)}.{node.attr}"
    return ast.unparse(node)
