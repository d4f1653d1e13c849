"""Looking at syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def below(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, in the order of the source (statements before what is in them), without
    those that only say how a name is used or which operator it is."""
    pending = [node]
    while pending:
        item = pending.pop()
        if item is not node:
            yield item
        pending += inner(item)[::-1]


def inner(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, without those that only say how a name is used or which operator it is."""
    kind = type(node)
    if kind is ast.Name or kind is ast.Constant:
        return []
    if isinstance(node, ast.Attribute):  # these and calls are most of all nodes
        return [node.value]
    if isinstance(node, ast.Call):
        return [node.func, *node.args, *node.keywords]
    names = _INNER.get(kind)
    if names is None:
        names = _INNER[kind] = tuple(name for name in kind._fields if name not in _PLAIN)
    found: list[ast.AST] = []
    for name in names:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


#: Fields in which no node is that ``below`` yields: names, numbers, how a name is used, operators.
_PLAIN = frozenset(
    {
        *("id", "ctx", "attr", "arg", "op", "module", "asname", "level"),
        *("kind", "type_comment", "is_async", "simple", "conversion"),
    }
)


_INNER: dict[type[ast.AST], tuple[str, ...]] = {}


def dotted(node: ast.expr) -> str:
    """The source of an expression; that of names, attributes and plain numbers at once."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and type(node.value) in _SPELLED_AS_THEY_ARE:
        return repr(node.value)
    if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
        return f"{dotted(node.value)}.{node.attr}"
    return ast.unparse(node)


_SPELLED_AS_THEY_ARE = frozenset({int, bool, type(None)})
