"""Work that is begun before it is known whether it will be wanted, without getting in the way of other work."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codegen.run.job import Job, JobResult, run_job

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor


#: Neighbours in the order share parents, which a worker parses once.
GROUP = 4


class Ahead:
    """Jobs by model, given to the workers a few at a time, so that what is submitted later is not behind all."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: Mapping[str, Job], window: int) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._jobs = dict(jobs)
        self._started: dict[str, Future[dict[str, JobResult]]] = {}
        for _ in range(window):
            self._feed()

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
            future = self._started.pop(model)
        return future.result()[model]

    def _feed(self) -> None:
        """Begin the next jobs, and others when they are done."""
        with self._lock:
            group = [self._jobs[model] for model in list(self._jobs)[:GROUP]]
            if not group:
                return
            try:
                future = self._pool.submit(_run_group, group)
            except RuntimeError:  # the pool is being shut down, or a worker died
                return
            for job in group:
                del self._jobs[job.definition.model]
                self._started[job.definition.model] = future
        future.add_done_callback(lambda _: self._feed())


def _run_group(jobs: Sequence[Job]) -> dict[str, JobResult]:
    return {job.definition.model: run_job(job) for job in jobs}
