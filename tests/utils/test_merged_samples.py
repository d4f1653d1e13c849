"""Results for single samples joined by hand-made tensors: padding, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from utils.merged_samples import merge_extra_tensors
from utils.modeling_vision_utils import (
    get_block_permutation,
    get_sampling_grid,
    get_temporal_pair_indices,
    get_unshuffle_indices,
    get_vision_cu_seqlens,
)
from utils.segment_lengths import get_max_seqlen


def tokens(*ids: int) -> dict[str, Any]:
    return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}


@pytest.mark.parametrize(
    ("side", "ids", "mask"),
    [
        ("left", [[1, 2, 3], [0, 0, 4]], [[1, 1, 1], [0, 0, 1]]),
        ("right", [[1, 2, 3], [4, 0, 0]], [[1, 1, 1], [1, 0, 0]]),
    ],
)
def test_shorter_prompts_are_filled_up(side: str, ids: list[Any], mask: list[Any]) -> None:
    samples = [tokens(1, 2, 3), tokens(4)]
    joined = merge_extra_tensors(samples, pad_token_id=0, padding_side=side)
    assert joined["input_ids"].tolist() == ids
    assert joined["attention_mask"].tolist() == mask


def test_prompts_of_one_length_need_no_token_to_fill_up() -> None:
    joined = merge_extra_tensors([tokens(1, 2), tokens(3, 4)])
    assert joined["input_ids"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "other",
    [torch.tensor([[1.0, 2.0]]), torch.tensor([1, 2]), torch.tensor([[1, 2]], dtype=torch.int32)],
    ids=["another dtype", "another rank", "another width of integers"],
)
def test_tensors_that_differ_in_kind_are_refused(other: torch.Tensor) -> None:
    samples = [{"input_ids": torch.tensor([[1, 2]])}, {"input_ids": other}]
    for order in (samples, samples[::-1]):
        with pytest.raises(ValueError, match="input_ids differs between samples"):
            merge_extra_tensors(order, pad_token_id=0)


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(ValueError, match="input_ids is no tensor"):
        merge_extra_tensors([tokens(1), {**tokens(1), "input_ids": [[1]]}], pad_token_id=0)


GRIDS = ([[1, 8, 12]], [[2, 16, 8], [1, 8, 8], [5, 8, 24]], [[4, 8, 8], [3, 24, 16]])


@pytest.mark.parametrize("merge", [1, 2, 4])
def test_indices_of_blocks_and_pairs_go_on_in_the_next_sample(merge: int) -> None:
    """Also where the last frame of an odd number belongs to no pair, and merge sizes differ."""

    def computed(rows: list[list[int]]) -> dict[str, torch.Tensor]:
        grid = torch.tensor(rows)
        first, second = get_temporal_pair_indices(grid, merge)
        merges = torch.tensor([(1, 2, 4)[row[0] % 3] for row in rows])
        return {
            "video_grid_thw": grid,
            "video_first_units": first,
            "video_max_seqlen": get_max_seqlen(get_vision_cu_seqlens(grid)),
            "video_second_units": second,
            "video_sampling_grid": get_sampling_grid(grid, merge),
            "video_block_order": get_block_permutation(grid, merge),
            "video_block_centres": get_unshuffle_indices(grid, merges),
        }

    found = merge_extra_tensors([computed(rows) for rows in GRIDS])
    expected = computed([row for rows in GRIDS for row in rows])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
