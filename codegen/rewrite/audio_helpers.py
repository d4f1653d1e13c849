"""The helpers for packed mel frames whose results become optional inputs."""

from __future__ import annotations

from codegen.rewrite.helper_entry import AUDIO, BOUNDARIES, Helper, Result

CHUNKS = Helper(
    "chunk_and_pad_features",
    AUDIO,
    ("input_features", "feature_lens", "n_window"),
    ("num_chunks", "max_chunk_length"),
    (
        Result(
            "padded_feature",
            "(num_chunks, num_mel_bins, max_chunk_length)",
            "input_features",
            "Input features cut into chunks and padded. Computed from the feature lengths if not given.",
        ),
        Result(
            "chunk_lengths",
            "(num_chunks,)",
            "int64",
            "Lengths of the chunks before padding. Computed from the feature lengths if not given.",
        ),
    ),
    checks=(
        'check_shape("chunk_lengths", chunk_lengths, (None,))',
        'check_shape("padded_feature", padded_feature, (*chunk_lengths.shape, None, None))',
    ),
)
VALID_INDICES = Helper(
    "get_valid_indices",
    AUDIO,
    ("chunk_lengths", "length_law"),
    ("num_valid", "max_length", "more_than_one"),
    (
        Result(
            "valid_indices",
            "(num_frames,)",
            "int64",
            "Positions of the frames that are not padding. Computed from the chunk lengths if not given.",
        ),
    ),
    checks=('check_rows("valid_indices", valid_indices, {law}(chunk_lengths))',),
)
AUDIO_CU_SEQLENS = Helper(
    "get_audio_cu_seqlens",
    AUDIO,
    ("chunk_lengths", "feature_lens", "n_window_infer", "n_window"),
    ("length_law", "num_segments"),
    (BOUNDARIES,),
    checks=('check_boundaries("cu_seqlens", cu_seqlens, valid_indices.shape[0])',),
)
POOL_INDICES = Helper(
    "get_pool_indices",
    AUDIO,
    ("feature_lens", "length_law"),
    ("num_pooled",),
    (
        Result(
            "pool_indices",
            "(num_tokens,)",
            "int64",
            "First frame of every pooled pair. Computed from the feature lengths if not given.",
        ),
    ),
)
