"""The ``original`` side: outputs and weights of an encoder, saved for the comparison."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from codegen.verify import inputs as cases_inputs
from codegen.verify.calls import call
from codegen.verify.cases import Case
from codegen.verify.comparison import DTYPES
from codegen.verify.inputs import Inputs, build, to_dtype, vary


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
                saved[key] = recorded(encoder, to_dtype(given, DTYPES[dtype]))
        for label, given in zip(("export0", "export1"), cases_inputs.export_inputs(case)):
            encoder = build(case, job["package"], attention, torch.float32)
            saved[f"{attention}/float32/{label}"] = recorded(encoder, given)
    return saved


def recorded(encoder: torch.nn.Module, given: Inputs) -> Any:
    """Outputs of an original, or the text of its error."""
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
