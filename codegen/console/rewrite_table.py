"""The table that ends ``sync --rewrite``: what the passes did in each model, and what they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_COLOURS = {"extracted": "green", "lifted": "cyan", "captured": "green", "left": "yellow"}
#: Kinds that are told only where there are such records.
_RARE = {"rewritten": "green", "inherited": "cyan", "failed": "red"}
_ALL = {**_COLOURS, **_RARE}

Paint = Callable[[str, str], str]
Records = Sequence[Mapping[str, Any]]


@dataclass
class _Row:
    """One line of the table: what happened in one method, and where it is."""

    kind: str
    method: str
    place: str
    what: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def format_rewrites(report: Records, paint: Paint) -> Iterator[str]:
    """Lines of the table; ``paint`` colours a word (text, colour)."""
    models: dict[str, list[Mapping[str, Any]]] = {}
    for record in report:
        models.setdefault(record["model"], []).append(record)
    if not models:
        yield "rewrite: nothing to do, no computation of early values was found"
        return
    for model, records in sorted(models.items()):
        yield f"{paint(model, 'bold')}: {_counts(records)}"
        yield from _table(list(_rows(records)), paint)
    yield f"rewrite: {len(models)} models, {_counts(report)}"


def _counts(records: Records) -> str:
    counts = {kind: sum(r["kind"] == kind for r in records) for kind in _ALL}
    return ", ".join(f"{n} {kind}" for kind, n in counts.items() if n or kind in _COLOURS)


def _rows(records: Records) -> Iterator[_Row]:
    """One row per kind and method, in the order of the kinds."""
    for kind in _ALL:
        rows: dict[str, _Row] = {}
        for record in records:
            if record["kind"] == kind:
                method = ".".join(filter(None, (record["cls"], record["method"]))) or "(file)"
                row = rows.setdefault(method, _Row(kind, method, record["location"]))
                _add(row, record)
        yield from rows.values()


def _add(row: _Row, record: Mapping[str, Any]) -> None:
    """Enter a record: optional inputs where there are any, the helper otherwise, and what to know."""
    what = list(record["parameters"]) if row.kind == "lifted" else []
    names = what or record["helper"].split(", ")
    row.what += [name for name in names if name and name not in row.what]
    inner = [name for name in record["path_taken"] if name != row.method]
    if inner:
        row.notes.append(f"{', '.join(record['parameters'])}: through {' > '.join(inner)}")
    if record["reason"] and record["reason"] not in row.notes:
        row.notes.append(record["reason"])


def _table(rows: Sequence[_Row], paint: Paint) -> Iterator[str]:
    """Aligned rows, each with its notes below it."""
    wide = max(len(row.method) for row in rows)
    for row in rows:
        kind = paint(f"{row.kind:9}", _ALL[row.kind])
        what = f"  {', '.join(row.what)}" if row.what else ""
        yield f"  {kind}  {row.method:{wide}}{what}  {paint(row.place, 'dim')}"
        yield from (f"             {paint(note, 'dim')}" for note in row.notes)
