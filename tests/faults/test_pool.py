"""The worker processes: whatever becomes of one, whoever waits is told at once."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codegen.errors import CodegenError, RunStopped
from codegen.run import pool as pools
from codegen.run.pool import Pool, Task

#: Seconds in which the end of a run must follow the death of a worker, with a busy machine allowed for.
SOON = 5.0


def double(number: int) -> int:
    return 2 * number


def process_of_it(_: int) -> int:
    return os.getpid()


def idle_for(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def refuse(_: int) -> None:
    raise CodegenError()


def give_something_odd(_: int) -> Any:
    return lambda: None


def give_much(_: int) -> bytes:
    return bytes(50_000_000)


@pytest.fixture
def pool() -> Iterator[Pool]:
    opened = Pool(2, os.getpid, ())
    yield opened
    opened.close()
    assert not any(worker.process.is_alive() for worker in opened._workers)


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """The run is stopped in the block, wherever it is just then."""
    started = time.monotonic()
    with pytest.raises(RunStopped, match="worker process was killed"):
        yield
    assert time.monotonic() - started < SOON


def test_results_come_in_the_order_of_the_items(pool: Pool) -> None:
    tasks = [pool.submit(double, range(start, start + 3)) for start in range(0, 60, 3)]
    assert [number for task in tasks for number in pool.wait_for(task)] == list(range(0, 120, 2))


def test_what_a_function_raises_is_raised(pool: Pool) -> None:
    with pytest.raises(CodegenError):
        pool.wait_for(pool.submit(refuse, [1]))
    with pytest.raises(Exception, match="pickle|local object"):
        pool.wait_for(pool.submit(give_something_odd, [1]))
    assert pool.wait_for(pool.submit(double, [4])) == [8], "the worker goes on"


def test_spare_work_comes_after_urgent_work(pool: Pool) -> None:
    order: list[str] = []
    spare = [Task(idle_for, [0.05]) for _ in range(4)]
    waiting = list(spare)

    def next_spare() -> Task | None:
        if waiting:
            order.append("spare")
            return waiting.pop(0)
        return None

    urgent = [pool.submit(idle_for, [0.05]) for _ in range(4)]
    pool.spare = next_spare
    pool.ring()
    for task in urgent:
        pool.wait_for(task)
    assert len(order) <= 2
    for task in spare:
        pool.wait_for(task)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_worker_that_dies_at_work(pool: Pool, number: int) -> None:
    with stopping():
        pool.wait_for(pool.submit(die, [number]))


def test_an_idle_worker_that_dies(pool: Pool) -> None:
    pool.wait_for(pool.submit(double, [1, 2]))
    with stopping():
        os.kill(pool._workers[1].process.pid or 0, signal.SIGKILL)
        _wait_at_work()


def _wait_at_work() -> None:
    """What a run does that needs no worker at the moment."""
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        sum(range(1000))


def test_everybody_who_waits_is_told(pool: Pool) -> None:
    tasks = [pool.submit(idle_for, [60]) for _ in range(8)]
    victim = pool._workers[0].process.pid or 0
    threading.Timer(0.1, lambda: os.kill(victim, signal.SIGKILL)).start()
    for task in [*tasks[:1], *tasks]:
        with stopping():
            pool.wait_for(task)
    with stopping():
        pool.submit(double, [1])


@pytest.mark.parametrize("sent", [0, 2, 4, 1000], ids=lambda sent: f"{sent}_bytes")
def test_a_worker_that_dies_while_it_sends(monkeypatch: pytest.MonkeyPatch, sent: int) -> None:
    """The length of the message is there, or a part of it, and nothing will ever follow."""

    def half(function: object, items: object) -> bytes:
        pipe = sys._getframe(1).f_locals["pipe"]
        os.write(pipe.fileno(), (struct.pack("!i", 1_000_000) + bytes(5000))[:sent])
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    monkeypatch.setattr(pools, "_outcome", half)
    pool = Pool(3, os.getpid, ())
    try:
        with stopping():
            pool.wait_for(pool.submit(double, [1]))
    finally:
        pool.close()


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.1])
def test_a_worker_that_dies_while_it_sends_much(pool: Pool, delay: float) -> None:
    task = pool.submit(give_much, [1] * 3)
    time.sleep(delay)
    for worker in pool._workers:
        if worker.task is task:
            with stopping():
                os.kill(worker.process.pid or 0, signal.SIGKILL)
                pool.wait_for(task)
            return
    pool.wait_for(task)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal")
def test_a_worker_that_stands_still_does_not_keep_the_run_from_ending(pool: Pool) -> None:
    """It may even be in the middle of a message."""
    pool.submit(give_much, [1] * 3)
    time.sleep(0.05)
    for worker in pool._workers:
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < SOON


def test_processes_end_with_the_pool_whatever_they_do() -> None:
    pool = Pool(2, os.getpid, ())
    for _ in range(4):
        pool.submit(idle_for, [60])
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < SOON


def test_no_worker_holds_an_end_of_ours() -> None:
    """A copy of our end in a sibling would keep a worker from hearing that we are gone."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    pool = Pool(3, os.getpid, ())
    try:
        pool.wait_for(pool.submit(process_of_it, range(3)))
        time.sleep(0.1)  # all have closed what they inherited
        ours = {_name(os.getpid(), worker.pipe.fileno()) for worker in pool._workers}
        assert len(ours) == 3
        for worker in pool._workers:
            folder = Path(f"/proc/{worker.process.pid}/fd")
            assert not ours & {_name(worker.process.pid or 0, each) for each in os.listdir(folder)}
    finally:
        pool.close()


def _name(process: int, handle: object) -> str:
    try:
        return os.readlink(f"/proc/{process}/fd/{handle}")
    except OSError:
        return ""


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.ForkProcess.start", start)
    with pytest.raises(CodegenError, match="--jobs 1"):
        Pool(2, os.getpid, ())
