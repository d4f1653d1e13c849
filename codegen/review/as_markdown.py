"""A review as one comment on a pull request: risks, a table, hunks to unfold; never too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from codegen.review.as_text import count, few_of, hunk_lines
from codegen.review.group import distinct_hunks
from codegen.review.model import Change, Hunk, Report

#: By this line the comment is found again, to be updated in place.
MARKER = "<!-- codegen review -->"
#: GitHub takes no longer comment.
LIMIT = 65_536
_ROOM = 512


def format_markdown(report: Report) -> str:
    """The comment. Of many models the first are named, all to be unfolded as far as there is room, then long
    hunks are cut. What does not fit at all is left out from the end, and counted there."""
    for detail in _DETAILS:
        text, left = _fitting(report, detail)
        if not left:
            break
    if left:
        text += f"\n{count(left, 'part')} left out: run `python -m codegen review` to see all.\n"
    elif detail.lines:
        text += "\nLong hunks are cut: run `python -m codegen review` to see all.\n"
    return text


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is told: how models are named behind what concerns them, so many lines of hunks in one
    place, so many places and variants of a change (0: all)."""

    named: Callable[[Sequence[str]], str]
    lines: int = 0
    parts: int = 0


def _with_list(models: Sequence[str]) -> str:
    short, whole = few_of(models), ", ".join(models)
    return short if short == whole else f"<details><summary>{short}</summary>{whole}</details>"


#: From everything to what still says what there is to see.
_DETAILS = (_Detail(_with_list), _Detail(few_of), _Detail(few_of, 60, 24), _Detail(few_of, 12, 6))


def _fitting(report: Report, detail: _Detail) -> tuple[str, int]:
    """The comment as far as there is room, and how many parts are left out."""
    parts = [MARKER, "", *_head(report)]
    size = sum(len(part.encode()) + 1 for part in parts)
    left = 0
    for block in _blocks(report, detail):
        text = "\n".join(block)
        length = len(text.encode()) + 1
        if size + length > LIMIT - _ROOM:
            left += 1
            continue
        parts.append(text)
        size += length
    return "\n".join(parts) + "\n", left


def _head(report: Report) -> Iterator[str]:
    summary = report.summary
    yield f"### Review of `{summary.base}` .. `{summary.head}`"
    yield ""
    yield (
        f"{count(len(summary.sources), 'source')} changed, "
        f"{count(summary.files, 'generated file')} of {count(len(summary.models), 'model')} reached, "
        f"{count(len(summary.untouched), 'model')} untouched. "
        f"**{count(len(report.changes), 'change')}** to read: "
        f"{count(summary.read_lines, 'line')} instead of {summary.lines}."
    )


def _blocks(report: Report, detail: _Detail) -> Iterator[list[str]]:
    """Parts in the order of their weight; each fits or is left out as a whole."""
    if report.unexplained:
        yield ["", f"#### :rotating_light: Unexplained lines ({len(report.unexplained)})", ""]
        for alarm in report.unexplained:
            yield [
                f"- `{alarm.place}` {_code(alarm.member)}: {_text(alarm.reason)}",
                *_details("lines", _fenced(alarm.hunks, detail)),
            ]
    if report.stale:
        yield ["", f"#### Not fresh ({len(report.stale)}): run `python -m codegen sync`", ""]
        yield [f"- `{item.path}`: {item.state.value}" for item in report.stale]
    if report.risks:
        yield ["", f"#### Risks ({len(report.risks)})", ""]
        yield from (
            [
                f"- **{risk.kind}** {_text(risk.message)} (`{risk.place}`): {detail.named(risk.models)}"
            ]
            for risk in report.risks
        )
    yield ["", "#### Changes", "", "| | change | where | models | files |", "|-:|---|---|---|-:|"]
    yield from ([_row(change)] for change in report.changes)
    yield from (_change(change, detail) for change in report.changes)
    if report.not_reached:
        yield ["", f"#### Not reached ({len(report.not_reached)})", ""]
        for item in report.not_reached:
            said = f"{_code(item.member)}: {_text(item.reason)} (`{item.place}`)"
            yield [f"- {said}: {detail.named(item.models)}"]


def _row(change: Change) -> str:
    place = f"`{change.edit.place}`" if change.edit else ""
    models = few_of(change.models)
    return f"| {change.number} | {_cell(change.title)} | {place} | {models} | {len(change.files)} |"


def _change(change: Change, detail: _Detail) -> list[str]:
    lines: list[str] = []
    told = distinct_hunks(change.edit) if change.edit else []
    for source, again in _first(told, detail):
        more = f" and {count(again, 'more place')} like it" if again else ""
        lines += [
            f"`{source.place}` {_code(source.change.shown)}{more}",
            "",
            *_fenced((source.hunk,), detail),
            "",
        ]
    lines += _rest(len(told), "place", detail)
    for variant in _first(change.variants, detail):
        said = "as the edit" if variant.as_edit else variant.instances[0].change.kind
        said += f", otherwise than {variant.like}" if variant.like else ""
        shown = f"{_code(variant.instances[0].change.shown)} in {detail.named(variant.models)}"
        lines += [f"**{change.number}{variant.letter}** {said}: {shown}", ""]
        lines += [] if variant.as_edit else [*_fenced(variant.instances[0].hunks, detail), ""]
    lines += _rest(len(change.variants), "variant", detail)
    return _details(f"{change.number} {change.title} ({count(len(change.files), 'file')})", lines)


_Part = TypeVar("_Part")


def _first(parts: Sequence[_Part], detail: _Detail) -> Sequence[_Part]:
    return parts[: detail.parts] if detail.parts else parts


def _rest(number: int, noun: str, detail: _Detail) -> list[str]:
    left = number - detail.parts if detail.parts else 0
    return [f"… and {count(left, f'more {noun}')}", ""] if left > 0 else []


def _details(summary: str, lines: Sequence[str]) -> list[str]:
    return ["", f"<details><summary>{_html(summary)}</summary>", "", *lines, "", "</details>"]


def _fenced(hunks: Sequence[Hunk], detail: _Detail) -> list[str]:
    lines = [f"{sign} {text}".rstrip() for hunk in hunks for sign, text in hunk_lines(hunk)]
    if 0 < detail.lines < len(lines) - 1:
        lines[detail.lines :] = [f"… and {len(lines) - detail.lines} more lines"]
    longest = max((_ticks(line) for line in lines), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}diff", *lines, fence]


def _ticks(line: str) -> int:
    return max(
        (len(run) for run in "".join(c if c == "`" else " " for c in line).split()), default=0
    )


def _escaped(characters: str) -> Callable[[str], str]:
    table = str.maketrans({character: f"\\{character}" for character in characters})
    return lambda text: text.translate(table)


_escape = _escaped("\\`*_{}[]<>#|~")


def _text(text: str) -> str:
    """Text as it is; a decorator is no person to be told of the comment."""
    return _escape(text).replace("@", _AT)


#: What keeps a word behind it from being the name of somebody.
_AT = "@<!-- -->"


def _cell(text: str) -> str:
    return _text(text).replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`"


def _html(text: str) -> str:
    found = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return found.replace("@", _AT)
