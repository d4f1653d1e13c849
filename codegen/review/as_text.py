"""A review for the terminal: eighty columns, the alarm first, every change once."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from codegen.review.group import distinct_hunks
from codegen.review.model import Change, Hunk, NotReached, Report, Risk, Unexplained, Variant

Paint = Callable[[str, str], str]
WIDTH = 80
_INDENT = "    "


def plain(text: str, colour: str) -> str:
    """No colours."""
    return text


def format_text(report: Report, paint: Paint = plain) -> str:
    """The whole review."""
    parts = [
        _summary(report, paint),
        _stale(report, paint),
        _unexplained(report.unexplained, paint),
        _risks(report.risks, paint),
        _changes(report.changes, paint),
        _not_reached(report.not_reached, paint),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def named_change(report: Report, what: str) -> tuple[Change, str] | None:
    """The change that a name such as ``2``, ``2A`` or an id stands for, with the letter of its variant ("" for
    all); None if there is none of that name."""
    number = what.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    letter = what[len(number) :]
    for change in report.changes:
        if number in (str(change.number), change.id):
            known = letter in ("", *(variant.letter for variant in change.variants))
            return (change, letter) if known else None
    return None


def format_shown(change: Change, letter: str, paint: Paint = plain) -> str:
    """One change, or one variant of it where there is a letter."""
    lines = list(_heading(change, paint))
    if not letter:
        lines += _cause(change, paint)
    for variant in change.variants:
        if letter in ("", variant.letter):
            lines += _variant(variant, paint, True)
    return "\n".join(lines) + "\n"


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


#: So many names are told one by one; of more, the first two and how many there are.
_NAMED = 6


def few_of(names: Sequence[str]) -> str:
    """Names for a line: all of them, or the first two and a count."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"


def _wrap(text: str, first: str = "", rest: str | None = None) -> list[str]:
    rest = first if rest is None else rest
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


#: So many sources are listed by name.
_SOURCES = 20


def _summary(report: Report, paint: Paint) -> Iterator[str]:
    summary = report.summary
    yield paint(f"review of {summary.base} .. {summary.head}", "bold")
    for source in summary.sources[:_SOURCES]:
        yield f"  {source.path} (+{source.added} -{source.removed})"
    if len(summary.sources) > _SOURCES:
        yield f"  and {len(summary.sources) - _SOURCES} more sources"
    reached = f"{count(summary.files, 'generated file')} of {count(len(summary.models), 'model')}"
    yield f"  {reached} reached, {count(len(summary.untouched), 'model')} untouched"
    shown = [change for change in report.changes if change.edit or change.variants]
    yield (
        f"  {count(len(shown), 'change')}: {count(summary.read_hunks, 'hunk')}, "
        f"{count(summary.read_lines, 'line')} to read, instead of {summary.hunks} and {summary.lines}"
    )
    if not (shown or report.stale or report.unexplained or report.notes):
        yield "  nothing differs"
    for note in report.notes:
        yield from _wrap(f"note: {note}", "  ", "    ")


def _section(title: str, paint: Paint) -> Iterator[str]:
    yield ""
    yield paint(title, "bold")


def _stale(report: Report, paint: Paint) -> Iterator[str]:
    if not report.stale:
        return
    yield from _section(f"NOT FRESH ({len(report.stale)}): run sync, then review again", paint)
    for item in report.stale:
        lines = f" ({count(item.lines, 'line')})" if item.lines else ""
        yield f"  {item.path}: {paint(item.state.value, 'yellow')}{lines}"


def _unexplained(items: Sequence[Unexplained], paint: Paint) -> Iterator[str]:
    if not items:
        return
    yield from _section(
        paint(f"UNEXPLAINED ({len(items)}): no edit gives these lines", "red"), paint
    )
    for item in items:
        yield f"  {item.place}  {item.member}"
        yield from _wrap(item.reason, _INDENT)
        yield from _hunks(item.hunks, paint, _INDENT)


def _risks(risks: Sequence[Risk], paint: Paint) -> Iterator[str]:
    if not risks:
        return
    yield from _section(f"RISKS ({len(risks)})", paint)
    for risk in risks:
        change = f" [change {risk.change}]" if risk.change else ""
        lines = _wrap(f"{risk.kind}: {risk.message}{change}", "  ", _INDENT)
        yield lines[0].replace(risk.kind, paint(risk.kind, "red"), 1)
        yield from lines[1:]
        yield f"{_INDENT}{paint(str(risk.place), 'cyan')}"
        yield from _wrap(f"in {', '.join(risk.models)}", _INDENT) if risk.models else ()


