"""Work begun ahead: a few jobs at a time, results once, nothing begun that was given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from codegen.run.ahead import GROUP, Ahead
from codegen.run.job import Job, JobResult
from codegen.run.pool import Task
from codegen.trees.definitions import DefinitionFile


class Pool:
    """Asks for spare work when a worker is told to be idle, and gives results without working."""

    def __init__(self) -> None:
        self.spare: Callable[[], Task | None] = lambda: None
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1

    def idle(self) -> str:
        """The models that an idle worker is given, one letter each."""
        task = self.spare()
        return "".join(job.definition.model for job in task.items) if task else ""

    def wait_for(self, task: Task) -> list[JobResult]:
        return [JobResult(job.definition.model) for job in task.items]


def begin(pool: Pool, models: str) -> Ahead:
    jobs = {model: Job(DefinitionFile(model, f"{model}.py", "out")) for model in models}
    return Ahead(cast(Any, pool), jobs)


def test_idle_workers_are_given_neighbours_in_order() -> None:
    pool = Pool()
    ahead = begin(pool, "abcdefghijklmn")
    assert (GROUP, pool.rung) == (4, 1)
    assert [pool.idle(), pool.idle()] == ["abcd", "efgh"]
    assert ahead.models() == set("abcdefghijklmn"), "nothing is lost while it is under way"
    assert [pool.idle() for _ in range(3)] == ["ijkl", "mn", ""]


def test_a_result_is_given_once() -> None:
    pool = Pool()
    ahead = begin(pool, "ab")
    pool.idle()
    for model in "ba":
        result = ahead.take(model)
        assert result is not None and result.model == model
        assert model not in ahead
    assert not ahead


def test_what_has_not_begun_never_will() -> None:
    pool = Pool()
    ahead = begin(pool, "abcdefg")
    assert pool.idle() == "abcd"
    assert ahead.take("f") is None
    assert [pool.idle(), pool.idle()] == ["eg", ""]


@pytest.mark.parametrize("workers", [1, 5])
def test_it_is_empty_when_everything_was_taken(workers: int) -> None:
    pool = Pool()
    ahead = begin(pool, "abcdef")
    for _ in range(workers):
        pool.idle()
    for model in "abcdef":
        ahead.take(model)
    assert not ahead
