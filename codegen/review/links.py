"""What ties hunks of the sources together: names, bodies, bindings, attributes, arguments, lines that moved.

A *link* is a value that the hunks of one edit share; *pairs* are indexes of hunks where one says what the
other has to share.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath as Path

from codegen.review.arguments import argument_pairs, documented_pairs
from codegen.review.model import Line, Member, MemberChange, SourceHunk, Tokens
from codegen.review.reshaped import reshaped_pairs
from codegen.review.said import (
    PLACEHOLDERS,
    made_property,
    replaced_in,
    replaced_word,
    stored,
    turned,
    uses_of,
)

#: A name that comes or goes in more files than these is that of an edit made everywhere: it says
#: nothing about hunks that have other names, too.
WIDE = 8
#: So many tokens a value has at least that says something: `x = None` has three beside its name.
_LITTLE = 4
#: The name that an import binds, which is told name by name.
_BOUND = re.compile(r"\bimport .*?(\w+)$")
_DEF = re.compile(r"\s*(?:async\s+)?def\s")
Pairs = Iterator[tuple[int, int]]


def name_links(item: SourceHunk, wide: Mapping[str, int]) -> list[object]:
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


def body_links(item: SourceHunk) -> list[object]:
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


def binding_links(item: SourceHunk) -> list[object]:
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


def attribute_links(item: SourceHunk) -> list[object]:
    """An attribute that a class gives its value now instead of a method, or another method than before."""
    change = item.change
    if not change.member.owner or item.whole:
        return []
    names = stored(item.hunk.removed) ^ stored(item.hunk.added)
    if change.kind in ("added", "gone") and change.member.kind == "attribute":
        names = {change.member.name}
    return [("attribute", change.path, change.member.owner, name) for name in names]


def shift_links(item: SourceHunk) -> list[object]:
    """A line that stands elsewhere in its method now: it is gone here, and has come there."""
    if item.change.kind != "changed" or item.hunk.layout:
        return []
    sides = (_telling(item.hunk.removed), _telling(item.hunk.added))
    here = sides[0] ^ sides[1]
    there = [_telling([*hunk.removed]) | _telling([*hunk.added]) for hunk in item.change.hunks]
    shared = Counter(line for lines in there for line in lines)
    return [("shift", id(item.change), line) for line in here if shared[line] > 1]


def _telling(lines: Sequence[Line]) -> set[Tokens]:
    """What lines say wherever and however deep they stand, without those that stand anywhere by chance."""
    return {line.tokens[1:] for line in lines if len(line.tokens) > _LITTLE + 1}


def used_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
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
                yield first, index


def property_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
    """A method that has become a property, or the reverse, and the lines of any file that call it no more,
    or do so now."""
    made: dict[str, int] = {}
    for index, item in enumerate(hunks):
        if item.change.member.kind == "method" and made_property(item.hunk):
            made[item.change.member.name] = index
    for index, item in enumerate(hunks) if made else ():
        old, new = (_called(lines) for lines in (item.hunk.removed, item.hunk.added))
        for name in made.keys() & old.keys() & new.keys():
            if old[name] != new[name]:
                yield made[name], index


def _called(lines: Sequence[Line]) -> dict[str, list[bool]]:
    """Attributes of anything, each time whether it is called."""
    found: dict[str, list[bool]] = defaultdict(list)
    for line in lines:
        tokens = (*line.tokens, "")
        for dot, name, after in zip(tokens, tokens[1:], tokens[2:]):
            if dot == ".":
                found[name].append(after == "(")
    return found


#: The head of a class with its bases.
_BASES = re.compile(r"^[ \t]*class\s+\w+\s*\((?P<bases>[^)]*)\)\s*:", re.M)


def base_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
    """A class that gets a base, and the members that it has no more, or the reverse; a method that becomes
    another's is moved, not lost."""
    changed: dict[tuple[str, str], tuple[int, bool, bool]] = {}
    for index, item in enumerate(hunks):
        member = item.change.member
        if member.kind == "class" and item.change.kind == "changed" and not item.whole:
            old, new = (_bases(each.text) if each else set() for each in _states(item.change))
            changed[item.change.path, member.name] = index, bool(new - old), bool(old - new)
    for index, item in enumerate(hunks) if changed else ():
        first, come, gone = changed.get((item.change.path, item.change.member.owner), (0, 0, 0))
        if (come and item.change.kind == "gone") or (gone and item.change.kind == "added"):
            yield first, index


