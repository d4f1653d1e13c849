"""Bad input of the helpers: one ValueError that says what is wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from utils import modeling_audio_utils as audio
from utils import modeling_vision_utils as vision
from utils.precomputed_inputs import check_centres, check_pairs

GRID_HELPERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "cu_seqlens": vision.get_vision_cu_seqlens,
    "rotary": lambda grid: vision.get_rotary_pos_ids(grid, 2),
    "interleaved": lambda grid: vision.get_rotary_pos_ids_interleaved(grid, 2),
    "window": lambda grid: vision.get_window_index(grid, 2, 32, 4),
    "pos_embed": lambda grid: vision.get_pos_embed_indices(grid, 6, 2),
    "half_pixel": lambda grid: vision.get_half_pixel_indices(grid, 6),
    "sampling": lambda grid: vision.get_sampling_grid(grid, 2),
    "permutation": lambda grid: vision.get_block_permutation(grid, 2),
    "pairs": lambda grid: vision.get_temporal_pair_indices(grid, 2),
    "unshuffle": lambda grid: vision.get_unshuffle_indices(grid, 2),
    "segment_ids": vision.get_vision_segment_ids,
    "flatten": vision.flatten_video_grid,
}
MERGING = (
    "rotary",
    "interleaved",
    "window",
    "pos_embed",
    "sampling",
    "permutation",
    "pairs",
    "unshuffle",
)

LENGTH_HELPERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "chunk_lengths": lambda lengths: audio.get_chunk_lengths(lengths, 4),
    "chunk_and_pad": lambda lengths: audio.chunk_and_pad_features(torch.zeros(2, 9), lengths, 4),
    "valid": audio.get_valid_indices,
    "cu_seqlens": audio.get_audio_cu_seqlens,
    "cu_windows": lambda lengths: audio.get_audio_cu_seqlens(torch.tensor([8]), lengths, 16, 4),
    "pool": audio.get_pool_indices,
}


@pytest.mark.parametrize(
    ("helper", "results"),
    [
        ("cu_seqlens", "cu_seqlens"),
        ("rotary", "rotary_pos_ids"),
        ("window", "window_index and cu_window_seqlens"),
        ("pos_embed", "embed_indices and bilinear_weights"),
        ("half_pixel", "embed_indices and bilinear_weights"),
        ("sampling", "sampling_grid"),
        ("permutation", "block_order"),
        ("pairs", "first_units and second_units"),
        ("unshuffle", "block_centres"),
    ],
)
def test_results_without_a_grid_are_named(helper: str, results: str) -> None:
    with pytest.raises(ValueError, match=f"^{results} not given, and no grid_thw to compute"):
        GRID_HELPERS[helper](None)  # type: ignore[arg-type]


@pytest.mark.parametrize("helper", GRID_HELPERS.values(), ids=GRID_HELPERS)
@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (torch.tensor([1, 4, 4]), "shape"),
        (torch.tensor([[4, 4]]), "shape"),
        (torch.ones(1, 1, 3, dtype=torch.int64), "shape"),
        (torch.tensor([[1.0, 4.0, 4.0]]), "integers"),
        (torch.tensor([[1, -4, 4]]), "positive"),
        (torch.tensor([[1, 4, 4], [1, 4, -4]]), "positive"),
        (torch.tensor([[1, 4, 4], [0, 4, 4]]), "positive"),
    ],
)
def test_malformed_grid(
    helper: Callable[[torch.Tensor], Any], grid: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        helper(grid)


@pytest.mark.parametrize("name", MERGING)
@pytest.mark.parametrize("rows", [[[1, 3, 4]], [[1, 4, 4], [1, 4, 3]], [[2, 3, 3]] * 2])
def test_sides_that_the_merge_size_does_not_divide(name: str, rows: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="multiples of 2"):
        GRID_HELPERS[name](torch.tensor(rows))


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        (0, "positive"),
        (torch.tensor([2, 0]), "positive"),
        (torch.tensor([2]), "1 merge sizes"),
        (torch.tensor([2.0, 2.0]), "integer"),
        (torch.tensor([[2, 2]]), "1-D"),
        (torch.tensor([2, 3]), "multiples of its merge size"),
    ],
)
def test_bad_merge_sizes(merge: int | torch.Tensor, message: str) -> None:
    grid = torch.tensor([[1, 4, 4], [1, 2, 4]])
    for helper in (vision.get_rotary_pos_ids, vision.get_unshuffle_indices):
        with pytest.raises(ValueError, match=message):
            helper(grid, merge)


@pytest.mark.parametrize("rows", [[[2, 4, 4]], [[1, 4, 4], [1, 2, 2]]])
def test_totals_that_contradict_the_grid(rows: list[list[int]]) -> None:
    grid = torch.tensor(rows)
    calls: list[Callable[[], Any]] = [
        lambda: vision.get_rotary_pos_ids(grid, 2, num_tokens=7),
        lambda: vision.get_window_index(grid, 2, 32, 4, num_tokens=7),
        lambda: vision.get_window_index(grid, 2, 16, 4, num_windows=0),
        lambda: vision.get_pos_embed_indices(grid, 6, 2, num_tokens=7),
        lambda: vision.get_vision_segment_ids(grid, num_tokens=7),
        lambda: vision.get_vision_cu_seqlens(grid, num_segments=1),
        lambda: vision.flatten_video_grid(grid, num_frames=1),
        lambda: vision.get_temporal_pair_indices(grid, 2, num_pair_units=1),
        lambda: vision.get_unshuffle_indices(grid, 2, num_units=1),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"is \d|was given as"):
            call()


def test_bad_scalars_of_vision_helpers() -> None:
    grid = torch.tensor([[1, 4, 4]])
    with pytest.raises(ValueError, match="smaller than one merge unit"):
        vision.get_window_index(grid, 2, 4, 4)
    with pytest.raises(ValueError, match="num_grid_per_side"):
        vision.get_pos_embed_indices(grid, 0, 2)
    with pytest.raises(ValueError, match="num_grid_per_side"):
        vision.get_half_pixel_indices(grid, 0)


def test_bad_segments() -> None:
    with pytest.raises(ValueError, match="1-D integer"):
        vision.get_segment_ids(torch.tensor([[0, 4]]), 4)
    with pytest.raises(ValueError, match="two boundaries"):
        vision.get_segment_ids(torch.tensor([0]), 4)
    with pytest.raises(ValueError, match="1-D"):
        vision.get_segment_mask(torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="floating"):
        vision.get_segment_mask(torch.zeros(2, dtype=torch.int64), torch.int32)
    with pytest.raises(ValueError, match="1-D"):
        vision.get_reverse_window_index(torch.zeros(2, 2, dtype=torch.int64))


@pytest.mark.parametrize("helper", LENGTH_HELPERS.values(), ids=LENGTH_HELPERS)
@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([[9]]), "1-D integer"),
        (torch.tensor([9.0]), "1-D integer"),
        (torch.empty(0, dtype=torch.int64), "empty"),
        (torch.tensor([-9]), "below"),
        (torch.tensor([13, -4]), "below"),
    ],
)
def test_malformed_lengths(
    helper: Callable[[torch.Tensor], Any], lengths: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        helper(lengths)


def test_totals_that_contradict_the_lengths() -> None:
    lengths, features = torch.tensor([5, 8]), torch.zeros(2, 13)
    calls: list[Callable[[], Any]] = [
        lambda: audio.get_chunk_lengths(lengths, 2, num_chunks=3),
        lambda: audio.chunk_and_pad_features(features[:, 1:], lengths, 2),
        lambda: audio.chunk_and_pad_features(features, lengths, 2, max_chunk_length=5),
        lambda: audio.get_valid_indices(lengths, num_valid=2),
        lambda: audio.get_valid_indices(lengths, max_length=9),
        lambda: audio.get_audio_cu_seqlens(lengths, num_segments=1),
        lambda: audio.get_audio_cu_seqlens(lengths, lengths, 8, 4, num_segments=1),
        lambda: audio.get_pool_indices(lengths, num_pooled=9),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"is \d|was given as|add up to"):
            call()


def test_messages_tell_both_numbers() -> None:
    lengths, features = torch.tensor([5, 8]), torch.zeros(2, 13)
    calls: dict[str, Callable[[], Any]] = {
        "num_chunks is 3, but the audios have 4 chunks": lambda: audio.get_chunk_lengths(
            lengths, 2, num_chunks=3
        ),
        "feature_lens add up to 13, but there are 12 frames": lambda: audio.chunk_and_pad_features(
            features[:, 1:], lengths, 2
        ),
        "max_chunk_length is 5, the longest chunk 4": lambda: audio.chunk_and_pad_features(
            features, lengths, 2, max_chunk_length=5
        ),
        "num_segments is 1, but there are 2 chunks": lambda: audio.get_audio_cu_seqlens(
            lengths, num_segments=1
        ),
        "num_segments is 1, but there are 2 windows": lambda: audio.get_audio_cu_seqlens(
            lengths, lengths, 8, 4, num_segments=1
        ),
    }
    for message, call in calls.items():
        with pytest.raises(ValueError, match=f"^{message}$"):
            call()


def test_bad_scalars_of_audio_helpers() -> None:
    lengths = torch.tensor([5, 8])
    with pytest.raises(ValueError, match="n_window"):
        audio.get_chunk_lengths(lengths, 0)
    for some in ((lengths, None, None), (None, 8, 4), (lengths, 8, None), (lengths, None, 4)):
        with pytest.raises(ValueError, match="together"):
            audio.get_audio_cu_seqlens(lengths, *some)
    with pytest.raises(ValueError, match="smaller than a chunk"):
        audio.get_audio_cu_seqlens(lengths, lengths, 4, 4)
    for chunks in ([0, 0], [5, -8]):
        with pytest.raises(ValueError, match="chunk_lengths must not be negative nor all zero"):
            audio.get_audio_cu_seqlens(torch.tensor(chunks), lengths, 8, 4)
    with pytest.raises(ValueError, match="shape"):
        audio.chunk_and_pad_features(torch.zeros(13), lengths, 4)


def test_no_grid_has_no_frames_of_its_own() -> None:
    assert vision.flatten_video_grid(None) is None


def test_pairs_and_centres_of_other_numbers_are_refused() -> None:
    grid, merges = torch.tensor([[1, 4, 6], [4, 2, 4], [3, 4, 4]]), torch.tensor([2, 1, 2])
    first, second = vision.get_temporal_pair_indices(grid, 2)
    centres = vision.get_unshuffle_indices(grid, merges)
    check_pairs("first_units", first, grid, 2)
    check_pairs("first_units", first[1:], None, 2)
    check_centres("block_centres", centres, grid, merges)
    check_centres("block_centres", centres[:, 1:], None, None)
    check_centres("block_centres", vision.get_unshuffle_indices(grid, 2), grid, 2)
    with pytest.raises(
        ValueError, match=r"^first_units has shape \(13,\), these inputs need \(14\)"
    ):
        check_pairs("first_units", first[1:], grid, 2)
    with pytest.raises(ValueError, match=r"^block_centres has shape \(4, 49\), .* need \(4, 50\)"):
        check_centres("block_centres", centres[:, 1:], grid, merges)
    with pytest.raises(ValueError, match="^block_centres has shape"):
        check_centres("block_centres", centres[:3], None, None)
