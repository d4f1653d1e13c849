"""The mutants of a folder against its tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.mutation.copies import Copy
from benchmarks.mutation.mutants import ROOT, Mutant
from benchmarks.mutation.records import (
    Recorded,
    combine,
    digest_of,
    load,
    new_part,
    read_coverage,
    save,
    state_of,
)
from benchmarks.mutation.selection import (
    Killers,
    batched,
    file_of,
    guessed_order,
    limit,
    recorded_order,
)

#: Seconds that a test may take of which no record tells how long it takes.
_UNKNOWN = 60.0
#: Takes a line for the reader.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Folder:
    """The sources that are mutated, where their fast tests are, whether these need torch and whether
    some trace the sources into graphs, and which of them ``--quick`` leaves out: those that compile, or execute on both sides."""

    sources: str
    tests: tuple[str, ...]
    torch: bool = False
    is_traced: bool = False
    lengthy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choices:
    """How mutants are tried: all anew or only what is open, with records or without; seconds of tests for
    each; whether each death is told."""

    fresh: bool = False
    quick: bool = False
    budget: float = 120.0
    verbose: bool = False


@dataclass
class Trial:
    """A folder, its test files, and what is found out about them on the way."""

    folder: Folder
    files: Sequence[str]
    copies: Sequence[Copy]
    choices: Choices
    tell: Tell
    #: Tests that fail without any mutant, which tell nothing, and what they say.
    broken: dict[str, str] = field(default_factory=dict)
    killers: Killers = field(default_factory=Killers)
    killed: dict[str, Any] = field(default_factory=dict)
    _sound: dict[str, str] = field(default_factory=dict)
    _free: Queue[Copy] = field(default_factory=Queue)
    _tests: list[str] = field(default_factory=list)
    _known: Recorded | None = None

    def run(self, mutants: Sequence[Mutant]) -> list[Mutant]:
        """The mutants that survive."""
        self.killed, self._sound = load("killed"), load("sound")
        self.killers.counts.update(load("killers"))
        fresh = self.choices.fresh
        wanted = [each for each in mutants if fresh or not self._is_remembered(each)]
        if not wanted:
            return []
        with ThreadPoolExecutor(len(self.copies)) as pool:
            try:
                found = list(pool.map(self._collect, self.copies))[0]
                self.broken.update(found["failed"])
                self._tests = [t for t in found["ids"] if file_of(t) not in self.broken]
                if not self.choices.quick:
                    parts = pool.map(self._record, self.files)
                    self._known = combine(chain.from_iterable(parts))
                dead = list(pool.map(self._attempt, wanted))
            except BaseException:
                for copy in self.copies:  # what is still running ends
                    copy.close()
                raise
        return [mutant for mutant, is_dead in zip(wanted, dead) if not is_dead]

    @contextmanager
    def _copy(self) -> Iterator[Copy]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def _collect(self, copy: Copy) -> Mapping[str, Any]:
        found = copy.ask(self.folder.torch, do="collect", files=self.files)
        self._free.put(copy)
        return found

    def _record(self, file: str) -> Iterable[Mapping[str, Any]]:
        """The record of a test file, made now as far as its tests are not known yet."""
        name, state = file.replace("/", "-"), state_of(file)
        kept = load(name)
        parts = kept["parts"] if kept.get("state") == state else []
        known = {test for part in parts for test in part["seconds"]}
        wanted = [t for t in self._tests if file_of(t) == file and t not in known]
        if wanted:
            part = self._measure(file, wanted)
            parts = [*parts, part]
            self.broken.update(part["failed"])
            save(name, {"state": state, "parts": parts})
        return parts

    def _measure(self, file: str, tests: Sequence[str]) -> dict[str, Any]:
        name = file.replace("/", "-")
        with self._copy() as copy:
            paths = [copy.root / f".{kind}-{name}" for kind in ("coverage", "durations")]
            places = dict(zip(("coverage", "durations"), map(str, paths)))
            sources = self.folder.sources
            copy.ask(
                self.folder.torch, do="record", file=file, tests=tests, sources=sources, **places
            )
            if not paths[1].exists():
                raise SystemExit(f"{file} cannot be run")
            return new_part(read_coverage(paths[0], paths[1], copy.root))

    def _attempt(self, mutant: Mutant) -> bool:
        """Whether any test notices a mutant."""
        begun = time.monotonic()
        while True:
            tests = self._order(mutant)
            killer = self._ask(tests, path=mutant.path, text=mutant.text)
            if not killer or self._is_sound(killer):
                break
        if killer:
            self._note(mutant, killer)
        if self.choices.verbose or not killer:
            said = f"killed by {killer}" if killer else f"alive after {len(tests)} tests"
            took = f" ({said}, {time.monotonic() - begun:.1f} s)" if self.choices.verbose else ""
            self.tell(f"  {'killed' if killer else 'alive'}: {mutant}{took}")
        return bool(killer)

    def _order(self, mutant: Mutant) -> list[str]:
        budget, is_traced = self.choices.budget, self.folder.is_traced
        if self._known is None:
            tests = guessed_order(mutant, self._tests, self.killers)
        else:
            tests = recorded_order(mutant, self._known, self.killers, budget, is_traced)
        return [test for test in tests if test not in self.broken]

    def _ask(self, tests: Sequence[str], **change: str) -> str:
        seconds = self._known.seconds if self._known is not None else {}
        batches = batched(tests)
        limits = [[limit(seconds.get(test, _UNKNOWN)) for test in batch] for batch in batches]
        with self._copy() as copy:
            answer = copy.ask(self.folder.torch, do="run", tests=batches, limits=limits, **change)
        return str(answer["killer"])

    def _is_sound(self, killer: str) -> bool:
        """Whether a test passes without any mutant."""
        test = killer.removeprefix("time limit: ")
        if "::" not in test:
            return True
        state = self._state(test)
        if self._sound.get(test) != state:
            if reason := self._ask([test]):
                self.broken[test] = reason
                return False
            self._sound[test] = state
            save("sound", self._sound)
        return True

    def _state(self, test: str) -> str:
        """Digest of the sources and of a test's file."""
        sources = sorted((ROOT / self.folder.sources).rglob("*.py"))
        paths = (*sources, ROOT / file_of(test))
        return digest_of(*(path.read_text(encoding="utf-8") for path in paths))

    def _note(self, mutant: Mutant, killer: str) -> None:
        self.killed[mutant.digest] = {"killer": killer, "tests": _digest_of_file(killer)}
        save("killed", self.killed)
        if "::" in killer and not killer.startswith("time"):
            self.killers.note(mutant, killer)
            save("killers", self.killers.counts)

    def _is_remembered(self, mutant: Mutant) -> bool:
        """Whether a mutant was killed by a test whose file is as it was."""
        known = self.killed.get(mutant.digest)
        return known is not None and known["tests"] == _digest_of_file(known["killer"])


def _digest_of_file(killer: str) -> str:
    """Digest of the file of the test that noticed a mutant, "" if it was no test."""
    path = ROOT / Path(file_of(killer.removeprefix("time limit: ")))
    return digest_of(path.read_text(encoding="utf-8")) if path.is_file() else ""
