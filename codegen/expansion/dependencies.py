"""Which definitions a class brings into its file, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from codegen.expansion.nodes import Node, Scope


@dataclass(frozen=True, slots=True)
class Needs:
    """What one class needs: definitions in order, and classes imported from neighbour files."""

    nodes: tuple[Node, ...]
    imported: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One class about to be placed: its name tokens and what its file already has.

    ``already`` are the names placed in the file so far, ``neighbours`` those available there by
    import, ``type_of`` maps a class name to the kind of file it belongs to. Classes of other files
    for which ``adopts`` holds are not imported: this file gets its own definition of them.
    ``expands_own``: classes of the definition count as dependencies like any other.
    """

    name: str
    uses: frozenset[str]
    file_type: str
    already: Collection[str]
    neighbours: Collection[str]
    type_of: Callable[[str], str]
    adopts: Callable[[str], bool]
    expands_own: bool


def needs_with_parent(request: Request, parent: Scope, own: Scope) -> Needs:
    """Dependencies of a class that was folded with a class of ``parent``."""
    direct, imported = _direct(request, parent, own)
    adopted = {name for name in direct & own.own_classes.keys() if request.adopts(name)}
    if not request.expands_own:
        direct -= own.own_classes.keys() - adopted
    wanted = _reachable(direct, parent, request.already)
    nodes = {**own.nodes, **parent.nodes, **{name: own.own_classes[name] for name in adopted}}
    # The class itself takes part: what its parent's variant needs stands where that would stand.
    order = [name for name in _order_with_parent(wanted, parent, own) if name != request.name]
    return Needs(tuple(nodes[name] for name in order if name in nodes), imported)


def needs_without_parent(
    request: Request, own: Scope, joined: Mapping[str, str], parents: Mapping[str, Scope]
) -> Needs:
    """Dependencies of a class that is emitted as written."""
    direct, imported = _direct(request, own, own)
    wanted = {name for name in direct if name not in request.already}
    order = _order_without_parent(wanted, own, joined, parents)
    return Needs(tuple(own.nodes[name] for name in order), imported)


def _direct(request: Request, scope: Scope, own: Scope) -> tuple[set[str], tuple[str, ...]]:
    """Names used by the class with their closures, minus classes that live in other files."""
    direct = set(request.uses & scope.known())
    direct.discard(request.name)
    direct.difference_update(request.neighbours)
    for name in tuple(direct):
        direct |= scope.closure(name)
    direct.discard(request.name)
    foreign = []
    for name in sorted(direct):
        node = scope.nodes.get(name) or own.nodes.get(name)
        if not node or node.kind != "class" or request.adopts(name):
            continue
        if request.type_of(name) != request.file_type:
            foreign.append(name)
    return direct - set(foreign), tuple(foreign)


def _reachable(direct: set[str], parent: Scope, already: Collection[str]) -> set[str]:
    """Follow the class uses of the parent from ``direct``; placed names end the search."""
    found: set[str] = set()
    queue = [name for name in direct if name not in already]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        if name in parent.own_classes:
            queue += [used for used in parent.class_uses(name) if used not in already]
    return found


def _order_with_parent(wanted: set[str], parent: Scope, own: Scope) -> list[str]:
    rest = set(wanted)
    order: list[str] = []

    def emit(names: Sequence[str]) -> None:
        order.extend(names)
        rest.difference_update(names)

    classes = sorted(
        (name for name in wanted if name in parent.own_classes), key=parent.positions.__getitem__
    )
    for name in classes:
        members = (parent.class_uses(name) & rest) - {name}
        emit(_by_position(members, parent.positions))
        emit(_by_position(members & rest, own.positions))
        if name in rest:
            emit([name])
    from_parent = {name for name in rest if name not in own.positions}
    emit(_by_position(from_parent, parent.positions))
    emit(sorted(from_parent & rest, reverse=True))
    emit(_by_position(set(rest), own.positions))
    return order


def _by_position(names: Collection[str], positions: Mapping[str, int]) -> list[str]:
    return sorted((name for name in names if name in positions), key=positions.__getitem__)


def _order_without_parent(
    wanted: set[str], own: Scope, joined: Mapping[str, str], parents: Mapping[str, Scope]
) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in sorted(wanted):
        if name in joined and name not in own.positions:
            groups.setdefault(joined[name], []).append(name)
    order: list[str] = []
    for module, names in sorted(groups.items(), key=lambda group: group[1][0]):
        positions = parents[module].positions
        order += sorted(names, key=lambda name: (positions.get(name, len(positions)), name))
    return order + _by_position(wanted - set(order), own.positions)
