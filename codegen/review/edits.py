"""What was edited in the sources, hunk by hunk, and which hunks are one edit.

Hunks are one edit if they do the same after undoing model names (an argument threaded through
thirty models), if they bring in or take away the same name in related places (an attribute renamed
where it is assigned and where it is read), if a member left here and came there, or if they are
neighbours. A file that comes or goes is one. Everything else counts apart, even within one method.
Where many edits are looked at together, as between two releases, hunks that two of them have in common
do not make one of both.
"""

from __future__ import annotations

import hashlib
import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations

from codegen.review.compare import Reading, compare_texts
from codegen.review.lineage import Lineage
from codegen.review.model import Edit, Hunk, Line, Member, MemberChange, SourceHunk, Tokens
from codegen.review.settings import settings_lines
from codegen.review.sides import SETTINGS

#: Unchanged lines between two hunks of one member that make them neighbours.
_NEAR = 1
_WORD = re.compile(r"[A-Za-z_]\w*")
#: An f-string, and what is read in it.
_FILLED = re.compile(r"[rR]?[fF][rR]?[\"']")
_FIELD = re.compile(r"\{([^{}]*)\}")
_COMMON = frozenset(keyword.kwlist) | {"self", "cls", "config", "kwargs", "args", "super", "None"}


def source_changes(
    base: Lineage, head: Lineage, parents: frozenset[str] | None
) -> list[MemberChange]:
    """What differs in definitions, hand-written files and settings, file by file.

    ``parents`` are the hand-written files that count; all do where it is None.
    """
    changes: list[MemberChange] = []
    old, new = base.side, head.side
    known = {*old.definitions, *new.definitions, SETTINGS, *(parents or ())}
    for path in sorted({*old.texts, *new.texts}):
        if path in old.generated or path in new.generated or old.text(path) == new.text(path):
            continue
        if parents is not None and path not in known:
            continue
        if path == SETTINGS:
            changes += _settings_changes(old.text(path), new.text(path))
            continue
        before = Reading(old.text(path), base.naming(path))
        after = Reading(new.text(path), head.naming(path))
        changes += compare_texts(path, new.model_of(path), before, after)
    return changes


def _settings_changes(old: str, new: str) -> Iterator[MemberChange]:
    """Keys of the table of a project that differ; other parts of the file are none of its business."""
    before, after = settings_lines(old), settings_lines(new)
    for key in sorted({*before, *after}):
        left, right = before.get(key), after.get(key)
        if left is not None and right is not None and left[1] == right[1]:
            continue
        hunk = Hunk(
            _setting(left), _setting(right), (right or left or (1, ""))[0], (left or (1, ""))[0]
        )
        members = [Member("", key, "statement", *item) if item else None for item in (left, right)]
        kind = "changed" if left and right else "added" if right else "gone"
        yield MemberChange(SETTINGS, "", "", kind, members[0], members[1], (hunk,))


def _setting(found: tuple[int, str] | None) -> tuple[Line, ...]:
    return (Line(found[1], found[0], (found[1],)),) if found else ()


def split_hunks(changes: Sequence[MemberChange], base: Lineage, head: Lineage) -> list[SourceHunk]:
    """All hunks of the sources, each with the names that it introduces or removes."""
    found = []
    scopes = _Scopes(base, head)
    for change in changes:
        there = [change.path in side.side.texts for side in (base, head)]
        for hunk in change.hunks:
            names, family = scopes.names(change, hunk), scopes.family(change)
            found.append(SourceHunk(change, hunk, names, family, not all(there)))
    return found


class _Scopes:
    """Names that come into a class or a file, or leave it, with an edit."""

    def __init__(self, base: Lineage, head: Lineage) -> None:
        self._base, self._head = base, head
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def names(self, change: MemberChange, hunk: Hunk) -> frozenset[str]:
        own = words(hunk.removed) ^ words(hunk.added)
        return frozenset(own & self._differing(change.path, change.member.owner))

    def family(self, change: MemberChange) -> tuple[str, str]:
        """The class that the one of a member inherits from in the end."""
        path, owner = change.path, change.member.owner
        if not owner:
            return "", ""
        side = self._head if owner in self._head.index(path).classes else self._base
        home = side.base_of(path, owner) if path in side.side.definitions else None
        chain = side.chain(*home) if home else ()
        return (chain[-1].path, chain[-1].name) if chain else (path, owner)

    def _differing(self, path: str, owner: str) -> frozenset[str]:
        key = (path, owner)
        if key not in self._known:
            old, new = self._base.text(path), self._head.text(path)
            left, right = _words_of(old), _words_of(new)
            gone, come = left - right, right - left
            there = [owner in side.index(path).classes for side in (self._base, self._head)]
            if owner and all(there):  # all words of a class that came or went are new in it
                left, right = (
                    frozenset(_WORD.findall(side.class_text(path, owner)[1]))
                    for side in (self._base, self._head)
                )
                gone, come = gone | (left - right), come | (right - left)
            before, after = self._base.naming(path), self._head.naming(path)
            both = {before.name(word) for word in gone} | {after.name(word) for word in come}
            self._known[key] = frozenset(both - _COMMON)
        return self._known[key]


@lru_cache(maxsize=64)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def words(lines: Iterable[Line]) -> set[str]:
    """Identifiers in the code of lines, after undoing model names; words of prose are none.

    A string counts where it is nothing but an identifier, as the name of a buffer is.
    """
    found: set[str] = set()
    for line in lines:
        if len(line.tokens) == 1:
            _, imports, names = line.tokens[0].rpartition("import ")
            found.update(_WORD.findall(names) if imports else ())
            continue
        for token in line.tokens:
            if _WORD.fullmatch(token.strip("\"'")):
                found.add(token.strip("\"'"))
            elif _FILLED.match(token):
                found.update(word for part in _FIELD.findall(token) for word in _WORD.findall(part))
    return found - _COMMON


