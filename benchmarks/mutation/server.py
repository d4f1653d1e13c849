"""Runs chosen tests in forks of a process that has loaded the large libraries already.

Started in a copy of the repository. Each line of standard input is a JSON object: ``path`` and ``text`` of a
changed file, ``tests`` in the order in which they are to run, ``limits``, the seconds that each may take. Each
line of standard output answers it: ``killer``, the test that failed or what else went wrong, "" if nothing did.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PRELOADED = ("pytest", "hypothesis", "numpy", "libcst.codemod", "libcst.metadata", "filelock")
_FOR_TORCH = ("torch", "torch._dynamo", "transformers", "transformers.processing_utils")
#: Seconds for the collection of the tests; pytest's exit status if there are none; bytes that a run may map.
_COLLECTION = 60.0
_NO_TESTS = 5
_MEMORY = 24 << 30


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


def run_mutant(request: Mapping[str, Any]) -> str:
    """What noticed the change, "" if nothing did. The file is as it was afterwards."""
    place = Path(request["path"])
    before, times = place.read_bytes(), place.stat()
    try:
        place.write_text(request["text"], encoding="utf-8")
        return _run_tests(request["tests"], request["limits"])
    finally:
        place.write_bytes(before)
        # Bytecode of the original is valid again, which that of a mutant never is.
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))


def _run_tests(tests: Sequence[str], limits: Sequence[float]) -> str:
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _work(tests, theirs)
    os.close(theirs)
    try:
        last, failed = _follow(ours, limits)
        if last is not None:
            return f"time limit: {'collection' if last < 0 else tests[last]}"
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code in (0, _NO_TESTS):
            return ""
        return f"exit status {code}" if failed is None else tests[failed]
    finally:
        os.close(ours)
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _follow(pipe: int, limits: Sequence[float]) -> tuple[int | None, int | None]:
    """Read what a run says to its end: the test that took too long (-1: before any), the one that failed."""
    running, failed = -1, None
    until = time.monotonic() + _COLLECTION
    rest = b""
    while True:
        ready, _, _ = select.select([pipe, 0], [], [], max(0.0, until - time.monotonic()))
        if pipe in ready:
            data = os.read(pipe, 1 << 16)
            if not data:
                return None, failed
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"f"):
                    failed = int(line[1:])
                else:
                    running = int(line[1:])
                    until = time.monotonic() + limits[running]
        elif 0 in ready:  # nothing is asked before the answer: whoever asked is gone
            raise EOFError
        elif time.monotonic() > until:
            return running, failed


def _work(tests: Sequence[str], pipe: int) -> None:
    """In the forked process: run the tests and end."""
    import pytest

    code = 3
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.set_inheritable(pipe, False)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-seed=0"]
        options += ["--tb=no", f"--basetemp={os.environ['MUTATION_TEMPORARY']}"]
        code = int(pytest.main([*options, *files], plugins=[_Chosen(tests, pipe)]))
    finally:
        os._exit(code)


def main() -> None:
    """Answer requests until there are no more."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in _PRELOADED + (_FOR_TORCH if "--torch" in sys.argv else ()):
        with contextlib.suppress(Exception):  # tests that need it say what is wrong with it
            importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end of standard input tells us
    with open(0, "rb", buffering=0) as requests:  # what is waiting must show in `select`
        while line := requests.readline():
            try:
                killer = run_mutant(json.loads(line))
            except EOFError:
                break
            print(json.dumps({"killer": killer}), flush=True)


if __name__ == "__main__":
    main()
