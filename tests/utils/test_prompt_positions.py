"""Positions of prompts by grids in patches: against transformers' methods, and inside a graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.test_text_positions import MERGE, MODELS, bare_model, patches, prompts
from utils.prompt_positions import get_prompt_positions

FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2_vl": {},
    "qwen2_5_vl": {"tokens_per_second": 2},
    "ernie4_5_vl_moe": {"temporal_merge_size": 2},
    "qwen3_vl": {"frames_apart": True},
}


@pytest.mark.parametrize("model", FAMILIES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_positions_are_those_of_transformers(model: str, data: st.DataObject) -> None:
    theirs = bare_model(f"transformers.models.{model}.modeling_{model}", MODELS[model])
    case = data.draw(prompts(model == "qwen3_vl"))
    images, videos = patches(case.images), patches(case.videos, 2 if "ernie" in model else 1)
    # With a mask their loop takes no other ids than int64.
    kinds = [torch.int64] if case.mask is not None else [torch.int64, torch.int32]
    dtype = data.draw(st.sampled_from(kinds))
    further: dict[str, Any] = {}
    if model == "qwen2_5_vl" and case.videos is not None:
        seconds = torch.tensor([1.0, 2.7, 0.5, 3.0] * 4)[: len(case.videos)]
        further = {"seconds": data.draw(st.sampled_from([None, seconds, seconds.tolist()]))}
    expected = theirs.get_rope_index(
        torch.zeros(case.types.shape, dtype=dtype),
        mm_token_type_ids=case.types,
        image_grid_thw=images,
        video_grid_thw=videos,
        attention_mask=case.mask,
        second_per_grid_ts=further.get("seconds"),
    )
    found = get_prompt_positions(
        case.types,
        images,
        videos,
        MERGE,
        attention_mask=case.mask,
        dtype=dtype,
        **FAMILIES[model],
        **further,
    )
    assert found[0].dtype == dtype and torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1].to(torch.int64))


VIDEOS = {
    "qwen2_vl": ([2], 1),
    "qwen2_5_vl": ([2, 2, 2], 3),
    "ernie4_5_vl_moe": ([2], 2),
    "qwen3_vl": ([2, 0, 2], 2),
}
"""How a video stands in a prompt, and how many frames it has."""


@pytest.mark.parametrize("model", FAMILIES)
def test_a_graph_counts_the_same(model: str) -> None:
    torch._dynamo.reset()
    run, frames = VIDEOS[model]
    types = torch.tensor([[0] * 3 + [1] * 6 + [0, *run, 0]])
    grids = torch.tensor([[1, 4, 6]]), torch.tensor([[frames, 2, 2]])

    def count(types: torch.Tensor, images: torch.Tensor, videos: torch.Tensor) -> Any:
        return get_prompt_positions(types, images, videos, 2, **FAMILIES[model])

    compiled = torch.compile(count, fullgraph=True, backend="eager")
    for found, expected in zip(compiled(types, *grids), count(types, *grids), strict=True):
        assert torch.equal(found, expected)
