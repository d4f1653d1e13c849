"""Start the processes of a verification and collect their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.verify.cases import Case, CaseError, load_cases, load_whole_entries
from codegen.verify.graph_table import Graph, format_graphs
from codegen.verify.scenarios import GRAPH_CHECKS, SCENARIOS, count_graph_checks

Progress = Callable[[str, int, int], None]

#: Models that are verified side by side at most: each process holds torch and a library.
MOST_JOBS = 8
REPOSITORY = Path(__file__).resolve().parents[2]
#: As ``python -m`` does it, but without the working directory, which may hold a ``torch.py``.
_START = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module('codegen.verify.worker', run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify.

    ``root`` is the original package folder (it contains ``models``), ``overlay`` a folder with the
    rewritten files laid out like it. ``names`` are cases or models; empty means all that the tree has.
    ``scenarios`` are the prompts of the checks of graphs. ``progress`` is called with what is done, and the number of checks done and of all. Where the original is not as it
    is in ``root`` either, ``plain`` is a folder with its files, and ``package`` its dotted name. ``jobs`` is
    how many models are verified side by side; 0 stands for one a core, eight at most, as each holds torch.
    """

    root: Path
    overlay: Path
    names: tuple[str, ...] = ()
    attention: tuple[str, ...] = ("eager", "sdpa")
    checks: str = "abcdem"
    cases: Path | None = None
    backend: str = "inductor"
    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    python: str = sys.executable
    progress: Progress = lambda doing, done, total: None
    plain: Path | None = None
    package: str = ""
    jobs: int = 1


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check of one case: ``difference`` is relative, ``note`` says what went wrong."""

    case: str
    attention: str
    check: str
    ok: bool
    difference: float
    note: str = ""
    trace: str = ""


def verify(options: VerifyOptions) -> tuple[CheckResult, ...]:
    """Run all checks.

    Raises:
        CaseError: unknown names, malformed case file.
        RuntimeError: a process failed as a whole; the message ends with its output.
    """
    names = select(options)
    jobs = options.jobs or min(os.cpu_count() or 1, MOST_JOBS)
    groups = [names[start::jobs] for start in range(min(jobs, len(names)) or 1)]
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        folders = [Path(folder) / str(number) for number in range(len(groups))]
        total = _expected(options, names)

        def tick() -> None:
            options.progress("verifying", sum(map(len, map(_results, folders))), total)

        jobs_of = [_jobs(options, *group) for group in zip(groups, folders, strict=True)]
        _side_by_side(options.python, jobs_of, tick)
        found = [CheckResult(**json.loads(line)) for each in folders for line in _results(each)]
    place = {name: number for number, name in enumerate(names)}
    of_wholes = frozenset(f"m{GRAPH_CHECKS}")
    return tuple(sorted(found, key=lambda item: (item.check in of_wholes, place[item.case])))


def _jobs(options: VerifyOptions, names: Sequence[str], folder: Path) -> list[dict[str, object]]:
    """What the two processes of a group of models are told, in the order in which they run."""
    folder.mkdir()
    root = options.root.resolve()
    package = options.package or root.name
    job = {
        "search": str(root.parents[package.count(".")]),
        "package": package,
        "names": names,
        "attention": list(options.attention),
        "checks": options.checks,
        "cases": str(options.cases.resolve()) if options.cases else "",
        "backend": options.backend,
        "scenarios": list(options.scenarios),
        "folder": str(folder),
    }
    plain = str(options.plain.resolve()) if options.plain else ""
    overlay = str(options.overlay.resolve())
    return [
        {**job, "role": "original", "overlay": plain},
        {**job, "role": "rewritten", "overlay": overlay},
    ]


def _results(folder: Path) -> list[str]:
    """The lines of what a group's checks gave so far, one for each."""
    path = folder / "results.jsonl"
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def _expected(options: VerifyOptions, names: Sequence[str]) -> int:
    """How many checks a run consists of."""
    known, entries = load_cases(options.cases), load_whole_entries(options.cases)
    cases = sum(name in known for name in names)
    wholes = [entries[name] for name in names if name in entries]
    graphs = sum(count_graph_checks(entry, options.checks, options.scenarios) for entry in wholes)
    letters = set(options.checks) - set(f"m{GRAPH_CHECKS}")
    return (
        cases * len(options.attention) * len(letters)
        + len(wholes) * ("m" in options.checks)
        + graphs
    )


