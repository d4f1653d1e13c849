"""Which tests are run on a mutant, and in which order: the likeliest to notice it first, in small batches."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks.mutation.mutants import ROOT, Mutant
from benchmarks.mutation.records import Recorded

#: Where as few tests know a line, others of their files may rely on what they left in a fixture.
_FEW = 3
#: Sizes of the batches in which tests are run; the last one takes the rest. Each has its own
#: collection, of the files of its tests only.
_BATCHES = (3, 20)
#: Seconds up to which a test is quick: of those, every one is asked about a line that runs on import.
_QUICK = 0.15
#: Of tests whose files speak of what is changed, as many are tried in front of the others.
_SPEAKING = 40
#: A test may take as many times what it took, and as many seconds more.
_SLACK, _MORE = 5.0, 5.0


@dataclass
class Killers:
    """Which tests noticed mutants of which sources, and the same change of which lines, so far."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def note(self, mutant: Mutant, test: str) -> None:
        """A test noticed a mutant."""
        for what in (mutant.path, mutant.change):
            known = self.counts.setdefault(what, {})
            known[test] = known.get(test, 0) + 1

    def same(self, mutant: Mutant) -> list[str]:
        """The test that noticed the same change of such a line most often, if any did."""
        known = self.counts.get(mutant.change, {})
        return sorted(known, key=lambda test: -known[test])[:1]

    def likeliest(self, path: str, among: Iterable[str]) -> list[str]:
        """The tests that noticed most mutants of a source, and of others of its folder."""
        here = self.counts.get(path, {})
        near = Counter[str]()
        for other, known in self.counts.items():
            if Path(other).parent == Path(path).parent:
                near.update(known)
        chosen = near.keys() & set(among)
        return sorted(chosen, key=lambda test: (-here.get(test, 0), -near[test], test))


def recorded_order(
    mutant: Mutant, known: Recorded, killers: Killers, budget: float, is_traced: bool
) -> list[str]:
    """Tests that can notice a mutant, as many as take a number of seconds together.

    First those that run through the changed statement, the quickest first, in front of them some of files
    that speak of what is changed, or that have the module's name where the line runs on import; where code is traced, which
    the record does not see line by line, those that run through its function. Then those of the same
    files, where something may have been done once for several; or all, where the line runs on import
    or in processes that the record does not see.
    """
    span = span_of(mutant)
    covering = known.of_span(mutant.path, span)
    first = covering - {""}
    quick: list[str] = []
    if "" in covering:
        near = _quickest(known, frozenset[str]().union(*known.lines.get(mutant.path, {}).values()))
        everything = _quickest(known, known.seconds)
        of_module = [t for t in everything if _is_of_module(t, mutant.path)]
        quick = [t for t in (*near, *everything) if known.seconds[t] <= _QUICK]
        quick = [*of_module, *quick]
        rest: Iterable[str] = [*near, *everything]
    elif not first:
        rest = _quickest(known, known.seconds)
    elif len(first) <= _FEW or any((mutant.path, line) in known.preparing for line in span):
        files = {file_of(test) for test in first}
        rest = _quickest(known, (test for test in known.seconds if file_of(test) in files))
    else:
        rest = ()
    around = known.around(mutant.path, span[0]) - {""} if is_traced else ()
    covered = _quickest(known, first)
    words = (Path(mutant.path).stem, *_function_names(mutant))
    speaking = [test for test in covered if _mentions(file_of(test), words)][:_SPEAKING]
    quickest = [*speaking, *quick, *covered, *_quickest(known, around), *rest]
    likely = killers.likeliest(mutant.path, first or quickest)[: _BATCHES[0]]
    spent = 0.0
    chosen: list[str] = []
    same = [test for test in killers.same(mutant) if test in known.seconds]
    for test in dict.fromkeys((*same, *likely, *quickest)):
        spent += known.seconds.get(test, 0.0)
        if spent > budget and chosen:
            break
        chosen.append(test)
    return chosen


def guessed_order(mutant: Mutant, tests: Sequence[str], killers: Killers) -> list[str]:
    """Tests for want of a record: known killers, then those that speak most of what is changed."""
    likely = killers.likeliest(mutant.path, tests)[: _BATCHES[0]]
    words = [word for word in Path(mutant.path).with_suffix("").parts[1:] if len(word) > 2]
    names = [*words, *_function_names(mutant)]
    marks = {file: _mentions(file, tuple(names)) for file in {file_of(test) for test in tests}}
    in_name = {test: sum(word in test for word in words) for test in tests}
    order = sorted(tests, key=lambda test: (-marks[file_of(test)] - in_name[test]))
    same = [test for test in killers.same(mutant) if test in tests]
    return list(dict.fromkeys((*same, *likely, *order)))


def batched(tests: Sequence[str]) -> list[list[str]]:
    """Tests in the batches in which they are run."""
    found, rest = [], list(tests)
    for size in _BATCHES:
        found.append(rest[:size])
        rest = rest[size:]
    return [batch for batch in (*found, rest) if batch]


def limit(seconds: float) -> float:
    """Seconds after which a test counts as hanging that took so many."""
    return _MORE + _SLACK * seconds


def test_files(folders: Sequence[str]) -> list[str]:
    """The files with tests in some folders, relative to the repository."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("test_*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def file_of(test: str) -> str:
    """The file that a test is in."""
    return test.partition("::")[0]


def span_of(mutant: Mutant) -> list[int]:
    """Lines of the statement that a mutant changes; of a compound one its head, of a definition its body."""
    found: list[int] = []
    for node in ast.walk(_tree(mutant.path)):  # from the outside in
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


def _function_names(mutant: Mutant) -> list[str]:
    """Names of the definitions around a change."""
    return [
        node.name
        for node in ast.walk(_tree(mutant.path))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and node.lineno <= mutant.line <= (node.end_lineno or 0)
    ]


def _is_of_module(test: str, path: str) -> bool:
    """Whether a test is one of those that there are for each module, and for this one."""
    dotted = ".".join(Path(path).with_suffix("").parts[2:])
    return f"[{dotted}]" in test or f"[{dotted}." in test


@cache
def _mentions(file: str, words: tuple[str, ...]) -> int:
    """How many of some words a test file speaks of."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return sum(re.search(rf"\b{re.escape(word)}\b", text) is not None for word in words)


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _quickest(known: Recorded, tests: Iterable[str]) -> list[str]:
    seconds: Mapping[str, float] = known.seconds
    return sorted((test for test in tests if test in seconds), key=seconds.__getitem__)
