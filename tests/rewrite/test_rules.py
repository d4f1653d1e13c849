"""Golden cases of the rules of the rewrite passes.

A case is one file in ``golden/<pass>/``: what goes in, a line ``# output``, what must come out. Without
that line nothing may change. ``# file: PATH`` lines separate several files of a case. Record anew with
``pytest tests/rewrite --update-golden``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from codegen.rewrite import RewriteResult, Settings, Source, rewrite_library

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))
DEFAULT = "models/tiny/modeling_tiny.py"
MARKER = "# output\n"


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


def run(files: Mapping[str, str], folder: str) -> RewriteResult:
    passes = ("extract", "lift", "capture") if folder == "all" else (folder,)
    return rewrite_library(DictLibrary(files), Settings(passes=passes))


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden(case: Path, request: pytest.FixtureRequest) -> None:
    before, marker, expected = case.read_text().partition(MARKER)
    files = split_files(before)
    actual = join_files({**files, **run(files, case.parent.name).edits})
    for text in split_files(actual).values():
        ast.parse(text)
    if request.config.getoption("--update-golden"):
        case.write_text(before if actual == before else before + MARKER + actual)
        return
    update = "record anew with: pytest tests/rewrite --update-golden"
    assert actual == (expected if marker else before), update


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_second_run_changes_nothing(case: Path) -> None:
    files = split_files(case.read_text().partition(MARKER)[0])
    after = {**files, **run(files, case.parent.name).edits}
    assert run(after, case.parent.name).edits == {}
