"""Work that is begun before it is known whether it will be wanted, without getting in the way of other work."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from codegen.run.job import Job, JobResult, run_job
from codegen.run.pool import Pool, Task

#: Neighbours in the order share parents, which a worker parses once.
GROUP = 4


class Ahead:
    """Jobs by model, done by workers that have nothing else to do, a few at a time."""

    def __init__(self, pool: Pool, jobs: Mapping[str, Job]) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._jobs = dict(jobs)
        self._started: dict[str, tuple[Task, int]] = {}
        pool.spare = self._next
        pool.ring()

    def __contains__(self, model: object) -> bool:
        return model in self._jobs or model in self._started

    def __len__(self) -> int:
        return len(self._jobs) + len(self._started)

    def models(self) -> set[str]:
        """The models that are begun or waiting."""
        with self._lock:
            return {*self._jobs, *self._started}

    def take(self, model: str) -> JobResult | None:
        """Wait for one result and give it away; None if its job has not begun, which it never will then."""
        with self._lock:
            if self._jobs.pop(model, None) is not None:
                return None
            task, place = self._started.pop(model)
        results: list[JobResult] = self._pool.wait_for(task)
        return results[place]

    def _next(self) -> Task | None:
        """The next jobs; called when a worker is idle."""
        with self._lock:
            group = [self._jobs[model] for model in list(self._jobs)[:GROUP]]
            if not group:
                return None
            task = Task(run_job, group)
            for place, job in enumerate(group):
                del self._jobs[job.definition.model]
                self._started[job.definition.model] = task, place
        return task
