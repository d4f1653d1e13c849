"""Edits that give a word another spelling of the same length, or a number another digit."""

from __future__ import annotations

import keyword
import random
import re

from benchmarks.provenance.oracle import Edit, Line, as_read
from codegen.explain.atlas import Atlas
from codegen.explain.maps import Spot
from codegen.explain.named import named_in

_WORD = re.compile(r"\w+")
#: In front of the name of a class or function: under another one it is another definition.
_HEADER = re.compile(r"\b(?:class|def)\s+$")
#: Lines that count as the head of a file, and how many candidates the one with the longest way is among.
_HEAD, _DEEPEST = 45, 8
#: Names that are mentioned more often, such as `forward`, are left: they would count for all others.
_MENTIONS = 60


def one_word(atlas: Atlas, chance: random.Random) -> tuple[Line, list[Edit]] | None:
    """A random line of a generated file and an edit of one of its words where that was written."""
    path = chance.choice(generated(atlas))
    number = chance.randrange(atlas.text(path).count("\n") + 1)
    return _in_line(atlas, chance, path, number)


def head_word(atlas: Atlas, chance: random.Random) -> tuple[Line, list[Edit]] | None:
    """The same of a line at the beginning of a file: licence, docstring, imports."""
    path = chance.choice(generated(atlas))
    number = chance.randrange(min(_HEAD, atlas.text(path).count("\n") + 1))
    return _in_line(atlas, chance, path, number)


def deep_word(atlas: Atlas, chance: random.Random) -> tuple[Line, list[Edit]] | None:
    """The same of the line with the longest way to its source among some."""
    found = [one for _ in range(_DEEPEST) if (one := one_word(atlas, chance))]
    return max(found, key=lambda each: _depth(atlas, *each[0]), default=None)


def name_everywhere(atlas: Atlas, chance: random.Random) -> tuple[Line, list[Edit]] | None:
    """The name of a class, function or method and all its mentions in all sources."""
    path = chance.choice(sources(atlas))
    members = [
        member for member in named_in(as_read(atlas, path)) if member.kind in ("class", "function")
    ]
    if not members:
        return None
    member = chance.choice(members)
    name = member.name.rpartition(".")[2]
    if name.startswith("__"):
        return None
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    texts = {each: as_read(atlas, each) for each in sources(atlas)}
    new = other(name, "\n".join(text for text in texts.values() if name in text))
    edits = [
        Edit(each, match.start(), name, new)
        for each, text in texts.items()
        for match in (pattern.finditer(text) if name in text else ())
    ]
    if new == name or len(edits) > _MENTIONS:
        return None
    return (path, member.header), edits


def generated(atlas: Atlas) -> list[str]:
    """The generated files of the tree."""
    return sorted(path for path in atlas.owners if atlas.is_generated(path))


def sources(atlas: Atlas) -> list[str]:
    """The files written by hand from which others are built."""
    return [path for path in sorted(atlas.users) if not atlas.is_generated(path)]


def _in_line(
    atlas: Atlas, chance: random.Random, path: str, number: int
) -> tuple[Line, list[Edit]] | None:
    text = atlas.text(path)
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[:number])
    words = list(_WORD.finditer(text, start, start + len(lines[number])))
    if not words:
        return None
    root = root_of(atlas, Spot(path, chance.choice(words).start()))
    if root is None or root.path not in atlas.users:
        return None
    source = as_read(atlas, root.path)
    begin = root.offset
    while begin and re.match(r"\w", source[begin - 1]):
        begin -= 1
    found = _WORD.match(source, begin)
    if found is None or keyword.iskeyword(found[0]) or keyword.issoftkeyword(found[0]):
        return None
    if _HEADER.search(source[max(0, begin - 40) : begin]):
        return None
    new = other(found[0], source)
    return (
        ((path, number + 1), [Edit(root.path, begin, found[0], new)]) if new != found[0] else None
    )


def root_of(atlas: Atlas, spot: Spot) -> Spot | None:
    """Where a word was written first; None if the tool wrote it."""
    while True:
        found = atlas.map(spot.path)
        if found is None:
            return spot
        above = found.at(spot.offset)
        if above is None:
            return None
        spot = above


def _depth(atlas: Atlas, path: str, line: int) -> int:
    """How many files are between a line and its source, by its first word that an author wrote."""
    text = atlas.text(path)
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    depth, spot = 0, Spot(path, start + len(text[start:]) - len(text[start:].lstrip()))
    while (found := atlas.map(spot.path)) and (above := found.at(spot.offset)):
        depth, spot = depth + 1, above
    return depth


def other(word: str, text: str) -> str:
    """Another word of the same length and kind that the text does not have; the same if there is none."""
    if word.isdigit():
        return word[:-1] + ("1" if word[-1] != "1" else "2")
    for letter in "qzxjkvwy":
        for at in reversed(range(len(word))):
            new = word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]
            if new.isidentifier() and not re.search(rf"\b{new}\b", text):
                return new
    return word
