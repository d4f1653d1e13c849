"""What is known of a folder's tests: the lines that each runs through, and how long it takes.

A record of a test file is made once, under coverage, and kept in ``.mutation_cache`` until the file changes; tests
that are added by data have a further part. Edits of
the sources leave it in use: lines are followed to where they stand now, and a line that no record knows yet is
taken to be run by the tests of the function around it. That a test is missed in this way can only let
a mutant live, never kill one.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.mutation.mutants import ROOT

CACHE = ROOT / ".mutation_cache"
#: Tests and lines, by the path of a source.
Lines = Mapping[str, Mapping[int, frozenset[str]]]


@dataclass(frozen=True)
class Recorded:
    """Tests by line and file ("" among them: the line runs on import), those that only prepared others
    there, and the seconds that each test took."""

    lines: Lines
    preparing: frozenset[tuple[str, int]]
    seconds: Mapping[str, float]

    def of_span(self, path: str, span: Sequence[int]) -> frozenset[str]:
        """Tests that run through any of some lines; where none is known, those of the function around."""
        found = _united(self.lines.get(path, {}), span)
        return found or self.around(path, span[0])

    def around(self, path: str, line: int) -> frozenset[str]:
        """Tests that run through the function around a line."""
        return _united(self.lines.get(path, {}), _function_around(path, line))


def state_of(file: str) -> str:
    """Digest of what a record of a test file is made from: its text, and what its folder shares."""
    folder = (ROOT / file).parent
    shared = [path for path in sorted(folder.glob("*.py")) if not path.match("test_*.py")]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / file, *shared)]
    return digest_of(*texts)


def new_part(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What a record holds of a run under coverage; the sources that it ran through are kept beside it."""
    tests = sorted({c for by in measured["lines"].values() for each in by.values() for c in each})
    number = {test: n for n, test in enumerate(tests)}
    lines = {
        path: {line: [number[test] for test in found] for line, found in by_line.items()}
        for path, by_line in measured["lines"].items()
    }
    sources = {path: keep_source(path) for path in lines}
    return {
        "contexts": tests,
        "lines": lines,
        "sources": sources,
        "seconds": measured["seconds"],
        "failed": measured["failed"],
    }


def read_coverage(data_file: Path, durations: Path, root: Path) -> dict[str, Any]:
    """What coverage and the plugin of durations wrote: tests by line and path; seconds; what failed."""
    from coverage import CoverageData

    data = CoverageData(str(data_file))
    data.read()
    here = os.path.realpath(root)
    lines = {
        os.path.relpath(os.path.realpath(measured), here): {
            str(line): sorted(set(contexts))
            for line, contexts in data.contexts_by_lineno(measured).items()
        }
        for measured in data.measured_files()
    }
    return {"lines": lines, **json.loads(durations.read_text(encoding="utf-8"))}


def combine(parts: Iterable[Mapping[str, Any]]) -> Recorded:
    """The parts of all records of a folder as one, for the lines as they are now."""
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    preparing: set[tuple[str, int]] = set()
    seconds: dict[str, float] = {}
    for each in parts:
        seconds.update(each["seconds"])
        contexts = [context.rpartition("|") for context in each["contexts"]]
        for path, by_line in each["lines"].items():
            now = _moved(path, each["sources"][path])
            for known, numbers in by_line.items():
                line = now.get(int(known), 0)
                for test, _, phase in (contexts[number] for number in numbers if line):
                    lines[path][line].add(test)
                    if phase == "setup":
                        preparing.add((path, line))
    frozen = {path: {n: frozenset(t) for n, t in known.items()} for path, known in lines.items()}
    return Recorded(frozen, frozenset(preparing), seconds)


def digest_of(*texts: str) -> str:
    """Digest of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def load(name: str) -> dict[str, Any]:
    """What is kept under a name, nothing if nothing is."""
    try:
        return dict(json.loads((CACHE / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def save(name: str, data: Mapping[str, Any]) -> None:
    """Keep something under a name."""
    _write(CACHE / f"{name}.json", json.dumps(dict(data)))


def keep_source(path: str) -> str:
    """Keep a source as it is now; returns the digest under which it is kept."""
    text = (ROOT / path).read_text(encoding="utf-8")
    digest = digest_of(text)
    if not _kept(digest).exists():
        _write(_kept(digest), text)
    return digest


def _kept(digest: str) -> Path:
    return CACHE / "sources" / f"{digest}.txt"


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f"{place.name}.{time.monotonic_ns()}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, place)


@cache
def _moved(path: str, digest: str) -> dict[int, int]:
    """Where the lines of a source stand now that is kept under a digest."""
    try:
        new = (ROOT / path).read_text(encoding="utf-8")
        old = _kept(digest).read_text(encoding="utf-8")
    except OSError:
        return {}
    before, after = old.split("\n"), new.split("\n")
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {a + n + 1: b + n + 1 for a, b, size in blocks for n in range(size)}


def _united(known: Mapping[int, frozenset[str]], lines: Iterable[int]) -> frozenset[str]:
    return frozenset[str]().union(*(known.get(line, frozenset()) for line in lines))


def _function_around(path: str, line: int) -> range:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = range(0)
    for node in ast.walk(tree):  # from the outside in
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            last = node.end_lineno or node.lineno
            found = range(node.body[0].lineno, last + 1) if node.lineno <= line <= last else found
    return found