#: How a line of a docstring begins that tells of a parameter.
_DOCUMENTED = re.compile(r"\s*(?::param[ \t]+)?(?P<name>[a-z_]\w*)[ \t]*(?:\([^)]*\))?[ \t]*:")


def _documented(lines: Iterable[Line]) -> set[str]:
    """Parameters that lines of a docstring tell of."""
    heads = (_DOCUMENTED.match(line.text) for line in lines if len(line.tokens) == 1)
    return {head["name"] for head in heads if head} - _COMMON


def _join_documented(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """Join an argument that came, went or has another name with what the docstring tells of it."""
    told: dict[tuple[str, str, str, str], int] = {}

    def key(item: SourceHunk, name: str) -> tuple[str, str, str, str]:
        return item.change.path, item.change.member.owner, item.change.member.name, name

    for index, item in enumerate(hunks):
        for name in _documented(item.hunk.removed) ^ _documented(item.hunk.added):
            told.setdefault(key(item, name), index)
    for index, item in enumerate(hunks if told else ()):
        for name in words(item.hunk.removed) ^ words(item.hunk.added):
            if key(item, name) in told:
                joined.join(told[key(item, name)], index)


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


def edit_id(hunks: Sequence[SourceHunk]) -> str:
    """Eight digits that follow from what the hunks do, not from where they stand."""
    text = "\n".join(sorted(repr((item.change.role, item.hunk.key)) for item in hunks))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _telling(item: SourceHunk) -> bool:
    """Whether a hunk says enough to be the same change wherever it stands."""
    if item.change.kind == "moved" or item.hunk.layout:
        return False
    return sum(len(tokens) for side in item.hunk.key for tokens in [side]) > 3


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


def _join_replaced(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """Hunks that do nothing but put the same word in the place of another, which is done everywhere, in code
    as in prose (where a name is none)."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(hunks):
        pair = replaced_word(item.hunk)
        if item.change.member.kind == "header":  # whatever year it was before
            pair = _renewed(item.hunk)
        if pair is not None and not item.whole:
            places[pair].append(index)
    for several in places.values():
        if len({hunks[index].change.path for index in several}) > _WIDE:
            for index in several[1:]:
                joined.join(several[0], index)


def replaced_word(hunk: Hunk) -> tuple[str, str] | None:
    """What the same takes the place of in every line, if that is all that a hunk does: a word, or an
    expression that a word becomes."""
    old, new = ("\n".join(line.text for line in side) for side in (hunk.removed, hunk.added))
    pairs = set(zip(_WORD.findall(old), _WORD.findall(new)))
    if _WORD.sub("", old) != _WORD.sub("", new):
        if old.count("\n") != new.count("\n"):
            return None
        pairs = {_apart(*lines) for lines in zip(old.split("\n"), new.split("\n"))}
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    if len(changed) != 1 or not all(map(_WORD.search, changed[0])):
        return None
    return changed[0]


def _renewed(hunk: Hunk) -> tuple[str, str] | None:
    """What comes into the lines of a header, if that is the same in all of them."""
    if len(hunk.removed) != len(hunk.added):
        return None
    sides = zip(hunk.removed, hunk.added)
    come = {_apart(one.text, two.text)[1] for one, two in sides}
    return ("", come.pop()) if len(come) == 1 else None


def _apart(old: str, new: str) -> tuple[str, str]:
    """What is left of two lines without what they begin and end with alike."""
    left, right = _TOKEN.findall(old), _TOKEN.findall(new)
    least, start = min(len(left), len(right)), 0
    while start < least and left[start] == right[start]:
        start += 1
    end = 0
    while end < least - start and left[-1 - end] == right[-1 - end]:
        end += 1
    return "".join(left[start : len(left) - end]), "".join(right[start : len(right) - end])


_TOKEN = re.compile(r"\w+|[^\w\s]")


def _join_uses(joined: _Union, hunks: Sequence[SourceHunk]) -> None:
    """An attribute that is made by something else now (a module instead of a parameter), and the lines
    of its class that use it in another way."""
    turned: dict[tuple[str, str, str], int] = {}
    for index, item in enumerate(hunks):
        for name in _turned(item.hunk):
            turned[(item.change.path, item.change.member.owner, name)] = index
    for index, item in enumerate(hunks) if turned else ():
        old, new = _uses(item.hunk.removed), _uses(item.hunk.added)
        for name in old.keys() & new.keys():
            made = turned.get((item.change.path, item.change.member.owner, name))
            if made is not None and old[name] != new[name]:
                joined.join(made, index)


def _uses(lines: Iterable[Line]) -> dict[str, set[Tokens]]:
    """Attributes of ``self`` in lines, with the tokens on either side of each."""
    found: dict[str, set[Tokens]] = defaultdict(set)
    for line in lines:
        tokens = ("", *line.tokens, "")
        for at in range(3, len(tokens) - 1):
            if tokens[at - 2 : at] == ("self", "."):
                found[tokens[at]].add((tokens[at - 3], tokens[at + 1]))
    return found


#: What makes an attribute: its name, and the name of what is called for it.
_MADE = re.compile(r"\s*self\.(\w+)(?:\s*:[^=]+)?\s*=\s*([\w.]+)\(")


def _makers(lines: Iterable[Line]) -> dict[str, str]:
    matches = (_MADE.match(line.text) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def _turned(hunk: Hunk) -> Iterator[str]:
    """Attributes that another call makes than before."""
    old, new = _makers(hunk.removed), _makers(hunk.added)
    yield from (name for name in old if name in new and old[name] != new[name])


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
