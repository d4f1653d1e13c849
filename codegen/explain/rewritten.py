"""The sources of a tree as the rewrite passes left them, which is how the expansion reads them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from codegen.explain.maps import FileMap, Spot, map_text
from codegen.explain.origins import SOURCES
from codegen.explain.passed import passed
from codegen.explain.store import ModelMaps, Store
from codegen.run.examine import rewritten_sources
from codegen.run.rewriting import Rewriting, recall_rewriting
from codegen.store.cache import Cache
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree

Progress = Callable[[str, int, int], None]


class RewrittenSources:
    """What passes made of sources, and where its words were written; nothing where they do not run.

    ``text`` reads a file of the tree as it was given.
    """

    def __init__(
        self,
        tree: Tree,
        cache: Cache,
        store: Store,
        text: Callable[[str], str],
        progress: Progress | None,
    ) -> None:
        """``progress`` is None where the tree is expanded without passes."""
        self._tree, self._cache, self._store = tree, cache, store
        self._text, self._progress = text, progress
        self._maps: dict[str, FileMap] = {}

    @property
    def runs(self) -> bool:
        """Whether the tree is expanded with passes."""
        return self._progress is not None

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Those of what the passes made, by source; known without running them if nothing changed."""
        if self._progress is None:
            return {}
        known = recall_rewriting(self._tree, self._cache)
        return known.digests if known else self.rewriting.digests

    @cached_property
    def rewriting(self) -> Rewriting:
        """What the passes made of the sources."""
        if self._progress is None:
            return Rewriting()
        return rewritten_sources(self._tree, self._cache, self._progress)

    def records(self) -> Sequence[Mapping[str, Any]]:
        """What the passes say of what they did."""
        if self._progress is None:
            return ()
        known = recall_rewriting(self._tree, self._cache)
        return known.report if known else self.rewriting.report

    def map(self, path: str) -> FileMap:
        """The map of a source that passes changed; kept like those of models."""
        if path not in self._maps:
            inputs = {path: digest_text(self._text(path))}
            outputs = {path: self.digests[path]}
            name = f"rewritten-{digest_text(path)}"
            known = self._store.load(name)
            if known is None or (known.inputs, known.outputs) != (inputs, outputs):
                after = self.rewriting.edits[path]
                before = passed(SOURCES.traced(path, self._text(path)), after)
                known = ModelMaps(inputs, {}, outputs, {path: map_text(path, before, after)})
                self._store.save(name, known)
            self._maps[path] = known.maps[path]
        return self._maps[path]

    def ranges(
        self, path: str, start: int, end: int, replaced: bool
    ) -> Iterator[tuple[str, int, int]]:
        """What a range of a source is in the text that the expansion reads; with ``replaced`` also what passes
        wrote in its place."""
        if path not in self.digests:
            yield path, start, end
            return
        found = self.map(path)
        ends = (*found.begins[1:], found.begins[-1] + 1) if found.begins else ()
        for begin, stop, file, place in zip(found.begins, ends, found.files, found.offsets):
            if file and start <= place < end:
                yield path, begin, stop
        if replaced:
            for index in found.passed_in_place(self._text(path), start, end):
                yield path, found.begins[index], ends[index]

    def place_before(self, spot: Spot) -> Spot | None:
        """The place, in the file as it was given, behind which passes wrote what is at one; None where
        nothing of it is in front."""
        found = self.map(spot.path)
        index = bisect_right(found.begins, spot.offset) - 1
        while index >= 0 and not found.files[index]:
            index -= 1
        return Spot(spot.path, found.offsets[index]) if index >= 0 else None
