"""Which tests run through a line, and how long they take.

Recorded by one run of each test file under coverage, in a copy of the repository, and kept until a source
of the folder or something among its tests changes.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutation.mutants import ROOT, Mutant

_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-seed=0")
#: Runs a command with further variables of the environment; returns what it printed.
Run = Callable[[Sequence[str], Mapping[str, str]], str]
#: Where as few tests know a line, others of their files may rely on what they left in a fixture.
_FEW = 3


@dataclass(frozen=True)
class Recorded:
    """Tests by line and file ("" among them: the line runs on import), those that only prepared others
    there, and the seconds that each test took."""

    lines: Mapping[str, Mapping[int, frozenset[str]]]
    preparing: frozenset[tuple[str, int]]
    seconds: Mapping[str, float]
    #: Tests that fail without any mutant, which tell nothing, and what they say.
    failed: Mapping[str, str]

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Tests that can notice a mutant, in the order in which to try them.

        First those that run through the changed statement, the quickest first. Then those of the same
        files, where something may have been done once for several; or all, where the line runs on import
        or in processes that the record does not see.
        """
        lines = self.lines.get(mutant.path, {})
        span = _span(mutant)
        covering = frozenset[str]().union(*(lines.get(line, frozenset()) for line in span))
        first = covering - {""}
        if "" in covering:
            near = frozenset[str]().union(*lines.values()) - {""}
            rest: Iterable[str] = [*self._ordered(near), *self._ordered(self.seconds)]
        elif not first:
            rest = self._ordered(self.seconds)
        elif len(first) <= _FEW or any((mutant.path, line) in self.preparing for line in span):
            files = {_file(test) for test in first}
            rest = self._ordered(test for test in self.seconds if _file(test) in files)
        else:
            rest = ()
        return list(dict.fromkeys((*self._ordered(first), *rest)))

    def limits(self, tests: Sequence[str]) -> list[float]:
        """Seconds after which each test counts as hanging."""
        return [15 + 10 * self.seconds[test] for test in tests]

    def _ordered(self, tests: Iterable[str]) -> list[str]:
        return sorted(
            (test for test in tests if test in self.seconds), key=self.seconds.__getitem__
        )


def test_files(folders: Sequence[str]) -> list[str]:
    """The files with tests in some folders, relative to the repository."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("test_*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def state_of(sources: str, folders: Sequence[str], file: str) -> str:
    """Digest of what decides the record of one test file: sources, that file, and what is no test file."""
    digest = hashlib.sha256()
    others = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in others if not path.match("test_*.py") and path.suffix != ".pyc"]
    for path in sorted({*kept, *(ROOT / sources).rglob("*.py"), ROOT / file}):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def record(sources: str, file: str, root: Path, run: Run) -> dict[str, object]:
    """Run one test file in a copy at ``root``; returns what :func:`combine` takes.

    Raises SystemExit if it cannot be run.
    """
    from coverage import CoverageData

    name = file.replace("/", "-")
    data_file, durations = root / f".coverage-{name}", root / f".durations-{name}"
    command = [sys.executable, *_PYTEST, "-p", "benchmarks.mutation.durations"]
    command += [f"--cov={sources}", "--cov-context=test", "--cov-report=", file]
    said = run(command, {"COVERAGE_FILE": str(data_file), "MUTATION_DURATIONS": str(durations)})
    if not durations.exists():
        raise SystemExit(f"{file} cannot be run:\n{said[-3000:]}")
    data = CoverageData(str(data_file))
    data.read()
    lines = {
        os.path.relpath(os.path.realpath(measured), os.path.realpath(root)): {
            str(line): sorted(set(contexts))
            for line, contexts in data.contexts_by_lineno(measured).items()
        }
        for measured in data.measured_files()
    }
    return {"lines": lines, **json.loads(durations.read_text(encoding="utf-8"))}


def collect(files: Sequence[str], run: Run) -> list[str]:
    """The tests of some files, in their order, without running them."""
    said = run([sys.executable, *_PYTEST, "--collect-only", *files], {})
    return [line for line in said.split("\n") if "::" in line]


def near_first(mutant: Mutant, tests: Sequence[str]) -> list[str]:
    """Tests of files that speak of the changed module in front of the others, for want of a record."""
    word = re.compile(rf"\b{Path(mutant.path).stem}\b")
    near = {
        file for file in {_file(test) for test in tests} if word.search((ROOT / file).read_text())
    }
    return sorted(tests, key=lambda test: _file(test) not in near)


def combine(records: Iterable[Mapping[str, Any]]) -> Recorded:
    """The records of all test files of a folder as one."""
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    preparing: set[tuple[str, int]] = set()
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    for each in records:
        seconds.update(each["seconds"])
        failed.update(each["failed"])
        for path, by_line in each["lines"].items():
            for number, contexts in by_line.items():
                line = int(number)
                for context in contexts:
                    test, _, phase = context.rpartition("|")
                    lines[path][line].add(test)
                    if phase == "setup":
                        preparing.add((path, line))
    frozen = {path: {n: frozenset(t) for n, t in known.items()} for path, known in lines.items()}
    return Recorded(frozen, frozenset(preparing), seconds, failed)


def _span(mutant: Mutant) -> list[int]:
    """Lines of the statement that a mutant changes; of a compound one its head, of a definition its body."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    found: list[int] = []
    for node in ast.walk(tree):  # from the outside in
        if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
            continue
        decorators = getattr(node, "decorator_list", [])
        start = min((node, *decorators), key=lambda each: getattr(each, "lineno", 1)).lineno
        body: list[ast.stmt] = getattr(node, "body", [])
        head_end = body[0].lineno - 1 if body else node.end_lineno or start
        if start <= mutant.line <= max(start, head_end):
            definition = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            last = node.end_lineno if definition else max(start, head_end)
            found = list(range(start, (last or start) + 1))
    return found or [mutant.line]


def _file(test: str) -> str:
    return test.partition("::")[0]
