"""The helpers for images and videos whose results become optional inputs, or that others are computed from."""

from __future__ import annotations

from codegen.rewrite.helper_entry import BOUNDARIES, VISION, Helper, Result

_POS_IDS = Result(
    "rotary_pos_ids",
    "(seq_len, 2)",
    "int64",
    "Row and column of every patch for the rotary embedding. Computed from the grid if not given.",
)

CU_SEQLENS = Helper(
    "get_vision_cu_seqlens",
    VISION,
    ("grid_thw",),
    ("num_segments",),
    (BOUNDARIES,),
    checks=('check_boundaries("cu_seqlens", cu_seqlens, {rows})',),
)
ROTARY_POS_IDS = Helper(
    "get_rotary_pos_ids",
    VISION,
    ("grid_thw", "spatial_merge_size"),
    ("num_tokens",),
    (_POS_IDS,),
    "num_tokens",
    ('check_shape("rotary_pos_ids", rotary_pos_ids, ({rows}, 2))',),
)
IMAGE_POS_IDS = Helper(
    "get_image_pos_ids",
    VISION,
    ("height", "width"),
    ("device",),
    (_POS_IDS,),
    checks=('check_shape("rotary_pos_ids", rotary_pos_ids, ({args[0]} * {args[1]}, 2))',),
)
WINDOW_INDEX = Helper(
    "get_window_index",
    VISION,
    ("grid_thw", "spatial_merge_size", "window_size", "patch_size"),
    ("num_tokens", "num_windows"),
    (
        Result(
            "window_index",
            "(seq_len // spatial_merge_size**2,)",
            "int64",
            "Window-major order of the merged patches. Computed from the grid if not given.",
        ),
        Result(
            "cu_window_seqlens",
            "(num_windows + 1,)",
            "int32",
            "Boundaries of the windows, counted in patches. Computed from the grid if not given.",
        ),
    ),
    "num_tokens",
    (
        'check_shape("window_index", window_index, ({rows} // {args[1]}**2,))',
        'check_boundaries("cu_window_seqlens", cu_window_seqlens, {rows})',
    ),
)
_EMBEDDED = (
    Result(
        "embed_indices",
        "(4, seq_len)",
        "int64",
        "Entries of the position table around every patch. Computed from the grid if not given.",
    ),
    Result(
        "bilinear_weights",
        "(4, seq_len)",
        "float32",
        "Interpolation weights that belong to `embed_indices`. Computed from the grid if not given.",
    ),
)
_EMBEDDED_CHECKS = (
    'check_shape("embed_indices", embed_indices, (4, {rows}))',
    'check_shape("bilinear_weights", bilinear_weights, (4, {rows}))',
)
POS_EMBED = Helper(
    "get_pos_embed_indices",
    VISION,
    ("grid_thw", "num_grid_per_side", "spatial_merge_size"),
    ("num_tokens",),
    _EMBEDDED,
    "num_tokens",
    _EMBEDDED_CHECKS,
)
HALF_PIXEL = Helper(
    "get_half_pixel_indices",
    VISION,
    ("grid_thw", "num_grid_per_side"),
    ("num_tokens",),
    _EMBEDDED,
    "num_tokens",
    _EMBEDDED_CHECKS,
    rounds=True,
)
SAMPLING_GRID = Helper(
    "get_sampling_grid",
    VISION,
    ("grid_thw", "spatial_merge_size"),
    ("num_tokens",),
    (
        Result(
            "sampling_grid",
            "(1, seq_len, 1, 2)",
            "float32",
            "Points at which the position table is sampled for every patch. "
            "Computed from the grid if not given.",
        ),
    ),
    "num_tokens",
    ('check_shape("sampling_grid", sampling_grid, (1, {rows}, 1, 2))',),
)

MAX_WINDOW_SEQLEN = Helper(
    "get_max_window_seqlen",
    VISION,
    ("cu_window_seqlens",),
    (),
    (
        Result(
            "max_window_seqlen",
            "()",
            "cu_window_seqlens",
            "Patches of the largest window, for kernels that ask. "
            "Computed from `cu_window_seqlens` if not given.",
        ),
    ),
    checks=('check_longest("max_window_seqlen", max_window_seqlen, {args[0]})',),
)

TEMPORAL_PAIRS = Helper(
    "get_temporal_pair_indices",
    VISION,
    ("grid_thw", "spatial_merge_size"),
    ("num_pair_units",),
    (
        Result(
            "first_units",
            "(num_pair_units,)",
            "int64",
            "Merged patches of the first frame of every pair. Computed from the grid if not given.",
        ),
        Result(
            "second_units",
            "(num_pair_units,)",
            "int64",
            "Merged patches that belong to `first_units`, in the second frame of the pair. "
            "Computed from the grid if not given.",
        ),
    ),
    checks=(
        'check_pairs("first_units", first_units, {args[0]}, {args[1]})',
        'check_shape("second_units", second_units, (*first_units.shape,))',
    ),
)
BLOCK_ORDER = Helper(
    "get_block_permutation",
    VISION,
    ("grid_thw", "spatial_merge_size"),
    ("num_tokens",),
    (
        Result(
            "block_order",
            "(seq_len,)",
            "int64",
            "Order that brings patches from reading order into blocks. "
            "Computed from the grid if not given.",
        ),
    ),
    "num_tokens",
    ('check_shape("block_order", block_order, ({rows},))',),
)
UNSHUFFLE = Helper(
    "get_unshuffle_indices",
    VISION,
    ("grid_thw", "merge_sizes"),
    ("num_units",),
    (
        Result(
            "block_centres",
            "(4, seq_len // spatial_merge_size**2)",
            "int64",
            "Central patches of every merge block, whose mean stands for it. "
            "Computed from the grid if not given.",
        ),
    ),
    checks=('check_centres("block_centres", block_centres, {args[0]}, {args[1]})',),
)
FLATTENED = Helper(
    "flatten_video_grid",
    VISION,
    ("grid_thw",),
    ("num_frames",),
    (Result("flattened_video_grid_thw", "(num_segments, 3)", "grid_thw"),),
)
