"""Whole models as one graph: image, video, both, a padded batch, sounds; everything given, and nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from codegen.verify.cases import load_cases
from codegen.verify.scenarios import GIVEN, SCENARIOS, scenarios_of
from codegen.verify.whole_graphs import CHECKS, expected_of, graph_outcome
from codegen.verify.wholes import build_whole, load_wholes

FILE = Path(__file__).resolve().parents[2] / "definitions" / "cases.json"
WHOLES = {
    name: whole for name, whole in load_wholes(load_cases(), FILE).items() if name != "glm46v"
}
BRANCHES = "the decoder of transformers branches on values of the mask or of token types"
STOPPED = {
    "qwen3_5": BRANCHES,
    "qwen3_5_moe": BRANCHES,
    "ernie4_5_vl_moe": BRANCHES,
}
# One export of a whole model takes some seconds; all others are left to the long run.
SAMPLE = ("qwen2_vl", "image", "computed", "x")


def cells() -> Iterator[Any]:
    """Every model, scenario and check."""
    for name, whole in WHOLES.items():
        for scenario in scenarios_of(whole.entry):
            for given in GIVEN:
                for letter in CHECKS:
                    marks = [pytest.mark.slow] * ((name, scenario, given, letter) != SAMPLE)
                    if name in STOPPED:
                        marks.append(pytest.mark.xfail(reason=STOPPED[name], strict=True))
                    label = f"{name}-{scenario}-{given}-{letter}"
                    yield pytest.param(name, scenario, given, letter, id=label, marks=marks)


@pytest.mark.parametrize("name, scenario, given, letter", list(cells()))
def test_a_whole_model_is_one_graph(name: str, scenario: str, given: str, letter: str) -> None:
    torch._dynamo.reset()
    whole = WHOLES[name]
    expected = expected_of(build_whole(whole, "generated"), whole, (scenario,))
    job = {"package": "generated", "backend": "eager"}
    outcome = graph_outcome(whole, job, expected, scenario, given, CHECKS[letter])
    assert outcome["ok"], outcome


def test_the_readme_counts_the_models_whose_decoder_lets_a_graph_end() -> None:
    readme = (FILE.parents[1] / "README.md").read_text(encoding="utf-8")
    head = next(line for line in readme.split("\n") if line.startswith("| whole models |"))
    rows = readme.partition(head)[2].split("\n")[2:6]
    assert f"our own, of {len(WHOLES)} " in head
    assert [row.split("|")[2].strip() for row in rows] == [str(len(WHOLES) - len(STOPPED))] * 4


def test_scenarios_are_those_that_a_model_has_inputs_for() -> None:
    assert scenarios_of({}) == tuple(SCENARIOS)[:4]
    assert scenarios_of({"kinds": ["image"]}) == ("image", "batch")
    assert scenarios_of({"video_uses_image_id": True}) == ("image", "video", "batch")
    hearing = ("image", "video", "both", "batch", "sound", "film")
    assert scenarios_of({"kinds": ["image", "video", "audio"]}) == hearing
