"""Which edit accounts for which hunk of a generated file.

The chain of a generated class says which sources can have written a member; among the edits of
these, equal lines (after undoing model names) decide. What has no equal line in any source, such as
an import that has become needed, is accounted for by the names that an edit brings in or takes
away. A hunk that none of this reaches stays without an edit: the caller finds out why.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.review.lineage import Lineage, Origin
from codegen.review.model import Edit, Hunk, Line, MemberChange, SourceHunk, Tokens
from codegen.review.said import words


@dataclass(frozen=True, slots=True)
class Attributed:
    """A hunk of a generated file with the index of the edit that accounts for it (None: none).

    ``weak``: no line of the edit says so, only the member that it is in, or the names it speaks of.
    ``origins``: the classes of sources that its own comes from. ``whole``: the hunk that it is a part of.
    """

    change: MemberChange
    hunk: Hunk
    edit: int | None
    weak: bool = False
    origins: tuple[Origin, ...] = ()
    whole: Hunk | None = None

    def part(self, lines: Collection[Line], **options: Any) -> Attributed:
        """The same of some of its lines (by identity) only."""
        chosen = {id(line) for line in lines}
        removed = tuple(line for line in self.hunk.removed if id(line) in chosen)
        added = tuple(line for line in self.hunk.added if id(line) in chosen)
        first = added[0].number if added else self.hunk.line
        hunk = replace(self.hunk, removed=removed, added=added, line=first)
        return replace(self, hunk=hunk, whole=self.whole or self.hunk, **options)


@dataclass(frozen=True, slots=True)
class _Cause:
    """A hunk of a source with what is asked of it again and again."""

    edit: int
    source: SourceHunk
    removed: Counter[Tokens]
    added: Counter[Tokens]

    def score(self, gone: Counter[Tokens], come: Counter[Tokens]) -> int:
        """Changed lines that it shares with a hunk."""
        return sum((self.removed & gone).values()) + sum((self.added & come).values())


class Attribution:
    """Finds causes; holds the edits by file, class and member, and by their lines."""

    def __init__(self, edits: Sequence[Edit], base: Lineage, head: Lineage) -> None:
        self._base, self._head = base, head
        self._sides = (head.side, base.side)
        self._members: dict[tuple[str, str, str], list[_Cause]] = defaultdict(list)
        self._classes: dict[tuple[str, str], list[_Cause]] = defaultdict(list)
        self._paths: dict[str, list[_Cause]] = defaultdict(list)
        self._lines: dict[str, dict[Tokens, list[_Cause]]] = defaultdict(lambda: defaultdict(list))
        self._closures: dict[str, tuple[str, ...]] = {}
        for index, edit in enumerate(edits):
            for source in edit.hunks:
                self._enter(index, source)

    def _enter(self, index: int, source: SourceHunk) -> None:
        gone, come = line_keys(source.hunk.removed), line_keys(source.hunk.added)
        cause = _Cause(index, source, gone, come)
        change = source.change
        for member in filter(None, {change.old, change.new}):
            self._members[(change.path, member.owner, member.name)].append(cause)
            self._classes[(change.path, member.owner or member.name)].append(cause)
        self._paths[change.path].append(cause)
        for key in {*gone, *come}:
            self._lines[change.path][key].append(cause)

    def attribute(self, changes: Sequence[MemberChange]) -> list[Attributed]:
        """Causes of all hunks of one generated file."""
        found: list[Attributed] = []
        for change in changes:
            for hunk in change.hunks:
                found += self._causes_of(change, hunk)
        return [self._whole_file(item) for item in self._by_names(found)]

    def _whole_file(self, item: Attributed) -> Attributed:
        """What is left of a file that came or went with its definition, or is written by hand before
        or after that, is that edit's."""
        path = item.change.path
        if item.edit is not None or all(path in side.generated for side in self._sides):
            return item
        for side in self._sides:
            causes = self._paths.get(side.generated.get(path, ""))
            if causes:
                return replace(item, edit=causes[0].edit, weak=False)
        return item

    def _causes_of(self, change: MemberChange, hunk: Hunk) -> Iterator[Attributed]:
        """The hunk, in parts where several edits have written its lines."""
        near = self._near(change)
        inside = self.closure(change.path)
        sides = [(0, line) for line in hunk.removed] + [(1, line) for line in hunk.added]
        owners = [self._owner_of(line, side, near, inside) for side, line in sides]
        known = [owner for owner in owners if owner is not None]
        origins = tuple(self._origins(change))
        if not known:
            edit = near[0].edit if near else None
            yield Attributed(change, hunk, edit, True, origins)
            return
        usual = Counter(known).most_common(1)[0][0]
        parts: dict[tuple[int, bool], list[Line]] = defaultdict(list)
        for (_, line), owner in zip(sides, owners):
            # What says something, and is in no edit, need not be the work of the edit around it.
            weak = owner is None and len(_line_key(line)) >= _TELLING
            parts[(usual if owner is None else owner, weak)].append(line)
        whole = Attributed(change, hunk, usual, origins=origins)
        if len(parts) == 1:
            yield whole
            return
        for (owner, weak), lines in parts.items():
            yield whole.part(lines, edit=owner, weak=weak)

    def _owner_of(
        self, line: Line, side: int, near: Sequence[_Cause], inside: Sequence[str]
    ) -> int | None:
        """The edit that has the line: in this member's chain, else anywhere in reach."""
        key = _line_key(line)
        nearest = [c for c in near if key in (c.added if side else c.removed)]
        if nearest:
            return nearest[0].edit
        if len(key) < _TELLING:
            return None
        places = (self._lines[path].get(key, ()) for path in inside if path in self._lines)
        reached = [cause for causes in places for cause in causes]
        exact = [c for c in reached if key in (c.added if side else c.removed)]
        return (exact or reached)[0].edit if reached else None

    def _near(self, change: MemberChange) -> list[_Cause]:
        """Hunks of sources in the same member of the classes that this one comes from."""
        member = change.member
        causes: list[_Cause] = []
        if member.kind == "header":  # that of the definition; its comments stand in no class
            for side in self._sides:
                definition = side.generated.get(change.path, "")
                causes += self._members.get((definition, "", member.name), ())
        for origin in self._origins(change):
            if member.owner and change.kind == "changed" and member.kind != "class":
                causes += self._members.get((origin.path, origin.name, member.name), ())
            else:
                causes += self._classes.get((origin.path, origin.name), ())
        return causes

    def _origins(self, change: MemberChange) -> list[Origin]:
        member = change.member
        name = member.owner or member.name
        old = change.old.owner or change.old.name if change.old else name
        chains = (*self._head.chain(change.path, name), *self._base.chain(change.path, old))
        return list(dict.fromkeys(chains))

    def _by_names(self, found: list[Attributed]) -> list[Attributed]:
        """Give what is left to the edit whose names it speaks of, directly or through other hunks."""
        spoken: dict[str, set[int]] = defaultdict(set)
        if found:
            for path in self.closure(found[0].change.path):
                for cause in self._paths.get(path, ()):
                    for name in cause.source.names | _brought(cause.source.change):
                        spoken[name].add(cause.edit)
        for _ in range(_ROUNDS):
            for item in found:
                if item.edit is not None:
                    for name in words(item.hunk.removed) ^ words(item.hunk.added):
                        spoken[name].add(item.edit)
            again = [self._named(item, spoken) for item in found]
            if again == found:
                break
            found = again
        return found

    def _named(self, item: Attributed, spoken: Mapping[str, set[int]]) -> Attributed:
        if item.edit is not None:
            return item
        own = words(item.hunk.removed) ^ words(item.hunk.added)
        own |= {item.change.member.name, item.change.role} - {""}
        votes = Counter(edit for name in own for edit in spoken.get(name, ()))
        return replace(item, edit=most_voted(votes), weak=True) if votes else item

    def closure(self, path: str) -> Sequence[str]:
        """The sources that a generated file can be made of, on either side, in order."""
        if path not in self._closures:
            self._closures[path] = tuple(sorted(closure_of(path, self._base, self._head)))
        return self._closures[path]

    def edits_of(self, path: str) -> frozenset[int]:
        """The edits of all sources that a generated file can be made of."""
        causes = (self._paths.get(source, ()) for source in self.closure(path))
        return frozenset(cause.edit for several in causes for cause in several)


