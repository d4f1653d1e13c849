"""A review as workflow commands of GitHub: annotations on the lines of definitions."""

from __future__ import annotations

from codegen.review.model import Report


def format_annotations(report: Report) -> str:
    """One command per alarm, risk and change; each on the line that a reader would edit."""
    lines = [
        _command("error", item.place.path, item.place.line, "unexplained lines", item.reason)
        for item in report.unexplained
    ]
    lines += [
        _command("error", item.path, 1, "not fresh", f"{item.path} is {item.state.value}")
        for item in report.stale
    ]
    for risk in report.risks:
        said = f"{risk.message}\nin {', '.join(risk.models)}"
        lines.append(_command("warning", risk.place.path, risk.place.line, risk.kind, said))
    for change in report.changes:
        if change.edit:
            place = change.edit.place
            said = f"{change.title}\nreaches {', '.join(change.models) or 'no model'}"
            lines.append(
                _command("notice", place.path, place.line, f"change {change.number}", said)
            )
    return "".join(lines)


def _command(level: str, path: str, line: int, title: str, message: str) -> str:
    place = f"file={_property(path)},line={max(line, 1)},title={_property(title)}"
    return f"::{level} {place}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
