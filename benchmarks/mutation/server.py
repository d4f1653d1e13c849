"""Runs tests in forks of a process that has loaded everything but this repository.

Started in a copy of the repository. Each line of standard input is a JSON object with what to ``do``, each line
of standard output answers it:

``collect``  ``files`` with tests: ``ids`` of their tests and what ``failed`` to be read. Installed modules that
             were loaded on the way are loaded here too, so that no later run has to.
``record``   ``file`` with tests, those ``tests`` of it, ``sources``: run them under coverage; data and durations go to the files that
             ``coverage`` and ``durations`` name.
``run``      ``tests`` in batches, ``limits``: the seconds that each may take, and perhaps ``path`` and ``text`` of a
             changed file: ``killer``, the test that failed or what else went wrong, "" if nothing did.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PRELOADED = ("pytest", "hypothesis", "numpy", "libcst.codemod", "libcst.metadata", "filelock")
_FOR_TORCH = ("torch", "torch._dynamo", "transformers", "transformers.processing_utils")
#: Seconds for the collection of the tests; pytest's exit status if there are none; bytes that a run may map.
_COLLECTION = 60.0
_NO_TESTS = 5
_MEMORY = 24 << 30
#: A limit is one on the processor's time; waiting, which costs none, may last as many times longer.
_PATIENCE = 4
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-seed=0", "--tb=no")


class _Chosen:
    """Plugin of pytest: run the chosen tests in their order; say which one is running or failed."""

    def __init__(self, tests: Sequence[str], pipe: int) -> None:
        self._order = {test: number for number, test in enumerate(tests)}
        self._pipe = pipe

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self._order]
        items.sort(key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._say(f"s{self._order[nodeid]}\n")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._say(f"f{self._order[report.nodeid]}\n")

    def _say(self, text: str) -> None:
        os.write(self._pipe, text.encode())


class _Collected:
    """Plugin of pytest: note the tests that are found and the files that cannot be read."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        self.ids += [item.nodeid for item in items]

    def pytest_deselected(self, items: list[Any]) -> None:
        left_out = {item.nodeid for item in items}
        self.ids[:] = [test for test in self.ids if test not in left_out]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            said = [line for line in report.longreprtext.split("\n") if line.startswith("E ")]
            self.failed[report.nodeid] = said[0][1:].strip() if said else ""


@dataclass(frozen=True)
class _Fork:
    """A forked process and what it says."""

    process: int
    pipe: int

    def seconds(self) -> float:
        """Time of the processor that it took so far, with the processes that it waited for."""
        try:
            told = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # another system: there is the limit on waiting
            return 0.0
        return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Kill it with its children."""
        os.close(self.pipe)
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(self.process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)


def _fork(work: Callable[[int], int]) -> _Fork:
    """Do some work in a process of its own, which ends with the status that the work returns."""
    ours, theirs = os.pipe()
    gc.freeze()  # what is loaded stays: looking through it costs every fork more than most tests take
    child = os.fork()
    if child:
        os.close(theirs)
        return _Fork(child, ours)
    code = 3
    try:
        os.close(ours)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.set_inheritable(theirs, False)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        code = work(theirs)
    finally:
        os._exit(code)


def _pytest(arguments: Sequence[str], *plugins: object) -> int:
    import pytest

    place = f"--basetemp={os.environ['MUTATION_TEMPORARY']}"
    return int(pytest.main([*_OPTIONS, place, *arguments], plugins=list(plugins)))


def collect(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tests of some files; installed modules that these load are loaded from now on."""

    def work(pipe: int) -> int:
        found = _Collected()
        _pytest(["--collect-only", *request["files"]], found)
        here = os.getcwd() + os.sep
        places = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        known = [name for name, file in places.items() if file and not file.startswith(here)]
        answer = {"ids": found.ids, "failed": found.failed, "modules": known}
        with os.fdopen(pipe, "w") as out:
            json.dump(answer, out)
        return 0

    fork = _fork(work)
    try:
        answer = json.loads(_all(fork.pipe) or "{}")
    finally:
        fork.end()
    _load(name for name in answer.pop("modules", ()) if name != "__main__")
    return {"ids": answer.get("ids", []), "failed": answer.get("failed", {})}


