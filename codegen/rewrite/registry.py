"""Run the passes in order over a library and collect the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from codegen.output.helper_bundle import helper_folder
from codegen.rewrite.capture.capture import capture
from codegen.rewrite.helpers import HELPER_MODULES
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
    """The helper modules that the named helpers need, as a package for a tree without this repository.

    The package gives every helper itself, and loads its modules when they are first asked for: a
    processor must not load torch.
    """
    wanted = sorted({HELPER_MODULES[name] for name in needed})
    texts: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name in texts:
            continue
        text = (helper_folder() / f"{name}.py").read_text(encoding="utf-8")
        wanted += re.findall(r"^\s*from utils\.(\w+) import", text, re.MULTILINE)
        texts[name] = re.sub(
            r"^(\s*)from utils\.(\w+) import", r"\1from .\2 import", text, flags=re.MULTILINE
        )
    if texts:
        given = {helper: module for helper, module in HELPER_MODULES.items() if module in texts}
        texts["__init__"] = _PACKAGE.format(
            entries="".join(f'    "{name}": "{given[name]}",\n' for name in sorted(given))
        )
    folder = f"{settings.helper_folder}/" if settings.helper_folder else ""
    return tuple(HelperFile(f"{folder}{name}.py", text) for name, text in sorted(texts.items()))


_PACKAGE = '''\
"""Runtime helpers of rewritten encoders. Written by codegen with the files that use them."""

from importlib import import_module
from typing import Any

_MODULES = {{
{entries}}}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    return getattr(import_module(f"{{__name__}}.{{_MODULES[name]}}"), name)
'''
