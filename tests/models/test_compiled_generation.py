"""Generation with a static cache, every forward one graph: the tokens of eager generation, and no new graph
from step to step."""

from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import StoppingCriteria

from tests.models.configurations import FULL_CASES, SEVERAL, FullCase
from tests.models.prompts import full_inputs
from tests.models.support import build_full_model, generated_module, randomize

pytestmark = pytest.mark.slow

TOKENS = 32
SETTLED = 3
"""Steps after which there is a graph for everything: the prompt, one token, one token of any count."""
RECURRENT = "the states of linear attention of this release have no fixed place in a static cache"
STOPPED: dict[str, str] = {}
CASES = [
    pytest.param(
        case,
        id=case.id,
        marks=[pytest.mark.xfail(reason=STOPPED[case.model], strict=True)]
        if case.model in STOPPED
        else [],
    )
    for case in FULL_CASES
]


class CountGraphs(StoppingCriteria):
    """Stops nothing, and notes how many graphs there are after every step."""

    def __init__(self) -> None:
        self.graphs: list[int] = []

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        self.graphs.append(counters["stats"]["unique_graphs"])
        return torch.zeros(len(input_ids), dtype=torch.bool)


@pytest.mark.parametrize("case", CASES)
def test_compiled_generation_equals_eager_generation(case: FullCase) -> None:
    torch._dynamo.reset()
    counters.clear()
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    inputs = full_inputs(case, SEVERAL)
    settings: dict[str, Any] = {
        "max_new_tokens": TOKENS,
        "do_sample": False,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    expected = model.generate(**inputs, **settings)
    count = CountGraphs()
    model.forward = torch.compile(model.forward, fullgraph=True, backend="eager")
    found = model.generate(
        **inputs, **settings, cache_implementation="static", stopping_criteria=[count]
    )
    assert torch.equal(found, expected)
    assert len(count.graphs) == TOKENS
    assert 0 < count.graphs[0] <= count.graphs[-1] == count.graphs[SETTLED - 1]
