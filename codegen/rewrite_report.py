"""The table that ends ``sync --rewrite``: what the passes did in each model, and what they left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_ORDER = ("extracted", "lifted", "captured", "left")
_COLOURS = {"extracted": "green", "lifted": "cyan", "captured": "green", "left": "yellow"}

Paint = Callable[[str, str], str]


def format_rewrites(report: Sequence[Mapping[str, Any]], paint: Paint) -> Iterator[str]:
    """Lines of the table; ``paint`` colours a word (text, colour)."""
    models: dict[str, list[Mapping[str, Any]]] = {}
    for record in report:
        models.setdefault(record["model"], []).append(record)
    if not models:
        yield "rewrite: nothing to do, no computation of early values was found"
        return
    for model, records in sorted(models.items()):
        counts = [f"{sum(r['kind'] == kind for r in records)} {kind}" for kind in _ORDER]
        yield f"{paint(model, 'bold')}: {', '.join(counts)}"
        for record in sorted(records, key=lambda item: _ORDER.index(item["kind"])):
            kind = record["kind"]
            yield f"  {paint(f'{kind:9}', _COLOURS[kind])}  {_describe(record)}"
    total = [f"{sum(r['kind'] == kind for r in report)} {kind}" for kind in _ORDER]
    yield f"rewrite: {len(models)} models, {', '.join(total)}"


def _describe(record: Mapping[str, Any]) -> str:
    parts = [f"{record['cls']}.{record['method']}" if record["cls"] else record["method"]]
    if record["helper"]:
        parts.append(f"by {record['helper']}")
    if record["parameters"]:
        parts.append(f"as {', '.join(record['parameters'])}")
    if record["path_taken"]:
        parts.append(f"through {' > '.join(record['path_taken'])}")
    if record["reason"]:
        parts.append(f"({record['reason']})")
    return f"{' '.join(parts)} [{record['location']}]"
