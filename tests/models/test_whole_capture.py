"""Whole models as one graph, called as they are: nothing computed ahead, positions included."""

import pytest
import torch

from tests.models.configurations import FULL_CASES, FullCase, Grid
from tests.models.prompts import full_inputs
from tests.models.test_full_models import pair

pytestmark = pytest.mark.slow

# The second prompt has another number of images, and other ones, than that which the graph is made with.
PROMPTS: tuple[Grid, ...] = (((1, 4, 6), (1, 8, 4), (1, 4, 4)), ((1, 4, 4), (1, 4, 8)))
BRANCHES = "the decoder of transformers branches on values of the mask or of token types"
STOPPED = {
    "qwen3_5": BRANCHES,
    "qwen3_5_moe": BRANCHES,
    "ernie4_5_vl_moe": BRANCHES,
    "glm_image": "the images that come with pixels are told by the end tokens of the prompt",
}
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


@pytest.mark.parametrize("case", CASES)
def test_a_whole_model_is_one_graph_as_it_is_called(case: FullCase) -> None:
    torch._dynamo.reset()
    model, reference = pair(case, "sdpa")
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    for images in PROMPTS:
        inputs = full_inputs(case, images)
        with torch.no_grad():
            found, expected = compiled(**inputs).logits, reference(**inputs).logits
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
