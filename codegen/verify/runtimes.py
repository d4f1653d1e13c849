"""Checks of an exported encoder in other runtimes: onnxruntime (o), a package of AOTInductor (p).

Each converts the program twice, once with everything precomputed and once with nothing, and runs it on a
second input with other sizes and another number of images.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from codegen.verify import inputs as cases_inputs
from codegen.verify.calls import accepted, precomputed
from codegen.verify.cases import Case
from codegen.verify.comparison import largest_difference, loaded
from codegen.verify.compiled import dynamic_shapes
from codegen.verify.inputs import Inputs, tensors

Program = Callable[[Inputs], list[torch.Tensor]]

#: How far a result may be from PyTorch's: other runtimes order sums otherwise.
TOLERANCE = 1e-4


def check_onnx(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(o) As an ONNX file in onnxruntime."""
    missing = [name for name in ("onnxscript", "onnxruntime") if not _is_installed(name)]
    if missing:
        note = f"{' and '.join(missing)} not installed: pip install 'modular-codegen[onnx]'"
        return {"ok": False, "difference": 0.0, "note": note}
    return _check(case, job, attention, saved, load_in_onnxruntime)


def check_package(
    case: Case, job: dict[str, Any], attention: str, saved: dict[str, Any]
) -> dict[str, Any]:
    """(p) As a package of AOTInductor."""
    return _check(case, job, attention, saved, load_package)


def _check(
    case: Case,
    job: dict[str, Any],
    attention: str,
    saved: dict[str, Any],
    load: Callable[[torch.export.ExportedProgram, Path], Program],
) -> dict[str, Any]:
    encoder = loaded(case, job, attention, "float32", saved)
    examples = cases_inputs.export_inputs(case)
    expected = [saved[f"{attention}/float32/export{number}"] for number in (0, 1)]
    worst, notes = 0.0, []
    for label, prepare in (("given", precomputed), ("computed", lambda _, inputs: inputs)):
        first, second = (
            accepted(encoder, prepare(encoder, inputs), by_name=True) for inputs in examples
        )
        with torch.no_grad(), tempfile.TemporaryDirectory(prefix="verify-") as folder:
            shapes = dynamic_shapes(first, second)
            exported = torch.export.export(encoder, (), first, dynamic_shapes=shapes)
            try:
                program = load(exported, Path(folder))
            except Exception as error:  # whatever a converter raises is what it lacks
                notes.append(f"{label}: {_cause(error)}")
                continue
            for inputs, result in zip((first, second), expected):
                worst = max(worst, largest_difference(result, program(inputs)))
    return {
        "ok": not notes and worst <= TOLERANCE,
        "difference": worst,
        "note": "; ".join(notes)[:300],
    }


def load_in_onnxruntime(exported: torch.export.ExportedProgram, folder: Path) -> Program:
    """Convert a program to ONNX and open it in onnxruntime, on the CPU."""
    runtime = importlib.import_module("onnxruntime")
    path = folder / "encoder.onnx"
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = torch.onnx.export(exported, dynamo=True, verbose=False)
        assert converted is not None
        converted.save(str(path))
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(inputs: Inputs) -> list[torch.Tensor]:
        found = session.run(None, {name: inputs[name].numpy() for name in names})
        return [torch.from_numpy(array) for array in found]

    return run


def load_package(exported: torch.export.ExportedProgram, folder: Path) -> Program:
    """Compile a program ahead of time, and load the package."""
    inductor = importlib.import_module("torch._inductor")
    path = inductor.aoti_compile_and_package(exported, package_path=str(folder / "encoder.pt2"))
    model = inductor.aoti_load_package(path)
    return lambda inputs: tensors(model(**inputs))


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed conversion, in one line."""
    reasons: Sequence[str] = ()
    cause: BaseException | None = error
    while cause is not None:
        reasons = [*reasons, " ".join(str(cause).split())]
        cause = cause.__cause__
    return f"{type(error).__name__}: {reasons[-1][:200]}"
