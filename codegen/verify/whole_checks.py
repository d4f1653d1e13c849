"""Check (m): whole models take prefixed tensors and give the logits of their originals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from codegen.verify.calls import accepted, call, recording
from codegen.verify.comparison import bitwise, largest_difference, safely
from codegen.verify.inputs import Inputs, tensors
from codegen.verify.original import recorded
from codegen.verify.whole_prompts import whole_inputs
from codegen.verify.wholes import Whole, build_whole


def record_whole(whole: Whole, job: dict[str, Any]) -> None:
    """Save the logits of the original model for every modality."""
    saved: dict[str, Any] = {}
    try:
        model = build_whole(whole, job["package"])
        saved["weights"] = model.state_dict()
        for kind in whole.kinds:
            saved[kind] = recorded(model, whole_inputs(whole, kind))
    except Exception as problem:
        saved["failure"] = f"{type(problem).__name__}: {problem}"
    torch.save(saved, Path(job["folder"]) / f"{whole.name}.whole.pt")


def check_whole(whole: Whole, job: dict[str, Any]) -> None:
    """(m) The whole model accepts prefixed tensors and gives equal logits, without computing any itself."""
    saved = torch.load(Path(job["folder"]) / f"{whole.name}.whole.pt", weights_only=False)
    outcome = safely(lambda: _whole_outcome(whole, job, saved))
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
            if not bitwise(saved[kind], outputs):
                worst = max(worst, largest_difference(saved[kind], outputs))
                misses.append(f"{kind} {label}: {largest_difference(saved[kind], outputs):.1e}")
        if not prefixed or again:
            misses.append(
                f"{kind}: computed although given: {', '.join(again) or 'nothing is lifted'}"
            )
    return {"ok": not misses, "difference": worst, "note": "; ".join(misses)[:400]}
