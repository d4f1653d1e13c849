"""Start the processes that describe both sides of each definition, and compare what they send."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from codegen.verify.definitions import preload
from codegen.verify.definitions.compare import Finding, compare
from codegen.verify.definitions.subject import Subject
from codegen.verify.definitions.worker import describe_apart

_US = __name__.partition(".")[0]
_IMPORT = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)


@dataclass(frozen=True)
class DefinitionResult:
    """What became of one definition.

    ``state`` is ``equal``, ``differs``, ``broken`` (a generated file cannot be imported), ``invalid``
    (Python does not import the definition) or ``refused`` (not generated). ``compared`` counts what
    was compared by kind: ``names``, ``members``, ``runs``. ``notes`` are what the expansion noted.
    """

    model: str
    path: str
    state: str
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    compared: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is different that the closed list does not name."""
        return self.state == "equal"


@dataclass
class _Task:
    subject: Subject
    side: str
    process: Any
    started: float


def verify_definitions(
    subjects: Sequence[Subject],
    paths: Sequence[str],
    jobs: int,
    seconds: float,
    running: bool,
    progress: Callable[[str, int, int], None],
) -> list[DefinitionResult]:
    """Compare the definitions; every side is imported in a process of its own.

    ``paths`` join the import path, ``seconds`` is how long one process may take.
    """
    context = _context(subjects)
    waiting = [(s, side) for s in subjects for side in ("plain", *s.sides.generated)]
    total, results = len(waiting), {}
    running_now: dict[Connection, _Task] = {}
    try:
        while waiting or running_now:
            while waiting and len(running_now) < jobs:
                subject, side = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                arguments = (theirs, subject.sides, side, list(paths), running)
                process = context.Process(target=describe_apart, args=arguments, daemon=True)
                process.start()
                theirs.close()
                running_now[ours] = _Task(subject, side, process, time.monotonic())
            for connection in wait(list(running_now), timeout=1):
                assert isinstance(connection, Connection)
                task = running_now.pop(connection)
                results[task.subject.model, task.side] = _received(connection)
                task.process.join(5)
                progress("verifying", len(results), total)
            for connection, task in list(running_now.items()):
                if time.monotonic() - task.started > seconds:
                    task.process.kill()
                    del running_now[connection]
                    late = {"failure": f"did not end within {seconds:.0f} s"}
                    results[task.subject.model, task.side] = late
    finally:
        for task in running_now.values():
            task.process.kill()
    return [_result(subject, results) for subject in subjects]


def _context(subjects: Sequence[Subject]) -> Any:
    methods = multiprocessing.get_all_start_methods()
    if "forkserver" not in methods:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # What a model would load from elsewhere is no part of what its definition means.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ[preload.VARIABLE] = ",".join(_shared_imports(subjects))
    # A process begins with the main module of the program, which imports these: once is enough.
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == _US)
    context.set_forkserver_preload([preload.__name__, describe_apart.__module__, *ours])
    return context


def _shared_imports(subjects: Sequence[Subject]) -> list[str]:
    """Modules of other packages that several definitions import, themselves or their parents."""
    own = {name.partition(".")[0] for subject in subjects for name in subject.sides.sources}
    counts: Counter[str] = Counter()
    for subject in subjects:
        sides = subject.sides
        texts = [sides.sources[name].text for name in (sides.definition, *sides.generated)]
        counts.update({name for text in texts for name in _IMPORT.findall(text)})
    enough = min(3, len(subjects))
    shared = {name for name, count in counts.items() if count >= enough}
    return sorted(name for name in shared if name.partition(".")[0] not in own)


def _received(connection: Connection) -> dict[str, Any]:
    try:
        described: dict[str, Any] = connection.recv()
    except (EOFError, OSError):
        return {"failure": "the process died"}
    finally:
        connection.close()
    return described


def _result(
    subject: Subject, results: Mapping[tuple[str, str], Mapping[str, Any]]
) -> DefinitionResult:
    path = subject.sides.sources[subject.sides.definition].path
    plain = results[subject.model, "plain"]
    sides = [results[subject.model, side] for side in subject.sides.generated]
    for described, state in ((plain, "invalid"), *((side, "broken") for side in sides)):
        if "failure" in described:
            return DefinitionResult(
                subject.model, path, state, described["failure"], notes=subject.notes
            )
    generated = _joined(sides)
    findings = tuple(compare(plain, generated, subject.words, subject.facts))
    state = "equal" if all(item.listed for item in findings) else "differs"
    return DefinitionResult(subject.model, path, state, "", findings, _counts(plain), subject.notes)


def _joined(sides: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several generated files hold together; where two hold a name, the first that does."""
    names: dict[str, Any] = {}
    runs: dict[str, Any] = {}
    for side in sides:
        names = {**side["names"], **names}
        runs = {**side["runs"], **runs}
    exports = sorted({name for side in sides for name in side["exports"]})
    return {"names": names, "exports": exports, "runs": runs}


def _counts(plain: Mapping[str, Any]) -> dict[str, int]:
    counts: Counter[str] = Counter(names=len(plain["names"]), runs=0, members=0)
    for item in plain["names"].values():
        if item[0] == "class":
            counts["members"] += len(item[1]["members"])
    counts["runs"] = sum(
        result[0] not in ("raised", "not built") for result in plain["runs"].values()
    )
    return dict(counts)
