"""What a review saves on whole releases: seeded edits of root classes, and pairs of releases.

``python -m benchmarks.review`` makes the edits of ``review_seeds`` on copies of a release, syncs
them, and prints for each: files reached, changes, hunks and lines of a plain difference and of the
review, the share of lines with an edit, the risks that were expected and told, and the time beside
that of a cold sync. ``--history`` makes those of
``review_history`` and ``review_refactors``. ``--pairs 5.22.2:5.23.0`` reviews the way between
releases instead. ``--work DIR`` keeps the copies, so that the next call has them; what
a call that was ended has left half-made is made again.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.review_history import HISTORY
from benchmarks.review_refactors import REFACTORS
from benchmarks.review_seeds import SEEDS, Seed, seeded
from benchmarks.trees import fetch_release
from codegen.review.ask import Asked, make_question
from codegen.review.build import build_report
from codegen.review.freshness import Expected
from codegen.review.model import Report
from codegen.run.sync import Options, sync
from codegen.trees.tree import open_tree

#: What a review of edits like those of the library's history has to reach.
BARS = "at least 16 x in hunks, 14 x in lines, 99 % attributed, a median of 2 hunks without an edit"


@dataclass(frozen=True)
class Result:
    """A review and what it cost in CPU seconds: freshness asked of the engine, and the rest."""

    name: str
    report: Report
    freshness: float
    seconds: float
    expected: frozenset[str] | None = None

    @property
    def alone(self) -> int:
        """Hunks that are read and that have no edit of a source."""
        changes = self.report.changes
        following = sum(len(change.variants) for change in changes if change.edit is None)
        return following + len(self.report.unexplained)

    @property
    def told(self) -> set[str]:
        """Kinds of the risks that are named."""
        return {risk.kind for risk in self.report.risks}


@contextmanager
def cpu(spent: list[float]) -> Iterator[None]:
    """Append the CPU seconds of a block, those of processes that it waits for included."""

    def now() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    started = now()
    yield
    spent.append(now() - started)


def copy_release(release: Path, target: Path) -> Path:
    """The part of a release that generated files are made of."""
    package = release / "transformers"
    shutil.copytree(package / "models", target / "transformers/models")
    shutil.copy(package / "__init__.py", target / "transformers/__init__.py")
    return target


def synced(folder: Path) -> float:
    """Write what the definitions give; the CPU seconds that it takes."""
    spent: list[float] = []
    with cpu(spent):
        run = sync(open_tree(folder, None), [], Options(1))
    assert not run.problems, run.problems
    return spent[0]


def measure(name: str, base: Path, head: Path, expected: frozenset[str] | None = None) -> Result:
    """The review of two folders; what either side's definitions give is asked for freshness."""
    asked: list[float] = []
    with cpu(asked):
        question = make_question(Asked((str(base), str(head))), Options(1))
    first = question.base_expected

    def base_expected(models: Sequence[str]) -> Expected:
        with cpu(asked):
            return first(models)

    spent: list[float] = []
    with cpu(spent):
        report = build_report(replace(question, base_expected=base_expected))
    return Result(name, report, sum(asked), spent[0] - sum(asked[1:]), expected)


def show(result: Result, cold: float | None) -> None:
    """What one review says of itself."""
    report, numbers = result.report, result.report.summary
    by_hunks = numbers.hunks / max(numbers.read_hunks, 1)
    by_lines = numbers.lines / max(numbers.read_lines, 1)
    share = 100 * numbers.read_lines / max(numbers.lines, 1)
    print(
        f"{result.name}: {len(numbers.sources)} sources, {numbers.files} files, "
        f"{len(report.changes)} changes; hunks {numbers.hunks} -> {numbers.read_hunks} "
        f"({by_hunks:.1f} x), lines {numbers.lines} -> {numbers.read_lines} ({by_lines:.1f} x, "
        f"{share:.0f} % to read); {_attributed(report):.2f} % attributed, "
        f"{result.alone} hunks without an edit, {len(report.unexplained)} alarms"
    )
    beside = f" ({result.seconds / cold:.2f} of a cold sync)" if cold else ""
    print(
        f"    {result.seconds:.1f} s CPU{beside} beside {result.freshness:.1f} s for freshness; "
        f"risks {', '.join(sorted(result.told)) or 'none'} ({len(report.risks)})",
        flush=True,
    )
    if result.expected is not None and result.told != result.expected:
        print(f"    EXPECTED risks: {', '.join(sorted(result.expected)) or 'none'}", flush=True)


