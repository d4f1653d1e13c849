"""The order of the statements of a folded class body, so that every name means what it meant.

The parent's body and the definition's run one after the other in namespaces of their own; folded,
they share one. Layouts are tried from the tidiest on, and the first that gives every read its
binding, and every name its final one, is taken.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from codegen.expansion.fold.model import CannotFold, Member
from codegen.text.read_body import is_string

#: Decorators that only describe a function: the order of such definitions does not matter.
_QUIET_DECORATORS = frozenset(
    {"property", "staticmethod", "classmethod", "abstractmethod", "overload", "override", "final"}
    | {"setter", "getter", "deleter", "cached_property", "wraps", "no_grad", "auto_docstring"}
    | {"lru_cache", "cache", "contextmanager", "can_return_tuple", "deprecate_kwarg"}
)
#: Calls that only make a value.
_QUIET_CALLS = frozenset({"field", "list", "dict", "set", "tuple", "frozenset", "OrderedDict"})


@dataclass(frozen=True, eq=False)
class Unit:
    """A member as it is printed.

    ``replaces`` is the parent's member in whose place it may stand.
    """

    member: Member
    text: str
    is_def: bool
    replaces: Member | None = None


@dataclass
class Plan:
    """The units of both sides, and the parent's members that no one needs any more.

    ``documented``: a docstring stands in front of them.
    """

    parent: list[Unit]
    own: list[Unit]
    documented: bool
    dropped: set[Member] = field(default_factory=set)


def droppable(
    parent: Sequence[Member], own: Sequence[Member], deleted: Iterable[str]
) -> set[Member]:
    """The parent's members that only bind names which the definition binds anew or deletes."""
    replaced = {name for member in own for name in member.sure} | set(deleted)
    bound = {name for member in parent for name in member.bound}
    dropped = {
        member
        for member in parent
        if member.sure and not member.maybe and not member.deleted
        if _only_binds(member.node) and member.sure <= replaced and not _enters(member, bound)
    }
    while True:
        standing = [each for each in parent if each not in dropped]
        readers = standing + list(own)
        seen = {binder for reader in readers for binder in _seen_by(reader, parent, own)}
        if not seen & dropped:
            return dropped
        dropped -= seen


def _only_binds(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)
    return isinstance(
        node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.AnnAssign, ast.AugAssign)
    )


def _enters(member: Member, bound: Collection[str]) -> bool:
    """Whether a decorator hands a method to another member: ``@show.register``."""
    node = member.node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    roots = {
        each.id
        for decorator in node.decorator_list
        for each in ast.walk(decorator)
        if isinstance(each, ast.Name)
    }
    return bool((roots & set(bound)) - {node.name})


def _seen_by(reader: Member, parent: Sequence[Member], own: Sequence[Member]) -> Iterator[Member]:
    """The members whose binding a member can read, under plain inheritance."""
    for name in reader.read:
        yield from _visible(name, _before(reader, own if reader.own else parent))
    for name in reader.inherited:
        yield from _visible(name, parent)


def _before(reader: Member, members: Sequence[Member]) -> Sequence[Member]:
    return members[: members.index(reader)]


def _visible(name: str, members: Sequence[Member]) -> list[Member]:
    """The bindings of a name that may hold behind some members: from the last sure one on."""
    found: list[Member] = []
    for member in members:
        if name in member.sure or name in member.deleted:
            found = [member]
        elif name in member.maybe:
            found.append(member)
    return found


def arrange(plan: Plan) -> list[Unit]:
    """The units in the tidiest order that keeps the meaning."""
    for layout in (_stacked, _in_place, _in_order):
        order = layout(plan)
        problem = _problem(order, plan)
        if problem is None:
            return order
    assert problem is not None
    raise CannotFold(*problem)


