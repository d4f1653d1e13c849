"""Checks of an encoder as one graph: compiled with (c) and without (e) given tensors, exported (d)."""

from __future__ import annotations

from typing import Any

import torch

from codegen.verify import inputs as cases_inputs
from codegen.verify.calls import accepted, precomputed
from codegen.verify.cases import Case
from codegen.verify.comparison import largest_difference, loaded
from codegen.verify.inputs import Inputs, tensors, vary


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
        accepted(encoder, precomputed(encoder, g), by_name=True)
        for g in cases_inputs.export_inputs(case)
    )
    shapes = dynamic_shapes(first, second)
    with torch.no_grad():
        program = torch.export.export(encoder, (), first, dynamic_shapes=shapes)
        results = [tensors(program.module()(**given)) for given in (first, second)]
    expected = [saved[f"{attention}/float32/export{i}"] for i in (0, 1)]
    difference = max(largest_difference(e, r) for e, r in zip(expected, results))
    return {"ok": difference <= 1e-5, "difference": difference, "note": ""}


def dynamic_shapes(first: Inputs, second: Inputs) -> dict[str, Any]:
    """For `torch.export`: the dimensions in which two inputs differ are dynamic."""
    return {name: _dynamic(value, second[name]) for name, value in first.items()}


def _dynamic(first: Any, second: Any) -> Any:
    if not isinstance(first, torch.Tensor):
        return None
    return {
        axis: torch.export.Dim.AUTO
        for axis, (left, right) in enumerate(zip(first.shape, second.shape))
        if left != right
    }
