"""The two processes of a verification: ``original`` records outputs, ``rewritten`` checks against them.

Started by :mod:`codegen.verify.run`; reads its job from a JSON file and writes results to another.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from codegen.passes.helpers import LIFTED
from codegen.verify import inputs as cases_inputs
from codegen.verify.cases import Case, load_cases
from codegen.verify.inputs import Inputs, build, tensors, to_dtype, vary
from codegen.verify.overlay import install
from codegen.verify.wholes import Whole, build_whole, load_wholes, whole_inputs

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main(job_path: str) -> None:
    """Run one job."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    overlay = Path(job["overlay"]) if job.get("overlay") else None
    install(Path(job["root"]), job["package"], overlay)
    cases = load_cases(Path(job["cases"]) if job.get("cases") else None)
    run = record if job["role"] == "original" else check
    for name in job["names"]:
        if name in cases and job["checks"].strip("m"):
            run(cases[name], job)
    if "m" in job["checks"]:
        run_whole = record_whole if job["role"] == "original" else check_whole
        wholes = load_wholes(cases)
        for name in job["names"]:
            if name in wholes:
                run_whole(wholes[name], job)


# -- original -------------------------------------------------------------------------------------


def record(case: Case, job: dict[str, Any]) -> None:
    """Save what the original encoder returns on every input, or why it cannot be built."""
    try:
        saved = _record(case, job)
    except Exception as problem:
        saved = {"failure": f"{type(problem).__name__}: {problem}"}
    torch.save(saved, Path(job["folder"]) / f"{case.name}.pt")


def _record(case: Case, job: dict[str, Any]) -> dict[str, Any]:
    saved: dict[str, Any] = {}
    for attention in job["attention"]:
        for dtype in DTYPES:
            encoder = build(case, job["package"], attention, DTYPES[dtype])
            saved[f"weights/{attention}/{dtype}"] = encoder.state_dict()
            for label, given in vary(case):
                key = f"{attention}/{dtype}/{label}"
                saved[key] = _recorded(encoder, to_dtype(given, DTYPES[dtype]))
        for label, given in zip(("export0", "export1"), cases_inputs.export_inputs(case)):
            encoder = build(case, job["package"], attention, torch.float32)
            saved[f"{attention}/float32/{label}"] = _recorded(encoder, given)
    return saved


def _recorded(encoder: torch.nn.Module, given: Inputs) -> Any:
    try:
        return call(encoder, add_required(encoder, given))
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


def add_required(encoder: torch.nn.Module, given: Inputs) -> Inputs:
    """Give boundaries to an original that requires them from its caller."""
    parameter = inspect.signature(encoder.forward).parameters.get("cu_seqlens")
    if parameter is None or parameter.default is not inspect.Parameter.empty:
        return given
    grid = next(v for k, v in given.items() if k.endswith("grid_thw"))
    lengths = torch.repeat_interleave(grid[:, 1] * grid[:, 2], grid[:, 0])
    boundaries = torch.nn.functional.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
    return {**given, "cu_seqlens": boundaries}


def call(encoder: Callable[..., Any], given: Inputs) -> list[torch.Tensor]:
    """Outputs of an encoder without gradients."""
    with torch.no_grad():
        return tensors(encoder(**accepted(encoder, given)))


def accepted(encoder: Any, given: Inputs) -> Inputs:
    """Inputs that ``forward`` names; a catch-all would swallow the others silently."""
    forward = getattr(encoder, "forward", encoder)
    names = inspect.signature(forward).parameters
    # Releases differ in whether the grid of an encoder carries a prefix.
    grids = [name for name in names if name.endswith("grid_thw")]
    renamed = {
        grids[0] if k.endswith("grid_thw") and k not in names and len(grids) == 1 else k: v
        for k, v in given.items()
    }
    return {k: v for k, v in renamed.items() if k in names}


# -- rewritten ------------------------------------------------------------------------------------


def check(case: Case, job: dict[str, Any]) -> None:
    """Run all checks of a case and append their results to the report file."""
    saved = torch.load(Path(job["folder"]) / f"{case.name}.pt", weights_only=False)
    for attention in job["attention"]:
        for letter, function in CHECKS.items():
            if letter not in job["checks"]:
                continue
            outcome = _safely(partial(function, case, job, attention, saved))
            line = {"case": case.name, "attention": attention, "check": letter, **outcome}
            with (Path(job["folder"]) / "results.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")
            torch._dynamo.reset()


class OriginalFails(Exception):
    """There is nothing to compare with."""


