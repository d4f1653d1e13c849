"""Which models an edit does not reach although one would expect it, and why.

A model inherits from the edited class but has the member itself, or deletes it; a class elsewhere
holds a copy of what was edited; the settings leave a model out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from codegen.errors import Location
from codegen.review.lineage import Lineage, Origin
from codegen.review.model import Change, NotReached, SourceHunk
from codegen.trees.tree import Tree

#: A copy shares a removed line of at least this many characters; shorter ones stand anywhere.
_LONG = 24
#: So many of them make a copy wherever they stand; fewer in a class of the same role.
_SEVERAL = 3


def not_reached(tree: Tree, changes: Sequence[Change], head: Lineage) -> Iterator[NotReached]:
    """One entry per change, member and reason."""
    holders = _holders(changes, head)
    for change in changes:
        found: dict[tuple[str, str, str, Location], set[str]] = defaultdict(set)
        reached, changed = _reached(change), set(change.models)
        for item in change.edit.hunks if change.edit else ():
            _follow(item, reached, head, found)
            _copies(item, change, holders, head, found)
        for (member, kind, reason, place), models in found.items():
            models -= changed if kind == "copy" else set()
            if models:
                names = tuple(sorted(models))
                yield NotReached(change.number, member, kind, names, place, reason)
    yield from _excluded(tree, changes, head)


_Found = dict[tuple[str, str, str, Location], set[str]]


def _follow(
    item: SourceHunk,
    reached: Mapping[tuple[str, str], set[str]],
    head: Lineage,
    found: _Found,
) -> None:
    """Descend from the edited class to the heirs that have the member from elsewhere."""
    member = item.change.member
    if not member.owner or item.change.kind in ("added", "gone") and member.kind == "class":
        return
    if member.kind in ("class", "docstring"):
        return
    queue = list(head.heirs.get(Origin(item.change.path, member.owner), ()))
    seen: set[Origin] = set()
    while queue:
        heir = queue.pop(0)
        if heir in seen:
            continue
        seen.add(heir)
        info = head.index(heir.path).classes[heir.name]
        reason, line = "", 0
        if member.name in info.deleted:
            reason, line, kind = f"{heir.name} deletes it", info.deleted[member.name], "deleted"
        elif member.name in info.members and member.name not in info.calling_super:
            kind, line = "override", info.members[member.name]
            reason = f"{heir.name} has its own"
        if reason:
            changed = reached.get((item.change.role, member.name), set())
            models = _family(head, heir) - changed
            found[(item.change.shown, kind, reason, Location(heir.path, line))] |= models
            continue
        queue += head.heirs.get(heir, ())


def _family(head: Lineage, origin: Origin) -> set[str]:
    queue, found = [origin], set()
    seen: set[Origin] = set()
    while queue:
        item = queue.pop()
        if item not in seen:
            seen.add(item)
            found.add(head.side.model_of(item.path))
            queue += head.heirs.get(item, ())
    return found


def _reached(change: Change) -> Mapping[tuple[str, str], set[str]]:
    """By class and member: the models in which it does change."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for variant in change.variants:
        for instance in variant.instances:
            there = instance.change
            found[(there.role, there.member.name)].add(there.model)
    return found


def _copies(
    item: SourceHunk,
    change: Change,
    holders: Mapping[str, Mapping[str, Sequence[_Held]]],
    head: Lineage,
    found: _Found,
) -> None:
    """Sources that still hold, in a member of that name, the lines which the edit takes away."""
    telling = _telling(item)
    if not telling or item.hunk.layout or item.change.kind in ("moved", "added"):
        return
    edited = {each.change.path for each in (change.edit.hunks if change.edit else ())}
    name = item.change.member.name
    for path in sorted(set.intersection(*(set(holders[line]) for line in telling)) - edited):
        same = [each for each in holders[telling[0]][path] if each.method == name]
        if (
            len(telling) < _SEVERAL
        ):  # few lines stand in methods of this name that do something else
            naming = head.naming(path)
            same = [each for each in same if naming.name(each.owner) == item.change.role]
        held = next(iter(same), None)
        if held is not None:
            shown = f"{held.owner}.{name}" if held.owner else name
            reason = f"{shown} has that line in code of its own"
            place = Location(path, held.line)
            found[(item.change.shown, "copy", reason, place)].add(head.side.model_of(path))


def _telling(item: SourceHunk) -> list[str]:
    """Lines that an edit takes out of a method and that stand nowhere by chance."""
    if item.change.member.kind not in ("method", "function"):
        return []
    lines = [part.strip() for line in item.hunk.removed for part in line.text.split("\n")]
    return [line for line in lines if len(line) >= _LONG and not line.startswith(("#", '"'))]


@dataclass(frozen=True, slots=True)
class _Held:
    """A method that holds a line: its class ("" for a function), its name, the line it begins in."""

    owner: str
    method: str
    line: int


def _holders(
    changes: Sequence[Change], head: Lineage
) -> Mapping[str, Mapping[str, Sequence[_Held]]]:
    """By line that edits have taken away elsewhere, and by source: the methods that still hold it."""
    hunks = (item for change in changes if change.edit for item in change.edit.hunks)
    found: dict[str, dict[str, list[_Held]]]
    found = {line: defaultdict(list) for item in hunks for line in _telling(item)}
    for path, text in head.side.texts.items() if found else ():
        if path in head.side.generated:
            continue
        lines = text.split("\n")
        if not found.keys().isdisjoint(map(str.strip, lines)):
            for line, held in _held(lines, found):
                found[line][path].append(held)
    return found


def _held(lines: Sequence[str], wanted: Container[str]) -> Iterator[tuple[str, _Held]]:
    """The lines that are wanted, each with the method that it stands in."""
    nowhere = _Held("", "", 0)
    owner, current = "", nowhere
    for number, each in enumerate(lines, 1):
        stripped, around = each.strip(), current
        if each.startswith("class "):
            owner, current = each[6:].partition("(")[0].rstrip(":"), nowhere
        elif stripped.startswith("def "):  # a signature alone is no copy
            owner, around = owner if each[:1] == " " else "", nowhere
            current = _Held(owner, stripped[4:].partition("(")[0], number)
        if stripped in wanted:
            yield stripped, around


def _excluded(tree: Tree, changes: Sequence[Change], head: Lineage) -> Iterator[NotReached]:
    """Definitions that inherit from what was edited and that the settings leave out."""
    taken = {item.model for item in tree.definitions}
    for path, model in head.side.definitions.items():
        patterns = [each for each in tree.config.exclude if fnmatchcase(model, each)]
        if model in taken or not patterns:
            continue
        parents = set(head.parents(path))
        for change in changes:
            files = {*change.files, *(change.edit.paths if change.edit else ())}
            if parents & files:
                reason = f"exclude = {patterns} leaves the model out"
                yield NotReached(
                    change.number, change.title, "excluded", (model,), Location(path, 1), reason
                )
