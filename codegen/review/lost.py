"""Overrides and deletion markers of definitions that have lost what they were about in the parent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codegen.errors import Location
from codegen.review.facts import EMPTY_BASES
from codegen.review.index import ClassInfo, Index
from codegen.review.lineage import Lineage, Origin


@dataclass(frozen=True, slots=True)
class Loss:
    """An override or deletion at ``place``; ``parent`` is the file that no longer has ``name``."""

    kind: str
    message: str
    place: Location
    models: tuple[str, ...]
    parent: str
    name: str


def lost_overrides(base: Lineage, head: Lineage) -> Iterator[Loss]:
    """What parents had before and have no more, where a definition still counts on it."""
    for definition in head.side.definitions:
        for name, info in head.index(definition).classes.items():
            home = head.base_of(definition, name)
            if home is None or home[0] not in head.side.texts:
                continue
            if base.class_text(*home)[1] == head.class_text(*home)[1]:
                continue  # what is the same has lost nothing
            old, new = _class(base, home), _class(head, home)
            gone = _gone(old, new, head.index(home[0])) if old and new else set()
            if new is not None and gone:
                yield from _losses(definition, info, gone, new, home[0], head)


def lost_definitions(
    base: Lineage, head: Lineage, paths: Iterable[str]
) -> Iterator[tuple[str, Loss]]:
    """Functions and classes of generated files that have given way to an import of the same name, although
    the source that they came from still has them; with the file."""
    for path in paths:
        old, new = base.index(path), head.index(path)
        for name in (*old.functions, *old.classes):
            if name in new.functions or name in new.classes or name not in new.imports:
                continue
            origin = next(iter(base.chain(path, name)), None)
            there = head.index(origin.path) if origin else None
            if origin is None or there is None:
                continue
            line = there.functions.get(origin.name, 0)
            if origin.name in there.classes:
                line = there.classes[origin.name].line
            if line:
                message = f"{origin.name} gives way to the one that is imported from {new.imports[name][0]}"
                place = Location(origin.path, line)
                models = (head.side.model_of(path),)
                yield path, Loss("lost-override", message, place, models, path, name)


def _class(lineage: Lineage, home: tuple[str, str]) -> ClassInfo | None:
    return lineage.index(home[0]).classes.get(home[1])


def _gone(old: ClassInfo, new: ClassInfo, index: Index) -> set[str]:
    """What a class had and has no more, nor a base that it has got: nobody knows what one from elsewhere has."""
    come = set(new.bases) - {*old.bases, *EMPTY_BASES}
    if not come <= index.classes.keys():
        return set()
    infos = (new, *(index.classes[name] for name in come))
    has = {name for info in infos for name in (*info.members, *info.assigned)}
    return {*old.members, *old.assigned} - has


def _losses(
    definition: str,
    info: ClassInfo,
    gone: set[str],
    new: ClassInfo,
    parent: str,
    head: Lineage,
) -> Iterator[Loss]:
    models = tuple(sorted(_models(head, Origin(definition, info.name))))

    def loss(kind: str, name: str, line: int, said: str) -> Loss:
        message = f"{info.name}{said}, which {new.name} no longer has"
        return Loss(kind, message, Location(definition, line), models, parent, name)

    for name, line in info.members.items():
        if name in gone:
            yield loss("lost-override", name, line, f" overrides {name}")
    for name, line in info.assigned.items():
        if name in gone and name not in info.members:
            yield loss("lost-override", name, line, f" assigns {name} anew")
    for name, line in {**info.deleted, **info.erased}.items():
        if name in gone:
            yield loss("lost-deletion", name, line, f" deletes {name}")


def _models(head: Lineage, origin: Origin) -> set[str]:
    """The model of a class of a definition, and of all that inherit from it."""
    found: set[str] = set()
    queue = [origin]
    while queue:
        item = queue.pop()
        found.add(head.side.model_of(item.path))
        queue += head.heirs.get(item, ())
    return found