def _safely(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return function()
    except OriginalFails as problem:
        return {"ok": False, "difference": 0.0, "note": f"original fails: {problem}"[:300]}
    except Exception as problem:
        text = str(problem).strip().split("\n")
        return {
            "ok": False,
            "difference": 0.0,
            "note": f"{type(problem).__name__}: {' '.join(text[:3])[:300]}",
            "trace": traceback.format_exc()[-6000:],
        }


def loaded(
    case: Case, job: dict[str, Any], attention: str, dtype: str, saved: dict[str, Any]
) -> torch.nn.Module:
    """The rewritten encoder with the original's weights."""
    if "failure" in saved:
        raise OriginalFails(saved["failure"])
    encoder = build(case, job["package"], attention, DTYPES[dtype])
    encoder.load_state_dict(saved[f"weights/{attention}/{dtype}"], strict=True)
    return encoder


@contextlib.contextmanager
def recording(found: Inputs) -> Iterator[None]:
    """Collect the results of every lifted helper that runs inside."""
    patched: list[tuple[Any, str, Any]] = []

    def wrap(function: Any, outputs: tuple[str, ...]) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            values = result if isinstance(result, tuple) else (result,)
            found.update(zip(outputs, values))
            return result

        return wrapped

    for module in list(sys.modules.values()):
        for name, helper in LIFTED.items():
            function = (
                vars(module).get(name)
                if module is not None and hasattr(module, "__dict__")
                else None
            )
            if callable(function) and ".models." in getattr(module, "__name__", ""):
                patched.append((module, name, function))
                setattr(module, name, wrap(function, helper.outputs))
    try:
        yield
    finally:
        for module, name, function in patched:
            setattr(module, name, function)


def precomputed(encoder: torch.nn.Module, given: Inputs) -> Inputs:
    """Given inputs plus everything that the encoder would compute itself."""
    found: Inputs = {}
    with recording(found):
        call(encoder, given)
    forward = inspect.signature(encoder.forward).parameters
    if "pool_indices" in forward and "feature_lens" in given:
        # Only the traced form needs them, so the default path has not computed any.
        module = sys.modules[type(encoder).__module__]
        found["pool_indices"] = vars(module)["get_pool_indices"](given["feature_lens"])
    explicit = {k: v for k, v in found.items() if k in forward or "kwargs" in forward}
    return {**given, **explicit}


def largest_difference(expected: list[torch.Tensor], actual: list[torch.Tensor]) -> float:
    """Largest difference relative to the largest expected value; infinite for other shapes."""
    if len(expected) != len(actual):
        return float("inf")
    worst = 0.0
    for left, right in zip(expected, actual):
        if left.shape != right.shape or left.dtype != right.dtype:
            return float("inf")
        if left.numel():
            scale = max(float(left.float().abs().max()), 1e-6)
            worst = max(worst, float((left.float() - right.float()).abs().max()) / scale)
    return worst


def _bitwise(expected: list[torch.Tensor], actual: list[torch.Tensor]) -> bool:
    return len(expected) == len(actual) and all(torch.equal(a, b) for a, b in zip(expected, actual))


def check_default(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(a) Without precomputed tensors: bitwise equal to the original."""
    return _compare(case, job, attention, saved, lambda encoder, given: given)


def check_precomputed(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(b) With everything precomputed: bitwise equal to the original."""
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
        for label, given in vary(case):
            expected = saved[f"{attention}/{dtype}/{label}"]
            if isinstance(expected, str):
                misses.append(f"{label}: original fails: {expected[:80]}")
                continue
            given = to_dtype(given, DTYPES[dtype])
            actual = call(encoder, prepare(encoder, given))
            count += 1
            if not _bitwise(expected, actual):
                difference = largest_difference(expected, actual)
                worst = max(worst, difference)
                misses.append(f"{dtype} {label}: {difference:.1e}")
    return {"ok": not misses and count > 0, "difference": worst, "note": "; ".join(misses)[:300]}


def _representative(case: Case) -> tuple[str, Inputs]:
    """One input with several images and, where possible, several frames."""
    found = list(vary(case))
    preferred = [
        item
        for item in found
        if item[0].split("/")[0] in ("many_frames", "multi", "21+3+8+30", "230+37+100+451")
    ]
    return preferred[0] if preferred else found[-1]


def _compiled(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any], given_tensors: bool
) -> dict[str, Any]:
    torch._dynamo.reset()
    label, given = _representative(case)
    encoder = loaded(case, job, attention, "float32", saved)
    expected = saved[f"{attention}/float32/{label}"]
    full = (
        accepted(encoder, precomputed(encoder, given))
        if given_tensors
        else accepted(encoder, given)
    )
    program = torch.compile(encoder, fullgraph=True, backend=job["backend"], dynamic=None)
    with torch.no_grad():
        actual = tensors(program(**full))
    difference = largest_difference(expected, actual)
    return {"ok": difference <= 1e-5, "difference": difference, "note": ""}


def check_compiled_precomputed(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(c) Whole-graph compilation with precomputed tensors."""
    return _compiled(case, job, attention, saved, True)


def check_compiled(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(e) Whole-graph compilation without any precomputed tensor."""
    return _compiled(case, job, attention, saved, False)


def check_exported(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(d) Export with dynamic sizes, right on a second input with other numbers of images and frames."""
    encoder = loaded(case, job, attention, "float32", saved)
    first, second = (
        accepted(encoder, precomputed(encoder, g)) for g in cases_inputs.export_inputs(case)
    )
    shapes = {name: _dynamic(value, second[name]) for name, value in first.items()}
    with torch.no_grad():
        program = torch.export.export(
            encoder, (), first, dynamic_shapes={"kwargs": shapes} if _wrapped(encoder) else shapes
        )
        results = [tensors(program.module()(**given)) for given in (first, second)]
    expected = [saved[f"{attention}/float32/export{i}"] for i in (0, 1)]
    difference = max(largest_difference(e, r) for e, r in zip(expected, results))
    return {"ok": difference <= 1e-5, "difference": difference, "note": ""}


def _wrapped(encoder: torch.nn.Module) -> bool:
    """Tell whether ``forward`` only shows ``**kwargs`` to the exporter."""
    return False


def _dynamic(first: Any, second: Any) -> Any:
    """Mark the dimensions in which two inputs differ as dynamic."""
    if not isinstance(first, torch.Tensor):
        return None
    return {
        axis: torch.export.Dim.AUTO
        for axis, (left, right) in enumerate(zip(first.shape, second.shape))
        if left != right
    }


# -- whole models -----------------------------------------------------------------------------------


def record_whole(whole: Whole, job: dict[str, Any]) -> None:
    """Save the logits of the original model for every modality."""
    saved: dict[str, Any] = {}
    try:
        model = build_whole(whole, job["package"])
        saved["weights"] = model.state_dict()
        for kind in whole.kinds:
            saved[kind] = _recorded(model, whole_inputs(whole, kind))
    except Exception as problem:
        saved["failure"] = f"{type(problem).__name__}: {problem}"
    torch.save(saved, Path(job["folder"]) / f"{whole.name}.whole.pt")


def check_whole(whole: Whole, job: dict[str, Any]) -> None:
    """(m) The whole model accepts prefixed tensors and gives equal logits, without computing any itself."""
    saved = torch.load(Path(job["folder"]) / f"{whole.name}.whole.pt", weights_only=False)
    outcome = _safely(lambda: _whole_outcome(whole, job, saved))
    line = {"case": whole.name, "attention": "default", "check": "m", **outcome}
    with (Path(job["folder"]) / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def _whole_outcome(whole: Whole, job: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    if "failure" in saved:
        return {"ok": False, "difference": 0.0, "note": f"original fails: {saved['failure'][:200]}"}
    model = build_whole(whole, job["package"])
    model.load_state_dict(saved["weights"], strict=True)
    misses, worst = [], 0.0
    for kind in whole.kinds:
        given = whole_inputs(whole, kind)
        computed: Inputs = {}
        again: Inputs = {}
        if isinstance(saved[kind], str):
            misses.append(f"{kind}: original fails: {saved[kind][:120]}")
            continue
        with recording(computed):
            plain = call(model, given)
        prefixed = {f"{kind}_{name}": value for name, value in computed.items()}
        with recording(again), torch.no_grad():
            actual = tensors(model(**accepted(model, given), **prefixed))
        for label, outputs in (("default", plain), ("prefixed", actual)):
            if not _bitwise(saved[kind], outputs):
                worst = max(worst, largest_difference(saved[kind], outputs))
                misses.append(f"{kind} {label}: {largest_difference(saved[kind], outputs):.1e}")
        if not prefixed or again:
            misses.append(
                f"{kind}: computed although given: {', '.join(again) or 'nothing is lifted'}"
            )
    return {"ok": not misses, "difference": worst, "note": "; ".join(misses)[:400]}


CHECKS: dict[str, Callable[[Case, dict[str, Any], str, dict[str, Any]], dict[str, Any]]] = {
    "a": check_default,
    "b": check_precomputed,
    "c": check_compiled_precomputed,
    "d": check_exported,
    "e": check_compiled,
}


if __name__ == "__main__":
    importlib.import_module("codegen.verify")
    main(sys.argv[1])
