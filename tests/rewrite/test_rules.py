"""Golden cases of the rules of the rewrite passes.

A case is one file in ``golden/<pass>/``: what goes in, a line ``# output``, what must come out. Without
that line nothing may change. ``# file: PATH`` lines separate several files of a case. Then ``# report`` begins
what the passes say of it, at lines of the file that goes in; without it they say nothing. At the end
``# run`` begins what :mod:`tests.rewrite.execution` executes on both sides; ``# run eagerly`` where the
result cannot be captured in a graph. Record anew with ``pytest tests/rewrite --update-golden``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from codegen.rewrite import Record, RewriteResult, Settings, Source, rewrite_library

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))
DEFAULT = "models/tiny/modeling_tiny.py"
MARKER = "# output\n"
REPORT = "# report\n"
#: Folders of cases about definitions that are expanded with the meaning of Python.
PROJECT = "_in_project"


class DictLibrary:
    """A library of texts by path."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)

    def modules(self) -> dict[str, str]:
        return {path.removesuffix(".py").replace("/", "."): path for path in self.texts}

    def read(self, module: str) -> Source | None:
        path = module.replace(".", "/") + ".py"
        text = self.texts.get(path)
        return None if text is None else Source(path, module, text)


def split_files(text: str) -> dict[str, str]:
    """Files of one section of a case."""
    parts = re.split(r"^# file: (\S+)\n", text, flags=re.MULTILINE)
    files = {DEFAULT: parts[0]} if parts[0].strip() else {}
    return files | dict(zip(parts[1::2], parts[2::2]))


def join_files(files: Mapping[str, str]) -> str:
    if list(files) == [DEFAULT]:
        return files[DEFAULT]
    return "".join(f"# file: {path}\n{text}" for path, text in files.items())


@dataclass(frozen=True)
class Case:
    """The sections of a case; ``captures`` are numbers of inputs on which a graph is captured."""

    files: dict[str, str]
    expected: str | None
    report: str
    run: str
    captures: tuple[int, ...]
    tail: str


def read_case(path: Path) -> Case:
    """Read a case from its file."""
    text = path.read_text(encoding="utf-8")
    match = re.search(r"^# run( eagerly)?\n", text, re.MULTILINE)
    body, tail = (text, "") if match is None else (text[: match.start()], text[match.start() :])
    body, _, report = body.partition(REPORT)
    before, marker, expected = body.partition(MARKER)
    captures = (0, 1) if match is not None and match[1] is None else ()
    section = tail.partition("\n")[2]
    output = expected if marker else None
    return Case(split_files(before), output, report, section, captures, tail)


def told(record: Record) -> str:
    """A line of a report as it stands in a case."""
    path, _, line = record.location.rpartition(":")
    place = line if path == DEFAULT else f"{path}:{line}"
    method = ".".join(filter(None, (record.cls, record.method)))
    head = f"# {record.kind} at {place}{f' in {method}' if method else ''}"
    inputs = f"({', '.join(record.parameters)})" if record.parameters else ""
    way = f" through {' > '.join(record.path_taken)}" if record.path_taken else ""
    return f"{': '.join(filter(None, (head, record.helper + inputs + way, record.reason)))}\n"


def passes_of(folder: str) -> tuple[str, ...]:
    """The passes that the cases of a folder are about."""
    return ("extract", "lift", "capture") if folder == "all" else (folder.removesuffix(PROJECT),)


def run(files: Mapping[str, str], folder: str) -> RewriteResult:
    settings = Settings(passes=passes_of(folder), python_super=folder.endswith(PROJECT))
    return rewrite_library(DictLibrary(files), settings)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    case = read_case(path)
    before = join_files(case.files)
    result = run(case.files, path.parent.name)
    assert [record for record in result.report if record.kind == "failed"] == []
    actual = join_files({**case.files, **result.edits})
    for text in split_files(actual).values():
        ast.parse(text)
    report = "".join(told(record) for record in result.report)
    if request.config.getoption("--update-golden"):
        new = before if actual == before else before + MARKER + actual
        said = REPORT + report if report else ""
        path.write_text(new + said + case.tail, encoding="utf-8")
        return
    update = "record anew with: pytest tests/rewrite --update-golden"
    assert actual == (before if case.expected is None else case.expected), update
    assert report == case.report, update


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_second_run_changes_nothing(path: Path) -> None:
    files = read_case(path).files
    after = {**files, **run(files, path.parent.name).edits}
    assert run(after, path.parent.name).edits == {}
