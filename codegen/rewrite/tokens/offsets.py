"""What the helpers for placeholders give, by plain definition: texts of one pass, and offsets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

Entry = dict[str, Any]


def one_pass(
    texts: Sequence[Any], lists: Sequence[tuple[str, Sequence[str], Sequence[str]]]
) -> tuple[list[Any], list[list[Entry]]]:
    """Texts and offsets of one pass.

    Args:
        texts: what is no string stays as it is.
        lists: type, forms of the placeholder and replacements, none of them empty.

    Raises:
        StopIteration: there are too few replacements.
    """
    waiting: dict[str, tuple[str, Iterator[str]]] = {}
    for kind, forms, replacements in lists:
        rest = iter(replacements)
        for form in forms:
            waiting.setdefault(form, (kind, rest))
    pattern = re.compile("|".join(map(re.escape, waiting)) or r"(?!)")
    made, offsets = [], []
    for content in texts:
        entries: list[Entry] = []
        parts, done, length = [], 0, 0
        for match in pattern.finditer(content) if isinstance(content, str) else ():
            kind, left = waiting[match[0]]
            new = next(left)
            parts += [content[done : match.start()], new]
            length += match.start() - done
            span, new_span = match.span(), (length, length + len(new))
            entries.append(
                {
                    "type": kind,
                    "span": span,
                    "new_span": new_span,
                    "text": match[0],
                    "replacement": new,
                }
            )
            length, done = length + len(new), match.end()
        made.append("".join([*parts, content[done:]]) if isinstance(content, str) else content)
        offsets.append(entries)
    return made, offsets


def chained(first: Sequence[Entry], second: Sequence[Entry]) -> list[Entry]:
    """Offsets from the text of a first pass to what a second one made of what the first had made."""
    made = []
    for entry in first:
        start, end = entry["new_span"]
        new = entry["replacement"]
        shift = sum(_growth(inner) for inner in second if inner["span"][1] <= start)
        for inner in reversed([inner for inner in second if _lies_in(inner, entry)]):
            a, b = (place - start for place in inner["span"])
            new = new[:a] + inner["replacement"] + new[b:]
        span = (start + shift, start + shift + len(new))
        made.append({**entry, "new_span": span, "replacement": new})
    for inner in second:
        if not any(_lies_in(inner, entry) for entry in first):
            a, b = inner["span"]
            back = sum(_growth(entry) for entry in first if entry["new_span"][1] <= a)
            made.append({**inner, "span": (a - back, b - back)})
    return sorted(made, key=lambda entry: (entry["span"], entry["new_span"]))


def _lies_in(inner: Entry, entry: Entry) -> bool:
    (start, end), (a, b) = entry["new_span"], inner["span"]
    return bool(start <= a and b <= end)


def _growth(entry: Entry) -> int:
    return len(entry["replacement"]) - len(entry["text"])


def moved(entries: Sequence[Entry], old: str, new: str) -> list[Entry]:
    """Offsets in a text that was changed once more: the best alignment of both, word by word."""
    one, other = (re.findall(r"[<⟨][^<>⟨⟩]*[>⟩]|.", text, re.DOTALL) for text in (old, new))
    place: dict[int, int] = {}
    for a, b, size in _equal_runs(one, other):
        start, end = len("".join(one[:a])), len("".join(other[:b]))
        for word in one[a : a + size]:
            place.update((start + n, end + n) for n in range(len(word)))
            start, end = start + len(word), end + len(word)
    made = []
    for entry in entries:
        kept = [place[n] for n in range(*entry["new_span"]) if n in place]
        span = (min(kept), max(kept) + 1) if kept else (0, 0)
        made.append({**entry, "new_span": span, "replacement": new[slice(*span)]})
    return made


def _equal_runs(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Where words stand in both lists, by an alignment of what is between equal beginnings and ends."""
    head = _equal_words(one, other)
    tail = _equal_words(one[head:][::-1], other[head:][::-1])
    middle, between = one[head : len(one) - tail], other[head : len(other) - tail]
    yield 0, 0, head
    within = _place_within(middle, between), _place_within(between, middle)
    if max(within) >= 0:
        # Nothing is longer than all of one of them, and no comparison of words shows more.
        at, size = max(within), min(len(middle), len(between))
        yield (head, at + head, size) if within[0] >= 0 else (at + head, head, size)
    else:
        matcher = SequenceMatcher(None, middle, between, autojunk=False)
        for a, b, size in matcher.get_matching_blocks():
            yield a + head, b + head, size
    yield len(one) - tail, len(other) - tail, tail


def _place_within(inner: Sequence[str], outer: Sequence[str]) -> int:
    """Where all the words of a list first stand in another, one after the other; -1 if they do not."""
    if not inner:
        return -1
    size = len(inner)
    starts = (n for n in range(len(outer) - size + 1) if outer[n] == inner[0])
    return next((n for n in starts if outer[n : n + size] == inner), -1)


def _equal_words(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words are the same at the beginning."""
    pairs = enumerate(zip(one, other))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def wrong(
    offsets: Sequence[Sequence[Entry]],
    before: Sequence[str],
    after: Sequence[str],
    replaced: Collection[str],
) -> str:
    """Why offsets are not those between two states of texts; empty if they are.

    ``replaced`` are the placeholders that were, each of which has to have its entry.
    """
    if len(offsets) != len(before) or len(before) != len(after):
        return "offsets would not be given for every text"
    tokens = sorted(replaced, key=len, reverse=True)
    pattern = "|".join(map(re.escape, tokens)) or r"(?!)"
    for entries, old, new in zip(offsets, before, after):
        for entry in entries:
            if old[slice(*entry["span"])] != entry["text"]:
                return "the texts are changed in front of the placeholders' replacement, which offsets would not show"
            if new[slice(*entry["new_span"])] != entry["replacement"]:
                return "the texts are changed behind the placeholders' replacement, which offsets would not show"
        if re.findall(pattern, old) != [entry["text"] for entry in entries]:
            return "offsets would not be given for every placeholder"
    return ""
