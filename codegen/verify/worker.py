"""The two processes of a verification: ``original`` records outputs, ``rewritten`` checks against them.

Started by :mod:`codegen.verify.processes`; reads its job from a JSON file and writes results to another.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from codegen.verify.calls import call, precomputed, rounds
from codegen.verify.cases import Case, load_cases
from codegen.verify.comparison import DTYPES, ROUNDING, bitwise, largest_difference, loaded, safely
from codegen.verify.compiled import check_compiled, check_compiled_precomputed, check_exported
from codegen.verify.inputs import Inputs, to_dtype, vary
from codegen.verify.original import record
from codegen.verify.overlay import install
from codegen.verify.runtimes import check_onnx, check_package
from codegen.verify.torchvision_operators import declare_torchvision_operators
from codegen.verify.whole_checks import check_whole, record_whole
from codegen.verify.whole_graphs import CHECKS as GRAPHS
from codegen.verify.whole_graphs import check_graphs, record_graphs
from codegen.verify.wholes import load_wholes


def main(job_path: str) -> None:
    """Run one job."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    declare_torchvision_operators()
    overlay = Path(job["overlay"]) if job.get("overlay") else None
    install(Path(job["search"]), job["package"], overlay)
    cases = load_cases(Path(job["cases"]) if job.get("cases") else None)
    run = record if job["role"] == "original" else check
    for name in job["names"]:
        if name in cases and set(job["checks"]) & set(CHECKS):
            run(cases[name], job)
    original = job["role"] == "original"
    wholes = load_wholes(cases, Path(job["cases"]) if job.get("cases") else None)
    for name in (name for name in job["names"] if name in wholes):
        if "m" in job["checks"]:
            (record_whole if original else check_whole)(wholes[name], job)
        if set(job["checks"]) & set(GRAPHS):
            (record_graphs if original else check_graphs)(wholes[name], job)


def check(case: Case, job: dict[str, Any]) -> None:
    """Run all checks of a case and append their results to the report file."""
    saved = torch.load(Path(job["folder"]) / f"{case.name}.pt", weights_only=False)
    for attention in job["attention"]:
        for letter, function in CHECKS.items():
            if letter not in job["checks"]:
                continue
            outcome = safely(partial(function, case, job, attention, saved))
            line = {"case": case.name, "attention": attention, "check": letter, **outcome}
            with (Path(job["folder"]) / "results.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")
            torch._dynamo.reset()


def check_default(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(a) Without precomputed tensors: bitwise equal to the original."""
    return _compare(case, job, attention, saved, lambda encoder, given: given)


def check_precomputed(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(b) With everything precomputed: bitwise equal to the original, or within rounding (``Helper.rounds``)."""
    return _compare(case, job, attention, saved, precomputed)


def _compare(
    case: Case,
    job: dict[str, Any],
    attention: str,
    saved: dict[str, Any],
    prepare: Callable[[torch.nn.Module, Inputs], Inputs],
) -> dict[str, Any]:
    misses, worst, count = [], 0.0, 0
    for dtype in DTYPES:
        encoder = loaded(case, job, attention, dtype, saved)
        allowed = ROUNDING[dtype] if prepare is precomputed and rounds(encoder) else 0.0
        for label, given in vary(case):
            expected = saved[f"{attention}/{dtype}/{label}"]
            if isinstance(expected, str):
                misses.append(f"{label}: original fails: {expected[:80]}")
                continue
            given = to_dtype(given, DTYPES[dtype])
            actual = call(encoder, prepare(encoder, given))
            count += 1
            if bitwise(expected, actual):
                continue
            difference = largest_difference(expected, actual)
            worst = max(worst, difference)
            if not 0 < difference <= allowed:
                misses.append(f"{dtype} {label}: {difference:.1e}")
    return {"ok": not misses and count > 0, "difference": worst, "note": "; ".join(misses)[:300]}


CHECKS: dict[str, Callable[[Case, dict[str, Any], str, dict[str, Any]], dict[str, Any]]] = {
    "a": check_default,
    "b": check_precomputed,
    "c": check_compiled_precomputed,
    "d": check_exported,
    "e": check_compiled,
    "o": check_onnx,
    "p": check_package,
}


if __name__ == "__main__":
    importlib.import_module("codegen.verify")
    main(sys.argv[1])
