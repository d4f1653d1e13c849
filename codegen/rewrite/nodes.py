"""Walk over syntax trees: the passes look at the same methods many times, and trees are never changed."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=20_000)
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all below it, in the order of :func:`ast.walk`, which this is a faster form of."""
    found = [node]
    for parent in found:
        held = parent.__dict__
        for name in parent._fields:
            value = held.get(name)
            if value.__class__ is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return tuple(found)
