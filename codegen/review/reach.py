"""Which models an edit does not reach although one would expect it, and why.

A model inherits from the edited class but has the member itself, or deletes it; a class elsewhere
holds a copy of what was edited; the settings leave a model out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from codegen.errors import Location
from codegen.review.lineage import Lineage, Origin
from codegen.review.model import Change, NotReached, SourceHunk
from codegen.trees.tree import Tree

#: A copy shares a removed line of at least this many characters; shorter ones stand anywhere.
_LONG = 24


def not_reached(tree: Tree, changes: Sequence[Change], head: Lineage) -> Iterator[NotReached]:
    """One entry per change, member and reason."""
    holders = _holders(changes, head)
    for change in changes:
        found: dict[tuple[str, str, str, Location], set[str]] = defaultdict(set)
        for item in change.edit.hunks if change.edit else ():
            _follow(item, change, head, found)
            _copies(item, change, holders, head, found)
        for (member, kind, reason, place), models in found.items():
            models -= _changed_models(change, member) if kind == "copy" else set()
            if models:
                names = tuple(sorted(models))
                yield NotReached(change.number, member, kind, names, place, reason)
    yield from _excluded(tree, changes, head)


_Found = dict[tuple[str, str, str, Location], set[str]]


def _follow(item: SourceHunk, change: Change, head: Lineage, found: _Found) -> None:
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
            models = _family(head, heir) - _reached(change, member.name, item)
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


def _reached(change: Change, member: str, item: SourceHunk) -> set[str]:
    """Models in which the member of that class does change."""
    role = item.change.role
    return {
        instance.change.model
        for variant in change.variants
        for instance in variant.instances
        if instance.change.role == role and instance.change.member.name == member
    }


def _changed_models(change: Change, member: str) -> set[str]:
    return set(change.models)


def _copies(
    item: SourceHunk,
    change: Change,
    holders: Mapping[str, set[str]],
    head: Lineage,
    found: _Found,
) -> None:
    """Sources that still hold, in a member of that name, a line which the edit takes away."""
    telling = _telling(item)
    if not telling or item.hunk.layout or item.change.kind in ("moved", "added"):
        return
    edited = {each.change.path for each in (change.edit.hunks if change.edit else ())}
    name = item.change.member.name
    for path in sorted(set.intersection(*(holders[line] for line in telling)) - edited):
        owner, line_number = _owner(head.text(path), telling[0], f"def {name}(")
        if owner is not None:
            shown = f"{owner}.{name}" if owner else name
            reason = f"{shown} is a copy of its own"
            place = Location(path, line_number)
            found[(item.change.shown, "copy", reason, place)].add(head.side.model_of(path))


def _telling(item: SourceHunk) -> list[str]:
    """Lines that an edit takes out of a method and that stand nowhere by chance."""
    if item.change.member.kind not in ("method", "function"):
        return []
    lines = [part.strip() for line in item.hunk.removed for part in line.text.split("\n")]
    return [line for line in lines if len(line) >= _LONG and not line.startswith(("#", '"'))]


def _holders(changes: Sequence[Change], head: Lineage) -> dict[str, set[str]]:
    """Which sources hold the lines that edits have taken away elsewhere."""
    hunks = (item for change in changes if change.edit for item in change.edit.hunks)
    found: dict[str, set[str]] = {line: set() for item in hunks for line in _telling(item)}
    for path, text in head.side.texts.items() if found else ():
        if path not in head.side.generated:
            for line in found.keys() & {line.strip() for line in text.split("\n")}:
                found[line].add(path)
    return found


def _owner(text: str, line: str, start: str) -> tuple[str | None, int]:
    """The class whose method of that name holds a line, and where."""
    owner, inside, number = "", False, 0
    for count, each in enumerate(text.split("\n"), 1):
        stripped = each.strip()
        if each.startswith("class "):
            owner, inside = each[6:].partition("(")[0].rstrip(":"), False
        elif stripped.startswith("def "):
            inside, number = stripped.startswith(start), count
            owner = owner if each[:1] == " " else ""
        elif inside and stripped == line:
            return owner, number
    return None, 0


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
