"""Carry places through the passes of a project that run on its generated files."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from codegen.explain.origins import SOURCES, Traced, joined, made

#: The path of what such a pass wrote itself.
BY_PASS = "<pass>"
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
#: Share of its words that a line keeps which was changed, not written anew.
_KEPT = 0.6


def passed(draft: Traced, done: str) -> Traced:
    """What a pass made of a text: where it left or touched a line, that keeps its places.

    A line that is another one was written by the pass, even if words of it stood there before.
    """
    old = [draft[start:end] for start, end in _spans(str.__str__(draft))]
    new = [done[start:end] for start, end in _spans(done)]
    pieces: list[str] = []
    plain = [str.__str__(line) for line in old]
    for tag, first, last, begin, end in _differences(plain, new):
        if tag == "equal":
            pieces += old[first:last]
        else:
            pieces += _touched(old[first:last], new[begin:end])
    text = joined("", pieces)
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


def _differences(
    old: Sequence[str], new: Sequence[str]
) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _touched(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The lines of a stretch that differs; each old one is at most one of the new ones, in order."""
    done = 0
    for line in new:
        words = _WORD.findall(line)
        for index in range(done, len(old)):
            before = _WORD.findall(str.__str__(old[index]))
            matcher = SequenceMatcher(None, before, words, autojunk=False)
            if matcher.ratio() >= _KEPT:
                yield from _by_words(old[index], before, words, matcher)
                done = index + 1
                break
        else:
            yield by_pass(line)


def _by_words(
    line: str, before: Sequence[str], words: Sequence[str], matcher: SequenceMatcher[str]
) -> Iterator[str]:
    starts = [0]
    for word in before:
        starts.append(starts[-1] + len(word))
    for tag, first, last, begin, end in matcher.get_opcodes():
        if tag == "equal":
            yield line[starts[first] : starts[last]]
        elif begin < end:
            yield by_pass("".join(words[begin:end]))
