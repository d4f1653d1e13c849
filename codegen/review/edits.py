"""Which hunks of the sources are one edit.

Hunks are one edit if they do the same after undoing model names (an argument threaded through
thirty models), if they bring in or take away the same name in related places (an attribute renamed
where it is assigned and where it is read), if a member left here and came there, or if they are
neighbours. A file that comes or goes is one. Everything else counts apart, even within one method.
Where many edits are looked at together, as between two releases, hunks that two of them have in common
do not make one of both.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from codegen.review.model import Edit, SourceHunk
from codegen.review.said import documented, renewed, replaced_word, turned, uses_of, words

#: Unchanged lines between two hunks of one member that make them neighbours.
_NEAR = 1


def join_edits(hunks: Sequence[SourceHunk]) -> list[Edit]:
    """The edits that hunks make up, in the order of their first hunks."""
    joined = _Union(len(hunks))
    wide = _wide_names(hunks)
    _join_by(joined, hunks, lambda item: _name_links(item, wide))
    _join_documented(joined, hunks)
    _join_by(joined, hunks, _body_links)
    _join_by(joined, hunks, _binding_links)
    _join_replaced(joined, hunks)
    _join_uses(joined, hunks)
    _join_neighbours(joined, hunks, wide)
    _join_alike(joined, hunks)
    groups: dict[int, list[SourceHunk]] = defaultdict(list)
    for index, item in enumerate(hunks):
        groups[joined.root(index)].append(item)
    return [Edit(edit_id(group), tuple(group)) for group in groups.values()]


#: A name that comes or goes in more files than these is that of an edit made everywhere: it says
#: nothing about hunks that have other names, too.
_WIDE = 8


def _wide_names(hunks: Sequence[SourceHunk]) -> Mapping[str, int]:
    """Names of edits that are made everywhere, with the number of files."""
    files: dict[str, set[str]] = defaultdict(set)
    for item in hunks:
        for name in item.names:
            files[name].add(item.change.path)
    return {name: len(paths) for name, paths in files.items() if len(paths) > _WIDE}


def edit_id(hunks: Sequence[SourceHunk]) -> str:
    """Eight digits that follow from what the hunks do, not from where they stand."""
    text = "\n".join(sorted(repr((item.change.role, item.hunk.key)) for item in hunks))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _name_links(item: SourceHunk, wide: Mapping[str, int]) -> list[object]:
    """Names tie hunks of one file together, and of classes of one family across files; those of an edit
    made everywhere the hunks that do nothing else. A file that came or went as a whole is one edit, and
    makes none of others."""
    if item.whole:
        return [("whole", item.change.path)]
    narrow = item.names - wide.keys()
    links: list[object] = [("file", item.change.path, name) for name in narrow]
    if item.change.member.owner:
        links += [("family", item.family, name) for name in narrow]
    if item.names and not narrow:
        links.append(("everywhere", max(item.names, key=lambda name: (wide[name], name))))
    return links


def _body_links(item: SourceHunk) -> list[object]:
    """A method, function or value that has another name now: one went, and one came that does the same."""
    change = item.change
    if change.kind not in ("added", "gone"):
        return []
    lines = item.hunk.added or item.hunk.removed
    if change.member.kind in ("attribute", "statement"):
        name = change.member.name
        said = tuple(token for line in lines for token in line.tokens if token != name)
        return [("value", change.path, change.member.owner, said)] if len(said) > _LITTLE else []
    if change.member.kind not in ("method", "function"):
        return []
    heads = [at for at, line in enumerate(lines) if _DEF.match(line.text)]
    body = tuple(line.tokens for line in lines[heads[0] + 1 :]) if heads else ()
    return [("body", change.path, change.member.owner, body)] if body else []


def _binding_links(item: SourceHunk) -> list[object]:
    """What binds a name of a file: a class or function that came or went, and an import in its place."""
    change = item.change
    if item.whole:
        return []
    if change.member.kind == "imports":
        lines = (*item.hunk.removed, *item.hunk.added)
        bound = {match[1] for line in lines for match in [_BOUND.search(line.text)] if match}
        return [("bound", change.path, name) for name in bound]
    name = change.member.name
    if change.kind in ("added", "gone") and not (
        change.member.owner and change.member.owner != name
    ):
        return [("bound", change.path, name)] if name else []
    return []


#: So many tokens a value has at least that says something: `x = None` has three beside its name.
_LITTLE = 4
#: The name that an import binds, which is told name by name.
_BOUND = re.compile(r"\bimport .*?(\w+)$")
_DEF = re.compile(r"\s*(?:async\s+)?def\s")


def _join_by(
    joined: _Union, hunks: Sequence[SourceHunk], links: Callable[[SourceHunk], Sequence[object]]
) -> None:
    first: dict[object, int] = {}
    for index, item in enumerate(hunks):
        for link in links(item):
            joined.join(first.setdefault(link, index), index)


def _join_documented(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """Join an argument that came, went or has another name with what the docstring tells of it."""
    told: dict[tuple[str, str, str, str], int] = {}

    def key(item: SourceHunk, name: str) -> tuple[str, str, str, str]:
        return item.change.path, item.change.member.owner, item.change.member.name, name

    for index, item in enumerate(hunks):
        for name in documented(item.hunk.removed) ^ documented(item.hunk.added):
            told.setdefault(key(item, name), index)
    for index, item in enumerate(hunks if told else ()):
        for name in words(item.hunk.removed) ^ words(item.hunk.added):
            if key(item, name) in told:
                joined.join(told[key(item, name)], index)


def _join_replaced(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """Hunks that do nothing but put the same word in the place of another, which is done everywhere, in code
    as in prose (where a name is none)."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(hunks):
        pair = replaced_word(item.hunk)
        if item.change.member.kind == "header":  # whatever year it was before
            pair = renewed(item.hunk)
        if pair is not None and not item.whole:
            places[pair].append(index)
    for several in places.values():
        if len({hunks[index].change.path for index in several}) > _WIDE:
            for index in several[1:]:
                joined.join(several[0], index)


