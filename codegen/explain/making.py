"""Make the maps of models: expand them with places, and carry these to the files that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from codegen.errors import CodegenError
from codegen.explain.maps import map_text
from codegen.explain.origins import Traced
from codegen.explain.passed import passed
from codegen.explain.rewritten import RewrittenSources
from codegen.explain.store import ModelMaps, Store
from codegen.explain.tracing import Tracer
from codegen.output.formatting import format_texts
from codegen.run.job import JobResult
from codegen.run.rewriting import generated_pass
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree


class Maker:
    """Makes maps of the models of a tree and keeps them in a store.

    ``text`` gives the files of the tree, "" for those that are not generated (any more).
    """

    def __init__(
        self,
        tree: Tree,
        names: Mapping[str, str],
        sources: RewrittenSources,
        store: Store,
        text: Callable[[str], str],
    ) -> None:
        self._tree, self._names, self._sources = tree, names, sources
        self._store, self._text = store, text
        self._drafts: dict[str, Mapping[str, str]] = {}

    @cached_property
    def _tracer(self) -> Tracer:
        return Tracer(self._tree, self._names, self._sources.rewriting.edits)

    @cached_property
    def _finish(self) -> Callable[[JobResult], JobResult] | None:
        return generated_pass(self._tree) if self._sources.runs else None

    def make(self, model: str, keep: bool = False) -> ModelMaps:
        """The maps of a model; with ``keep`` its drafts are kept for :meth:`gives`.

        Raises:
            CodegenError: it cannot be expanded.
        """
        traced = self._tracer.trace(model)
        if keep:
            self._drafts[model] = _plain(traced.drafts)
        done = self._finished(model, traced.drafts)
        maps = {
            path: map_text(path, draft, text, traced.others)
            for path, draft in done.items()
            if (text := self._text(path))
        }
        outputs = {path: digest_text(self._text(path)) for path in maps}
        record = ModelMaps(traced.inputs, traced.lookups, outputs, maps)
        self._store.save(model, record)
        return record

    def make_or_none(self, model: str) -> ModelMaps | None:
        """The maps of a model, if it can be expanded."""
        try:
            return self.make(model)
        except CodegenError:
            return None

    def make_apart(self, models: Sequence[str], jobs: int) -> Iterator[ModelMaps | None]:
        """The maps of models in their order, made in several processes."""
        from codegen.run.pool import Pool

        # What the passes wrote is made here once, not in every process.
        _ = self._tracer, self._finish
        pool = Pool(min(jobs, len(models)), _start, (self,))
        try:
            tasks = [pool.submit(_make_one, [model]) for model in models]
            for task in tasks:
                yield from pool.wait_for(task)
        finally:
            pool.close()

    def gives(self, model: str) -> bool:
        """Whether the expansion gives the files of a model as they are.

        Raises:
            CodegenError: it cannot be expanded.
        """
        drafts = self._drafts.get(model)
        if drafts is None:
            drafts = _plain(self._tracer.trace(model).drafts)
        if self._finish:
            drafts = self._finish(JobResult(model, drafts)).texts
        done = format_texts(drafts, self._tree.formatting).texts
        return done.keys() == drafts.keys() and all(
            self._text(path) == text for path, text in done.items()
        )

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


def _plain(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts without their places."""
    return {path: str.__str__(text) for path, text in texts.items()}


#: The maker of a worker process.
_maker: Any = None


def _start(maker: Maker) -> None:
    global _maker
    _maker = maker


def _make_one(model: str) -> ModelMaps | None:
    made: ModelMaps | None = _maker.make_or_none(model)
    return made
