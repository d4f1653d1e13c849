"""Carry places across what only lays a text out anew: the formatter, and passes on finished texts.

Both texts are looked at word by word, inside strings and comments, too. The words of imports, which
are sorted, are found by module and name; of all others the order is the same on both sides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from difflib import SequenceMatcher
from operator import methodcaller

_WORD = re.compile(r"\w+|[^\w\s]")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]*(?:\((?P<block>[^()]*)\)|(?P<line>[^\n(]+))"
    r"|import[ \t]+(?P<plain>[\w., \t]+))$",
    re.MULTILINE,
)
_NAME = re.compile(r"(?P<name>[\w.*]+)(?:[ \t]+as[ \t]+(?P<alias>\w+))?")
#: What a formatter puts in or takes out, or replaces by the like.
_LAYOUT = frozenset("(),\"'\\;")
_START = methodcaller("start")
_QUOTES = frozenset("\"'")
#: Words that must agree for two places of the texts to be the same again, and how far to look first.
_AGREE, _WINDOW = 4, 200

Span = tuple[int, int]


def word_spans(text: str) -> list[Span]:
    """Where the words of a text begin and end: names, numbers, single other characters."""
    return [match.span() for match in _WORD.finditer(text)]


def word_starts(text: str) -> Iterator[int]:
    """Where the words of a text begin."""
    return map(_START, _WORD.finditer(text))


def word_end(text: str, start: int) -> int:
    """Where the word that begins at an offset ends."""
    match = _WORD.match(text, start)
    return match.end() if match else start + 1


def aligned(old: str, new: str) -> dict[int, int]:
    """Which word of ``old`` (by its offset) each word of ``new`` (by its offset) is."""
    old_imports, new_imports = list(_imports(old)), list(_imports(new))
    pairs = dict(_paired_imports(old_imports, new_imports))
    left, old_words = _others(old, [span for span, *_ in old_imports])
    right, new_words = _others(new, [span for span, *_ in new_imports])
    for i, j, count in _matched(old_words, new_words):
        pairs.update(zip(right[j : j + count], left[i : i + count]))
    return pairs


def _others(text: str, regions: Sequence[Span]) -> tuple[list[int], list[str]]:
    """The offsets of the words outside of the regions, which are in order, and the words."""
    starts: list[int] = []
    words: list[str] = []
    done = 0
    for start, end in (*regions, (len(text), len(text))):
        words += _WORD.findall(text, done, start)
        starts += map(_START, _WORD.finditer(text, done, start))
        done = end
    return starts, words


# -- imports -------------------------------------------------------------------------------------

_Entry = tuple[tuple[str, str, str], Span, Span | None]


def _imports(text: str) -> Iterator[tuple[Span, list[int], list[_Entry]]]:
    """Every import: its range, the offsets of the words in front of its names, and the names."""
    for match in _IMPORT.finditer(text):
        group = match.lastgroup or "plain"
        start, end = match.span(group)
        entries = []
        for name in _NAME.finditer(text, start, end):
            if text.rfind("#", text.rfind("\n", 0, name.start()) + 1, name.start()) >= start:
                continue  # in a comment
            key = (match["module"] or "", name["name"], name["alias"] or "")
            alias = name.span("alias") if name["alias"] else None
            entries.append((key, name.span("name"), alias))
        begin = match.end() if not entries else start
        head = [word.start() for word in _WORD.finditer(text, match.start(), begin)]
        yield match.span(), head, entries


def _paired_imports(
    old: Sequence[tuple[Span, list[int], list[_Entry]]],
    new: Sequence[tuple[Span, list[int], list[_Entry]]],
) -> Iterator[Span]:
    known: dict[tuple[str, str, str], list[tuple[list[int], _Entry]]] = defaultdict(list)
    for _, head, entries in old:
        for entry in entries:
            known[entry[0]].append((head, entry))
    for _, head, entries in new:
        told = False
        for key, name, alias in entries:
            if not known[key]:
                continue
            # The last one stays for names that are imported again, which the formatter drops.
            choice = known[key].pop(0) if len(known[key]) > 1 else known[key][0]
            old_head, (_, old_name, old_alias) = choice
            if not told:
                yield from zip(head, old_head)
                told = True
            yield from _same_words(name, old_name)
            if alias and old_alias:
                yield alias[0], old_alias[0]


def _same_words(new: Span, old: Span) -> Iterator[Span]:
    """The same dotted name on both sides, character by character."""
    yield from zip(range(*new), range(*old))


# -- everything else -----------------------------------------------------------------------------


#: Stretches that are compared at once.
_STRETCH = 64
#: Positions in both texts and how many words from there on are the same.
_Run = tuple[int, int, int]


def _matched(old: Sequence[str], new: Sequence[str]) -> Iterator[_Run]:
    """Runs of positions that hold the same words, in order."""
    i = j = 0
    while i < len(old) and j < len(new):
        same = _same(old, new, i, j)
        if same:
            yield i, j, same
            i, j = i + same, j + same
        elif old[i] in _QUOTES and new[j] in _QUOTES:
            yield i, j, 1
            i, j = i + 1, j + 1
        elif new[j] in _LAYOUT and old[i : i + 1] == new[j + 1 : j + 2]:
            j += 1
        elif old[i] in _LAYOUT and old[i + 1 : i + 2] == new[j : j + 1]:
            i += 1
        else:
            i, j = yield from _across(old, new, i, j)


def _same(old: Sequence[str], new: Sequence[str], i: int, j: int) -> int:
    """How many words are the same from two positions on."""
    same = 0
    while (stretch := old[i + same : i + same + _STRETCH]) == new[
        j + same : j + same + _STRETCH
    ] and stretch:
        same += len(stretch)
    for one, other in zip(old[i + same : i + same + _STRETCH], new[j + same : j + same + _STRETCH]):
        if one != other:
            break
        same += 1
    return same


def _across(
    old: Sequence[str], new: Sequence[str], i: int, j: int
) -> Generator[_Run, None, tuple[int, int]]:
    """The pairs in a stretch where the texts differ, and where they agree again."""
    window = _WINDOW
    while True:
        left, right = old[i : i + window], new[j : j + window]
        matcher = SequenceMatcher(None, left, right, autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size]
        whole = len(left) < window and len(right) < window
        # What is found near the end of the window could be found better with more of the text.
        firm = [
            block
            for block in blocks
            if block.size >= _AGREE and max(block.a, block.b) < window * 3 // 4
        ]
        if whole or firm:
            break
        window *= 4
    last = firm[-1] if firm and not whole else None
    for a, b, size in blocks:
        if last and a > last.a:
            break
        yield i + a, j + b, size
    if last is None:
        return len(old), len(new)
    return i + last.a + last.size, j + last.b + last.size
