"""Explanations as text of eighty columns, and as values for JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from codegen.explain.values import Advice, Explanation, MemberExplanation, Place, Section, Strand

WIDTH = 80
#: Other places that are listed; of the others their number is told.
_LISTED = 8
#: Colours a text, as ``console.text.paint`` does.
Paint = Callable[[str, str], str]


def show_line(item: Explanation, paint: Paint) -> Iterator[str]:
    """The explanation of a line, but for the other files that have it (:func:`show_same`)."""
    yield from _head(item.place, paint)
    yield f"  {paint(_cut(item.place.text, 2), 'cyan')}" if item.place.text else "  (empty)"
    several = len(item.strands) > 1
    for strand in item.strands:
        yield ""
        if several:
            yield f"  {paint('words', 'dim')}  {_cut(strand.words, 9)}"
        yield from _strand(strand, item.place.text, paint)
    if item.layout:
        yield ""
    for sentence in item.layout:
        yield from _wrapped(sentence, "  ", "    ")
    yield from _advice(item.advice, paint)
    yield from _notes(item.notes, paint)


def show_same(places: Sequence[Place], whole: bool) -> Iterator[str]:
    """The other lines of one source; not ``whole``: those of the first files."""
    if places:
        yield ""
        yield from _same(places, len(places) if whole else _LISTED)


def _strand(strand: Strand, text: str, paint: Paint) -> Iterator[str]:
    for link in strand.links:
        for step in link.steps:
            yield from _wrapped(step, "    ", "    ")
        member = f"  {link.place.member}" if link.place.member else ""
        yield from _wrapped(f"{paint('←', 'green')} {link.place}{member}", "  ", "    ")
        if link.place.root:
            yield from _wrapped(f"below {link.place.root}", "    ", "    ")
        if link.place.text and link.place.text != text:
            yield f"    {paint(_cut(link.place.text, 4), 'cyan')}"
    for made in strand.made:
        yield from _wrapped(made, "    ", "    ")


def show_member(item: MemberExplanation, paint: Paint) -> Iterator[str]:
    """The explanation of a class, method or function."""
    yield from _head(item.place, paint, item.last)
    yield ""
    width = max((len(_range(each.first, each.last)) for each in item.sections), default=1)
    for section in item.sections:
        yield from _section(section, width, paint)
    yield from _advice(item.advice, paint)
    yield from _notes(item.notes, paint)


def _section(section: Section, width: int, paint: Paint) -> Iterator[str]:
    lines = _range(section.first, section.last).rjust(width)
    indent = " " * (width + 4)
    source = section.source
    if source is None:
        yield from _wrapped(f"{lines}  {section.steps[0]}", "  ", indent)
        return
    end = f"-{section.last_source}" if section.last_source > source.line else ""
    member = f"  {source.member}" if source.member else ""
    yield from _wrapped(f"{lines}  {paint('←', 'green')} {source}{end}{member}", "  ", indent)
    for step in section.steps:
        yield from _wrapped(step, indent, indent)


def show_frame(item: Explanation, paint: Paint) -> Iterator[str]:
    """A line of a traceback: where the code of the frame was written."""
    strand = next((strand for strand in item.strands if strand.links), None)
    if strand is None:
        made = [made for strand in item.strands for made in strand.made]
        yield from _wrapped(made[0] if made else "no author wrote this line", "    ", "    ")
        return
    for link in strand.links:
        member = f"  {link.place.member}" if link.place.member else ""
        yield from _wrapped(f"{paint('←', 'green')} {link.place}{member}", "    ", "      ")
        yield from _wrapped(link.steps[0], "      ", "      ")


def _head(place: Place, paint: Paint, last: int = 0) -> Iterator[str]:
    lines = f"{place}-{last}" if last > place.line else str(place)
    member = f"  {place.member}" if place.member else ""
    yield from _wrapped(f"{paint(lines, 'bold')}{member}", "", "  ")


def _advice(advice: Advice, paint: Paint) -> Iterator[str]:
    if not advice.everywhere:
        return
    yield ""
    yield from _wrapped(
        f"{paint('to change it everywhere:', 'dim')} {advice.everywhere}", "  ", "    "
    )
    yield from _wrapped(f"{paint('to change it here only:', 'dim')} {advice.here}", "  ", "    ")


def _same(places: Sequence[Place], listed: int) -> Iterator[str]:
    files = [(path, list(group)) for path, group in groupby(places, key=lambda item: item.path)]
    yield f"  the same source also gives {_count(len(places), 'line')} of {_count(len(files), 'file')}:"
    for path, group in files[:listed]:
        numbers = ", ".join(str(place.line) for place in group[:4])
        more = " …" if len(group) > 4 else ""
        yield f"    {path}:{numbers}{more}"
    if len(files) > listed:
        yield f"    and {len(files) - listed} more files (--all lists them)"


def _notes(notes: Sequence[str], paint: Paint) -> Iterator[str]:
    for note in notes:
        yield ""
        yield from _wrapped(f"{paint('note:', 'yellow')} {note}", "  ", "    ")


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _cut(text: str, used: int) -> str:
    """As much of a text as fits behind ``used`` columns."""
    return text if len(text) <= WIDTH - used else f"{text[: WIDTH - used - 1]}…"


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_data(item: Explanation | MemberExplanation) -> dict[str, Any]:
    """An explanation for JSON."""
    return asdict(item)
