"""The loop definitions that recognition compares with, against worked examples and the runtime helpers."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.rewrite.probe import reference

torch = pytest.importorskip("torch")

from utils.modeling_audio_utils import (  # noqa: E402
    chunked_eighth_lengths,
    get_audio_cu_seqlens,
    get_chunk_lengths,
)
from utils.modeling_vision_utils import (  # noqa: E402
    flatten_video_grid,
    get_block_permutation,
    get_half_pixel_indices,
    get_pos_embed_indices,
    get_rotary_pos_ids,
    get_sampling_grid,
    get_temporal_pair_indices,
    get_unshuffle_indices,
    get_vision_cu_seqlens,
    get_window_index,
)

GRIDS = [[[1, 2, 2]], [[1, 4, 6], [2, 2, 4]], [[3, 4, 6], [1, 16, 8], [1, 8, 8]], [[1, 20, 12]]]


@pytest.mark.parametrize("rows", GRIDS, ids=str)
def test_definitions_equal_the_helpers(rows: list[list[int]]) -> None:
    grid, given = np.array(rows), torch.tensor(rows)
    assert (reference.cu_seqlens(grid) == get_vision_cu_seqlens(given).numpy()).all()
    assert (reference.rotary_pos_ids(grid, 2) == get_rotary_pos_ids(given, 2).numpy()).all()
    assert (reference.flattened_frames(grid) == flatten_video_grid(given).numpy()).all()
    points = reference.sampling_grid(grid, 2)
    assert np.allclose(points, get_sampling_grid(given, 2).numpy(), atol=1e-6)
    assert (reference.block_order(grid, 2) == get_block_permutation(given, 2).numpy()).all()
    for left, right in zip(reference.temporal_pairs(grid, 2), get_temporal_pair_indices(given, 2)):
        assert (left == right.numpy()).all()
    expected = reference.window_index(grid, 2, 32, 4)
    assert expected is not None
    for left, right in zip(expected, get_window_index(given, 2, 32, 4)):
        assert (left == right.numpy()).all()
    for left, right in zip(
        reference.pos_embed_indices(grid, 6, 2), get_pos_embed_indices(given, 6, 2)
    ):
        assert np.allclose(left, right.numpy(), atol=1e-6)
    for left, right in zip(reference.half_pixel_indices(grid, 6), get_half_pixel_indices(given, 6)):
        assert np.allclose(left, right.numpy(), atol=1e-5)


def test_unshuffle_is_the_mean_of_the_helpers_rows() -> None:
    grid, merges = np.array([[1, 6, 6], [2, 4, 2]]), np.array([3, 2])
    rows = np.random.default_rng(0).normal(size=(36 + 16, 2))
    indices = get_unshuffle_indices(torch.tensor(grid), torch.tensor(merges)).numpy()
    assert np.allclose(reference.unshuffled_rows(rows, grid, merges), rows[indices].mean(0))


def test_audio_definitions_equal_the_helpers() -> None:
    lengths = np.array([230, 37, 100, 451])
    given = torch.tensor(lengths)
    chunks = reference.chunk_lengths(lengths, 50)
    assert (chunks == get_chunk_lengths(given, 50).numpy()).all()
    law = reference.chunked_eighth
    assert (law(lengths) == chunked_eighth_lengths(given).numpy()).all()
    bounds = reference.window_boundaries(law(lengths), int(law(chunks).max()) * 2)
    assert bounds.tolist() == [0, 26, 30, 35, 48, 74, 100, 107]
    assert (bounds == get_audio_cu_seqlens(torch.tensor(chunks), given, 200, 50).numpy()).all()
