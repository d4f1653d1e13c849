"""Work begun ahead: a few jobs at a time, results once, nothing begun that was given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

import pytest

from codegen.run.ahead import GROUP, Ahead
from codegen.run.job import Job, JobResult
from codegen.trees.tree import DefinitionFile


class Pool:
    """Takes jobs down and runs them when told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[dict[str, JobResult]], list[Job]]] = []
        self.seen: list[str] = []
        self.closed = False

    def submit(
        self, function: Callable[[list[Job]], dict[str, JobResult]], jobs: list[Job]
    ) -> Future[dict[str, JobResult]]:
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[dict[str, JobResult]] = Future()
        self.waiting.append((future, jobs))
        self.seen.append("".join(job.definition.model for job in jobs))
        return future

    def finish(self) -> None:
        future, jobs = self.waiting.pop(0)
        models = [job.definition.model for job in jobs]
        future.set_result({model: JobResult(model) for model in models})


def begin(pool: Pool, models: str, window: int) -> Ahead:
    jobs = {model: Job(DefinitionFile(model, f"{model}.py", "out")) for model in models}
    return Ahead(cast(Any, pool), jobs, window)


def test_no_more_than_the_window_is_with_the_workers() -> None:
    pool = Pool()
    ahead = begin(pool, "abcdefghijklmn", 2)
    assert GROUP == 4
    assert pool.seen == ["abcd", "efgh"]
    pool.finish()
    assert pool.seen == ["abcd", "efgh", "ijkl"]
    assert ahead.models() == set("abcdefghijklmn")


def test_a_result_is_given_once() -> None:
    pool = Pool()
    ahead = begin(pool, "ab", 1)
    threading.Timer(0.05, pool.finish).start()
    result = ahead.take("a")
    assert result is not None and result.model == "a"
    assert "a" not in ahead and "b" in ahead


def test_what_has_not_begun_never_will() -> None:
    pool = Pool()
    ahead = begin(pool, "abcdefg", 1)
    assert ahead.take("f") is None
    pool.finish()
    assert pool.seen == ["abcd", "eg"]


def test_a_pool_that_ends_ends_the_feeding() -> None:
    pool = Pool()
    ahead = begin(pool, "abcdef", 1)
    pool.closed = True
    pool.finish()
    assert pool.seen == ["abcd"]
    assert ahead.models() == set("abcdef")


@pytest.mark.parametrize("window", [1, 5])
def test_it_is_empty_when_everything_was_taken(window: int) -> None:
    pool = Pool()
    ahead = begin(pool, "abcdef", window)
    while pool.waiting:
        pool.finish()
    assert all(ahead.take(model) is not None for model in "abcdef")
    assert not ahead
