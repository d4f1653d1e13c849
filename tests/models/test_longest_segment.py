"""The length of the longest segment, which flash attention asks for, as an input of generated encoders.

Kernels of flash attention are not installed everywhere: an attention function under such a name, which is
called as they are, notes what it is told.
"""

from typing import Any

import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils.generic import is_flash_attention_requested

from tests.models.configurations import AUDIO_CASES, LONGEST, VISION_CASES, AudioCase, VisionCase
from tests.models.support import (
    TOLD,
    audio_inputs,
    build_encoder,
    precomputed,
    segmented_attention,
    tensors_of,
    vision_inputs,
)

NAME = "flash_attention_of_tests"
ALL_ATTENTION_FUNCTIONS.register(NAME, segmented_attention)
CASES = [case for case in (*VISION_CASES, *AUDIO_CASES) if "max_seqlen" in case.tensors]
IDS = [case.id for case in CASES]


def inputs_of(case: VisionCase | AudioCase) -> dict[str, Any]:
    """Several images, or clips, of different sizes."""
    if isinstance(case, AudioCase):
        return audio_inputs(case, case.lengths[3])
    return vision_inputs(case, case.grids[2])


def flash_encoder(case: VisionCase | AudioCase) -> torch.nn.Module:
    """An encoder that calls the function of the tests as it calls flash attention."""
    encoder = build_encoder(case)
    encoder.config._attn_implementation = NAME
    assert is_flash_attention_requested(encoder.config)
    return encoder


def told(encoder: torch.nn.Module, inputs: dict[str, Any]) -> tuple[list[torch.Tensor], list[Any]]:
    """Results of an encoder, and what its attention was told in each layer."""
    TOLD.clear()
    with torch.no_grad():
        results = tensors_of(encoder(**inputs))
    assert TOLD and all(query is key for query, key in TOLD)
    return results, [query for query, _ in TOLD]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_attention_is_told_what_it_computes(case: VisionCase | AudioCase) -> None:
    encoder, inputs = flash_encoder(case), inputs_of(case)
    given = {name: value for name, value in precomputed(case, inputs).items() if name in LONGEST}
    expected, computed = told(encoder, inputs)
    results, taken = told(encoder, {**inputs, **given})
    numbers = {name: int(value) for name, value in given.items()}
    also, plain = told(encoder, {**inputs, **numbers})
    assert len(computed) == len(taken) == len(plain)
    for left, right, number in zip(computed, taken, plain):
        assert torch.equal(left, right) and left.dtype == right.dtype
        assert any(right is value for value in given.values())
        assert type(number) is int and number == int(right)
    for left, right, third in zip(expected, results, also, strict=True):
        assert torch.equal(left, right) and torch.equal(left, third)


def test_graph_measures_no_boundaries_where_it_is_given() -> None:
    """Of the encoder with windows, whose layers are told one of two lengths."""
    (case,) = (case for case in VISION_CASES if case.model == "qwen2_5_vl")
    inputs = inputs_of(case)
    given = {**inputs, **precomputed(case, inputs)}
    bare = {name: value for name, value in given.items() if name not in LONGEST}
    assert "max" in operators(case, bare)
    assert not {"max", "amax", "item", "tolist"} & operators(case, given)


def operators(case: VisionCase, inputs: dict[str, Any]) -> set[str]:
    """What the graph of an encoder calls whose attention uses what it is told, and splits nothing."""

    def scaled(module: Any, query: Any, *states: Any, **kwargs: Any) -> tuple[Any, None]:
        return query.transpose(1, 2) * kwargs["max_length_q"], None

    found: set[str] = set()

    def note(graph: Any, example: Any) -> Any:
        found.update(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    ALL_ATTENTION_FUNCTIONS.register(NAME, scaled)
    try:
        torch._dynamo.reset()
        with torch.no_grad():
            torch.compile(flash_encoder(case), fullgraph=True, backend=note)(**inputs)
    finally:
        ALL_ATTENTION_FUNCTIONS.register(NAME, segmented_attention)
    return found


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_too_short_a_length_is_refused(case: VisionCase | AudioCase) -> None:
    encoder, inputs = build_encoder(case), inputs_of(case)
    given = {name: value for name, value in precomputed(case, inputs).items() if name in LONGEST}
    for name, value in given.items():
        for wrong, said in (
            (value - 1, f"is {int(value) - 1}, these inputs have a segment of {int(value)}"),
            (int(value) - 1, f"is {int(value) - 1}, these inputs have a segment of {int(value)}"),
            (value[None], "has shape"),
            (value.float(), "must be an integer"),
        ):
            with pytest.raises(ValueError, match=f"^{name} {said}.*leave it out$"), torch.no_grad():
                encoder(**inputs, **{name: wrong})
        with torch.no_grad():
            encoder(**inputs, **{name: value + 8})
