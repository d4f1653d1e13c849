"""Checks (g) and (x): whole models as one graph, compiled and exported, with tensors given and without.

Each scenario has two batches of other sizes and other numbers of images: the graph is made with the
first, and has to be right for both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from codegen.verify.calls import accepted, call, recording
from codegen.verify.comparison import largest_difference, safely
from codegen.verify.compiled import dynamic_shapes
from codegen.verify.inputs import Inputs
from codegen.verify.scenarios import GIVEN, SCENARIOS, scenarios_of
from codegen.verify.whole_prompts import NAMES, parts_of, prompt_inputs, scenario_inputs
from codegen.verify.wholes import Whole, build_whole

TOLERANCE = 1e-5


def record_graphs(whole: Whole, job: dict[str, Any]) -> None:
    """Save what is expected of a model, by its original."""
    try:
        model = build_whole(whole, job["package"])
        saved = expected_of(model, whole, job["scenarios"])
    except Exception as problem:
        saved = {"failure": f"{type(problem).__name__}: {problem}"}
    torch.save(saved, Path(job["folder"]) / f"{whole.name}.graphs.pt")


def expected_of(
    model: torch.nn.Module, whole: Whole, names: Sequence[str] = tuple(SCENARIOS)
) -> dict[str, Any]:
    """The weights of a model, and its logits for both batches of scenarios."""
    saved: dict[str, Any] = {"weights": model.state_dict()}
    for scenario in scenarios_of(whole.entry, names):
        saved[scenario] = [_recorded(model, g) for g in scenario_inputs(whole, scenario)]
    return saved


def _recorded(model: torch.nn.Module, given: Inputs) -> Any:
    """Logits of an original, or the text of its error."""
    try:
        with torch.no_grad():
            return _kept(model(**accepted(model, given)).logits, given)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


def check_graphs(whole: Whole, job: dict[str, Any]) -> None:
    """Run the checks of every scenario and append their results to the report file."""
    saved = torch.load(Path(job["folder"]) / f"{whole.name}.graphs.pt", weights_only=False)
    for scenario in scenarios_of(whole.entry, job["scenarios"]):
        for given in GIVEN:
            for letter, function in CHECKS.items():
                if letter not in job["checks"]:
                    continue
                torch._dynamo.reset()
                outcome = safely(
                    partial(graph_outcome, whole, job, saved, scenario, given, function)
                )
                line = {
                    "case": whole.name,
                    "attention": f"{scenario}, {given}",
                    "check": letter,
                    **outcome,
                }
                with (Path(job["folder"]) / "results.jsonl").open("a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")


Capture = Callable[[torch.nn.Module, dict[str, Any], tuple[Inputs, Inputs]], list[Any]]


def graph_outcome(
    whole: Whole,
    job: dict[str, Any],
    saved: dict[str, Any],
    scenario: str,
    given: str,
    capture: Capture,
) -> dict[str, Any]:
    """Outcome of one check of one scenario, against what :func:`expected_of` has saved."""
    failure = saved.get("failure") or next(
        (known for known in saved[scenario] if isinstance(known, str)), ""
    )
    if failure:
        return {"ok": False, "difference": 0.0, "note": f"original fails: {failure[:200]}"}
    model = build_whole(whole, job["package"])
    model.load_state_dict(saved["weights"], strict=True)
    batches = scenario_inputs(whole, scenario)
    if given == "given":
        ahead = [ahead_of(whole, model, scenario, number) for number in (0, 1)]
        batches = (batches[0] | ahead[0], batches[1] | ahead[1])
    with torch.no_grad():
        actual = capture(model, job, batches)
    worst = max(largest_difference(*pair) for pair in zip(saved[scenario], actual))
    return {"ok": worst <= TOLERANCE, "difference": worst, "note": ""}


def _taken(model: torch.nn.Module, given: Inputs) -> Inputs:
    """What the model names, and the tensors of its encoders, which it takes as further keywords."""
    prefixes = tuple(f"{kind}_" for kind in ENCODED)
    named = accepted(model, given)
    return named | {
        name: value
        for name, value in given.items()
        if name.startswith(prefixes) and name not in _DATA
    }


ENCODED = (*NAMES, "audio")
_DATA = ("image_grid_thw", "video_grid_thw", "image_merge_sizes", "video_merge_sizes")


def ahead_of(whole: Whole, model: torch.nn.Module, scenario: str, number: int) -> Inputs:
    """Everything that a batch of a scenario lets the model compute: tensors of encoders, positions."""
    samples = SCENARIOS[scenario][number]
    found: Inputs = {}
    parts = [parts_of(sample) for sample in samples]
    for kind in ENCODED:
        part = [{kind: rows[kind]} for rows in parts if kind in rows]
        if part:
            computed: Inputs = {}
            with recording(computed):
                call(model, prompt_inputs(whole, part))
            found |= {f"{kind}_{name}": value for name, value in computed.items()}
    positions = rotary_positions(model, prompt_inputs(whole, samples))
    return found | ({} if positions is None else {"position_ids": positions})


def rotary_positions(model: torch.nn.Module, given: Inputs) -> torch.Tensor | None:
    """The positions `(3, batch, L)` that the text decoder gets; None where it counts on its own."""
    seen: list[torch.Tensor] = []

    def look(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        positions = kwargs.get("position_ids")
        if isinstance(positions, torch.Tensor) and positions.dim() == 3:
            seen.append(positions)

    hooks = [m.register_forward_pre_hook(look, with_kwargs=True) for m in model.modules()]
    try:
        call(model, given)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0] if seen else None


def fresh(model: torch.nn.Module) -> None:
    """Forget the offsets that a forward leaves behind for those that follow."""
    for module in model.modules():
        if getattr(module, "rope_deltas", None) is not None:
            module.__dict__["rope_deltas"] = None


def compiled(
    model: torch.nn.Module, job: dict[str, Any], batches: tuple[Inputs, Inputs]
) -> list[Any]:
    """(g) Outputs of the model, compiled as one graph."""
    program = torch.compile(model, fullgraph=True, backend=job["backend"])
    return [_kept(program(**taken).logits, taken) for taken in _clean(model, batches)]


class Logits(torch.nn.Module):
    """A model that takes its inputs as a dictionary and returns logits alone.

    `torch.export` cannot tell the dynamic sizes of further keywords (torch 2.13), nor return a cache.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Inputs) -> Any:
        return self.model(**inputs).logits


def exported(
    model: torch.nn.Module, job: dict[str, Any], batches: tuple[Inputs, Inputs]
) -> list[Any]:
    """(x) Outputs of the model, exported with the sizes in which the batches differ as dynamic ones."""
    first, second = _clean(model, batches)
    shapes = (dynamic_shapes(first, second),)
    program = torch.export.export(Logits(model), (first,), dynamic_shapes=shapes).module()
    return [_kept(program(given), given) for given in (first, second)]


def _clean(model: torch.nn.Module, batches: tuple[Inputs, Inputs]) -> Iterator[Inputs]:
    for given in batches:
        fresh(model)
        yield _taken(model, given)


def _kept(logits: torch.Tensor, given: Inputs) -> list[torch.Tensor]:
    """Logits of all tokens that are no padding."""
    return [logits[given["attention_mask"] != 0]]


CHECKS: dict[str, Capture] = {"g": compiled, "x": exported}
