"""Generation with a static cache, every forward one graph: the tokens of eager generation, and no new graph
from step to step."""

import math
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import StoppingCriteria

from tests.models.configurations import FULL_CASES, SEVERAL, FullCase
from tests.models.prompts import TARGET, full_inputs
from tests.models.support import build_full_model, generated_module, randomize

pytestmark = pytest.mark.slow
TOKENS = 32
SETTLED = 3
"""Steps after which there is a graph for everything: the prompt, one token, one token of any count."""
RECURRENT = (
    "transformers 5.8.1 prepares no mask for linear attention beside a cache of fixed length"
)
STOPPED = {
    "qwen3_5": RECURRENT,
    "qwen3_5_moe": RECURRENT,
    "ernie4_5_vl_moe": "the decoder of transformers branches on whether any token is one of an image",
}
CASES = [
    pytest.param(
        case,
        id=case.id,
        marks=[
            pytest.mark.xfail(reason=reason, strict=True)
            for reason in filter(None, [STOPPED.get(case.model)])
        ],
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
    # An image that is generated has as many tokens as its grid.
    tokens = math.prod(TARGET) if case.targets_in_grid else TOKENS
    settings: dict[str, Any] = {
        "max_new_tokens": tokens,
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
    assert len(count.graphs) == tokens
    assert 0 < count.graphs[0] <= count.graphs[-1] == count.graphs[SETTLED - 1]
