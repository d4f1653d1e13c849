"""Mutation testing: how many small faults the fast tests of a folder notice.

    python -m benchmarks.mutation [--folder store utils rewrite] [--sample 200] [--seed 1] [--jobs 2]

The mutants are those of cosmic-ray, a seeded sample (``mutants.py`` says how it is drawn). Each is put into a
copy of the repository, and the tests that can notice it (``selection.py``) are run there until one fails
(``server.py``). A test that hangs has failed, and so has one that cannot be imported. Mutants that were found to
be equivalent by reading stand in ``equivalents.toml`` with the reason, and count neither way.

What was killed is kept in ``.mutation_cache``, so that after tests were added only the rest is tried again;
``--fresh`` tries everything, ``--quick`` records nothing and goes without the tests that take long (for small samples), ``--survivors FILE`` writes the
rest down. Exit 1 where less than 85 % of a folder's
sample are killed; with ``--strict`` also where any mutant of it survives that is not listed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.mutation.mutants import ROOT, Mutant, equivalents, find_mutants
from benchmarks.mutation.selection import (
    Recorded,
    collect,
    combine,
    near_first,
    record,
    state_of,
    test_files,
)

WANTED = 0.85


@dataclass(frozen=True)
class Folder:
    """The sources that are mutated, where their fast tests are, whether these need torch, and which of
    them ``--quick`` leaves out: those that compile, or execute on both sides."""

    sources: str
    tests: tuple[str, ...]
    torch: bool = False
    lengthy: tuple[str, ...] = ()


FOLDERS: Mapping[str, Folder] = {
    "store": Folder("codegen/store", ("tests/store",)),
    "utils": Folder(
        "utils",
        ("tests/utils", "tests/processors"),
        True,
        ("test_capture", "test_chain", "test_contract", "test_equal"),
    ),
    "rewrite": Folder(
        "codegen/rewrite",
        ("tests/rewrite",),
        True,
        ("test_execution", "test_changed_encoders", "test_bounds", "test_joined_blocks"),
    ),
}
#: Seconds that a test may take of which no record tells how long it takes.
_UNKNOWN = 60.0
#: Takes a line for the reader.
Tell = Callable[[str], None]
_CACHE = ROOT / ".mutation_cache"
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".*_trees", "__pycache__")


@dataclass
class Copy:
    """A copy of the repository and the process that runs tests in it."""

    root: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    running: subprocess.Popen[str] | None = None

    def ask(self, request: Mapping[str, Any], torch: bool) -> str:
        """What noticed a mutant, "" if nothing did."""
        if self.process is None:
            command = [sys.executable, "-m", "benchmarks.mutation.server", *["--torch"] * torch]
            self.process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin and self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return str(json.loads(self.process.stdout.readline())["killer"])

    def run(self, command: Sequence[str], more: Mapping[str, str]) -> str:
        """Run a command in the copy to its end; returns what it printed."""
        with subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            self.running = running
            try:
                return running.communicate()[0]
            finally:
                self.running = None

    def close(self) -> None:
        """End what is running."""
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
        if self.process is not None and self.process.stdin:
            self.process.stdin.close()  # its sign to end what it runs
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None


@contextmanager
def copies(count: int) -> Iterator[list[Copy]]:
    """Copies of the repository, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        made: list[Copy] = []
        try:
            for number in range(count):
                root = Path(temporary) / str(number) / ROOT.name
                shutil.copytree(ROOT, root, ignore=_NOT_COPIED, symlinks=True)
                apart = {"XDG_CACHE_HOME": root.parent / "cache", "PYTHONPATH": root}
                apart["MUTATION_TEMPORARY"] = root.parent / "tmp"
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                made.append(Copy(root, {**environment, **{k: str(v) for k, v in apart.items()}}))
            yield made
        finally:
            for copy in made:
                copy.close()


