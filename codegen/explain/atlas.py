"""The maps of all generated files of a tree: made when they are asked for, kept for the next time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from codegen.errors import CodegenError
from codegen.explain.maps import FileMap, Spot, map_text
from codegen.explain.origins import SOURCES, Traced
from codegen.explain.passed import passed
from codegen.explain.store import ModelMaps, Store, identity_of_maps
from codegen.explain.tracing import Tracer
from codegen.output.formatting import format_texts
from codegen.run.job import JobResult
from codegen.run.plan import Plan
from codegen.run.rewriting import Rewriting, generated_pass, recall_rewriting
from codegen.run.rules import recall_rules
from codegen.run.sync import name_table, plan_of, rewritten_sources
from codegen.store.cache import cache_folder, load_cache
from codegen.store.system import usable_cores
from codegen.text.indent import normalize_indent
from codegen.text.lines import LineMap
from codegen.trees.banners import carries_banner
from codegen.trees.names import NameTable
from codegen.trees.nametable import answer
from codegen.trees.sources import digest_text, glance, read_text
from codegen.trees.tree import Tree, open_tree

Progress = Callable[[str, int, int], None]
_SMALL = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How maps are made: with the passes or without, kept or not, by how many processes (0: all cores)."""

    rewrite: bool = False
    cache: bool = True
    jobs: int = 0
    progress: Progress = lambda doing, done, total: None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a word was written; ``spot`` is None if the tool wrote it.

    ``rewritten`` is its place in the source as passes left it, if they changed that.
    """

    spot: Spot | None
    rewritten: Spot | None = None


class Atlas:
    """Answers for one tree. Paths are relative to it, or absolute where they are installed."""

    def __init__(self, tree: Tree, settings: Settings) -> None:
        self.settings = settings
        self._cache = load_cache(tree, settings.rewrite, settings.cache)
        self.tree = recall_rules(tree, self._cache)
        self.names = name_table(self.tree)
        folder = cache_folder(tree) / "origins" if settings.cache else None
        self._store = Store(folder, identity_of_maps(self._cache.identity))
        self._models: dict[str, ModelMaps] = {}
        self._drafts: dict[str, Mapping[str, str]] = {}
        self._texts: dict[str, str] = {}
        self._lines: dict[str, LineMap] = {}
        self._elsewhere: dict[Path, Atlas | None] = {}

    # -- what there is ---------------------------------------------------------------------------

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """The model of every path to which one could be written."""
        dialect = self.tree.convention.dialect
        return {
            item.output(f"{dialect.module_name(kind, item.model)}.py"): item.model
            for item in self.tree.definitions
            for kind in dialect.file_types
        }

    def is_generated(self, path: str) -> bool:
        """Whether a file of the tree is the tool's."""
        return path in self.owners and carries_banner(self.text(path))

    def files_of(self, model: str) -> list[str]:
        """The generated files of a model that are there."""
        return [
            path
            for path, owner in self.owners.items()
            if owner == model and self.is_generated(path)
        ]

    @cached_property
    def plan(self) -> Plan:
        """Which definitions build on which."""
        return plan_of(self.tree)

    @cached_property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        """The models that are built from a file, directly."""
        found: dict[str, list[str]] = {}
        for model, paths in self.plan.sources.items():
            for path in paths:
                found.setdefault(path, []).append(model)
        return {path: tuple(models) for path, models in found.items()}

    def text(self, path: str) -> str:
        """A file as the maps speak of it; "" if there is none."""
        known = self._texts.get(path)
        if known is None:
            root = self.tree.output if path in self.owners else self.tree.root
            try:
                known = normalize_indent(read_text(root / path, path))
            except CodegenError:
                known = glance(self.tree.root / path)
            self._texts[path] = known
        return known

    def elsewhere(self, path: str) -> Atlas | None:
        """The atlas of the library in which an installed file lies."""
        place = PurePath(path)
        if not place.is_absolute():
            return None
        root = next((each for each in Path(path).parents if (each / "models").is_dir()), None)
        if root is None:
            return None
        if root not in self._elsewhere:
            try:
                tree = open_tree(root.parent, None)
                self._elsewhere[root] = Atlas(tree, Settings(False, self.settings.cache))
            except CodegenError:
                self._elsewhere[root] = None
        return self._elsewhere[root]

    # -- origins ---------------------------------------------------------------------------------

    def origin(self, path: str, position: int) -> Origin:
        """Where the word at an offset of a generated file was written."""
        found = self.map(path)
        spot = found.at(position) if found else None
        return self.unrewritten(spot)

    def unrewritten(self, spot: Spot | None) -> Origin:
        """The place in the file as it was given of one in the file as passes left it."""
        if spot is None or not self.is_rewritten(spot.path):
            return Origin(spot)
        return Origin(self._rewrite_map(spot.path).at(spot.offset), spot)

    def is_rewritten(self, path: str) -> bool:
        """Whether the expansion reads a source as passes left it, not as it is written."""
        return path in self._replaced

    def map(self, path: str) -> FileMap | None:
        """The map of a generated file; None for other files."""
        model = self.owners.get(path)
        if model is None or not self.is_generated(path):
            return None
        return self.maps_of(model).maps.get(path)

    def maps_of(self, model: str) -> ModelMaps:
        """The maps of the files of a model.

        Raises:
            CodegenError: the model cannot be expanded.
        """
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = self._recalled(model) or self._make(model, True)
        return known

    def known(self, model: str) -> ModelMaps | None:
        """The maps of a model that was prepared; None if it cannot be expanded."""
        return self._models.get(model)

    def prepare(self, models: Iterable[str]) -> None:
        """Make the maps of many models, in several processes; those that fail are left out."""
        missing = []
        for model in models:
            if model not in self._models:
                known = self._recalled(model)
                if known:
                    self._models[model] = known
                else:
                    missing.append(model)
        jobs = self.settings.jobs or usable_cores()
        if len(missing) <= _SMALL or jobs == 1:
            made: Iterator[ModelMaps | None] = map(self._make_or_none, missing)
        else:
            made = self._made_apart(missing, jobs)
        for done, (model, record) in enumerate(zip(missing, made), 1):
            self.settings.progress("tracing", done, len(missing))
            if record:
                self._models[model] = record

    def _made_apart(self, models: Sequence[str], jobs: int) -> Iterator[ModelMaps | None]:
        from codegen.run.pool import Pool

        # What the passes wrote is made here once, not in every process.
        _ = self.rewriting, self._tracer, self._finish
        pool = Pool(min(jobs, len(models)), _start, (self,))
        try:
            tasks = [pool.submit(_make_one, [model]) for model in models]
            for task in tasks:
                yield from pool.wait_for(task)
        finally:
            pool.close()

    def is_current(self, model: str) -> bool:
        """Whether the files of a model are what its definition gives.

        Raises:
            CodegenError: the model cannot be expanded.
        """
        record = self.maps_of(model)
        if record.current is None:
            record = replace(record, current=self._gives(model))
            self._models[model] = record
            self._store.save(model, record)
        return bool(record.current)

    def _gives(self, model: str) -> bool:
        """Whether the expansion gives the files of a model as they are."""
        drafts = self._drafts.get(model)
        if drafts is None:
            drafts = _plain(self._tracer.trace(model).drafts)
        if self._finish:
            drafts = self._finish(JobResult(model, drafts)).texts
        done = format_texts(drafts, self.tree.formatting).texts
        return done.keys() == drafts.keys() and all(
            self.text(path) == text for path, text in done.items()
        )

    def _make_or_none(self, model: str) -> ModelMaps | None:
        try:
            return self._make(model)
        except CodegenError:
            return None

    def _make(self, model: str, keep: bool = False) -> ModelMaps:
        traced = self._tracer.trace(model)
        if keep:
            self._drafts[model] = _plain(traced.drafts)
        done = self._finished(model, traced.drafts)
        maps = {
            path: map_text(path, draft, self.text(path), traced.others)
            for path, draft in done.items()
            if self.is_generated(path)
        }
        outputs = {path: digest_text(self.text(path)) for path in maps}
        record = ModelMaps(traced.inputs, traced.lookups, outputs, maps)
        self._store.save(model, record)
        return record

    def _finished(self, model: str, drafts: Mapping[str, str]) -> Mapping[str, str]:
        """Drafts with their places as the project's own passes on finished files leave them."""
        if self._finish is None:
            return drafts
        done = self._finish(JobResult(model, _plain(drafts)))
        if done.problems:
            raise CodegenError(*done.problems)
        return {
            path: passed(draft, done.texts[path]) if isinstance(draft, Traced) else draft
            for path, draft in drafts.items()
        }

    @cached_property
    def _finish(self) -> Callable[[JobResult], JobResult] | None:
        return generated_pass(self.tree) if self.settings.rewrite else None

    def _recalled(self, model: str) -> ModelMaps | None:
        record = self._store.load(model)
        if record is None:
            return None
        table = NameTable(self.names)
        holds = (
            all(self._digest(path) == digest for path, digest in record.inputs.items())
            and all(answer(table, question) == was for question, was in record.lookups.items())
            and record.outputs.keys() == set(self.files_of(model))
            and all(digest_text(self.text(path)) == was for path, was in record.outputs.items())
        )
        return record if holds else None

    def _digest(self, path: str) -> str:
        known = self._replaced.get(path)
        return known if known is not None else self._cache.digest(self.tree.root / path)

    # -- passes ----------------------------------------------------------------------------------

    @cached_property
    def _replaced(self) -> Mapping[str, str]:
        """Digests of what the passes made of sources, known without running them if nothing changed."""
        if not self.settings.rewrite:
            return {}
        known = recall_rewriting(self.tree, self._cache)
        return known.digests if known else self.rewriting.digests

    @cached_property
    def rewriting(self) -> Rewriting:
        """What the passes made of the sources."""
        if not self.settings.rewrite:
            return Rewriting()
        return rewritten_sources(self.tree, self._cache, self.settings.progress)

    @cached_property
    def _tracer(self) -> Tracer:
        return Tracer(self.tree, self.names, self.rewriting.edits)

    def _rewrite_map(self, path: str) -> FileMap:
        """The map of a source as the passes left it; kept like those of models."""
        inputs = {path: digest_text(self.text(path))}
        outputs = {path: self._replaced[path]}
        name = f"rewritten-{digest_text(path)}"
        known = self._models.get(name) or self._store.load(name)
        if known is None or (known.inputs, known.outputs) != (inputs, outputs):
            after = self.rewriting.edits[path]
            before = passed(SOURCES.traced(path, self.text(path)), after)
            made = map_text(path, before, after)
            known = ModelMaps(inputs, {}, outputs, {path: made})
            self._store.save(name, known)
        self._models[name] = known
        return known.maps[path]

    def as_rewritten(
        self, path: str, start: int, end: int, replaced: bool = False
    ) -> Iterator[tuple[str, int, int]]:
        """What a range of a source is in the text that the expansion reads.

        With ``replaced`` that is also what passes wrote in its place: they read it.
        """
        if path not in self._replaced:
            yield path, start, end
            return
        found = self._rewrite_map(path)
        ends = (*found.begins[1:], found.begins[-1] + 1) if found.begins else ()
        for begin, stop, file, place in zip(found.begins, ends, found.files, found.offsets):
            if file and start <= place < end:
                yield path, begin, stop
        if replaced:
            for index in found.passed_in_place(self.text(path), start, end):
                yield path, found.begins[index], ends[index]

    def line_before(self, spot: Spot) -> int:
        """The line, in the file as it was given, behind which passes wrote what is at a place."""
        found = self._rewrite_map(spot.path)
        index = bisect_right(found.begins, spot.offset) - 1
        while index >= 0 and not found.files[index]:
            index -= 1
        return self.line(Spot(spot.path, found.offsets[index])) if index >= 0 else 1

    def line_as_given(self, spot: Spot) -> int:
        """The line of a place in the file as it was given, also if the place is in what passes made of it."""
        given = self.unrewritten(spot).spot
        return self.line(given) if given else self.line_before(spot)

    def line(self, spot: Spot) -> int:
        """The 1-based line of a place."""
        return self.lines(spot.path).line_at(spot.offset)

    def lines(self, path: str) -> LineMap:
        """The lines of a file as the maps speak of it."""
        if path not in self._lines:
            self._lines[path] = LineMap(self.text(path))
        return self._lines[path]

    def records(self) -> Sequence[Mapping[str, Any]]:
        """What the passes say of what they did."""
        if not self.settings.rewrite:
            return ()
        known = recall_rewriting(self.tree, self._cache)
        return known.report if known else self.rewriting.report


def _plain(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts without their places."""
    return {path: str.__str__(text) for path, text in texts.items()}


_atlas: Any = None


def _start(atlas: Atlas) -> None:
    global _atlas
    _atlas = atlas


def _make_one(model: str) -> ModelMaps | None:
    made: ModelMaps | None = _atlas._make_or_none(model)
    return made
