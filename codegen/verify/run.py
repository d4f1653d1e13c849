"""Start the processes of a verification and collect their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.verify.cases import CaseError, load_cases, load_whole_names

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify.

    ``root`` is the original package folder (it contains ``models``), ``overlay`` a folder with the
    rewritten files laid out like it. ``names`` are cases or models; empty means all.
    """

    root: Path
    overlay: Path
    names: tuple[str, ...] = ()
    attention: tuple[str, ...] = ("eager", "sdpa")
    checks: str = "abcdem"
    cases: Path | None = None
    backend: str = "aot_eager"
    python: str = sys.executable


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
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        job = {
            "root": str(options.root.resolve()),
            "package": options.root.resolve().name,
            "names": names,
            "attention": list(options.attention),
            "checks": options.checks,
            "cases": str(options.cases.resolve()) if options.cases else "",
            "backend": options.backend,
            "folder": folder,
        }
        _process(options, {**job, "role": "original"}, Path(folder) / "original.json")
        _process(
            options,
            {**job, "role": "rewritten", "overlay": str(options.overlay.resolve())},
            Path(folder) / "rewritten.json",
        )
        results = Path(folder) / "results.jsonl"
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return tuple(CheckResult(**json.loads(line)) for line in lines)


def select(options: VerifyOptions) -> list[str]:
    """Case names for the requested names, in a stable order."""
    known = load_cases(options.cases)
    known_wholes = load_whole_names()
    if not options.names:
        return [*known, *[name for name in known_wholes if name not in known]]
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


def _process(options: VerifyOptions, job: dict[str, object], path: Path) -> None:
    path.write_text(json.dumps(job), encoding="utf-8")
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(REPOSITORY), environment.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [options.python, "-m", "codegen.verify.worker", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"the {job['role']} process failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
        )


def format_table(results: Sequence[CheckResult]) -> str:
    """One line per case and attention, one column per check; misses are listed below."""
    checks = sorted({r.check for r in results})
    rows: dict[tuple[str, str], dict[str, CheckResult]] = {}
    for result in results:
        rows.setdefault((result.case, result.attention), {})[result.check] = result
    width = max([len("encoder"), *(len(case) for case, _ in rows)])
    lines = [f"{'encoder':{width}}  attention  " + "  ".join(f"{c:9}" for c in checks)]
    for (case, attention), found in rows.items():
        cells = [f"{_cell(found[c]) if c in found else '-':9}" for c in checks]
        lines.append(f"{case:{width}}  {attention:9}  " + "  ".join(cells))
    misses = [r for r in results if not r.ok]
    lines += [
        f"miss: {r.case} {r.attention} ({r.check}) {r.note or f'difference {r.difference:.1e}'}"
        for r in misses
    ]
    lines.append(f"{len(results) - len(misses)} of {len(results)} checks hold")
    return "\n".join(lines)


def _cell(result: CheckResult) -> str:
    if not result.ok:
        return "MISS"
    return "equal" if result.difference == 0 else f"{result.difference:.1e}"
