"""What two runs are compared with, and the rewritten encoder with the weights of the original."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import torch

from codegen.verify.cases import Case
from codegen.verify.inputs import build

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
#: How far results of another order of additions may be, relative to the largest: a few units in the last place.
ROUNDING = {"float32": 1e-6, "bfloat16": 1e-2}


class OriginalFails(Exception):
    """There is nothing to compare with."""


def safely(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Outcome of a check; an error becomes a miss with its text."""
    try:
        return function()
    except OriginalFails as problem:
        return {"ok": False, "difference": 0.0, "note": f"original fails: {problem}"[:300]}
    except Exception as problem:
        text = str(problem).strip().split("\n")
        return {
            "ok": False,
            "difference": 0.0,
            "note": f"{type(problem).__name__}: {' '.join(text[:3])[:300]}{_stopped_at(str(problem))}",
            "trace": traceback.format_exc()[-6000:],
        }


def _stopped_at(message: str) -> str:
    """The last line of a model's code that a compiler speaks of, where a message has one."""
    places = re.findall(r'File "([^"]*/models/[^"]*|[^"]*/modeling_[^"]*)", line (\d+)', message)
    return f" (at {places[-1][0].rpartition('/')[2]}:{places[-1][1]})" if places else ""


def loaded(
    case: Case, job: dict[str, Any], attention: str, dtype: str, saved: dict[str, Any]
) -> torch.nn.Module:
    """The rewritten encoder with the original's weights."""
    if "failure" in saved:
        raise OriginalFails(saved["failure"])
    encoder = build(case, job["package"], attention, DTYPES[dtype])
    encoder.load_state_dict(saved[f"weights/{attention}/{dtype}"], strict=True)
    return encoder


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


def bitwise(expected: list[torch.Tensor], actual: list[torch.Tensor]) -> bool:
    """Tell whether two outputs are equal bit for bit."""
    return len(expected) == len(actual) and all(torch.equal(a, b) for a, b in zip(expected, actual))
