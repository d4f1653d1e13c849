"""Bring the definitions of a file into an order in which everything stands before its use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Placed:
    """One unit in a generated file, its names as they are written there.

    ``module`` and ``index`` tell where it stood, ``now`` what it reads while the file is imported,
    ``called`` what it calls then, ``later`` what runs only then. ``changes`` are variables that it
    changes. ``rank`` sorts what belongs in front.
    """

    name: str
    kind: str
    module: str
    index: int
    lead: str
    text: str
    origin: str
    binds: frozenset[str]
    now: frozenset[str]
    called: frozenset[str]
    later: frozenset[str]
    changes: frozenset[str]
    rank: float = 0.0
    #: Where the parent of a folded class stood.
    parent: tuple[str, int] = ("", -1)


class Cycle(Exception):
    """Definitions that need each other while the file is imported, in a circle."""

    def __init__(self, items: Sequence[Placed]) -> None:
        super().__init__(" -> ".join(item.name for item in items))
        self.items = tuple(items)


def ordered(items: Sequence[Placed]) -> list[Placed]:
    """The items in their order, except that each stands behind what it needs.

    Raises :class:`Cycle` where that is impossible.
    """
    return _Sorter(items).run()


class _Sorter:
    """Depth first, in the given order: only what is needed earlier moves."""

    def __init__(self, items: Sequence[Placed]) -> None:
        self.items = sorted(items, key=lambda item: item.rank)
        self.place = {item: position for position, item in enumerate(self.items)}
        self.touching = _by_name(self.items, lambda item: item.binds | item.changes)
        self.reading = _by_name(self.items, lambda item: item.now)
        self.done: list[Placed] = []
        self.state: dict[Placed, str] = {}

    def run(self) -> list[Placed]:
        for item in self.items:
            self._visit(item, ())
        return self.done

    def _visit(self, item: Placed, path: tuple[Placed, ...]) -> None:
        if self.state.get(item) == "done":
            return
        self.state[item] = "open"
        needs = {need for need in self._needs(item) if self.state.get(need) != "done"}
        for need in sorted(needs, key=self.place.__getitem__):
            if self.state.get(need) == "open":
                cycle = (*path, item)
                raise Cycle((*cycle[cycle.index(need) :], need))
            self._visit(need, (*path, item))
        for wish in sorted(set(self._wishes(item)) - needs, key=self.place.__getitem__):
            if not self.state.get(wish):
                self._try(wish, (*path, item))
        self.state[item] = "done"
        self.done.append(item)

    def _try(self, item: Placed, path: tuple[Placed, ...]) -> None:
        """Put an item in front if that makes no circle."""
        state, count = dict(self.state), len(self.done)
        try:
            self._visit(item, path)
        except Cycle:
            self.state = state
            del self.done[count:]

    def _needs(self, item: Placed) -> Iterator[Placed]:
        """What must stand before an item."""
        for name in item.now | item.binds | item.changes:
            touching = self.touching.get(name, ())
            for other in touching:
                if other is item:
                    continue
                together = other.module == item.module and len(touching) > 1
                if together:
                    if other.index < item.index:
                        yield other
                elif name in item.now and not _is_turned_first(name, item, other):
                    yield other
        # Who still reads a variable as it was stands before those that change it.
        for name in item.binds | item.changes:
            if len(self.touching.get(name, ())) > 1:
                for other in self.reading.get(name, ()):
                    if other.module == item.module and other.index < item.index:
                        yield other

    def _wishes(self, item: Placed) -> Iterator[Placed]:
        """What the functions and classes need that an item calls."""
        seen: set[str] = set()
        queue = list(item.called)
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            own = name in item.binds or name in item.changes
            for other in self.touching.get(name, ()):
                # What changes the same thing further down needs this item: no use to try.
                behind = own and other.module == item.module and other.index >= item.index
                if other is not item and not behind:
                    yield other
                if other.kind in ("function", "class"):
                    queue += other.later


def _is_turned_first(name: str, item: Placed, other: Placed) -> bool:
    """Whether both change what a name denotes, and the first is a parent's: it was imported before."""
    both = name in item.changes & other.changes and name not in item.binds | other.binds
    return both and bool(item.module) and not other.module


def _by_name(
    items: Sequence[Placed], names: Callable[[Placed], Iterable[str]]
) -> Mapping[str, tuple[Placed, ...]]:
    """The items, in their order, by each of some of their names."""
    found: dict[str, list[Placed]] = {}
    for item in items:
        for name in names(item):
            found.setdefault(name, []).append(item)
    return {name: tuple(group) for name, group in found.items()}
