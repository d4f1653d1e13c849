"""The worker processes of one run: started when they are first needed, ended with the run."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from codegen.errors import CodegenError, fail
from codegen.run.job import start_worker
from codegen.store.system import signals_held_back
from codegen.trees.tree import Tree

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.process import BaseProcess

#: More processes than this only cost memory (and Windows allows no more).
_MOST_JOBS = 61
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass
class Workers:
    """Up to ``jobs`` processes that know a tree and its name table."""

    tree: Tree
    names: Mapping[str, str]
    jobs: int
    _pool: ProcessPoolExecutor | None = None
    _others: Sequence[BaseProcess] = ()

    def map(
        self, function: Callable[[_In], _Out], items: Sequence[_In], chunk: int
    ) -> Iterator[_Out]:
        """Run a function over items in the worker processes, results in order."""
        from concurrent.futures.process import BrokenProcessPool

        try:
            # Processes that start must not be hit by a signal before they are prepared for it.
            with signals_held_back():
                results = self.pool().map(function, items, chunksize=chunk)
            yield from results
        except BrokenProcessPool:
            raise worker_died() from None

    def pool(self) -> ProcessPoolExecutor:
        """The pool, with signals to be held back while it starts."""
        from concurrent.futures import ProcessPoolExecutor

        if self._pool is None:
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("fork" if "fork" in methods else None)
            self._others = multiprocessing.active_children()
            self._pool = ProcessPoolExecutor(
                min(self.jobs, _MOST_JOBS), context, start_worker, (self.tree, self.names)
            )
        return self._pool

    def abandon(self) -> None:
        """End the processes whatever they are doing."""
        hook = threading.excepthook
        # Until Python 3.12 the pool's own thread trips over cancelled work when its workers end.
        threading.excepthook = lambda arguments: None
        try:
            for process in multiprocessing.active_children():
                if self._pool is not None and process not in self._others:
                    process.terminate()
            self.close()
        finally:
            threading.excepthook = hook

    def close(self) -> None:
        """End the processes when they have finished what they are doing."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def worker_died() -> CodegenError:
    """What to say when a process was killed from outside."""
    return fail(
        "worker-died",
        "a worker process was killed; nothing was written",
        "",
        0,
        "run the command again, with fewer --jobs if memory is short",
    )
