"""Grids without rows: what loops over no entry give, eagerly and in graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from utils import modeling_vision_utils as vision
from utils.down_scale import scale_down_blocks
from utils.precomputed_inputs import check_boundaries, check_centres, check_pairs

NONE = torch.empty(0, 3, dtype=torch.int64)
INT, LONG, FLOAT = torch.int32, torch.int64, torch.float32

Expected = tuple[tuple[tuple[int, ...], torch.dtype], ...]
Call = Callable[..., Any]

HELPERS: dict[str, tuple[Call, Expected]] = {
    "cu_seqlens": (vision.get_vision_cu_seqlens, (((1,), INT),)),
    "cu_seqlens_in_full": (
        lambda grid: vision.get_vision_cu_seqlens(grid, num_segments=0),
        (((1,), INT),),
    ),
    "rotary": (lambda grid: vision.get_rotary_pos_ids(grid, 2), (((0, 2), LONG),)),
    "rotary_per_entry": (
        lambda grid: vision.get_rotary_pos_ids(grid, grid[:, 0]),
        (((0, 2), LONG),),
    ),
    "interleaved": (
        lambda grid: vision.get_rotary_pos_ids_interleaved(grid, 2, num_tokens=0),
        (((0, 2), LONG),),
    ),
    "window": (
        lambda grid: vision.get_window_index(grid, 2, 32, 4),
        (((0,), LONG), ((1,), INT)),
    ),
    "window_of_no_tokens": (
        lambda grid: vision.get_window_index(grid, 2, 32, 4, num_tokens=0, num_windows=0),
        (((0,), LONG), ((1,), INT)),
    ),
    "pos_embed": (
        lambda grid: vision.get_pos_embed_indices(grid, 6, 2),
        (((4, 0), LONG), ((4, 0), FLOAT)),
    ),
    "half_pixel": (
        lambda grid: vision.get_half_pixel_indices(grid, 6, num_tokens=0),
        (((4, 0), LONG), ((4, 0), FLOAT)),
    ),
    "sampling": (lambda grid: vision.get_sampling_grid(grid, 2), (((1, 0, 1, 2), FLOAT),)),
    "permutation": (lambda grid: vision.get_block_permutation(grid, 2), (((0,), LONG),)),
    "pairs": (
        lambda grid: vision.get_temporal_pair_indices(grid, 2),
        (((0,), LONG), ((0,), LONG)),
    ),
    "unshuffle": (lambda grid: vision.get_unshuffle_indices(grid, 2), (((4, 0), LONG),)),
    "unshuffle_per_entry": (
        lambda grid: vision.get_unshuffle_indices(grid, grid[:, 0], num_units=0),
        (((4, 0), LONG),),
    ),
    "segment_ids": (vision.get_vision_segment_ids, (((0,), LONG),)),
    "flatten": (vision.flatten_video_grid, (((0, 3), LONG),)),
}


def listed(results: Any) -> list[torch.Tensor]:
    return list(results) if isinstance(results, tuple) else [results]


def assert_expected(results: Any, expected: Expected) -> None:
    """Refuse results of another number, shape or dtype, and boundaries that are not zero."""
    found = listed(results)
    assert tuple((tuple(result.shape), result.dtype) for result in found) == expected
    assert all(not result.any() for result in found)


@pytest.mark.parametrize("name", HELPERS)
def test_no_entry_gives_nothing(name: str) -> None:
    helper, expected = HELPERS[name]
    assert_expected(helper(NONE), expected)


@pytest.mark.parametrize(
    "name",
    ["cu_seqlens", "cu_seqlens_in_full", "rotary", "window_of_no_tokens", "unshuffle", "flatten"],
)
def test_no_entry_gives_nothing_in_a_graph(name: str) -> None:
    helper, expected = HELPERS[name]
    torch._dynamo.reset()
    compiled = torch.compile(helper, fullgraph=True, backend="eager")
    assert_expected(compiled(NONE), expected)


@pytest.mark.parametrize("name", ["cu_seqlens", "permutation"])
def test_no_entry_gives_nothing_in_a_program(name: str) -> None:
    helper, expected = HELPERS[name]

    class Program(torch.nn.Module):
        def forward(self, grid: torch.Tensor) -> Any:
            return helper(grid)

    program = torch.export.export(Program(), (NONE,))
    assert_expected(program.module()(NONE), expected)


def test_dtype_of_the_grid_where_it_is_kept() -> None:
    small = NONE.to(torch.int32)
    assert vision.flatten_video_grid(small).dtype == torch.int32
    assert vision.get_rotary_pos_ids(small, 2).dtype == torch.int64
    assert vision.get_vision_cu_seqlens(small).dtype == torch.int32


def test_segments_beyond_none_are_empty() -> None:
    assert vision.get_vision_cu_seqlens(NONE, num_segments=2).tolist() == [0, 0, 0]
    _, ends = vision.get_window_index(NONE, 2, 32, 4, num_windows=2)
    assert ends.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: vision.get_rotary_pos_ids(NONE, 2, num_tokens=4),
        lambda: vision.get_window_index(NONE, 2, 32, 4, num_tokens=4),
        lambda: vision.get_temporal_pair_indices(NONE, 2, num_pair_units=1),
        lambda: vision.get_unshuffle_indices(NONE, 2, num_units=1),
        lambda: vision.get_vision_segment_ids(NONE, num_tokens=4),
        lambda: vision.flatten_video_grid(NONE, num_frames=1),
    ],
)
def test_totals_of_no_entry_are_zero(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="but the sizes add up to 0"):
        call()


def test_arguments_are_checked_without_entries() -> None:
    with pytest.raises(ValueError, match="spatial_merge_size must be a positive integer"):
        vision.get_rotary_pos_ids(NONE, 0)
    with pytest.raises(ValueError, match="smaller than one merge unit"):
        vision.get_window_index(NONE, 2, 4, 4)
    with pytest.raises(ValueError, match="1 merge sizes were given for 0 rows"):
        vision.get_unshuffle_indices(NONE, torch.tensor([2]))


def test_boundaries_of_no_rows_are_one() -> None:
    bounds = vision.get_vision_cu_seqlens(NONE)
    check_boundaries("cu_seqlens", bounds, 0)
    assert vision.get_segment_ids(bounds, 0).shape == (0,)
    assert vision.get_segment_ids(bounds, None).shape == (0,)
    with pytest.raises(ValueError, match="must hold at least two integers"):
        check_boundaries("cu_seqlens", bounds, 4)
    with pytest.raises(ValueError, match="must hold at least two integers"):
        check_boundaries("cu_seqlens", bounds[:0], 0)
    with pytest.raises(ValueError, match="leads from 2 to 2, these inputs have 0 rows"):
        check_boundaries("cu_seqlens", bounds + 2, 0)
    for boundaries, tokens in ((bounds, 4), (bounds[:0], 0), (bounds[:0], None)):
        with pytest.raises(ValueError, match="needs at least two boundaries"):
            vision.get_segment_ids(boundaries, tokens)


def test_what_follows_from_no_entry_fits_it() -> None:
    first, _ = vision.get_temporal_pair_indices(NONE, 2)
    centres = vision.get_unshuffle_indices(NONE, 2)
    check_pairs("first_units", first, NONE, 2)
    check_centres("block_centres", centres, NONE, 2)
    rows = torch.randn(0, 5)
    assert scale_down_blocks(rows, centres).shape == (0, 5)