def _lines(report: Report) -> tuple[int, int]:
    """Changed generated lines with an edit, and without."""
    known = alone = 0
    for change in report.changes:
        hunks = (h for v in change.variants for i in v.instances for h in i.hunks)
        size = sum(hunk.size for hunk in hunks)
        known, alone = (known + size, alone) if change.edit else (known, alone + size)
    alone += sum(hunk.size for item in report.unexplained for hunk in item.hunks)
    return known, alone


def _attributed(report: Report) -> float:
    known, alone = _lines(report)
    return 100 * known / (known + alone) if known + alone else 100.0


def conclude(results: Sequence[Result]) -> None:
    """The figures over all seeded edits, and the table of risks."""
    numbers = [result.report.summary for result in results]
    hunks = sum(n.hunks for n in numbers) / max(sum(n.read_hunks for n in numbers), 1)
    lines = sum(n.lines for n in numbers) / max(sum(n.read_lines for n in numbers), 1)
    known, alone = (sum(column) for column in zip(*(_lines(r.report) for r in results)))
    print(f"over {len(results)} edits: {hunks:.1f} x in hunks, {lines:.1f} x in lines")
    print(f"    {100 * known / (known + alone):.2f} % of {known + alone} changed lines attributed")
    print(f"    median of hunks without an edit: {statistics.median(r.alone for r in results)}")
    kinds = [(result.expected or frozenset(), result.told) for result in results]
    seeds = sum(len(expected) for expected, _ in kinds)
    found = sum(len(expected & told) for expected, told in kinds)
    false = sum(len(told - expected) for expected, told in kinds)
    print(f"    risks: {seeds} seeded, {found} found, {false} false")
    print(f"    bars: {BARS}")


def main() -> None:
    """Measure seeded edits of a release, then pairs of releases."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__)
    parser.add_argument("--release", default="5.8.1")
    parser.add_argument("--seeds", nargs="*", metavar="NAME")
    parser.add_argument(
        "--history",
        nargs="*",
        metavar="NAME",
        help="edits of review_history and review_refactors instead",
    )
    parser.add_argument("--pairs", nargs="*", default=[], metavar="OLD:NEW")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where copies are kept")
    arguments = parser.parse_args()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        named = arguments.seeds
        if named is None:
            named = [] if arguments.pairs else [seed.name for seed in SEEDS]
        chosen = [seed for seed in SEEDS if seed.name in named]
        if arguments.history is not None:
            further = (*HISTORY, *REFACTORS)
            names = arguments.history or [seed.name for seed in further]
            chosen = [seed for seed in further if seed.name in names]
        if chosen:
            run_seeds(arguments.release, chosen, work)
        for pair in arguments.pairs:
            run_pair(pair, work)


def finished(folder: Path, make: Callable[[], object]) -> None:
    """Make a folder, unless an earlier call has made the whole of it: what one left half-made goes."""
    mark = folder.with_name(f"{folder.name}.finished")  # beside it: copies of it are not finished
    if mark.exists() and folder.exists():
        return
    if folder.exists():
        shutil.rmtree(folder)
    make()
    mark.touch()


def run_seeds(release: str, seeds: Sequence[Seed], work: Path) -> None:
    """Each seeded edit on a copy of its own; copies take along the cache of the first sync."""
    base, cold = work / f"base-{release}", list[float]()

    def make_base() -> None:
        copy_release(fetch_release(release), base)
        cold.append(synced(base))
        print(f"cold sync of {release}: {cold[0]:.1f} s CPU", flush=True)

    finished(base, make_base)
    results = []
    for seed in seeds:
        head = work / f"{seed.name.replace(' ', '-')}-{release}"
        finished(head, partial(edit_copy, base, head, seed))
        results.append(measure(seed.name, base, head, seed.risks))
        show(results[-1], cold[0] if cold else None)
    conclude(results)


def edit_copy(base: Path, head: Path, seed: Seed) -> None:
    """A copy of a release with an edit, synced."""
    changed = list(seeded(base, head, seed))
    assert changed, f"{seed.name}: nothing to edit in {base.name}"
    synced(head)


def run_pair(pair: str, work: Path) -> None:
    """The way from one release to another, beside a cold sync of the later one in the same run."""
    old, new = (fetch_release(version) for version in pair.split(":"))
    head = work / f"pair-{new.name}"
    finished(head, lambda: copy_release(new, head))
    result = measure(pair, old, head)
    with tempfile.TemporaryDirectory() as folder:
        cold = synced(copy_release(new, Path(folder, "cold")))
    show(result, cold)
    print(
        f"    cold sync of {new.name}: {cold:.1f} s CPU; at most 1.00 of it is the bar", flush=True
    )


if __name__ == "__main__":
    main()
