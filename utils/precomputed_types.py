"""Inputs of models that can be computed ahead, by modality, for annotations and editors.

    inputs: ImageInputs = {"image_cu_seqlens": get_vision_cu_seqlens(image_grid_thw)}
    model(**batch, **inputs)

Made from the registry of helpers (`codegen/rewrite/helpers.py`); change it there.
"""

from typing import TypedDict

import torch


class ImageInputs(TypedDict, total=False):
    """What a model can be given for its images, computed ahead."""

    image_cu_seqlens: torch.Tensor
    """Shape `(num_segments + 1,)`, int32. Boundaries of the attention segments. Computed from the
    grid or the lengths if not given."""

    image_rotary_pos_ids: torch.Tensor
    """Shape `(seq_len, 2)`, int64. Row and column of every patch for the rotary embedding. Computed
    from the grid if not given."""

    image_window_index: torch.Tensor
    """Shape `(seq_len // spatial_merge_size**2,)`, int64. Window-major order of the merged patches.
    Computed from the grid if not given."""

    image_cu_window_seqlens: torch.Tensor
    """Shape `(num_windows + 1,)`, int32. Boundaries of the windows, counted in patches. Computed
    from the grid if not given."""

    image_embed_indices: torch.Tensor
    """Shape `(4, seq_len)`, int64. Entries of the position table around every patch. Computed from
    the grid if not given."""

    image_bilinear_weights: torch.Tensor
    """Shape `(4, seq_len)`, float32. Interpolation weights that belong to `embed_indices`. Computed
    from the grid if not given."""

    image_sampling_grid: torch.Tensor
    """Shape `(1, seq_len, 1, 2)`, float32. Points at which the position table is sampled for every
    patch. Computed from the grid if not given."""

    image_first_units: torch.Tensor
    """Shape `(num_pair_units,)`, int64. Merged patches of the first frame of every pair. Computed
    from the grid if not given."""

    image_second_units: torch.Tensor
    """Shape `(num_pair_units,)`, int64. Merged patches that belong to `first_units`, in the second
    frame of the pair. Computed from the grid if not given."""

    image_block_order: torch.Tensor
    """Shape `(seq_len,)`, int64. Order that brings patches from reading order into blocks. Computed
    from the grid if not given."""

    image_block_centres: torch.Tensor
    """Shape `(4, seq_len // spatial_merge_size**2)`, int64. Central patches of every merge block,
    whose mean stands for it. Computed from the grid if not given."""

    image_max_seqlen: torch.Tensor
    """Shape `()`, the dtype of `cu_seqlens`. Tokens of the longest segment, for kernels that ask.
    Computed from `cu_seqlens` if not given."""

    image_max_window_seqlen: torch.Tensor
    """Shape `()`, the dtype of `cu_window_seqlens`. Patches of the largest window, for kernels that
    ask. Computed from `cu_window_seqlens` if not given."""


class VideoInputs(TypedDict, total=False):
    """What a model can be given for its videos, computed ahead."""

    video_cu_seqlens: torch.Tensor
    """Shape `(num_segments + 1,)`, int32. Boundaries of the attention segments. Computed from the
    grid or the lengths if not given."""

    video_rotary_pos_ids: torch.Tensor
    """Shape `(seq_len, 2)`, int64. Row and column of every patch for the rotary embedding. Computed
    from the grid if not given."""

    video_window_index: torch.Tensor
    """Shape `(seq_len // spatial_merge_size**2,)`, int64. Window-major order of the merged patches.
    Computed from the grid if not given."""

    video_cu_window_seqlens: torch.Tensor
    """Shape `(num_windows + 1,)`, int32. Boundaries of the windows, counted in patches. Computed
    from the grid if not given."""

    video_embed_indices: torch.Tensor
    """Shape `(4, seq_len)`, int64. Entries of the position table around every patch. Computed from
    the grid if not given."""

    video_bilinear_weights: torch.Tensor
    """Shape `(4, seq_len)`, float32. Interpolation weights that belong to `embed_indices`. Computed
    from the grid if not given."""

    video_sampling_grid: torch.Tensor
    """Shape `(1, seq_len, 1, 2)`, float32. Points at which the position table is sampled for every
    patch. Computed from the grid if not given."""

    video_first_units: torch.Tensor
    """Shape `(num_pair_units,)`, int64. Merged patches of the first frame of every pair. Computed
    from the grid if not given."""

    video_second_units: torch.Tensor
    """Shape `(num_pair_units,)`, int64. Merged patches that belong to `first_units`, in the second
    frame of the pair. Computed from the grid if not given."""

    video_block_order: torch.Tensor
    """Shape `(seq_len,)`, int64. Order that brings patches from reading order into blocks. Computed
    from the grid if not given."""

    video_block_centres: torch.Tensor
    """Shape `(4, seq_len // spatial_merge_size**2)`, int64. Central patches of every merge block,
    whose mean stands for it. Computed from the grid if not given."""

    video_max_seqlen: torch.Tensor
    """Shape `()`, the dtype of `cu_seqlens`. Tokens of the longest segment, for kernels that ask.
    Computed from `cu_seqlens` if not given."""

    video_max_window_seqlen: torch.Tensor
    """Shape `()`, the dtype of `cu_window_seqlens`. Patches of the largest window, for kernels that
    ask. Computed from `cu_window_seqlens` if not given."""


class AudioInputs(TypedDict, total=False):
    """What a model can be given for its audios, computed ahead."""

    audio_cu_seqlens: torch.Tensor
    """Shape `(num_segments + 1,)`, int32. Boundaries of the attention segments. Computed from the
    grid or the lengths if not given."""

    audio_max_seqlen: torch.Tensor
    """Shape `()`, the dtype of `cu_seqlens`. Tokens of the longest segment, for kernels that ask.
    Computed from `cu_seqlens` if not given."""

    audio_padded_feature: torch.Tensor
    """Shape `(num_chunks, num_mel_bins, max_chunk_length)`, the dtype of `input_features`. Input
    features cut into chunks and padded. Computed from the feature lengths if not given."""

    audio_chunk_lengths: torch.Tensor
    """Shape `(num_chunks,)`, int64. Lengths of the chunks before padding. Computed from the feature
    lengths if not given."""

    audio_valid_indices: torch.Tensor
    """Shape `(num_frames,)`, int64. Positions of the frames that are not padding. Computed from the
    chunk lengths if not given."""

    audio_pool_indices: torch.Tensor
    """Shape `(num_tokens,)`, int64. First frame of every pooled pair. Computed from the feature
    lengths if not given."""


RESULTS = {
    "get_vision_cu_seqlens": ("cu_seqlens",),
    "get_rotary_pos_ids": ("rotary_pos_ids",),
    "get_image_pos_ids": ("rotary_pos_ids",),
    "get_window_index": ("window_index", "cu_window_seqlens"),
    "get_pos_embed_indices": ("embed_indices", "bilinear_weights"),
    "get_half_pixel_indices": ("embed_indices", "bilinear_weights"),
    "get_sampling_grid": ("sampling_grid",),
    "get_temporal_pair_indices": ("first_units", "second_units"),
    "get_block_permutation": ("block_order",),
    "get_unshuffle_indices": ("block_centres",),
    "get_max_seqlen": ("max_seqlen",),
    "get_max_window_seqlen": ("max_window_seqlen",),
    "chunk_and_pad_features": ("padded_feature", "chunk_lengths"),
    "get_valid_indices": ("valid_indices",),
    "get_audio_cu_seqlens": ("cu_seqlens",),
    "get_pool_indices": ("pool_indices",),
}
"""Names of the results of helpers, which are those of the inputs without their prefix."""