def _states(change: MemberChange) -> tuple[Member | None, Member | None]:
    return change.old, change.new


def _bases(text: str) -> set[str]:
    head = _BASES.search(text)
    return {base.strip() for base in head["bases"].split(",")} - {""} if head else set()


def placeholder_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
    """`pass` in a class that has lost what it held, or gets something, and the last such member."""
    last: dict[tuple[str, str], int] = {}
    stands: list[int] = []
    for index, item in enumerate(hunks):
        lines = (*item.hunk.removed, *item.hunk.added)
        if all(line.text.strip() in PLACEHOLDERS for line in lines):
            stands.append(index)
        elif item.change.kind in ("added", "gone"):
            last[item.change.path, item.change.member.owner] = index
    for index in stands:
        owner = hunks[index].change.path, hunks[index].change.member.owner
        if owner in last:
            yield last[owner], index


#: Two files of different names are one that was renamed if they share this much of their lines.
_SAME_FILE = 0.6
_MODULE = re.compile(r"from ([.\w]+) import")


def renamed_file_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
    """A file, or the definition of a model, that has another name now, and the imports from it."""
    gone: dict[str, tuple[int, Counter[Tokens]]] = {}
    come: dict[str, tuple[int, Counter[Tokens]]] = {}
    for index, item in enumerate(hunks):
        if item.whole:
            side, lines = (come, item.hunk.added) if item.hunk.added else (gone, item.hunk.removed)
            side.setdefault(item.change.path, (index, Counter()))[1].update(
                line.tokens for line in lines
            )
    named: dict[tuple[str, str], int] = {}
    for old, (first, lines_of) in gone.items():
        shares = [(_share(lines_of, there), new) for new, (_, there) in come.items()]
        share, new = max(shares, default=(0.0, ""))
        if share >= _SAME_FILE:
            yield first, come[new][0]
            parts = (Path(path).with_suffix("").parts[-2:] for path in (old, new))
            named |= dict.fromkeys((pair for pair in zip(*parts) if pair[0] != pair[1]), first)
    for index, item in enumerate(hunks if named else ()):
        pair = None if item.whole else replaced_word(item.hunk)
        if pair is not None and pair in named:  # in prose
            yield named[pair], index
        if item.change.member.kind == "imports" and not item.whole:
            sides = (_modules(item.hunk.removed), _modules(item.hunk.added))
            for (before, after), first in named.items():
                if before in sides[0] and after in sides[1]:
                    yield first, index


def _share(one: Counter[Tokens], two: Counter[Tokens]) -> float:
    return (one & two).total() / max((one | two).total(), 1)


def _modules(lines: Sequence[Line]) -> set[str]:
    """The parts of the modules that lines import from."""
    matches = (_MODULE.match(line.text) for line in lines)
    return {part for match in matches if match for part in match[1].split(".")}


def replaced_pairs(hunks: Sequence[SourceHunk]) -> Pairs:
    """Hunks that do nothing but put the same word in the place of another, which is done everywhere, in code
    as in prose (where a name is none)."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(hunks):
        pair = replaced_in(item.change, item.hunk)
        if pair is not None and not item.whole:
            places[pair].append(index)
    for several in places.values():
        if len({hunks[index].change.path for index in several}) > WIDE:
            yield from ((several[0], index) for index in several[1:])


#: All of them but :func:`name_links`, which asks what is made everywhere.
LINKS = (body_links, binding_links, attribute_links, shift_links)
PAIRS = (
    documented_pairs,
    argument_pairs,
    used_pairs,
    property_pairs,
    base_pairs,
    placeholder_pairs,
    renamed_file_pairs,
    replaced_pairs,
    lambda hunks: reshaped_pairs(hunks, WIDE),
)