def _join_uses(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """An attribute that is made by something else now (a module instead of a parameter), and the lines
    of its class that use it in another way."""
    made: dict[tuple[str, str, str], int] = {}
    for index, item in enumerate(hunks):
        for name in turned(item.hunk):
            made[(item.change.path, item.change.member.owner, name)] = index
    for index, item in enumerate(hunks) if made else ():
        old, new = uses_of(item.hunk.removed), uses_of(item.hunk.added)
        for name in old.keys() & new.keys():
            first = made.get((item.change.path, item.change.member.owner, name))
            if first is not None and old[name] != new[name]:
                joined.join(first, index)


def _join_neighbours(joined: _Union, hunks: Sequence[SourceHunk], wide: Mapping[str, int]) -> None:
    for index in range(1, len(hunks)):
        one, two = hunks[index - 1], hunks[index]
        if one.change is not two.change or _is_wide(one, wide) != _is_wide(two, wide):
            continue
        end = max((line.number + line.text.count("\n") for line in one.hunk.added), default=0)
        if two.hunk.line - (end or one.hunk.line) - 1 <= _NEAR or (
            one.hunk.layout and two.hunk.layout
        ):
            joined.join(index - 1, index)


def _is_wide(item: SourceHunk, wide: Mapping[str, int]) -> bool:
    return bool(item.names) and item.names <= wide.keys()


def _join_alike(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """Join what does the same in several places: groups that share at least half of what either does."""
    keys: dict[int, set[object]] = defaultdict(set)
    holders: dict[object, set[int]] = defaultdict(set)
    for index, item in enumerate(hunks):
        root = joined.root(index)
        keys[root].add(item.hunk.key)
        if _telling(item):
            holders[item.hunk.key].add(root)
    shared: Counter[tuple[int, int]] = Counter()
    for roots in holders.values():
        ordered = sorted(roots)
        alone = [root for root in ordered if len(keys[root]) == 1]
        for root in alone[1:]:
            joined.join(alone[0], root)
        more = [root for root in ordered if len(keys[root]) > 1]
        shared.update(combinations([*alone[:1], *more], 2))
    for (one, two), count in shared.items():
        if 2 * count >= max(len(keys[one]), len(keys[two])):
            joined.join(one, two)


def _telling(item: SourceHunk) -> bool:
    """Whether a hunk says enough to be the same change wherever it stands."""
    if item.change.kind == "moved" or item.hunk.layout:
        return False
    return sum(len(tokens) for side in item.hunk.key for tokens in [side]) > 3


class _Union:
    """Sets that grow together."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        """The first of the set that an index is in."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, two: int) -> None:
        """Make the sets of two indexes one."""
        first, second = sorted((self.root(one), self.root(two)))
        self._parent[second] = first
