"""What the lines of a hunk say beyond their text: names, parameters that prose tells of, a word that
takes the place of another, how attributes are made and used.
"""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from codegen.review.model import Hunk, Line, MemberChange, Tokens
from codegen.review.reshaped import same_in_another_shape

WORD = re.compile(r"[A-Za-z_]\w*")
#: An f-string, and what is read in it.
_FILLED = re.compile(r"[rR]?[fF][rR]?[\"']")
_FIELD = re.compile(r"\{([^{}]*)\}")
#: Names that say nothing about an edit.
COMMON = frozenset(keyword.kwlist) | {"self", "cls", "config", "kwargs", "args", "super", "None"}
#: Statements of a class that holds nothing.
PLACEHOLDERS = ("pass", "...")


def words(lines: Iterable[Line]) -> set[str]:
    """Identifiers in the code of lines, after undoing model names; words of prose are none.

    A string counts where it is nothing but an identifier, as the name of a buffer is.
    """
    found: set[str] = set()
    for line in lines:
        if len(line.tokens) == 1:
            _, imports, names = line.tokens[0].rpartition("import ")
            found.update(WORD.findall(names) if imports else ())
            continue
        for token in line.tokens:
            if WORD.fullmatch(token.strip("\"'")):
                found.add(token.strip("\"'"))
            elif _FILLED.match(token):
                found.update(word for part in _FIELD.findall(token) for word in WORD.findall(part))
    return found - COMMON


#: How a line of a docstring begins that tells of a parameter.
_DOCUMENTED = re.compile(r"\s*(?::param[ \t]+)?(?P<name>[a-z_]\w*)[ \t]*(?:\([^)]*\))?[ \t]*:")


def documented(lines: Iterable[Line]) -> set[str]:
    """Parameters that lines of a docstring tell of."""
    heads = (_DOCUMENTED.match(line.text) for line in lines if len(line.tokens) == 1)
    return {head["name"] for head in heads if head} - COMMON


def replaced_word(hunk: Hunk) -> tuple[str, str] | None:
    """What the same takes the place of in every line, if that is all that a hunk does: a word, or an
    expression that a word becomes."""
    old, new = ("\n".join(line.text for line in side) for side in (hunk.removed, hunk.added))
    pairs = set(zip(WORD.findall(old), WORD.findall(new)))
    if WORD.sub("", old) != WORD.sub("", new):
        if old.count("\n") != new.count("\n"):
            return None
        pairs = {_apart(*lines) for lines in zip(old.split("\n"), new.split("\n"))}
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    if len(changed) != 1 or not all(map(WORD.search, changed[0])):
        return None
    return changed[0]


def replaced_in(change: MemberChange, hunk: Hunk) -> tuple[str, str] | None:
    """What takes the place of what in a hunk, if that is all it does; in a header whatever it was before."""
    if change.member.kind == "header":
        return renewed(hunk)
    return same_in_another_shape(change) or replaced_word(hunk)


def renewed(hunk: Hunk) -> tuple[str, str] | None:
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


def uses_of(lines: Iterable[Line]) -> dict[str, set[Tokens]]:
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


def turned(hunk: Hunk) -> Iterator[str]:
    """Attributes that another call makes than before."""
    old, new = _makers(hunk.removed), _makers(hunk.added)
    yield from (name for name in old if name in new and old[name] != new[name])


#: A line that gives an attribute of the instance a value.
_STORED = re.compile(r"\s*self\.(\w+)(?:\s*:[^=]+)?\s*=(?!=)")


def stored(lines: Iterable[Line]) -> set[str]:
    """Attributes of ``self`` that lines give a value."""
    matches = (_STORED.match(line.text) for line in lines)
    return {match[1] for match in matches if match}


#: Decorators by which a method is read like an attribute.
_PROPERTY = re.compile(r"\s*@(?:[\w.]+\.)?(?:cached_)?property\s*$")


def made_property(hunk: Hunk) -> bool:
    """Whether a method becomes a property by a hunk, or no longer is one."""
    old, new = (
        any(_PROPERTY.match(line.text) for line in side) for side in (hunk.removed, hunk.added)
    )
    return old != new


def comments_only(hunk: Hunk) -> bool:
    """Whether nothing but comments differs in a hunk."""
    return all(line.text.lstrip().startswith("#") for line in (*hunk.removed, *hunk.added))
