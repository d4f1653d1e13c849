"""Bring the state of a tree up to date in memory: what is stale is expanded, the rest is known.

Files that definitions generate are parents of other definitions. On a first run every definition
is expanded at once against the files on disk; whoever built on a text that turned out different is
expanded again. That gives the same result as going level by level, and is done in one round on a
tree that was in sync.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from codegen.ahead import Ahead
from codegen.cache import Cache, Record
from codegen.errors import CodegenError, Diagnostic, fail
from codegen.formatting import Formatted, format_texts
from codegen.job import Job, JobResult, Runner, format_job, run_job
from codegen.names import NameTable
from codegen.nametable import answer
from codegen.plan import Plan
from codegen.signals import signals_held_back
from codegen.sources import digest_text, read_text
from codegen.tree import Tree
from codegen.workers import Workers, worker_died

Progress = Callable[[int, int], None]
_SMALL = 4


@dataclass
class Engine:
    """The state of one run. ``overlay`` holds rewritten sources and freshly generated texts."""

    tree: Tree
    cache: Cache
    plan: Plan
    names: Mapping[str, str]
    jobs: int
    overlay: dict[str, str] = field(default_factory=dict)
    progress: Progress = lambda done, total: None
    load_sources: Callable[[], Mapping[str, str]] | None = None
    results: dict[str, JobResult] = field(default_factory=dict)
    failed: dict[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    patient: set[str] = field(default_factory=set)
    _digests: dict[str, str] = field(default_factory=dict)
    _changing: set[str] = field(default_factory=set)
    _ahead: Ahead | None = None
    _runner: Runner | None = None
    _workers: Workers = field(init=False)

    def __post_init__(self) -> None:
        self._workers = Workers(self.tree, self.names, self.jobs)

    def run(self, models: Sequence[str]) -> None:
        """Settle the models and all they build on."""
        wanted = self.plan.closure(models)
        order = [model for model in self.plan.order if model in wanted]
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
        except BaseException:
            self.abandon()
            raise
        finally:
            self._workers.close()

    def start_ahead(self, models: Sequence[str]) -> None:
        """Begin to expand models against the files on disk, while their sources are still being made.

        What turns out to have other inputs is expanded again.
        """
        ready = [
            model
            for model in models
            if model not in self.cache.records
            and model not in self.failed
            and all(map(self._has_files, self.plan.providers[model]))
        ]
        if len(ready) <= _SMALL or self.jobs == 1:
            return
        # Others will build on these, so they come first.
        early = self.plan.closure(self.plan.providers.keys() - set(ready))
        ready.sort(key=lambda model: model not in early)
        jobs = {model: Job(self.tree.definition(model)) for model in ready}
        with signals_held_back():
            self._ahead = Ahead(self._workers.pool(), jobs, self.jobs)

    def _most_urgent(self, ready: list[str], wanted: set[str]) -> list[str]:
        """Of what can be expanded, that which has others waiting for it before what is under way."""
        if not self._ahead:
            return ready
        under_way = self._ahead.models()
        needed = self.plan.closure(wanted - self.settled - self.results.keys() - under_way)
        behind = [model for model in ready if model not in under_way]
        return behind or [model for model in ready if model in needed] or ready

    def abandon(self) -> None:
        """End the worker processes whatever they are doing."""
        self._workers.abandon()

    def set_digests(self, digests: Mapping[str, str]) -> None:
        """Tell the digests of sources that ``load_sources`` will replace."""
        self._digests.update(digests)
        touched = {name for name, paths in self.plan.sources.items() if paths & digests.keys()}
        self._changing = touched | self.plan.dependents(touched)

    def digest(self, path: str) -> str:
        """Digest of an input as this run sees it."""
        if path in self._digests:
            return self._digests[path]
        return self.cache.digest(self.tree.root / path)

    def _ready(self, order: Sequence[str]) -> list[str]:
        """Settle what is known to be right, and return what has to be expanded now."""
        ready = []
        for model in order:
            if model in self.settled or model in self.failed or model in self.blocked:
                continue
            providers = self.plan.providers[model]
            broken = [
                name for name in sorted(providers) if name in self.failed or name in self.blocked
            ]
            if broken:
                self.blocked[model] = self.blocked.get(broken[0], broken[0])
                continue
            waiting = providers - self.settled
            if model in self.results:
                if not self._inputs_match(self.results[model].inputs):
                    ready.append(model)
                elif not waiting:
                    self.settled.add(model)
                continue
            if not waiting:
                if self._is_fresh(model):
                    self._settle_as_recorded(model)
                else:
                    ready.append(model)
            elif model not in self.patient and all(map(self._may_speculate, waiting)):
                ready.append(model)
        return ready

    def _may_speculate(self, provider: str) -> bool:
        """Whether to build on the provider's files as they are on disk before it was expanded.

        Not if something says that they will change: a record, or a rewritten source.
        """
        if provider in self.cache.records or provider in self._changing:
            return False
        return self._has_files(provider)

    def _has_files(self, model: str) -> bool:
        item = self.tree.definition(model)
        folder = self.tree.root / item.target
        files = folder.glob(f"*_{model}*.py")
        return any(not file.name.startswith("modular_") for file in files)

    def _is_fresh(self, model: str) -> bool:
        record = self.cache.records.get(model)
        if record is None or not self._inputs_match(record.inputs):
            return False
        table = NameTable(self.names)
        if any(answer(table, question) != was for question, was in record.lookups.items()):
            return False
        # An installed parent counts where it is found now: another environment has its own.
        installed = {path for path in record.inputs if PurePath(path).is_absolute()}
        if not installed <= self.plan.sources[model]:
            return False
        return all(
            self.cache.exact_digest(self.tree.output / path) == digest
            for path, digest in record.outputs.items()
        )

    def _settle_as_recorded(self, model: str) -> None:
        self.settled.add(model)
        if self.tree.output != self.tree.root:
            # What builds on this model reads its files where they were written.
            self._digests.update(self.cache.records[model].outputs)

    def _inputs_match(self, inputs: Mapping[str, str]) -> bool:
        return all(self.digest(path) == digest for path, digest in inputs.items())

    def _expand(self, models: Sequence[str]) -> None:
        """Expand and format the models; their texts become visible to those that build on them."""
        if self.load_sources is not None:
            self.overlay.update(self.load_sources())
            self.load_sources = None
        results = list(self._finished_ahead(models))
        done = {result.model for result in results}
        results += self._results(
            [
                Job(self.tree.definition(model), self._overlay_for(model))
                for model in models
                if model not in done
            ]
        )
        texts = {path: text for result in results for path, text in result.texts.items()}
        formatted = self._format(texts)
        for result in results:
            refused = [
                formatted.refused[path] for path in result.texts if path in formatted.refused
            ]
            if problems := result.problems or tuple(refused):
                self.results.pop(result.model, None)
                if self.plan.providers[result.model] <= self.settled:
                    self.failed[result.model] = problems
                else:  # perhaps only because of a parent's file that is out of date
                    self.patient.add(result.model)
                continue
            own = {path: formatted.texts[path] for path in result.texts}
            self.results[result.model] = replace(result, texts=own)
            for path, text in own.items():
                self.overlay[path] = text
                self._digests[path] = digest_text(text)

    def _finished_ahead(self, models: Sequence[str]) -> Iterator[JobResult]:
        """Results of what was started ahead, as far as the inputs are what they would be now."""
        from concurrent.futures.process import BrokenProcessPool

        for index, model in enumerate(models):
            if self._ahead is None or model not in self._ahead:
                continue
            try:
                result = self._ahead.take(model)
            except BrokenProcessPool:
                raise worker_died() from None
            self.progress(index + 1, len(models))
            if result and not result.problems and self._inputs_match(result.inputs):
                yield result

    def _overlay_for(self, model: str) -> dict[str, str]:
        """The part of the overlay that a job can need."""
        paths = self.plan.sources[model]
        if self.tree.output != self.tree.root:
            for path in paths & self._digests.keys() - self.overlay.keys():
                self.overlay[path] = read_text(self.tree.output / path, path)
        return {path: self.overlay[path] for path in paths if path in self.overlay}

    def _format(self, texts: Mapping[str, str]) -> Formatted:
        """Format texts: ruff takes them all at once, black one per process."""
        settings = self.tree.formatting
        if settings.formatter != "black" or len(texts) <= _SMALL or self.jobs == 1:
            return format_texts(texts, settings) if texts else Formatted({})
        pieces = [({path: text}, settings) for path, text in texts.items()]
        done = list(self._workers.map(format_job, pieces, chunk=1))
        formatted = {path: text for piece in done for path, text in piece.texts.items()}
        return Formatted(
            formatted, {path: why for piece in done for path, why in piece.refused.items()}
        )

    def _results(self, jobs: Sequence[Job]) -> list[JobResult]:
        total = len(jobs)
        if self.jobs == 1 or (total <= _SMALL and not self._ahead):
            self._runner = self._runner or Runner(self.tree, self.names)
            results = []
            for index, job in enumerate(jobs):
                results.append(self._runner.run(job))
                self.progress(index + 1, total)
            return results
        results = []
        for index, result in enumerate(
            self._workers.map(run_job, jobs, chunk=4 if total > 99 else 1)
        ):
            results.append(result)
            self.progress(index + 1, total)
        return results


def _unsettled(models: Sequence[str]) -> CodegenError:
    return fail(
        "unsettled",
        f"the sources keep changing during the run ({', '.join(models[:3])}); nothing was written",
        "",
        0,
        "run the command again when they are at rest",
    )


def default_jobs() -> int:
    """Number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def record_of(result: JobResult, definition_lines: int) -> Record:
    """What the cache keeps of a result."""
    outputs = {path: digest_text(text) for path, text in result.texts.items()}
    generated = sum(text.count("\n") for text in result.texts.values())
    return Record(
        result.inputs, result.lookups, outputs, (definition_lines, generated), result.warnings
    )
