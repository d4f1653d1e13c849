"""What a class of a definition says about its parent and what meets nothing there; what gets lost."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from codegen.expansion.fold.marks import is_marker_method

_SHORTEST = 4
_Functions = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a class inherits as far as it can be read: names bound in class bodies, and attributes
    that methods assign on ``self``. ``whole``: nothing comes from elsewhere."""

    members: frozenset[str]
    attributes: frozenset[str]
    whole: bool


def inherited(name: str, classes: Mapping[str, ast.ClassDef]) -> Inherited:
    """What a subclass of ``name`` inherits through the classes of one module."""
    members: set[str] = set()
    attributes: set[str] = set()
    whole, queue, seen = True, [name], set()
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        node = classes.get(current)
        if node is None:
            whole = whole and current == "object"
            continue
        members |= members_of(node)
        attributes |= _assigned(node)
        whole = whole and not node.keywords
        queue += [ast.unparse(base) for base in node.bases]
    return Inherited(frozenset(members), frozenset(attributes), whole)


def unmet(child: ast.ClassDef, above: Inherited) -> Iterator[tuple[int, str]]:
    """Line and message for what can only be meant for the parent, and meets nothing there."""
    yield from _deletions(child, above)
    yield from _idle_markers(child, above)
    known = above.members | above.attributes
    own = members_of(child)
    used = {node.attr for node in ast.walk(child) if isinstance(node, ast.Attribute)}
    for node in child.body:
        for name in _bound(node):
            if name in known or name.startswith("__"):
                continue
            meant = _slips(name, above.members - own)
            if isinstance(node, _Functions) and _says_override(node) and above.whole:
                message = f"{name} is marked as an override, but the parent has no {name}"
                yield node.lineno, message + (f"; did you mean {meant}?" if meant else "")
            elif meant and name not in used:
                yield node.lineno, f"{name} overrides nothing; did you mean {meant}?"


def _deletions(child: ast.ClassDef, above: Inherited) -> Iterator[tuple[int, str]]:
    known = above.attributes | above.members | members_of(child) | _assigned(child)
    for node in ast.walk(child):
        if not isinstance(node, ast.Delete):
            continue
        for target in node.targets:
            if not isinstance(target, ast.Attribute) or not _is_on_self(target):
                continue
            name = target.attr
            meant = _nearest(name, above.attributes | above.members)
            if name not in known and (meant or above.whole):
                message = f"del self.{name} meets nothing: the parent does not assign it"
                yield node.lineno, message + (f"; did you mean {meant}?" if meant else "")


def _idle_markers(child: ast.ClassDef, above: Inherited) -> Iterator[tuple[int, str]]:
    """Methods that only raise AttributeError, as a deletion does, where the parent has no such method."""
    for node in child.body:
        if not isinstance(node, ast.FunctionDef) or not is_marker_method(node):
            continue
        if node.name not in above.members:
            meant = _nearest(node.name, above.members)
            message = f"{node.name} looks like a deletion, but the parent has no {node.name}"
            message += ": it stays a method that raises"
            yield node.lineno, message + (f"; did you mean {meant}?" if meant else "")


def lost(child: ast.ClassDef, parent: ast.ClassDef, made: Iterable[ast.ClassDef]) -> list[str]:
    """Members of the parent or the child that no class made of them has, deletions aside."""
    own = members_of(child)
    wanted = (members_of(parent) | own) - _deleted(child) - _deleted(parent)
    if "__eq__" in own and "__hash__" not in own:
        wanted -= {"__hash__"}  # a class that defines equality alone has no hash
    there: set[str] = set()
    for node in made:
        there |= members_of(node)
    return sorted(name for name in wanted - there if not _is_mangled(name))


def members_of(node: ast.ClassDef) -> frozenset[str]:
    """Names that the body of a class binds, blocks in it included."""
    return frozenset(name for item in node.body for name in _bound(item))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (*_Functions, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for inner in ast.iter_child_nodes(node):
        yield from _bound(inner)


def _deleted(node: ast.ClassDef) -> set[str]:
    """Names whose definition in a class body says that they are to go, or that are deleted in it."""
    found: set[str] = set()
    for item in node.body:
        if isinstance(item, ast.Delete):
            found |= {target.id for target in item.targets if isinstance(target, ast.Name)}
        elif isinstance(item, ast.Assign) and "AttributeError" in ast.unparse(item.value):
            found |= set(_bound(item))
        elif isinstance(item, _Functions) and any(
            isinstance(inner, ast.Raise) for inner in item.body
        ):
            found.add(item.name)
    return found


def _assigned(node: ast.ClassDef) -> set[str]:
    """Attributes that the methods of a class assign, or register, on ``self``."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if _is_on_self(inner) and isinstance(inner.ctx, ast.Store):  # type: ignore[attr-defined]
            found.add(inner.attr)  # type: ignore[attr-defined]
        elif isinstance(inner, ast.Call) and inner.args:
            first = inner.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def _is_on_self(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _says_override(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(item).split(".")[-1] == "override" for item in node.decorator_list)


def _is_mangled(name: str) -> bool:
    """Whether a name is private to its class, so that each of two classes has its own."""
    return name.startswith("__") and not name.endswith("__")


def _slips(name: str, known: Collection[str]) -> str:
    """A known name that is one slip of the keyboard away: a letter too many, too few, or exchanged."""
    return next((item for item in sorted(known) if _one_slip(name, item)), "")


def _one_slip(one: str, other: str) -> bool:
    if min(len(one), len(other)) < _SHORTEST or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, tail = one[start:], other[start:]
    if any(char.isdigit() or char == "_" for char in rest[:1] + tail[:1]):
        return False
    if {rest, tail} == {"", "s"}:  # one thing and several
        return False
    swapped = rest[:2] == tail[:2][::-1] and rest[2:] == tail[2:] and len(rest) > 1
    return swapped or rest[1:] == tail or rest == tail[1:]


def _nearest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, sorted(known), 1, 0.75)), "")
