"""The maps of all generated files of a tree: made when they are asked for, kept for the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath

from codegen.errors import CodegenError
from codegen.explain.making import Maker
from codegen.explain.maps import FileMap, Spot
from codegen.explain.rewritten import RewrittenSources
from codegen.explain.store import ModelMaps, Store, identity_of_maps
from codegen.run.examine import name_table, plan_of
from codegen.run.plan import Plan
from codegen.run.rules import recall_rules
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
        progress = settings.progress if settings.rewrite else None
        self.sources = RewrittenSources(self.tree, self._cache, self._store, self.text, progress)
        self._maker = Maker(self.tree, self.names, self.sources, self._store, self._generated_text)
        self._models: dict[str, ModelMaps] = {}
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

    def _generated_text(self, path: str) -> str:
        return self.text(path) if self.is_generated(path) else ""

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
        return Origin(self.sources.map(spot.path).at(spot.offset), spot)

    def is_rewritten(self, path: str) -> bool:
        """Whether the expansion reads a source as passes left it, not as it is written."""
        return path in self.sources.digests

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
            known = self._models[model] = self._recalled(model) or self._maker.make(model, True)
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
            made: Iterator[ModelMaps | None] = map(self._maker.make_or_none, missing)
        else:
            made = self._maker.make_apart(missing, jobs)
        for done, (model, record) in enumerate(zip(missing, made), 1):
            self.settings.progress("tracing", done, len(missing))
            if record:
                self._models[model] = record

    def is_current(self, model: str) -> bool:
        """Whether the files of a model are what its definition gives.

        Raises:
            CodegenError: the model cannot be expanded.
        """
        record = self.maps_of(model)
        if record.current is None:
            record = replace(record, current=self._maker.gives(model))
            self._models[model] = record
            self._store.save(model, record)
        return bool(record.current)

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
        known = self.sources.digests.get(path)
        return known if known is not None else self._cache.digest(self.tree.root / path)

    # -- passes ----------------------------------------------------------------------------------

    def as_rewritten(
        self, path: str, start: int, end: int, replaced: bool = False
    ) -> Iterator[tuple[str, int, int]]:
        """What a range of a source is in the text that the expansion reads.

        With ``replaced`` that is also what passes wrote in its place: they read it.
        """
        return self.sources.ranges(path, start, end, replaced)

    def line_before(self, spot: Spot) -> int:
        """The line, in the file as it was given, behind which passes wrote what is at a place."""
        place = self.sources.place_before(spot)
        return self.line(place) if place else 1

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
