"""Vision helpers for generated modeling code: tensors that depend on grids and configuration.

All are pure functions of a grid `(num_entries, 3)` with rows `(t, h, w)` (frames, patch rows, patch
columns of one image or video) and of scalars. They loop over no entry, check their input in eager
mode with at most one host read, and can be captured by `torch.compile(fullgraph=True)` and
`torch.export` with a dynamic number of entries and patches when the total is given by keyword.
Results lie on the grid's device.
"""

from utils.segment_lengths import get_max_window_seqlen
from utils.vision_interpolation import (
    get_half_pixel_indices,
    get_pos_embed_indices,
    get_sampling_grid,
)
from utils.vision_merging import get_temporal_pair_indices, get_unshuffle_indices
from utils.vision_positions import (
    get_block_permutation,
    get_image_pos_ids,
    get_rotary_pos_ids,
    get_rotary_pos_ids_interleaved,
)
from utils.vision_segments import (
    flatten_video_grid,
    get_segment_ids,
    get_segment_mask,
    get_vision_cu_seqlens,
    get_vision_segment_ids,
)
from utils.vision_windows import get_reverse_window_index, get_window_index

__all__ = [
    "flatten_video_grid",
    "get_block_permutation",
    "get_half_pixel_indices",
    "get_image_pos_ids",
    "get_max_window_seqlen",
    "get_pos_embed_indices",
    "get_reverse_window_index",
    "get_rotary_pos_ids",
    "get_rotary_pos_ids_interleaved",
    "get_sampling_grid",
    "get_segment_ids",
    "get_segment_mask",
    "get_temporal_pair_indices",
    "get_unshuffle_indices",
    "get_vision_cu_seqlens",
    "get_vision_segment_ids",
    "get_window_index",
]
