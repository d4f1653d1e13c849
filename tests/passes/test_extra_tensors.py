"""The helper behind ``return_extra_tensors=True``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from utils.extra_tensors import add_extra_tensors  # noqa: E402
from utils.modeling_vision_utils import get_rotary_pos_ids  # noqa: E402

PROCESSOR = SimpleNamespace(
    image_processor=SimpleNamespace(merge_size=2), video_processor=SimpleNamespace(merge_size=1)
)


def test_adds_tensors_of_each_modality() -> None:
    grid, video = torch.tensor([[1, 4, 6], [1, 2, 4]]), torch.tensor([[2, 1, 3]])
    batch = add_extra_tensors({"image_grid_thw": grid, "video_grid_thw": video}, PROCESSOR)
    assert batch["image_cu_seqlens"].tolist() == [0, 24, 32]
    assert batch["video_cu_seqlens"].tolist() == [0, 3, 6]
    assert torch.equal(batch["image_rotary_pos_ids"], get_rotary_pos_ids(grid, 2))
    assert torch.equal(batch["video_rotary_pos_ids"], get_rotary_pos_ids(video, 1))


def test_merge_sizes_of_the_batch_or_the_caller_win() -> None:
    grid = torch.tensor([[1, 4, 4], [1, 3, 3]])
    sizes = torch.tensor([2, 3])
    batch = add_extra_tensors({"image_grid_thw": grid, "image_merge_sizes": sizes}, PROCESSOR)
    assert torch.equal(batch["image_rotary_pos_ids"], get_rotary_pos_ids(grid, sizes))
    batch = add_extra_tensors({"image_grid_thw": grid}, PROCESSOR, merge_size=1)
    assert torch.equal(batch["image_rotary_pos_ids"], get_rotary_pos_ids(grid, 1))


def test_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="return_tensors"):
        add_extra_tensors({"image_grid_thw": [[1, 2, 2]]}, PROCESSOR)


def test_a_batch_without_grids_is_left() -> None:
    assert add_extra_tensors({"input_ids": 1}, PROCESSOR) == {"input_ids": 1}
