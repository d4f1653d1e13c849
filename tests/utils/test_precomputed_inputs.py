"""Checks of given tensors: what fits passes, anything else is refused by name."""

from collections.abc import Callable

import pytest
import torch

from utils.precomputed_inputs import (
    check_boundaries,
    check_columns,
    check_rows,
    check_shape,
    check_together,
    encoder_inputs,
    given_inputs,
    split_precomputed,
)
from utils.precomputed_types import AudioInputs, ImageInputs, VideoInputs

MODALITY_TYPES = (ImageInputs, VideoInputs, AudioInputs)
HINT = "compute it from the sizes of the same inputs, or leave it out"


def test_what_fits_passes() -> None:
    check_shape("rotary_pos_ids", torch.zeros(6, 2), (6, 2))
    check_shape("padded_feature", torch.zeros(3, 8, 5), (3, None, None))
    check_rows("valid_indices", torch.zeros(7), torch.tensor([3, 4]))
    check_boundaries("cu_seqlens", torch.tensor([0, 4, 4, 6], dtype=torch.int32), 6)
    check_columns("hidden", torch.zeros(2, 5, 3), torch.tensor([5, 4]))
    check_columns("hidden", torch.zeros(2, 5), torch.tensor([0, 5]))
    check_columns("hidden", torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 4), (3, 5, 3)])
def test_rows_that_no_mask_of_the_chunks_fits(shape: tuple[int, ...]) -> None:
    with pytest.raises(IndexError, match=r"hidden has shape .*, its chunks need \(2, 5\) rows"):
        check_columns("hidden", torch.zeros(shape), torch.tensor([5, 4]))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        pytest.param(
            lambda: check_shape("rotary_pos_ids", torch.zeros(5, 2), (6, 2)),
            "rotary_pos_ids has shape (5, 2), these inputs need (6, 2)",
            id="another size",
        ),
        pytest.param(
            lambda: check_shape("padded_feature", torch.zeros(3, 8), (3, None, None)),
            "padded_feature has shape (3, 8), these inputs need (3, any, any)",
            id="another rank",
        ),
        pytest.param(
            lambda: check_rows("valid_indices", torch.zeros(6), torch.tensor([3, 4])),
            "valid_indices has shape (6,), these inputs need (7)",
            id="another number",
        ),
        pytest.param(
            lambda: check_boundaries("cu_seqlens", torch.tensor([0, 4]), 6),
            "cu_seqlens leads from 0 to 4, these inputs have 6 rows",
            id="another end",
        ),
        pytest.param(
            lambda: check_boundaries("cu_seqlens", torch.tensor([4, 6]), 6),
            "cu_seqlens leads from 4 to 6, these inputs have 6 rows",
            id="another start",
        ),
        pytest.param(
            lambda: check_boundaries("cu_seqlens", torch.tensor([6]), 6),
            "cu_seqlens must hold at least two integers, got torch.int64 (1,)",
            id="lengths instead of boundaries",
        ),
        pytest.param(
            lambda: check_boundaries("cu_seqlens", torch.tensor([0.0, 6.0]), 6),
            "cu_seqlens must hold at least two integers, got torch.float32 (2,)",
            id="no integers",
        ),
        pytest.param(
            lambda: check_boundaries("cu_seqlens", torch.tensor([[0, 6]]), 6),
            "cu_seqlens has shape (1, 2), these inputs need (any)",
            id="two dimensions",
        ),
    ],
)
def test_anything_else_is_refused(check: Callable[[], None], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check()
    assert str(caught.value) == f"{message}: {HINT}"


def test_checks_leave_no_trace_in_a_graph() -> None:
    """One graph serves all sizes: what is refused in eager mode is not even looked at."""

    def refused(x: torch.Tensor, boundaries: torch.Tensor) -> torch.Tensor:
        check_shape("x", x, (boundaries.shape[0], 2))
        check_boundaries("boundaries", boundaries, x.shape[0])
        return x + 1

    compiled = torch.compile(refused, fullgraph=True, backend="eager")
    x = torch.zeros(3, 2)
    assert torch.equal(compiled(x, torch.tensor([0, 1])), x + 1)
    with pytest.raises(ValueError, match="^x has shape"):
        refused(x, torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("image_cu_seqlen", "image_cu_seqlens"),
        ("video_rotary_posids", "video_rotary_pos_ids"),
        ("audio_chunk_lenghts", "audio_chunk_lengths"),
        ("video_first_unit", "video_first_units"),
        ("image_block_ordr", "image_block_order"),
        ("image_block_centers", "image_block_centres"),
    ],
)
def test_a_misspelt_keyword_is_refused(key: str, meant: str) -> None:
    with pytest.raises(
        ValueError, match=f"{key} is not taken by any encoder: did you mean {meant}"
    ):
        split_precomputed({key: torch.zeros(1)})


@pytest.mark.parametrize("key", ["image_grid_thw", "video_merge_sizes", "images", "cu_seqlen"])
def test_other_keywords_are_nobodys_business(key: str) -> None:
    assert split_precomputed({key: 1}) == ({}, {key: 1})


def test_modules_share_the_keywords_of_a_modality() -> None:
    given = {"image_cu_seqlens": 1, "video_cu_seqlens": 2, "image_block_order": 3, "return_dict": 4}
    assert encoder_inputs(given, "image") == {"cu_seqlens": 1, "block_order": 3, "return_dict": 4}
    behind = ("block_order",)
    encoder = encoder_inputs(given, "image", without=behind)
    assert encoder == {"cu_seqlens": 1, "return_dict": 4}
    assert encoder_inputs(given, "image", only=behind) == {"block_order": 3}
    assert encoder_inputs(given, "video", only=behind) == {}
    # Of a method that has lost the prefix already.
    assert encoder_inputs({"block_order": 5}, "video", only=behind) == {"block_order": 5}


def test_one_of_a_pair_is_refused() -> None:
    check_together(window_index=None, cu_window_seqlens=None)
    check_together(window_index=torch.zeros(1), cu_window_seqlens=torch.zeros(1))
    with pytest.raises(ValueError, match="^window_index needs cu_window_seqlens: give both"):
        check_together(window_index=torch.zeros(1), cu_window_seqlens=None)


@pytest.mark.parametrize("inputs", MODALITY_TYPES)
def test_every_precomputed_input_may_be_left_out(inputs: type) -> None:
    assert inputs.__required_keys__ == frozenset()
    assert inputs.__optional_keys__


def test_values_on_an_accelerator_are_not_read() -> None:
    """Reading them would wait for the device; their shapes are checked all the same."""
    elsewhere = torch.zeros(3, dtype=torch.int64, device="meta")
    check_boundaries("cu_seqlens", elsewhere, 6)
    check_rows("valid_indices", elsewhere, torch.ones(2, dtype=torch.int64, device="meta"))
    with pytest.raises(ValueError, match="at least two integers"):
        check_boundaries("cu_seqlens", elsewhere[:1], 6)


def test_what_is_not_given_is_left_out() -> None:
    tensor = torch.zeros(0)
    assert given_inputs(cu_seqlens=tensor, rotary_pos_ids=None) == {"cu_seqlens": tensor}
    assert given_inputs(cu_seqlens=None) == {}
