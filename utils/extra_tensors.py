"""What a processor adds to its result with ``return_extra_tensors=True``."""

from collections.abc import MutableMapping
from typing import Any

import torch

from utils.modeling_vision_utils import get_rotary_pos_ids, get_vision_cu_seqlens


def add_extra_tensors(
    batch: MutableMapping[str, Any], processor: Any, merge_size: int | None = None
) -> Any:
    """Add the tensors of the vision encoder that follow from grids and merge sizes alone.

    For every modality with a grid `(num_entries, 3)` in the batch: `<modality>_cu_seqlens` int32
    `(num_frames + 1,)` and `<modality>_rotary_pos_ids` int64 `(num_patches, 2)`. The model takes them as
    keywords of the same names.

    Args:
        batch: what the processor returns, with tensors of torch.
        processor: the processor; its image and video processors know their merge size.
        merge_size: of the encoder's patch order where it is not the processor's.

    Raises:
        ValueError: the grids are not tensors, because no `return_tensors="pt"` was given.
    """
    for modality in ("image", "video"):
        grid = batch.get(f"{modality}_grid_thw")
        if grid is None:
            continue
        if not isinstance(grid, torch.Tensor):
            raise ValueError('return_extra_tensors=True needs return_tensors="pt"')
        merge = merge_size
        if merge is None:
            merge = batch.get(f"{modality}_merge_sizes")
        if merge is None:
            merge = getattr(processor, f"{modality}_processor").merge_size
        batch[f"{modality}_cu_seqlens"] = get_vision_cu_seqlens(grid)
        batch[f"{modality}_rotary_pos_ids"] = get_rotary_pos_ids(grid, merge)
    return batch