def record(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run a file with tests under coverage."""

    def work(pipe: int) -> int:
        os.environ["COVERAGE_FILE"] = request["coverage"]
        os.environ["MUTATION_DURATIONS"] = request["durations"]
        sys.dont_write_bytecode = False
        cov = (f"--cov={request['sources']}", "--cov-context=test", "--cov-report=")
        arguments = ["-p", "benchmarks.mutation.durations", *cov, request["file"]]
        return _pytest(arguments, _Chosen(request["tests"], pipe))

    fork = _fork(work)
    try:
        _all(fork.pipe)
        return {"status": os.waitstatus_to_exitcode(os.waitpid(fork.process, 0)[1])}
    finally:
        fork.end()


def run(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What noticed a change, or fails without one. The file is as it was afterwards."""
    if "path" not in request:
        return {"killer": _run_batches(request["tests"], request["limits"])}
    place = Path(request["path"])
    before, times = place.read_bytes(), place.stat()
    try:
        place.write_text(request["text"], encoding="utf-8")
        return {"killer": _run_batches(request["tests"], request["limits"])}
    finally:
        place.write_bytes(before)
        # Bytecode of the original is valid again, which that of a mutant never is.
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def _run_batches(tests: Sequence[Sequence[str]], limits: Sequence[Sequence[float]]) -> str:
    for batch, seconds in zip(tests, limits):
        if killer := _run_tests(batch, seconds):
            return killer
    return ""


def _run_tests(tests: Sequence[str], limits: Sequence[float]) -> str:
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))
    fork = _fork(lambda pipe: _pytest(["-x", *files], _Chosen(tests, pipe)))
    try:
        last, failed = _follow(fork, limits)
        if last is not None:
            return f"time limit: {'collection' if last < 0 else tests[last]}"
        code = os.waitstatus_to_exitcode(os.waitpid(fork.process, 0)[1])
        if code in (0, _NO_TESTS):
            return ""
        return f"exit status {code}" if failed is None else tests[failed]
    finally:
        fork.end()


def _follow(fork: _Fork, limits: Sequence[float]) -> tuple[int | None, int | None]:
    """Read what a run says to its end: the test that took too long (-1: before any), the one that failed."""
    running, failed, limit = -1, None, _COLLECTION
    begun, spent = time.monotonic(), 0.0
    rest = b""
    while True:
        ready, _, _ = select.select([fork.pipe, 0], [], [], 0.5)
        if fork.pipe in ready:
            data = os.read(fork.pipe, 1 << 16)
            if not data:
                return None, failed
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"f"):
                    failed = int(line[1:])
                else:
                    running = int(line[1:])
            limit = limits[running] if running >= 0 else _COLLECTION
            begun, spent = time.monotonic(), fork.seconds()
        elif 0 in ready:  # nothing is asked before the answer: whoever asked is gone
            raise EOFError
        elif fork.seconds() - spent > limit or time.monotonic() - begun > _PATIENCE * limit:
            return running, failed


def _all(pipe: int) -> bytes:
    """What is written to a pipe until its other end is closed."""
    found: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe, 0], [], [])
        if pipe in ready:
            if not (data := os.read(pipe, 1 << 16)):
                return b"".join(found)
            found.append(data)
        else:
            raise EOFError


def _load(names: Any) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # tests that need it say what is wrong with it
            importlib.import_module(name)


def main() -> None:
    """Answer requests until there are no more."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    _load(_PRELOADED + (_FOR_TORCH if "--torch" in sys.argv else ()))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end of standard input tells us
    doing = {"collect": collect, "record": record, "run": run}
    with open(0, "rb", buffering=0) as requests:  # what is waiting must show in `select`
        while line := requests.readline():
            request = json.loads(line)
            try:
                answer = doing[request["do"]](request)
            except EOFError:
                break
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