def run_folder(
    name: str,
    files: Sequence[str],
    mutants: Sequence[Mutant],
    made: Sequence[Copy],
    fresh: bool,
    quick: bool,
    tell: Tell,
) -> tuple[list[Mutant], Mapping[str, str]]:
    """The mutants of a folder that survive its test files, and the tests that fail without any."""
    folder = FOLDERS[name]
    free: Queue[Copy] = Queue()
    for copy in made:
        free.put(copy)
    killed = _load("killed")
    known = None if quick else _records(folder, files, free, made)
    unknown = collect(files, made[0].run) if quick else []

    def attempt(mutant: Mutant) -> bool:
        if not fresh and mutant.digest in killed:
            return True
        tests = known.tests_for(mutant) if known is not None else near_first(mutant, unknown)
        limits = known.limits(tests) if known is not None else [_UNKNOWN] * len(tests)
        copy = free.get()
        try:
            request = {"path": mutant.path, "text": mutant.text, "tests": tests}
            killer = copy.ask({**request, "limits": limits}, folder.torch)
        finally:
            free.put(copy)
        if killer:
            killed[mutant.digest] = killer
            _save("killed", killed)
        else:
            tell(f"  alive: {mutant}")
        return bool(killer)

    with ThreadPoolExecutor(len(made)) as pool:
        try:
            dead = list(pool.map(attempt, mutants))
        finally:
            for copy in made:  # what is still running ends; the next folder wants other libraries
                copy.close()
    return [
        mutant for mutant, is_dead in zip(mutants, dead) if not is_dead
    ], known.failed if known is not None else {}


def _records(
    folder: Folder, files: Sequence[str], free: Queue[Copy], made: Sequence[Copy]
) -> Recorded:
    """What is known of a folder's tests, recorded now as far as it is not known yet."""

    def one(file: str) -> Any:
        place, state = file.replace("/", "-"), state_of(folder.sources, folder.tests, file)
        known = _load(place)
        if known.get("state") == state:
            return known
        copy = free.get()
        try:
            found = {"state": state, **record(folder.sources, file, copy.root, copy.run)}
        finally:
            free.put(copy)
        _save(place, found)
        return found

    with ThreadPoolExecutor(len(made)) as pool:
        try:
            return combine(pool.map(one, files))
        except BaseException:
            for copy in made:
                copy.close()
            raise


def _load(name: str) -> dict[str, Any]:
    try:
        return dict(json.loads((_CACHE / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _save(name: str, data: Mapping[str, Any]) -> None:
    _CACHE.mkdir(exist_ok=True)
    draft = _CACHE / f"{name}.{time.monotonic_ns()}"
    draft.write_text(json.dumps(dict(data)), encoding="utf-8")
    os.replace(draft, _CACHE / f"{name}.json")


def main() -> int:
    """Run the folders and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--survivors", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the copies are removed on the way
    known = equivalents()
    failed = False
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if options.survivors:
            options.survivors.write_text("\n".join(lines) + "\n", encoding="utf-8")

    with copies(options.jobs) as made:
        for folder in options.folder:
            left_out = FOLDERS[folder].lengthy if options.quick else ()
            files = [f for f in test_files(FOLDERS[folder].tests) if Path(f).stem not in left_out]
            sample = find_mutants(FOLDERS[folder].sources, options.sample, options.seed)
            counted = [mutant for mutant in sample if mutant.key not in known]
            alive, broken = run_folder(
                folder, files, counted, made, options.fresh, options.quick, tell
            )
            share = 1 - len(alive) / max(len(counted), 1)
            failed |= share < WANTED or bool(broken) or (options.strict and bool(alive))
            tell(
                f"{folder}: {len(counted) - len(alive)} of {len(counted)} killed ({share:.0%}), "
                f"{len(sample) - len(counted)} equivalent"
            )
            for test, reason in sorted(broken.items()):
                tell(f"  fails without any mutant: {test}: {reason}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
