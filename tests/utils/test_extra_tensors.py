"""The helper behind ``return_extra_tensors``, on what a processor would return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from codegen.rewrite.helpers import LIFTED  # noqa: E402
from utils import extra_tensors  # noqa: E402
from utils import modeling_audio_utils as audio_utils  # noqa: E402
from utils import modeling_vision_utils as vision_utils  # noqa: E402
from utils.extra_tensors import add_extra_tensors  # noqa: E402
from utils.precomputed_inputs import PREFIXED  # noqa: E402

PROCESSOR = SimpleNamespace(
    image_processor=SimpleNamespace(merge_size=2, patch_size=4),
    video_processor=SimpleNamespace(merge_size=1, patch_size=4),
)
VISION = {
    "get_vision_cu_seqlens": ("grid_thw",),
    "get_rotary_pos_ids": ("grid_thw", "spatial_merge_size"),
    "get_window_index": ("grid_thw", "spatial_merge_size", "window_size", "patch_size"),
    "get_pos_embed_indices": ("grid_thw", "num_position_embeddings**0.5", "spatial_merge_size"),
}
AUDIO = {
    "chunk_and_pad_features": ("input_features", "feature_lens", "n_window"),
    "get_valid_indices": ("chunk_lengths", "chunked_eighth_lengths"),
    "get_audio_cu_seqlens": ("chunk_lengths", "feature_lens", "n_window_infer", "n_window"),
    "get_pool_indices": ("feature_lens",),
}
VISION_CONFIG = SimpleNamespace(
    spatial_merge_size=2, window_size=16, patch_size=4, num_position_embeddings=40
)
AUDIO_CONFIG = SimpleNamespace(n_window=50, n_window_infer=200)
CONFIG = SimpleNamespace(vision_config=VISION_CONFIG, audio_config=AUDIO_CONFIG)
GRID = torch.tensor([[1, 6, 8], [2, 2, 4]])
LENGTHS = [230, 37]


def audio_batch() -> dict[str, Any]:
    mask = torch.arange(240) < torch.tensor(LENGTHS)[:, None]
    features = torch.randn(2, 3, 240, generator=torch.Generator().manual_seed(0))
    return {"input_features": features, "feature_attention_mask": mask.int()}


def added(batch: dict[str, Any], wanted: Any, **settings: Any) -> dict[str, Any]:
    """The new entries; what was there must stay as it was."""
    settings = {"vision": VISION, "audio": AUDIO} | settings
    result = add_extra_tensors(dict(batch), PROCESSOR, wanted, **settings)
    assert all(result[name] is value for name, value in batch.items())
    return {name: value for name, value in result.items() if name not in batch}


def expected_vision(prefix: str, merge: int) -> dict[str, Any]:
    window, cu_window = vision_utils.get_window_index(GRID, merge, 16, 4)
    indices, weights = vision_utils.get_pos_embed_indices(GRID, 6, merge)
    return {
        f"{prefix}_cu_seqlens": vision_utils.get_vision_cu_seqlens(GRID),
        f"{prefix}_rotary_pos_ids": vision_utils.get_rotary_pos_ids(GRID, merge),
        f"{prefix}_window_index": window,
        f"{prefix}_cu_window_seqlens": cu_window,
        f"{prefix}_embed_indices": indices,
        f"{prefix}_bilinear_weights": weights,
    }


def assert_same(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype and torch.equal(actual[name], value), name


@pytest.mark.parametrize("modality", ["image", "video"])
@pytest.mark.parametrize(
    "config",
    [
        VISION_CONFIG,
        CONFIG,
        SimpleNamespace(sub_configs={"speaks": 0, "thinks": 0}, speaks=1, thinks=CONFIG),
    ],
    ids=["encoder", "model", "model of parts"],
)
def test_a_configuration_gives_everything(modality: str, config: Any) -> None:
    actual = added({f"{modality}_grid_thw": GRID}, config)
    assert_same(actual, expected_vision(modality, 2))
    assert set(actual) <= set(PREFIXED)


def test_without_one_the_processor_gives_what_it_knows() -> None:
    actual = added({"image_grid_thw": GRID, "video_grid_thw": GRID}, True)
    expected = expected_vision("image", 2) | expected_vision("video", 1)
    known = ("cu_seqlens", "rotary_pos_ids")
    assert_same(
        actual, {f"{p}_{n}": expected[f"{p}_{n}"] for p in ("image", "video") for n in known}
    )


def test_audio_inputs_follow_from_features_and_mask() -> None:
    batch, lengths = audio_batch(), torch.tensor(LENGTHS)
    packed = torch.cat([f[:, :n] for f, n in zip(batch["input_features"], LENGTHS)], dim=1)
    padded, chunks = audio_utils.chunk_and_pad_features(packed, lengths, 50)
    law = audio_utils.chunked_eighth_lengths
    expected = {
        "audio_padded_feature": padded,
        "audio_chunk_lengths": chunks,
        "audio_valid_indices": audio_utils.get_valid_indices(chunks, law),
        "audio_cu_seqlens": audio_utils.get_audio_cu_seqlens(chunks, lengths, 200, 50),
        "audio_pool_indices": audio_utils.get_pool_indices(lengths),
    }
    assert_same(added(batch, CONFIG), expected)
    assert_same(added(batch, True), {"audio_pool_indices": expected["audio_pool_indices"]})
    assert set(expected) <= set(PREFIXED)


def test_merge_sizes_of_the_batch_and_constants_count() -> None:
    sizes = torch.tensor([2, 1])
    batch = {"image_grid_thw": GRID, "image_merge_sizes": sizes}
    for arguments, merge in ((("grid_thw", "merge_sizes"), sizes), (("grid_thw", 1), 1)):
        for wanted in (True, CONFIG):
            actual = added(batch, wanted, vision={"get_rotary_pos_ids": arguments})
            expected = vision_utils.get_rotary_pos_ids(GRID, merge)
            assert_same(actual, {"image_rotary_pos_ids": expected})


def test_another_grid_than_that_of_the_batch_can_be_given() -> None:
    vision = {"get_vision_cu_seqlens": ("grid_thw",)}
    batch = {"image_grid_thw": torch.cat([GRID, GRID])}
    actual = added(batch, True, vision=vision, grids={"image": GRID})
    assert_same(actual, {"image_cu_seqlens": vision_utils.get_vision_cu_seqlens(GRID)})
    assert added(batch, True, vision=vision, grids={"image": None}) == {}


def test_nothing_is_added_where_nothing_is_asked_for() -> None:
    batch = {"input_ids": 1, "image_grid_thw": GRID, **audio_batch()}
    assert added(batch, False) == added(batch, None) == {}
    assert added(batch, CONFIG, vision=None, audio=None) == {}
    assert added({"input_ids": 1}, CONFIG) == {}


def test_what_cannot_be_computed_is_named() -> None:
    config = SimpleNamespace(spatial_merge_size=2)
    with pytest.raises(ValueError, match="image_window_index needs window_size, patch_size, which"):
        added({"image_grid_thw": GRID}, config)
    with pytest.raises(ValueError, match="audio_padded_feature needs n_window, .* SimpleNamespace"):
        added(audio_batch(), VISION_CONFIG)


@pytest.mark.parametrize(
    "batch",
    [{"image_grid_thw": [[1, 2, 2]]}, {"input_features": [0.0], "feature_attention_mask": [1]}],
)
def test_lists_are_refused(batch: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='return_tensors="pt"'):
        added(batch, True)


def test_helpers_have_the_results_that_the_passes_know() -> None:
    helpers, laws = extra_tensors._helpers()
    known = {name: names for name, (_, names) in helpers.items()}
    # Positions in an image of a fixed size follow from no grid.
    assert known == {h.name: h.outputs for h in LIFTED.values() if h.name != "get_image_pos_ids"}
    assert set(laws) == {"halved_lengths", "chunked_eighth_lengths"}


def test_a_processor_loads_without_torch() -> None:
    code = "import sys, utils.extra_tensors; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
