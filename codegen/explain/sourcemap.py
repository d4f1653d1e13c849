"""Source maps of generated files, in the format that browsers and debuggers read (ECMA-426, version 3).

    modeling_beta.py.map     {"version": 3, "file": "modeling_beta.py", "sources": [...], "names": [...],
                              "mappings": "..."}

Each word that an author wrote has a segment: its column, the source with line and column, and, if it
was renamed, the name that it has there. A map leads one file back: a source that is generated has a map
of its own. Sources are relative to the folder of the map; installed ones are absolute.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from codegen.explain.atlas import Atlas
from codegen.explain.forward import word_at
from codegen.explain.maps import Spot
from codegen.text.lines import LineMap

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SUFFIX = ".map"


def source_map(atlas: Atlas, path: str) -> str:
    """The map of a generated file, as JSON."""
    text = atlas.text(path)
    lines = LineMap(text)
    rows: list[list[str]] = [[] for _ in lines.starts]
    sources: dict[str, int] = {}
    names: dict[str, int] = {}
    known: dict[str, LineMap] = {}
    last = [0, 0, 0, 0, 0]  # column, source, line, column there, name
    row = 1
    found = atlas.map(path)
    for index, begin in enumerate(found.begins if found else ()):
        spot = atlas.unrewritten(found.spot(index)).spot if found else None
        if spot is None:
            continue
        line = lines.line_at(begin)
        if line != row:
            row, last[0] = line, 0
        if spot.path not in known:
            known[spot.path] = LineMap(atlas.text(spot.path))
        there = known[spot.path]
        line_there = there.line_at(spot.offset)
        values = [
            begin - lines.start_of(line),
            sources.setdefault(spot.path, len(sources)),
            line_there - 1,
            spot.offset - there.start_of(line_there),
        ]
        old = _word(atlas, spot)
        if old != text[begin : word_at(text, begin)[1]]:
            values.append(names.setdefault(old, len(names)))
        rows[line - 1].append("".join(_digits(new - was) for new, was in zip(values, last)))
        last[: len(values)] = values
    folder = (atlas.tree.output / path).parent
    data = {
        "version": 3,
        "file": path.rpartition("/")[2],
        "sources": [_relative(atlas, source, folder) for source in sources],
        "names": list(names),
        "mappings": ";".join(",".join(row) for row in rows),
    }
    return json.dumps(data, separators=(",", ":")) + "\n"


def write_source_maps(atlas: Atlas, models: Iterable[str]) -> list[str]:
    """Write the maps of all files of the models beside them; returns the paths."""
    models = list(models)
    atlas.prepare(models)
    written = []
    for path in (path for model in models for path in atlas.files_of(model)):
        place = atlas.tree.output / f"{path}{SUFFIX}"
        handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".map-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(source_map(atlas, path))
        os.chmod(draft, 0o644)
        os.replace(draft, place)
        written.append(f"{path}{SUFFIX}")
    return written


def _word(atlas: Atlas, spot: Spot) -> str:
    text = atlas.text(spot.path)
    start = spot.offset
    while start and (text[start - 1].isalnum() or text[start - 1] == "_") and _is_name(text, start):
        start -= 1
    return text[start : word_at(text, start)[1]]


def _is_name(text: str, at: int) -> bool:
    return text[at].isalnum() or text[at] == "_"


def _relative(atlas: Atlas, source: str, folder: Path) -> str:
    place = Path(source)
    if place.is_absolute():
        return place.as_posix()
    root = atlas.tree.output if source in atlas.owners else atlas.tree.root
    return Path(os.path.relpath(root / source, folder)).as_posix()


def _digits(number: int) -> str:
    """A number as the format has it: five bits a digit, the lowest first, the sign in the first."""
    value = (-number << 1 | 1) if number < 0 else number << 1
    digits = ""
    while True:
        value, low = value >> 5, value & 31
        digits += _DIGITS[low | (32 if value else 0)]
        if not value:
            return digits
