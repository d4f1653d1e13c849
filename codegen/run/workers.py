"""The worker processes of one run: started when they are first needed, ended with the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from codegen.run.job import start_worker
from codegen.trees.tree import Tree

if TYPE_CHECKING:
    from codegen.run.pool import Pool

#: More processes than this only cost memory (and Windows cannot wait for more).
_MOST_JOBS = 30
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass
class Workers:
    """Up to ``jobs`` processes that know a tree and its name table."""

    tree: Tree
    names: Mapping[str, str]
    jobs: int
    _pool: Pool | None = None

    def map(
        self, function: Callable[[_In], _Out], items: Sequence[_In], chunk: int
    ) -> Iterator[_Out]:
        """Run a function over items in the worker processes, results in order."""
        pool = self.pool()
        pieces = [items[start : start + chunk] for start in range(0, len(items), chunk)]
        tasks = [pool.submit(function, piece) for piece in pieces]
        for task in tasks:
            yield from pool.wait_for(task)

    def pool(self) -> Pool:
        """The processes; they are started now if they were not."""
        if self._pool is None:
            # Imported late: a run with nothing to do starts none.
            from codegen.run.pool import Pool

            count = min(self.jobs, _MOST_JOBS)
            self._pool = Pool(count, start_worker, (self.tree, self.names))
        return self._pool

    def close(self) -> None:
        """End the processes whatever they are doing."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