#: Fewer tokens stand in any edit: `else:`, `return x`.
_TELLING = 4
#: How far names are followed from hunk to hunk of a file (a function brings an import along).
_ROUNDS = 4


def most_voted(votes: Mapping[int, int]) -> int:
    """The edit with most votes; of equal ones the first, in whatever order the votes were cast."""
    return min(votes, key=lambda edit: (-votes[edit], edit))


def closure_of(path: str, *lineages: Lineage) -> set[str]:
    """The sources that a generated file can be made of, on any of the sides."""
    found: set[str] = set()
    for lineage in lineages:
        _collect(path, lineage, found)
    return found


def _collect(path: str, lineage: Lineage, found: set[str]) -> None:
    source = lineage.side.generated.get(path, path)
    if source in found:
        return
    found.add(source)
    if source in lineage.side.definitions:
        for parent in lineage.parents(source):
            _collect(parent, lineage, found)


def _brought(change: MemberChange) -> set[str]:
    """The name of a member that came or went."""
    return {change.role or change.member.name} if change.kind != "changed" else set()


def line_keys(lines: Iterable[Line]) -> Counter[Tokens]:
    """What lines say, wherever and however deep they stand."""
    return Counter(_line_key(line) for line in lines)


def _line_key(line: Line) -> Tokens:
    return line.tokens[1:] if len(line.tokens) > 1 else line.tokens
