"""A review as one comment on a pull request: risks, a table, hunks to unfold; never too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from codegen.review.as_text import count, few_of, hunk_lines
from codegen.review.group import distinct_hunks
from codegen.review.model import Change, Hunk, Report

#: By this line the comment is found again, to be updated in place.
MARKER = "<!-- codegen review -->"
#: GitHub takes no longer comment.
LIMIT = 65_536
_ROOM = 512


def format_markdown(report: Report) -> str:
    """The comment. Of many models the first are named, all to be unfolded as far as there is room. What
    does not fit at all is left out from the end, and counted there."""
    text, left = _fitting(report, _with_list)
    if left:
        text, left = _fitting(report, few_of)
    if left:
        text += f"\n{count(left, 'part')} left out: run `python -m codegen review` to see all.\n"
    return text


#: How models are named behind what concerns them.
_Named = Callable[[Sequence[str]], str]


def _with_list(models: Sequence[str]) -> str:
    short, whole = few_of(models), ", ".join(models)
    return short if short == whole else f"<details><summary>{short}</summary>{whole}</details>"


def _fitting(report: Report, named: _Named) -> tuple[str, int]:
    """The comment as far as there is room, and how many parts are left out."""
    parts = [MARKER, "", *_head(report)]
    size = sum(len(part.encode()) + 1 for part in parts)
    left = 0
    for block in _blocks(report, named):
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


def _blocks(report: Report, named: _Named) -> Iterator[list[str]]:
    """Parts in the order of their weight; each fits or is left out as a whole."""
    if report.unexplained:
        yield ["", f"#### :rotating_light: Unexplained lines ({len(report.unexplained)})", ""]
        for alarm in report.unexplained:
            yield [
                f"- `{alarm.place}` {_code(alarm.member)}: {_text(alarm.reason)}",
                *_details("lines", _fenced(alarm.hunks)),
            ]
    if report.stale:
        yield ["", f"#### Not fresh ({len(report.stale)}): run `python -m codegen sync`", ""]
        yield [f"- `{item.path}`: {item.state.value}" for item in report.stale]
    if report.risks:
        yield ["", f"#### Risks ({len(report.risks)})", ""]
        yield from (
            [f"- **{risk.kind}** {_text(risk.message)} (`{risk.place}`): {named(risk.models)}"]
            for risk in report.risks
        )
    yield ["", "#### Changes", "", "| | change | where | models | files |", "|-:|---|---|---|-:|"]
    yield from ([_row(change)] for change in report.changes)
    yield from (_change(change, named) for change in report.changes)
    if report.not_reached:
        yield ["", f"#### Not reached ({len(report.not_reached)})", ""]
        for item in report.not_reached:
            said = f"{_code(item.member)}: {_text(item.reason)} (`{item.place}`)"
            yield [f"- {said}: {named(item.models)}"]


def _row(change: Change) -> str:
    place = f"`{change.edit.place}`" if change.edit else ""
    models = few_of(change.models)
    return f"| {change.number} | {_cell(change.title)} | {place} | {models} | {len(change.files)} |"


def _change(change: Change, named: _Named) -> list[str]:
    lines: list[str] = []
    for source, again in distinct_hunks(change.edit) if change.edit else ():
        more = f" and {count(again, 'more place')} like it" if again else ""
        lines += [
            f"`{source.place}` {_code(source.change.shown)}{more}",
            "",
            *_fenced((source.hunk,)),
            "",
        ]
    for variant in change.variants:
        said = "as the edit" if variant.as_edit else variant.instances[0].change.kind
        said += f", otherwise than {variant.like}" if variant.like else ""
        shown = _code(variant.instances[0].change.shown)
        lines += [f"**{change.number}{variant.letter}** {said}: {shown} in {named(variant.models)}"]
        lines += ["", *([] if variant.as_edit else [*_fenced(variant.instances[0].hunks), ""])]
    return _details(f"{change.number} {change.title} ({count(len(change.files), 'file')})", lines)


def _details(summary: str, lines: Sequence[str]) -> list[str]:
    return ["", f"<details><summary>{_html(summary)}</summary>", "", *lines, "", "</details>"]


def _fenced(hunks: Sequence[Hunk]) -> list[str]:
    lines = [f"{sign} {text}".rstrip() for hunk in hunks for sign, text in hunk_lines(hunk)]
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


_text = _escaped("\\`*_{}[]<>#|~")


def _cell(text: str) -> str:
    return _text(text).replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