def select(options: VerifyOptions) -> list[str]:
    """Case names for the requested names, in a stable order."""
    known = load_cases(options.cases)
    known_wholes = load_whole_entries(options.cases)
    if not options.names:
        names = [*known, *[name for name in known_wholes if name not in known]]
        gone = absent_models(options)
        return [name for name in names if _model(name, known) not in gone]
    chosen = []
    for wanted in options.names:
        found = [name for name, case in known.items() if wanted in (name, case.model)]
        found += [wanted] if wanted in known_wholes and wanted not in found else []
        if not found:
            raise CaseError(
                f"no case is called {wanted!r}; give one with --cases or choose among {', '.join(known)}"
            )
        chosen += [name for name in found if name not in chosen]
    return chosen


def absent_models(options: VerifyOptions) -> tuple[str, ...]:
    """Models of the built-in cases that the tree does not have: there is nothing to verify."""
    known = load_cases(options.cases)
    names = [*known, *load_whole_entries(options.cases)]
    models = dict.fromkeys(
        _model(n, known) for n in names if n not in known or not known[n].factory
    )
    return tuple(m for m in models if not (options.root / "models" / m).is_dir())


def _model(name: str, known: Mapping[str, Case]) -> str:
    return known[name].model if name in known else name


def _side_by_side(
    python: str, groups: Sequence[Sequence[dict[str, object]]], tick: Callable[[], None]
) -> None:
    """Run the jobs of each group one after another, the groups beside each other, calling ``tick`` until all end."""
    waiting = [deque(group) for group in groups]
    running: dict[int, _Process] = {}
    try:
        while running or any(waiting):
            for number, jobs in enumerate(waiting):
                if number not in running and jobs:
                    running[number] = _start(python, jobs.popleft())
            tick()
            time.sleep(0.1)
            for number in [n for n, process in running.items() if process.ended()]:
                del running[number]
    finally:
        for process in running.values():
            process.stop()


@dataclass(frozen=True)
class _Process:
    role: str
    log: Path
    running: subprocess.Popen[bytes]

    def ended(self) -> bool:
        """Whether it did what it was told. Raises RuntimeError with the end of its output if it failed."""
        if self.running.poll():
            output = self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise RuntimeError(f"the {self.role} process failed:\n{output}")
        return self.running.returncode is not None

    def stop(self) -> None:
        """End it if it is not over."""
        self.running.kill()
        self.running.wait()


def _start(python: str, job: dict[str, object]) -> _Process:
    """A process of its own for one role of a group."""
    path, log = (Path(str(job["folder"])) / f"{job['role']}.{suffix}" for suffix in ("json", "log"))
    path.write_text(json.dumps(job), encoding="utf-8")
    environment = {"HF_HUB_OFFLINE": "1", **os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(REPOSITORY), environment.get("PYTHONPATH")])
    )
    command = [python, "-c", _START, str(path)]
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    return _Process(str(job["role"]), log, process)


def format_table(results: Sequence[CheckResult], absent: Sequence[str] = ()) -> str:
    """One line per case and attention, one column per check; misses and absent models are listed below.

    Of whole models as graphs there is another one, with a column for each kind of prompt.
    """
    checks = sorted({r.check for r in results})
    rows: dict[tuple[str, str], dict[str, CheckResult]] = {}
    for result in results:
        rows.setdefault((result.case, result.attention), {})[result.check] = result
    width = max([len("encoder"), *(len(case) for case, _ in rows)])
    second = max([len("attention"), *(len(attention) for _, attention in rows)])
    titles = "  ".join(f"{c:9}" for c in checks)
    lines = [f"{'encoder':{width}}  {'attention':{second}}  {titles}"]
    for (case, attention), found in rows.items():
        cells = [f"{_cell(found[c]) if c in found else '-':9}" for c in checks]
        lines.append(f"{case:{width}}  {attention:{second}}  " + "  ".join(cells))
    misses = [r for r in results if not r.ok]
    lines += [
        f"miss: {r.case} {r.attention} ({r.check}) {r.note or f'difference {r.difference:.1e}'}"
        for r in misses
    ]
    lines += format_graphs([_graph(r) for r in results if r.check in GRAPH_CHECKS])
    if absent:
        lines.append(f"not in this tree: {', '.join(absent)}")
    lines.append(f"{len(results) - len(misses)} of {len(results)} checks hold")
    return "\n".join(lines)


def _graph(result: CheckResult) -> Graph:
    scenario, _, given = result.attention.partition(", ")
    return Graph(result.case, scenario, given, result.check, result.ok)


def _cell(result: CheckResult) -> str:
    if not result.ok:
        return "MISS"
    return "equal" if result.difference == 0 else f"{result.difference:.1e}"