def _kept(plan: Plan) -> tuple[list[Unit], list[Unit]]:
    """The parent's units with the definition's in their places, and the rest of the latter."""
    standing = [unit for unit in plan.parent if unit.member not in plan.dropped]
    instead: dict[Member, list[Unit]] = {}
    for unit in plan.own:
        if unit.replaces is not None and unit.replaces in plan.dropped:
            instead.setdefault(unit.replaces, []).append(unit)
    merged: list[Unit] = []
    for unit in plan.parent:
        if unit in standing:
            merged.append(unit)
        merged += instead.get(unit.member, [])
    placed = {id(unit) for units in instead.values() for unit in units}
    return merged, [unit for unit in plan.own if id(unit) not in placed]


def _stacked(plan: Plan) -> list[Unit]:
    """Attributes before methods; what overrides stands in the place of the overridden."""
    merged, new = _kept(plan)
    ordered = [*merged, *new]
    attributes = [unit for unit in ordered if not unit.is_def]
    return [*attributes, *(unit for unit in ordered if unit.is_def)]


def _in_place(plan: Plan) -> list[Unit]:
    """The parent's own order; what overrides stands in the place of the overridden."""
    merged, new = _kept(plan)
    return [*merged, *new]


def _in_order(plan: Plan) -> list[Unit]:
    """The parent's statements, then the definition's: what Python executes.

    An annotated attribute stays although it is bound anew: fields keep their order by it.
    """
    kept = (
        unit
        for unit in plan.parent
        if unit.member not in plan.dropped or isinstance(unit.member.node, ast.AnnAssign)
    )
    return [*kept, *plan.own]


def _problem(order: Sequence[Unit], plan: Plan) -> tuple[str, int] | None:
    """What a name would mean otherwise in this order, and the line of its statement."""
    members = [unit.member for unit in order]
    parent = [unit.member for unit in plan.parent]
    own = [unit.member for unit in plan.own]
    for index, member in enumerate(members):
        here = members[:index]
        written = own if member.own else parent
        for name in member.read:
            if _visible(name, here) != _visible(name, written[: written.index(member)]):
                return f"{name} means something else in one class body", _line(member)
        for name in member.inherited:
            if _visible(name, here) != _visible(name, parent):
                return f"the parent's {name} is not there any more", _line(member)
    for name in {name for member in members for name in member.bound | member.deleted}:
        if _visible(name, members) != _final(name, parent, own):
            line = next((_line(each) for each in own if name in each.bound | each.deleted), 0)
            return f"{name} would have another value in the end", line
    if members and is_string(members[0].node) and not plan.documented:
        return "a string would become the docstring", _line(members[0])
    if _effects(members) != _effects([*(each for each in parent if each in members), *own]):
        return "statements with effects would change their order", 0
    return None


def _final(name: str, parent: Sequence[Member], own: Sequence[Member]) -> list[Member]:
    found = _visible(name, own)
    sure = found and (name in found[0].sure)
    if found and name in found[0].deleted and _visible(name, parent):
        return []  # what is deleted from the class is still inherited: no order gives that
    return found if sure else [*_visible(name, parent), *found]


def _line(member: Member) -> int:
    return member.item.statement.line if member.own else 0


def _effects(members: Sequence[Member]) -> tuple[list[Member], list[Member]]:
    """The statements that can affect one another, of each side in order."""
    bound = {name for member in members for name in member.bound}
    loud = [member for member in members if not _quiet(member.node, bound)]
    return [each for each in loud if not each.own], [each for each in loud if each.own]


def _quiet(node: ast.stmt, bound: set[str]) -> bool:
    """Whether a statement neither does anything but bind, nor reads what others may change."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return all(_name_of(each) in _QUIET_DECORATORS for each in node.decorator_list)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and _name_of(each) in _QUIET_CALLS:
            continue
        if isinstance(each, (ast.Call, ast.Await, ast.NamedExpr)):
            return False
        if isinstance(each, (ast.Attribute, ast.Subscript)):
            if not isinstance(each.ctx, ast.Load):
                return False
            roots = {inner.id for inner in ast.walk(each) if isinstance(inner, ast.Name)}
            if roots & bound:
                return False
    return True


def _name_of(decorator: ast.expr) -> str:
    while isinstance(decorator, ast.Call):
        decorator = decorator.func
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""
