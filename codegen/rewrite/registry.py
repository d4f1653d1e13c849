"""Run the passes in order over a library and collect the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from codegen.rewrite.capture.capture import capture
from codegen.rewrite.place.extract import extract
from codegen.rewrite.place.lift import lift
from codegen.rewrite.place.processors import extend_processors
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import (
    HelperFile,
    Library,
    Record,
    RewriteResult,
    Settings,
    sort_records,
)

Pass = Callable[[RewriteState], None]

PASSES: tuple[tuple[str, Pass], ...] = (("extract", extract), ("lift", lift), ("capture", capture))
"""Name and function of every pass, in the order they must run: each looks for what the last one left."""

UTILS = Path(__file__).resolve().parents[2] / "utils"


def rewrite_library(library: Library, settings: Settings | None = None) -> RewriteResult:
    """Rewrite the candidates of a library; nothing is written to disk.

    Args:
        library: the tree; ``modules()`` are the files that may be changed, others are only read.
        settings: output decisions, see :class:`Settings`.
    """
    settings = settings or Settings()
    state = RewriteState(library, settings)
    for name, function in PASSES:
        if name in settings.passes:
            function(state)
    if "lift" in settings.passes:
        # Part of lift in its effect, but capture adds inputs, too.
        extend_processors(state)
    edits = {}
    for module, text in state.index.changed().items():
        source = library.read(module)
        if source is not None and source.text != text:
            edits[source.path] = text
    added = (
        helper_files(settings, state.needed_helpers()) if settings.helper_folder is not None else ()
    )
    return RewriteResult(edits, added, sort_records(without_captured(state.records)))


def without_captured(records: Iterable[Record]) -> list[Record]:
    """Leave out what was first left and then got a second form.

    What a helper was recognised for and yet left is no capture rule's business.
    """
    found = list(records)
    captured = {(r.model, r.cls, r.method) for r in found if r.kind == "captured"}
    return [
        r
        for r in found
        if r.kind != "left" or r.helper or (r.model, r.cls, r.method) not in captured
    ]


def helper_files(settings: Settings, needed: Iterable[str]) -> tuple[HelperFile, ...]:
    """Copies of the helper modules and of what they import, for a tree without this repository."""
    wanted = sorted(needed)
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        path = UTILS / f"{name}.py"
        if name in found or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        wanted += re.findall(r"^\s*from utils\.(\w+) import", text, re.MULTILINE)
        found[name] = re.sub(
            r"^(\s*)from utils\.(\w+) import", r"\1from .\2 import", text, flags=re.MULTILINE
        )
    folder = f"{settings.helper_folder}/" if settings.helper_folder else ""
    return tuple(HelperFile(f"{folder}{name}.py", text) for name, text in sorted(found.items()))
