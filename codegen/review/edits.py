"""Which hunks of the sources are one edit.

Hunks are one edit if they do the same after undoing model names (an argument threaded through
thirty models), if they bring in or take away the same name in related places (an attribute renamed
where it is assigned and where it is read), if a member left here and came there (`links.py` has
all that ties them), or if they are neighbours. A file that comes or goes is one. Everything else counts apart, even within one method.
Where many edits are looked at together, as between two releases, hunks that two of them have in common
do not make one of both.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from codegen.review.links import LINKS, PAIRS, WIDE, name_links
from codegen.review.model import Edit, SourceHunk

#: Unchanged lines between two hunks of one member that make them neighbours.
_NEAR = 1


def join_edits(hunks: Sequence[SourceHunk]) -> list[Edit]:
    """The edits that hunks make up, in the order of their first hunks."""
    joined = _Union(len(hunks))
    wide = _wide_names(hunks)
    _join_by(joined, hunks, lambda item: name_links(item, wide))
    for links in LINKS:
        _join_by(joined, hunks, links)
    for pairs in PAIRS:
        for one, two in pairs(hunks):
            joined.join(one, two)
    _join_neighbours(joined, hunks, wide)
    _join_alike(joined, hunks)
    groups: dict[int, list[SourceHunk]] = defaultdict(list)
    for index, item in enumerate(hunks):
        groups[joined.root(index)].append(item)
    return [Edit(edit_id(group), tuple(group)) for group in groups.values()]


def _wide_names(hunks: Sequence[SourceHunk]) -> Mapping[str, int]:
    """Names of edits that are made everywhere, with the number of files."""
    files: dict[str, set[str]] = defaultdict(set)
    for item in hunks:
        for name in item.names:
            files[name].add(item.change.path)
    return {name: len(paths) for name, paths in files.items() if len(paths) > WIDE}


def edit_id(hunks: Sequence[SourceHunk]) -> str:
    """Eight digits that follow from what the hunks do, not from where they stand."""
    text = "\n".join(sorted(repr((item.change.role, item.hunk.key)) for item in hunks))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _join_by(
    joined: _Union, hunks: Sequence[SourceHunk], links: Callable[[SourceHunk], Sequence[object]]
) -> None:
    first: dict[object, int] = {}
    for index, item in enumerate(hunks):
        for link in links(item):
            joined.join(first.setdefault(link, index), index)


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
    """Join what does the same in several places: groups that share at least half of what either does, and
    what does nothing but what another edit does everywhere."""
    keys: dict[int, set[object]] = defaultdict(set)
    holders: dict[object, set[int]] = defaultdict(set)
    files: dict[tuple[int, object], set[str]] = defaultdict(set)
    for index, item in enumerate(hunks):
        root = joined.root(index)
        keys[root].add(item.hunk.key)
        if _telling(item):
            holders[item.hunk.key].add(root)
            files[root, item.hunk.key].add(item.change.path)
    shared: Counter[tuple[int, int]] = Counter()
    for key, roots in holders.items():
        ordered = sorted(roots)
        alone = [root for root in ordered if len(keys[root]) == 1]
        for root in alone[1:]:
            joined.join(alone[0], root)
        more = [root for root in ordered if len(keys[root]) > 1]
        everywhere = [root for root in more if len(files[root, key]) > WIDE]
        if alone and everywhere:
            joined.join(everywhere[0], alone[0])
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
