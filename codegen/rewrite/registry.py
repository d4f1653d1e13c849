"""Run the passes in order over a library and collect the result."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from codegen.output.helper_bundle import helper_folder
from codegen.rewrite.capture.capture import capture
from codegen.rewrite.codemods import SOURCES, load_pass, run_on_texts
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.rewrite.modules import changed_methods
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.extract import extract
from codegen.rewrite.place.further import share_keywords
from codegen.rewrite.place.later import lift_later
from codegen.rewrite.place.lift import lift
from codegen.rewrite.place.longest import lift_longest
from codegen.rewrite.place.optional_sizes import let_sizes_out
from codegen.rewrite.place.processors import extend_processors
from codegen.rewrite.place.unseen import report_unseen
from codegen.rewrite.report import Place
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.expand_tokens import expand_tokens
from codegen.rewrite.values import (
    HelperFile,
    Library,
    Record,
    RewriteResult,
    Settings,
    Source,
    sort_records,
)
from codegen.text.lines import LineMap

Pass = Callable[[RewriteState], None]
Progress = Callable[[str, int, int], None]
"""Called with the name of a pass that begins, its number and the number of passes."""
UNSTABLE = "a second run changes what the first one wrote"

PASSES: tuple[tuple[str, Pass], ...] = (
    ("extract", extract),
    ("lift", lift),
    ("capture", capture),
    ("expand_tokens", expand_tokens),
)
"""Name and function of every pass, in the order they must run: each looks for what the last one left."""
OURS = tuple(name for name, _ in PASSES)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of reference cycles, as the command line and its workers run.

    The trees of all modules live until the end; looking through them again and again for what could
    be freed is a third of the time and frees next to nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def rewrite_library(
    library: Library,
    settings: Settings | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> RewriteResult:
    """Rewrite the candidates of a library; nothing is written to disk.

    Args:
        library: the tree; ``modules()`` are the files that may be changed, others are only read.
        settings: output decisions, see :class:`Settings`.
        progress: called with the name of a pass that begins, its number and the number of passes.
    """
    settings = settings or Settings()
    current = OverlaidLibrary(library, {})
    records: list[Record] = []
    added: tuple[HelperFile, ...] = ()
    for own, names in groupby(settings.passes, key=lambda name: name not in OURS):
        if own:
            for name in names:
                progress(f"rewriting: {name}", settings.passes.index(name), len(settings.passes))
                current, noted = _run_codemod(name, current, settings)
                records += noted
            continue
        state = run_stable(current, settings, tuple(names), progress)
        records += without_captured(state.records)
        current = current.over(state.index.changed())
        if settings.helper_folder is not None:
            added = helper_files(settings, state.needed_helpers())
    return RewriteResult(current.edits(), added, sort_records(records))


def run_stable(
    library: OverlaidLibrary, settings: Settings, names: Sequence[str], progress: Progress
) -> RewriteState:
    """Run passes of this tool, and once more on what they wrote: that must not change anything.

    What a second run would change is left as it was, and the rest is done again without it.
    """
    refused: dict[Place, str] = {}
    while True:
        state = RewriteState(library, settings, refused)
        run_ours(state, names, progress)
        unstable = _changed_again(library, state, names) - refused.keys()
        if not unstable:
            return state
        refused |= dict.fromkeys(sorted(unstable), UNSTABLE)


def _changed_again(
    library: OverlaidLibrary, state: RewriteState, names: Sequence[str]
) -> set[Place]:
    """The methods that another run would change again; of the changed files first, then of all."""
    texts = state.index.changed()
    found: set[Place] = set()
    for modules in (tuple(texts), tuple(library.modules())):
        again = RewriteState(
            library.over(texts).only(modules), state.settings, state.refused, state
        )
        run_ours(again, names, lambda doing, done, total: None)
        found = {
            place
            for module in again.index.changed()
            for place in changed_methods(state.index.get(module), again.index.get(module))
        }
        if not found:
            break
    return found


def run_ours(state: RewriteState, names: Sequence[str], progress: Progress) -> None:
    """Run passes of this tool that follow each other."""
    for name, function in PASSES:
        if name in names:
            passes = state.settings.passes
            progress(f"rewriting: {name}", passes.index(name), len(passes))
            with state.attempt(name):
                function(state)
    if names and "lift" in state.settings.passes and names[-1] == _last_of_ours(state.settings):
        # Part of lift in its effect, but capture adds inputs, too.
        with state.attempt("later"):
            lift_later(state)
        with state.attempt("longest"):
            lift_longest(state)
        with state.attempt("further"):
            share_keywords(state)
        with state.attempt("sizes"):
            let_sizes_out(state)
        with state.attempt("processors"):
            extend_processors(state)
        with state.attempt("unseen"):
            report_unseen(state)


def _last_of_ours(settings: Settings) -> str:
    return [name for name in settings.passes if name in OURS][-1]


def _run_codemod(
    reference: str, library: OverlaidLibrary, settings: Settings
) -> tuple[OverlaidLibrary, tuple[Record, ...]]:
    """Run a project's own pass on every source that may be changed."""
    own = load_pass(reference, Path(settings.root))
    if own.runs_on != SOURCES:
        return library, ()
    texts = {}
    for module in library.modules():
        source = library.read(module)
        if source is not None:
            texts[module] = (source.path, source.text)
    changed, records = run_on_texts(own, texts)
    return library.over(changed), records


