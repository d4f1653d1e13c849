"""Walk over syntax trees: the passes look at the same methods many times, and trees are never changed."""

from __future__ import annotations

import ast
from functools import lru_cache

_PLAIN = frozenset(
    ("ctx", "op", "ops", "id", "attr", "arg", "name", "asname", "module", "level", "kind", "rest")
    + ("type_comment", "type_ignores", "conversion", "simple", "is_async", "kwd_attrs")
)
"""Fields without nodes, or with such as have no place: operators, and whether a name is read or bound."""

_HOLDING = {
    kind: tuple(n for n in kind._fields if n not in _PLAIN and kind is not ast.Constant)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that may hold others."""

_MIXED = frozenset(("kw_defaults", "keys", "names"))
"""Fields with lists in which something else may stand, too: nothing, or plain names."""


@lru_cache(maxsize=20_000)
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all below it but for operators and contexts, in the order of :func:`ast.walk`."""
    found = [node]
    for parent in found:
        names = _HOLDING[parent.__class__]
        if not names:
            continue
        held = parent.__dict__
        for name in names:
            value = held.get(name)
            if value.__class__ is not list:
                if value.__class__ in _HOLDING:
                    found.append(value)
            elif name in _MIXED:
                found += [item for item in value if item.__class__ in _HOLDING]
            else:
                found += value
    return tuple(found)


@lru_cache(maxsize=20_000)
def calls_in(node: ast.AST) -> tuple[ast.Call, ...]:
    """The calls among a node and all below it, in the order of :func:`walk`."""
    return tuple([inner for inner in walk(node) if inner.__class__ is ast.Call])


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, but for operators and contexts."""
    found: list[ast.AST] = []
    held = node.__dict__
    for name in _HOLDING[node.__class__]:
        value = held.get(name)
        if value.__class__ is not list:
            if value.__class__ in _HOLDING:
                found.append(value)
        elif name in _MIXED:
            found += [item for item in value if item.__class__ in _HOLDING]
        else:
            found += value
    return found


def target_of(node: ast.AST | None) -> ast.expr | None:
    """What a plain assignment binds; None for anything else, and where it binds several things."""
    if not isinstance(node, ast.Assign) or len(node.targets) > 1:
        return None
    (target,) = node.targets
    return target


def target_text(node: ast.AST | None) -> str:
    """How that is written which a plain assignment binds; "" where :func:`target_of` gives None."""
    target = target_of(node)
    return ast.unparse(target) if target is not None else ""


def is_written(node: ast.AST | None, text: str) -> bool:
    """Tell whether there is a node, and whether it is written so."""
    return node is not None and ast.unparse(node) == text


def speaks_of(node: ast.AST, name: str) -> bool:
    """Tell whether code below a node reads or calls something of that name."""
    return any(name in (getattr(n, "id", ""), getattr(n, "attr", "")) for n in walk(node))
