"""Bring the state of a tree up to date in memory: what is stale is expanded, the rest is known.

Files that definitions generate are parents of other definitions. On a first run every definition
is expanded at once against the files on disk; whoever built on a text that turned out different is
expanded again. That gives the same result as going level by level, and is done in one round on a
tree that was in sync.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from codegen.errors import CodegenError, Diagnostic, fail
from codegen.output.formatting import Formatted, format_texts
from codegen.run.job import Job, JobResult, Runner, format_job, look_at_job, run_job
from codegen.run.plan import Plan
from codegen.run.workers import Workers
from codegen.store.cache import Cache
from codegen.store.records import CacheEntry
from codegen.trees.banners import banner_definition
from codegen.trees.names import FILE_TYPES, NameTable
from codegen.trees.nametable import answer
from codegen.trees.sources import digest_text, glance, read_text
from codegen.trees.tree import Tree

if TYPE_CHECKING:
    from codegen.run.ahead import Ahead

#: Called with what is done, how much of it, and how much there is.
Progress = Callable[[str, int, int], None]
_SMALL = 4


@dataclass(frozen=True, slots=True)
class ReplacedSources:
    """Sources that the run sees in place of those on disk: digests by path, and how to get the texts.

    The texts are loaded only when something has to be expanded.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    load: Callable[[], Mapping[str, str]] = dict


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a run of the engine gave: results of the models that were expanded, problems of those
    that failed, who kept which model from being looked at, and every text that is not on disk."""

    results: Mapping[str, JobResult]
    failed: Mapping[str, tuple[Diagnostic, ...]]
    blocked: Mapping[str, str]
    texts: Mapping[str, str]


class Engine:
    """One run over a tree; what it found out is the value of :meth:`run`.

    ``failed`` are the models that cannot be expanded, with their problems; ``transform`` is applied to
    every result before it is formatted.
    """

    def __init__(
        self,
        tree: Tree,
        cache: Cache,
        plan: Plan,
        names: Mapping[str, str],
        jobs: int,
        failed: Mapping[str, tuple[Diagnostic, ...]] | None = None,
        progress: Progress = lambda doing, done, total: None,
        transform: Callable[[JobResult], JobResult] | None = None,
    ) -> None:
        self._tree, self._cache, self._plan, self._names = tree, cache, plan, names
        self._jobs, self._progress = jobs, progress
        self._transform = transform or (lambda result: result)
        self._failed = dict(failed or {})
        self._sources = ReplacedSources()
        self._sources_loaded = True
        self._overlay: dict[str, str] = {}
        self._results: dict[str, JobResult] = {}
        self._blocked: dict[str, str] = {}
        self._settled: set[str] = set()
        self._counted: set[str] = set()
        self._total = 0
        self._patient: set[str] = set()
        self._digests: dict[str, str] = {}
        self._listed: dict[str, list[str]] = {}
        self._changing: set[str] = set()
        self._ahead: Ahead | None = None
        self._runner: Runner | None = None
        self._workers = Workers(tree, names, jobs)

    def run(self, models: Sequence[str], sources: ReplacedSources | None = None) -> Expanded:
        """Settle the models and all they build on."""
        if sources is not None:
            self._replace_sources(sources)
        wanted = self._plan.closure(models)
        order = [model for model in self._plan.order if model in wanted]
        self._total = len(order)
        rounds = 0
        try:
            while True:
                ready = self._ready(order)
                if not ready:
                    break
                # Every round settles a model at least, unless files change under our hands.
                rounds += 1
                if rounds > len(order) + 1:
                    raise _unsettled(ready)
                self._expand(self._most_urgent(ready, wanted))
            self._look_at_differences()
        finally:
            self.close()
        return Expanded(self._results, self._failed, self._blocked, self._overlay)

    def start_ahead(self, models: Sequence[str]) -> None:
        """Begin to expand models against the files on disk, while their sources are still being made.

        What turns out to have other inputs is expanded again.
        """
        ready = [
            model
            for model in models
            if model not in self._cache.records
            and model not in self._failed
            and all(map(self._has_files, self._plan.providers[model]))
        ]
        if len(ready) <= _SMALL or self._jobs == 1:
            return
        # Others will build on these, so they come first.
        early = self._plan.closure(self._plan.providers.keys() - set(ready))
        ready.sort(key=lambda model: model not in early)
        jobs = {model: Job(self._tree.definition(model)) for model in ready}
        from codegen.run.ahead import Ahead

        self._ahead = Ahead(self._workers.pool(), jobs)

    def _most_urgent(self, ready: list[str], wanted: set[str]) -> list[str]:
        """Of what can be expanded, that which has others waiting for it before what is under way."""
        if not self._ahead:
            return ready
        under_way = self._ahead.models()
        needed = self._plan.closure(wanted - self._settled - self._results.keys() - under_way)
        behind = [model for model in ready if model not in under_way]
        return behind or [model for model in ready if model in needed] or ready

    def close(self) -> None:
        """End the worker processes whatever they are doing."""
        self._workers.close()

    def _replace_sources(self, sources: ReplacedSources) -> None:
        self._sources, self._sources_loaded = sources, False
        self._digests.update(sources.digests)
        changed = sources.digests.keys()
        touched = {name for name, paths in self._plan.sources.items() if paths & changed}
        self._changing = touched | self._plan.dependents(touched)

    def _digest(self, path: str) -> str:
        """Digest of an input as this run sees it."""
        if path in self._digests:
            return self._digests[path]
        return self._cache.digest(self._tree.root / path)

    def _ready(self, order: Sequence[str]) -> list[str]:
        """Settle what is known to be right, and return what has to be expanded now."""
        ready = []
        for model in order:
            if model in self._settled or model in self._failed or model in self._blocked:
                continue
            providers = self._plan.providers[model]
            broken = [
                name for name in sorted(providers) if name in self._failed or name in self._blocked
            ]
            if broken:
                self._blocked[model] = self._blocked.get(broken[0], broken[0])
                continue
            waiting = providers - self._settled
            if model in self._results:
                if not self._still_match(self._results[model].inputs):
                    ready.append(model)
                elif not waiting:
                    self._settled.add(model)
                continue
            if not waiting:
                if self._is_fresh(model):
                    self._settle_as_recorded(model)
                else:
                    ready.append(model)
            elif model not in self._patient and all(map(self._may_speculate, waiting)):
                ready.append(model)
        return ready

    def _may_speculate(self, provider: str) -> bool:
        """Whether to build on the provider's files as they are on disk before it was expanded.

        Not if something says that they will change: a record, or a rewritten source.
        """
        if provider in self._cache.records or provider in self._changing:
            return False
        return self._has_files(provider)

    def _has_files(self, model: str) -> bool:
        item = self._tree.definition(model)
        folder = self._tree.root / item.target
        files = folder.glob(f"*_{model}*.py")
        return any(not file.name.startswith("modular_") for file in files)

    def _is_fresh(self, model: str) -> bool:
        record = self._cache.records.get(model)
        if record is None or not record.is_about(self._tree.definition(model)):
            return False
        if not self._inputs_match(record.inputs):
            return False
        if any(self._left_out(model, record.outputs)):
            return False
        table = NameTable(self._names)
        if any(answer(table, question) != was for question, was in record.lookups.items()):
            return False
        # An installed parent counts where it is found now: another environment has its own.
        installed = {path for path in record.inputs if PurePath(path).is_absolute()}
        if not installed <= self._plan.sources[model]:
            return False
        return all(
            self._cache.exact_digest(self._tree.output / path) == digest
            for path, digest in record.outputs.items()
        )

    def _left_out(self, model: str, outputs: Mapping[str, str]) -> Iterator[str]:
        """Files beside a model's that name its definition and are none of these outputs.

        They would be removed as no longer generated, which a record alone must not bring about.
        """
        tree, item = self._tree, self._tree.definition(model)
        if tree.kind == "package" or tree.output != tree.root:
            return  # nothing is searched for such files there
        folder = tree.output / item.target
        if item.target not in self._listed:
            with contextlib.suppress(OSError):
                self._listed[item.target] = os.listdir(folder)
        for name in self._listed.get(item.target, ()):
            path = item.output(name)
            if not name.startswith(FILE_TYPES) or not name.endswith(".py") or path in outputs:
                continue
            if banner_definition(glance(folder / name)) == tree.banner_path(item):
                yield path

    def _settle_as_recorded(self, model: str) -> None:
        self._settled.add(model)
        if self._tree.output != self._tree.root:
            # What builds on this model reads its files where they were written.
            self._digests.update(self._cache.records[model].outputs)

    def _inputs_match(self, inputs: Mapping[str, str]) -> bool:
        return all(self._digest(path) == digest for path, digest in inputs.items())

    def _still_match(self, inputs: Mapping[str, str]) -> bool:
        """The same for what was read in this run; times of files may say too little."""
        if self._inputs_match(inputs):
            return True
        for path in inputs.keys() - self._digests.keys():
            self._cache.forget(self._tree.root / path)
        return self._inputs_match(inputs)

    def _expand(self, models: Sequence[str]) -> None:
        """Expand and format the models; their texts become visible to those that build on them."""
        if not self._sources_loaded:
            texts = self._sources.load()
            self._overlay.update(texts)
            self._digests.update({path: digest_text(text) for path, text in texts.items()})
            self._sources_loaded = True
        results = list(self._finished_ahead(models))
        done = {result.model for result in results}
        results += self._run_jobs(
            [
                Job(self._tree.definition(model), self._overlay_for(model))
                for model in models
                if model not in done
            ]
        )
        results = [result if result.problems else self._transform(result) for result in results]
        texts = {path: text for result in results for path, text in result.texts.items()}
        self._progress("formatting", 0, len(texts))
        formatted = self._format(texts)
        for result in results:
            refused = [
                formatted.refused[path] for path in result.texts if path in formatted.refused
            ]
            if problems := result.problems or tuple(refused):
                self._results.pop(result.model, None)
                if self._plan.providers[result.model] <= self._settled:
                    self._failed[result.model] = problems
                else:  # perhaps only because of a parent's file that is out of date
                    self._patient.add(result.model)
                continue
            own = {path: formatted.texts[path] for path in result.texts}
            self._results[result.model] = replace(result, texts=own)
            for path, text in own.items():
                self._overlay[path] = text
                self._digests[path] = digest_text(text)

    def _look_at_differences(self) -> None:
        """Let the files of a library that differ from the committed ones be looked at."""
        if self._tree.kind == "project":
            return  # every file of it was looked at when it was made
        jobs = []
        for model, result in self._results.items():
            committed = (
                self._cache.exact_digest(self._tree.root / path) == digest_text(text)
                for path, text in result.texts.items()
            )
            if not all(committed):
                item = self._tree.definition(model)
                jobs.append(Job(item, self._overlay_for(model), result.texts))
        if self._jobs == 1 or len(jobs) <= _SMALL:
            self._runner = self._runner or Runner(self._tree, self._names)
            found = [self._runner.look_at(job) for job in jobs]
        else:
            found = list(self._workers.map(look_at_job, jobs, chunk=1))
        for job, warnings in zip(jobs, found):
            model = job.definition.model
            result = self._results[model]
            self._results[model] = replace(result, warnings=(*result.warnings, *warnings))

    def _finished_ahead(self, models: Sequence[str]) -> Iterator[JobResult]:
        """Results of what was started ahead, as far as the inputs are what they would be now."""
        for model in models:
            if self._ahead is None or model not in self._ahead:
                continue
            result = self._ahead.take(model)
            self._count(model)
            if result and not result.problems and self._inputs_match(result.inputs):
                yield result

    def _overlay_for(self, model: str) -> dict[str, str]:
        """The part of the overlay that a job can need."""
        paths = self._plan.sources[model]
        if self._tree.output != self._tree.root:
            for path in paths & self._digests.keys() - self._overlay.keys():
                self._overlay[path] = read_text(self._tree.output / path, path)
        return {path: self._overlay[path] for path in paths if path in self._overlay}

    def _format(self, texts: Mapping[str, str]) -> Formatted:
        """Format texts: ruff takes them all at once, black one per process."""
        settings = self._tree.formatting
        if settings.formatter != "black" or len(texts) <= _SMALL or self._jobs == 1:
            return format_texts(texts, settings) if texts else Formatted({})
        pieces = [({path: text}, settings) for path, text in texts.items()]
        done = list(self._workers.map(format_job, pieces, chunk=1))
        formatted = {path: text for piece in done for path, text in piece.texts.items()}
        return Formatted(
            formatted, {path: why for piece in done for path, why in piece.refused.items()}
        )

    def _run_jobs(self, jobs: Sequence[Job]) -> list[JobResult]:
        total = len(jobs)
        if self._jobs == 1 or (total <= _SMALL and not self._ahead):
            self._runner = self._runner or Runner(self._tree, self._names)
            results = []
            for job in jobs:
                results.append(self._runner.run(job))
                self._count(job.definition.model)
            return results
        results = []
        for result in self._workers.map(run_job, jobs, chunk=4 if total > 99 else 1):
            results.append(result)
            self._count(result.model)
        return results

    def _count(self, model: str) -> None:
        """Tell that a model was expanded. Rounds are one count: a second time adds nothing."""
        self._counted.add(model)
        self._progress("expanding", len(self._counted | self._settled), self._total)


def _unsettled(models: Sequence[str]) -> CodegenError:
    return fail(
        "unsettled",
        f"the sources keep changing during the run ({', '.join(models[:3])}); nothing was written",
        "",
        0,
        "run the command again when they are at rest",
    )


def entry_of(result: JobResult, definition_lines: int) -> CacheEntry:
    """What the cache keeps of a result."""
    outputs = {path: digest_text(text) for path, text in result.texts.items()}
    generated = sum(text.count("\n") for text in result.texts.values())
    return CacheEntry(
        result.inputs, result.lookups, outputs, (definition_lines, generated), result.warnings
    )
