"""Worker processes, each at the end of a pipe of its own, so that no death goes unnoticed.

The only other end of a worker's pipe is ours: whatever it was doing when it died, even in the
middle of a message, reading from it ends. One thread listens to all pipes and hands out work;
nothing that ends a run waits for it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from codegen.errors import Diagnostic, RunStopped, fail
from codegen.store.system import (
    raise_if_ending,
    signals_held_back,
    signals_of_a_worker,
    watching_children,
)

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

#: Seconds that a signal may take to reach us after it reached a worker.
_ON_ITS_WAY = 0.1
#: Seconds in which a process that was killed is gone.
_GONE = 1.0


@dataclass(eq=False)
class Task:
    """A function to call on each item in one worker, and what came back: a pickled outcome."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    outcome: bytes | None = None
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class Pool:
    """``count`` processes that call ``prepare(*arguments)`` and then work on tasks.

    ``spare`` is asked for something to do when nothing is urgent; it is called in another thread.
    Every method but it may raise RunStopped: a worker was killed.
    """

    def __init__(
        self, count: int, prepare: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        self.spare: Callable[[], Task | None] = lambda: None
        self._urgent: deque[Task] = deque()
        self._workers: list[_Worker] = []
        self._over = False
        self._broken = False
        self._told = False
        self._stack = ExitStack()
        self._ear, self._bell = multiprocessing.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        # What starts must not be hit by a signal before it is prepared for it.
        try:
            with signals_held_back():
                self._start_all(count, prepare, arguments)
                self._thread.start()
            self._stack.enter_context(watching_children(self._look))
        except BaseException:
            self.close()
            raise

    def _start_all(
        self, count: int, prepare: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        try:
            for _ in range(count):
                self._workers.append(self._start(prepare, arguments))
        except OSError as error:
            if not self._workers:  # some are better than none
                raise _no_workers(error) from None

    def _start(self, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> _Worker:
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else None)
        if context.get_start_method() != "fork":
            # A new interpreter must not look for its modules in the working directory.
            os.environ.setdefault("PYTHONSAFEPATH", "1")
        ours, theirs = context.Pipe()
        # A forked process has copies of our ends, which would keep its siblings from hearing of our end.
        foreign = [ours, self._ear, self._bell, *(worker.pipe for worker in self._workers)]
        inherited = foreign if context.get_start_method() == "fork" else []
        process = context.Process(
            target=_serve, args=(theirs, inherited, prepare, arguments), daemon=True
        )
        try:
            process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Worker(process, ours)

    def submit(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Task:
        """Have a function called on each item, before anything that is spare."""
        task = Task(function, items)
        self._urgent.append(task)
        self.ring()
        return task

    def ring(self) -> None:
        """Have idle workers look for something to do."""
        if self._broken:
            raise self._stopped()
        self._bell.send_bytes(b"")

    def wait_for(self, task: Task) -> Any:
        """The results of a task, in the order of its items; what its function raised is raised."""
        task.over.wait()
        if task.outcome is None:
            raise self._stopped()
        succeeded, value = pickle.loads(task.outcome)
        if not succeeded:
            raise value
        return value

    def close(self) -> None:
        """End the processes whatever they are doing: they hold nothing that could be lost."""
        self._over = True
        self._stack.close()
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(_GONE)
        if self._thread.ident is not None:
            self._thread.join(_GONE)
        if not self._thread.is_alive():
            for pipe in (self._ear, self._bell, *(worker.pipe for worker in self._workers)):
                pipe.close()

    def _look(self) -> None:
        """Called in the main thread, wherever that is, when some child process has ended."""
        if self._over or self._told:
            return
        if wait([worker.process.sentinel for worker in self._workers], 0):
            raise self._stopped()

    def _stopped(self) -> RunStopped:
        """What to say when a process was killed from outside; once is enough for :meth:`_look`."""
        self._told = True
        # A signal to the whole group ends the workers, too. It is on its way, and it is what happened.
        time.sleep(_ON_ITS_WAY)
        raise_if_ending()
        return RunStopped(
            Diagnostic(
                "worker-died",
                "a worker process was killed; nothing was written",
                None,
                "run the command again, with fewer --jobs if memory is short",
            )
        )

    def _listen(self) -> None:
        """Hand out work and take results until the end, or the death of a worker."""
        by_sign = {worker.pipe: worker for worker in self._workers}
        signs = [worker.process.sentinel for worker in self._workers]
        try:
            while not self._over:
                self._hand_out()
                ready = wait([self._ear, *by_sign, *signs])
                for sign in ready:
                    if sign is self._ear:
                        self._ear.recv_bytes()
                    elif sign in by_sign:
                        _take_result(by_sign[sign])
                if any(sign in ready for sign in signs):
                    break
        except (OSError, EOFError):
            pass  # a worker was killed while it sent, or we while we did
        finally:
            self._give_up()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.task is None:
                task = self._urgent.popleft() if self._urgent else self.spare()
                if task is None:
                    return
                worker.task = task
                worker.pipe.send_bytes(pickle.dumps((task.function, task.items)))

    def _give_up(self) -> None:
        """Let everybody who waits know that nothing will come any more."""
        if not self._over:
            # A signal to all processes reaches us as well, and says more than their end.
            time.sleep(0.05)
        self._broken = True
        for worker in self._workers:
            worker.process.kill()
            if worker.task is not None:
                worker.task.over.set()
        while self._urgent:
            self._urgent.popleft().over.set()


def _take_result(worker: _Worker) -> None:
    data = worker.pipe.recv_bytes()
    if worker.task is not None:
        worker.task.outcome = data
        worker.task.over.set()
        worker.task = None


def _serve(
    pipe: Connection,
    inherited: Iterable[Connection],
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """The life of a worker process; it ends with the main process at the latest."""
    for other in inherited:
        other.close()
    signals_of_a_worker()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*arguments)
    with suppress(EOFError, OSError):
        while True:
            function, items = pickle.loads(pipe.recv_bytes())
            pipe.send_bytes(_outcome(function, items))


def _outcome(function: Callable[[Any], Any], items: Sequence[Any]) -> bytes:
    try:
        return pickle.dumps((True, [function(item) for item in items]))
    except Exception as error:
        with suppress(Exception):
            return pickle.dumps((False, error))
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _end_with_parent() -> None:
    """End this process when the main process is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _no_workers(error: OSError) -> Exception:
    message = f"cannot start worker processes: {error.strerror or error}"
    return fail("no-workers", message, "", 0, "run the command again with --jobs 1")
