"""Carry places through passes: those on the sources, and a project's own on its generated files."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from codegen.explain.origins import SOURCES, Traced, joined, made

#: The path of what such a pass wrote itself.
BY_PASS = "<pass>"
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_NAME = re.compile(r"\w")
#: Share of its words, and of its names, that a line keeps which was changed, not written anew.
_KEPT = 0.6
#: A line of so many names is not part of another one by chance.
_SAYING = 4
Ranges = tuple[int, int, int, int]


def passed(draft: Traced, done: str) -> Traced:
    """What a pass made of a text: where it left or touched a line, that keeps its places.

    A line that is another one was written by the pass, even if words of it stood there before.
    """
    old = [draft[start:end] for start, end in _spans(str.__str__(draft))]
    new = [done[start:end] for start, end in _spans(done)]
    pieces: list[str] = []
    at = 0
    for first, last, begin, end in _differences([str.__str__(line) for line in old], new):
        pieces += old[at:first]
        pieces += _touched(old[first:last], new[begin:end])
        at = last
    text = joined("", [*pieces, *old[at:]])
    return text if isinstance(text, Traced) else by_pass(done)


def by_pass(text: str) -> Traced:
    """A text that a pass wrote."""
    place = SOURCES.traced(BY_PASS, " ").places[0]
    return made(text, array("Q", [place]) * len(text), place)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def _differences(old: Sequence[str], new: Sequence[str]) -> list[Ranges]:
    """Stretches of lines that differ; brackets between two that are the same by chance tell nothing."""
    found: list[Ranges] = []
    for tag, *ranges in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        first, last, begin, end = ranges
        if found and not any(map(_NAME.search, old[found[-1][1] : first])):
            first, begin = found[-1][0], found[-1][2]
            found.pop()
        found.append((first, last, begin, end))
    return found


def _touched(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The lines of a stretch that differs; each old one is at most one of the new ones, in order."""
    before = [_WORD.findall(str.__str__(line)) for line in old]
    words = [_WORD.findall(line) for line in new]
    pairs = _paired(before, words)
    for at, line in enumerate(new):
        # What holds no name, such as a bracket, is that of the line in front of it.
        if at not in pairs and not _NAME.search(line):
            above = pairs.get(at - 1, -1) + 1
            if above < len(old) and (at == 0 or above) and old[above].strip() == line.strip():
                pairs[at] = above
        if at in pairs:
            yield from _by_words(old[pairs[at]], before[pairs[at]], words[at])
        else:
            yield by_pass(line)


def _paired(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> dict[int, int]:
    """Which new line is which old one: so that, in order, most words are kept."""
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    kept: dict[tuple[int, int], int] = {}
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if count := _kept(old[i], new[j]):
                kept[i, j] = count
                best[i][j] = max(best[i][j], count + best[i + 1][j + 1])
    pairs: dict[int, int] = {}
    i = j = 0
    while i < len(old) and j < len(new):
        if (i, j) in kept and best[i][j] == kept[i, j] + best[i + 1][j + 1]:
            pairs[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _kept(old: Sequence[str], new: Sequence[str]) -> int:
    """How many words a line keeps; 0 if the other one is another line.

    It is the same if it keeps most of its words and of its names, if it was added to only, or is the head
    of the same function or class.
    """
    before, after = ([word for word in line if not word.isspace()] for line in (old, new))
    bag = Counter(before) & Counter(after)
    if not any(map(_NAME.match, bag)):
        return 0
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    blocks = matcher.get_matching_blocks()
    same = [word for at, _, size in blocks for word in before[at : at + size]]
    if _head(before) and _head(before) == _head(after):
        return len(same)
    names, names_before, names_after = (
        sum(1 for word in words if _NAME.match(word)) for words in (same, before, after)
    )
    added_to = len(same) == len(before) and names_before >= _SAYING
    most = len(same) >= _KEPT * (len(before) + len(after)) / 2
    if added_to or (most and names >= _KEPT * (names_before + names_after) / 2):
        return len(same)
    return 0


def _head(words: Sequence[str]) -> Sequence[str]:
    """The words of the head of a function or class up to its name; none of other lines."""
    found = [index for index, word in enumerate(words[:2]) if word in ("def", "class")]
    return words[: found[0] + 2] if found else ()


def _by_words(line: str, before: Sequence[str], words: Sequence[str]) -> Iterator[str]:
    starts = [0]
    for word in before:
        starts.append(starts[-1] + len(word))
    matcher = SequenceMatcher(None, before, words, autojunk=False)
    for tag, first, last, begin, end in matcher.get_opcodes():
        if tag == "equal":
            yield line[starts[first] : starts[last]]
        elif begin < end:
            yield by_pass("".join(words[begin:end]))