@dataclass(frozen=True)
class OverlaidLibrary:
    """A library as the passes that ran have left it: texts by module that replace what is there.

    What was read is remembered as long as the passes run: many rules look for words in all files.
    """

    base: Library
    texts: Mapping[str, str]
    selected: frozenset[str] | None = None
    known: dict[str, Source | None] = field(default_factory=dict)
    _overlaid: dict[str, Source | None] = field(default_factory=dict, init=False)

    def read(self, module: str) -> Source | None:
        """See :class:`Library`."""
        if module not in self.known:
            self.known[module] = self.base.read(module)
        if module not in self.texts:
            return self.known[module]
        if module not in self._overlaid:
            source = self.known[module]
            made = replace(source, text=self.texts[module]) if source is not None else None
            self._overlaid[module] = made
        return self._overlaid[module]

    def modules(self) -> Mapping[str, str]:
        """See :class:`Library`."""
        known = self.base.modules()
        if self.selected is None:
            return known
        return {module: path for module, path in known.items() if module in self.selected}

    def over(self, texts: Mapping[str, str]) -> OverlaidLibrary:
        """The library with further texts in place of those it has."""
        return replace(self, texts={**self.texts, **texts})

    def only(self, modules: Collection[str]) -> OverlaidLibrary:
        """The library with fewer modules that may be changed."""
        return replace(self, selected=frozenset(modules))

    def edits(self) -> dict[str, str]:
        """New texts by path, of what differs from the library underneath."""
        sources = (
            (self.known.get(module) or self.base.read(module), text)
            for module, text in self.texts.items()
        )
        return {
            source.path: text
            for source, text in sources
            if source is not None and source.text != text
        }


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
        texts[name], others = _within_package(text)
        wanted += others
    if texts:
        given = {helper: module for helper, module in HELPER_MODULES.items() if module in texts}
        texts["__init__"] = _PACKAGE.format(
            entries="".join(f'    "{name}": "{given[name]}",\n' for name in sorted(given))
        )
    folder = f"{settings.helper_folder}/" if settings.helper_folder else ""
    return tuple(HelperFile(f"{folder}{name}.py", text) for name, text in sorted(texts.items()))


@lru_cache(maxsize=32)
def _within_package(text: str) -> tuple[str, tuple[str, ...]]:
    """A helper module that imports its siblings from its own package, and the names of these."""
    lines, splices, names = LineMap(text), list[Splice](), list[str]()
    for node in walk(_down_to(text, text.rfind("from utils"))):
        package, _, name = (getattr(node, "module", "") or "").partition(".")
        if isinstance(node, ast.ImportFrom) and node.level == 0 and package == "utils":
            start = lines.span(node)[0]
            place = text.index(f"utils.{name}", start)
            splices.append(Splice(place, place + len("utils"), ""))
            names.append(name)
    return spliced(text, splices), tuple(names)


def _down_to(text: str, place: int) -> ast.Module:
    """The tree of a module down to the blank lines behind a place: what stands behind is of no interest."""
    end = text.find("\n\n\n", place)
    try:
        return ast.parse("" if place < 0 else text if end < 0 else text[: end + 1])
    except SyntaxError:  # the blank lines stand inside of something
        return ast.parse(text)


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
