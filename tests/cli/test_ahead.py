"""Work begun ahead: a few jobs at a time, results once, nothing begun that was given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

import pytest

from codegen.ahead import Ahead
from codegen.job import Job, JobResult
from codegen.tree import DefinitionFile


class Pool:
    """Takes jobs down and runs them when told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[JobResult], Job]] = []
        self.seen: list[str] = []
        self.closed = False

    def submit(self, function: Callable[[Job], JobResult], job: Job) -> Future[JobResult]:
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[JobResult] = Future()
        self.waiting.append((future, job))
        self.seen.append(job.definition.model)
        return future

    def finish(self) -> None:
        future, job = self.waiting.pop(0)
        future.set_result(JobResult(job.definition.model))


def begin(pool: Pool, models: str, window: int) -> Ahead:
    jobs = {model: Job(DefinitionFile(model, f"{model}.py", "out")) for model in models}
    return Ahead(cast(Any, pool), jobs, window)


def test_no_more_than_the_window_is_with_the_workers() -> None:
    pool = Pool()
    ahead = begin(pool, "abcd", 2)
    assert pool.seen == ["a", "b"]
    pool.finish()
    assert pool.seen == ["a", "b", "c"]
    assert ahead.models() == set("abcd")


def test_a_result_is_given_once() -> None:
    pool = Pool()
    ahead = begin(pool, "ab", 1)
    threading.Timer(0.05, pool.finish).start()
    result = ahead.take("a")
    assert result is not None and result.model == "a"
    assert "a" not in ahead and "b" in ahead


def test_what_has_not_begun_never_will() -> None:
    pool = Pool()
    ahead = begin(pool, "abc", 1)
    assert ahead.take("b") is None
    pool.finish()
    assert pool.seen == ["a", "c"]


def test_a_pool_that_ends_ends_the_feeding() -> None:
    pool = Pool()
    ahead = begin(pool, "ab", 1)
    pool.closed = True
    pool.finish()
    assert pool.seen == ["a"]
    assert ahead.models() == {"a", "b"}


@pytest.mark.parametrize("window", [1, 5])
def test_it_is_empty_when_everything_was_taken(window: int) -> None:
    pool = Pool()
    ahead = begin(pool, "ab", window)
    while pool.waiting:
        pool.finish()
    assert [ahead.take(model) is not None for model in "ab"] == [True, True]
    assert not ahead
