"""Walk over syntax trees: the passes look at the same methods many times, and trees are never changed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
N = TypeVar("N", bound=ast.AST)

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

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of statements that hold others."""

_OWN = {
    kind: tuple(n for n in names if n not in BLOCKS or not issubclass(kind, ast.stmt))
    for kind, names in _HOLDING.items()
}
"""The fields of each kind of node that may hold others, but for the blocks of statements."""


class _Later:
    """A field of a node that is made when it is first asked for, and is then in the node itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, node: _Shifted | None, owner: type) -> object:
        if node is None:
            return getattr(ast.FunctionDef, self.name)
        if self.name == "body":
            complete(node)
            return node.body
        held = node.__dict__
        made = held[self.name] = _moved(getattr(held["origin"], self.name), held["lines"])
        return made


class _Shifted(ast.FunctionDef):
    """A function as it stands some lines further down: most are never looked into, and need no copy.

    The first look at its body makes it a plain node.
    """

    __slots__ = ()
    args = _Later("args")  # type: ignore[assignment]
    body = _Later("body")  # type: ignore[assignment]
    decorator_list = _Later("decorator_list")  # type: ignore[assignment]
    returns = _Later("returns")  # type: ignore[assignment]


_Shifted.__name__ = ast.FunctionDef.__name__  # by which visitors know it


_NODES = frozenset((*_HOLDING, _Shifted))


def shifted(node: ast.AST, lines: int) -> ast.AST:
    """A copy of a node and all below it that stands so many lines further down."""
    kind = node.__class__
    if kind is ast.FunctionDef or kind is _Shifted:
        return _shifted_function(node, lines)
    made = kind.__new__(kind)
    held = made.__dict__
    held.update(node.__dict__)
    if "lineno" in held:
        held["lineno"] += lines
        held["end_lineno"] += lines
    for name in _HOLDING[kind]:
        value = held.get(name)
        if value.__class__ is list or value.__class__ in _NODES:
            held[name] = _moved(value, lines)
    return made


def _moved(value: Any, lines: int) -> Any:
    """What a field holds, some lines further down."""
    if isinstance(value, list):
        return [shifted(item, lines) if isinstance(item, ast.AST) else item for item in value]
    return shifted(value, lines) if isinstance(value, ast.AST) else value


def _shifted_function(node: ast.AST, lines: int) -> ast.AST:
    made = _Shifted.__new__(_Shifted)
    held = made.__dict__
    held.update(node.__dict__)
    if node.__class__ is ast.FunctionDef:
        held.update(origin=node, lines=0)
    held["lineno"] += lines
    held["end_lineno"] += lines
    held["lines"] += lines
    for name in _HOLDING[ast.FunctionDef]:
        held.pop(name, None)
    return made


def glance(function: ast.FunctionDef) -> ast.FunctionDef:
    """A function to be asked for anything but places: the same one, maybe as it stood elsewhere.

    What is found in it stands at the same place of :func:`walk` in the function itself.
    """
    return function.__dict__["origin"] if function.__class__ is _Shifted else function


def complete(node: ast.AST) -> dict[str, Any]:
    """The attributes of a node, none of which is still to be made."""
    held = node.__dict__
    if node.__class__ is _Shifted:
        origin, lines = held.pop("origin"), held.pop("lines")
        for name in _HOLDING[ast.FunctionDef]:
            if name not in held:
                held[name] = _moved(getattr(origin, name), lines)
        node.__class__ = ast.FunctionDef  # type: ignore[assignment]
    return held


@lru_cache(maxsize=60_000)
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all below it but for operators and contexts, in the order of :func:`ast.walk`."""
    found = [node]
    for parent in found:
        if parent.__class__ is _Shifted:
            complete(parent)
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


@lru_cache(maxsize=60_000)
def _by_kind(node: ast.AST) -> dict[type[ast.AST], list[ast.AST]]:
    found: dict[type[ast.AST], list[ast.AST]] = {}
    for inner in walk(node):
        kind = inner.__class__
        if kind in found:
            found[kind].append(inner)
        else:
            found[kind] = [inner]
    return found


def of_kind(node: ast.AST, kind: type[N]) -> Sequence[N]:
    """What of a kind is among a node and all below it, in the order of :func:`walk`.

    Many rules ask for few kinds of a method each, and all of them together are told by one walk.
    """
    return _by_kind(node).get(kind, ())  # type: ignore[return-value]


def of_kinds(node: ast.AST, *kinds: type[ast.AST]) -> Sequence[ast.AST]:
    """What of several kinds is among a node and all below it, in the order of :func:`walk`."""
    return _of_kinds(node, kinds)


@lru_cache(maxsize=60_000)
def _of_kinds(node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> tuple[ast.AST, ...]:
    return tuple([inner for inner in walk(node) if inner.__class__ in kinds])


def calls_in(node: ast.AST) -> Sequence[ast.Call]:
    """The calls among a node and all below it, in the order of :func:`walk`."""
    return of_kind(node, ast.Call)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, but for operators and contexts."""
    found: list[ast.AST] = []
    _add_held(found, complete(node), _HOLDING[node.__class__])
    return found


def _add_held(found: list[ast.AST], held: dict[str, Any], names: Iterable[str]) -> None:
    """Add the nodes that fields hold, which are the values of ``held`` by their names."""
    for name in names:
        value = held.get(name)
        if value.__class__ is not list:
            if value.__class__ in _HOLDING:
                found.append(value)
        elif name in _MIXED:
            found += [item for item in value if item.__class__ in _HOLDING]
        else:
            found += value


def own_nodes(statement: ast.stmt) -> list[ast.AST]:
    """What a statement evaluates itself: neither blocks in it nor the insides of functions."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return []
    found: list[ast.AST] = [statement]
    for node in found:
        kind = node.__class__
        if kind is ast.Lambda:
            continue
        _add_held(found, node.__dict__, _OWN[kind])
    return found


def only(items: Sequence[T]) -> T | None:
    """The item of a sequence that holds one; None for any other."""
    if len(items) != 1:
        return None
    (item,) = items
    return item


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


def resolved(function: ast.FunctionDef, node: ast.expr) -> ast.expr:
    """What a name stands for, if the method assigns it once."""
    seen: set[str] = set()
    while isinstance(node, ast.Name) and node.id not in seen:
        seen.add(node.id)
        made = [
            n.value
            for n in walk(function)
            if isinstance(n, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == node.id for t in n.targets)
        ]
        stores = [
            n
            for n in walk(function)
            if isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Store)
        ]
        value = only(made)
        if value is None or len(stores) != 1:
            break
        node = value
    return node