def _changes(changes: Sequence[Change], paint: Paint) -> Iterator[str]:
    yield from _section(f"CHANGES ({len(changes)})", paint)
    for change in changes:
        yield from _heading(change, paint)
        yield from _cause(change, paint)
        for variant in change.variants:
            yield from _variant(variant, paint, not variant.as_edit)
        yield ""


def _heading(change: Change, paint: Paint) -> Iterator[str]:
    reach = count(len(change.files), "file") if change.variants else "no generated file"
    lines = _wrap(f"{change.number}  {change.title} ({reach}, {change.id})", "  ", _INDENT)
    yield paint(lines[0], "bold")
    yield from lines[1:]


def _cause(change: Change, paint: Paint) -> Iterator[str]:
    told = distinct_hunks(change.edit) if change.edit else []
    for source, _ in told:
        yield f"{_INDENT}{paint(str(source.place), 'cyan')}  {source.change.shown}"
        yield from _hunks((source.hunk,), paint, _INDENT)
    again = sum(others for _, others in told)
    if again:
        yield f"{_INDENT}and the same in {count(again, 'other place')} of the sources"


def _variant(variant: Variant, paint: Paint, shown: bool) -> Iterator[str]:
    first = variant.instances[0].change
    said = "as the edit" if variant.as_edit else first.kind
    if variant.like:
        said += f", otherwise than {variant.like}"
    places = count(len(variant.instances), "place")
    head = f"{variant.letter}  {said}, {places}: {first.shown}"
    if first.note:
        head += f" ({first.note})"
    yield from _wrap(head, _INDENT, _INDENT + "   ")
    yield from _wrap(f"in {', '.join(variant.models)}", _INDENT + "   ")
    if shown:
        yield from _hunks(variant.instances[0].hunks, paint, _INDENT + "   ")


def _hunks(hunks: Sequence[Hunk], paint: Paint, indent: str) -> Iterator[str]:
    for hunk in hunks:
        for sign, text in hunk_lines(hunk):
            colour = {"-": "red", "+": "green"}.get(sign, "dim")
            room = WIDTH - len(indent) - 2
            for piece in _pieces(text, room):
                yield indent + paint(f"{sign} {piece}".rstrip(), colour)


def _pieces(text: str, room: int) -> list[str]:
    return [text[start : start + room] for start in range(0, len(text), room)] or [""]


def hunk_lines(hunk: Hunk) -> list[tuple[str, str]]:
    """The lines of a hunk with their signs, without the indentation that all of them have; of what only
    moved the first, and of a file that went their number."""
    if hunk.file:
        lines = hunk.removed[0].text.split("\n")
        return [("-", f"the whole file, {count(len(lines), 'line')}")]
    if hunk.moved:
        lines = [text for line in hunk.added for text in line.text.split("\n")]
        rest = [(" ", f"… and {count(len(lines) - 1, 'line')}, as before")] if lines[1:] else []
        return [(" ", lines[0].strip()), *rest]
    found = [(" ", hunk.before)] if hunk.before else []
    found += [("-", text) for line in hunk.removed for text in line.text.split("\n")]
    found += [("+", text) for line in hunk.added for text in line.text.split("\n")]
    found += [(" ", hunk.after)] if hunk.after else []
    found = [
        (sign, part)
        for sign, text in found
        for part in (text.split("\n") if sign == " " else [text])
    ]
    whole = textwrap.dedent("\n".join(text for _, text in found)).split("\n")
    return [(sign, text) for (sign, _), text in zip(found, whole)]


def _not_reached(items: Sequence[NotReached], paint: Paint) -> Iterator[str]:
    if not items:
        return
    yield from _section(f"NOT REACHED ({len(items)})", paint)
    groups: dict[tuple[int, str, str], list[NotReached]] = {}
    for item in items:
        groups.setdefault((item.change, item.member, item.kind), []).append(item)
    for (_, member, kind), several in groups.items():
        if len(several) > _FEW:
            models = {model for item in several for model in item.models}
            said = f"{_WHY[kind]}, {count(len(several), 'place')} in {count(len(models), 'model')}"
            yield from _wrap(f"{kind}: {member}, {said}", "  ", _INDENT)
            yield from (f"{_INDENT}{paint(str(item.place), 'cyan')}" for item in several)
            continue
        for item in several:
            yield from _wrap(f"{kind}: {member}, {item.reason}", "  ", _INDENT)
            yield f"{_INDENT}{paint(str(item.place), 'cyan')}"
            yield from _wrap(", ".join(item.models), _INDENT)


#: More places than these are listed without the reason of each.
_FEW = 3
_WHY = {
    "override": "overridden",
    "deleted": "deleted",
    "copy": "the line that goes stands in code of its own",
    "excluded": "left out by the settings",
}
