"""The helper functions that passes insert: module, results, optional parameters, how they are documented."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.trees.names import HELPERS


@dataclass(frozen=True, slots=True)
class Helper:
    """A runtime helper.

    ``outputs`` are the names of its results, which are the optional parameters a lift adds;
    ``total`` is the keyword that makes the call capturable once the number of rows is known.
    ``checks`` are the calls that refuse a given result which does not fit, as templates: ``{rows}``
    stands for the number of rows, ``{args[0]}`` for the first argument of the helper.
    """

    name: str
    module: str
    outputs: tuple[str, ...]
    total: str = ""
    checks: tuple[str, ...] = ()


VISION = "modeling_vision_utils"
AUDIO = "modeling_audio_utils"

CU_SEQLENS = Helper(
    "get_vision_cu_seqlens",
    VISION,
    ("cu_seqlens",),
    checks=('check_boundaries("cu_seqlens", cu_seqlens, {rows})',),
)
ROTARY_POS_IDS = Helper(
    "get_rotary_pos_ids",
    VISION,
    ("rotary_pos_ids",),
    "num_tokens",
    ('check_shape("rotary_pos_ids", rotary_pos_ids, ({rows}, 2))',),
)
IMAGE_POS_IDS = Helper(
    "get_image_pos_ids",
    VISION,
    ("rotary_pos_ids",),
    checks=('check_shape("rotary_pos_ids", rotary_pos_ids, ({args[0]} * {args[1]}, 2))',),
)
WINDOW_INDEX = Helper(
    "get_window_index",
    VISION,
    ("window_index", "cu_window_seqlens"),
    "num_tokens",
    (
        'check_shape("window_index", window_index, ({rows} // {args[1]}**2,))',
        'check_boundaries("cu_window_seqlens", cu_window_seqlens, {rows})',
    ),
)
POS_EMBED = Helper(
    "get_pos_embed_indices",
    VISION,
    ("embed_indices", "bilinear_weights"),
    "num_tokens",
    (
        'check_shape("embed_indices", embed_indices, (4, {rows}))',
        'check_shape("bilinear_weights", bilinear_weights, (4, {rows}))',
    ),
)

TEMPORAL_PAIRS = Helper("get_temporal_pair_indices", VISION, ("first_units", "second_units"))
BLOCK_ORDER = Helper("get_block_permutation", VISION, ("block_order",), "num_tokens")
FLATTENED = Helper("flatten_video_grid", VISION, ("flattened_video_grid_thw",))

CHUNKS = Helper(
    "chunk_and_pad_features",
    AUDIO,
    ("padded_feature", "chunk_lengths"),
    checks=(
        'check_shape("chunk_lengths", chunk_lengths, (None,))',
        'check_shape("padded_feature", padded_feature, (*chunk_lengths.shape, None, None))',
    ),
)
VALID_INDICES = Helper(
    "get_valid_indices",
    AUDIO,
    ("valid_indices",),
    checks=('check_rows("valid_indices", valid_indices, {law}(chunk_lengths))',),
)
AUDIO_CU_SEQLENS = Helper(
    "get_audio_cu_seqlens",
    AUDIO,
    ("cu_seqlens",),
    checks=('check_boundaries("cu_seqlens", cu_seqlens, valid_indices.shape[0])',),
)
POOL_INDICES = Helper("get_pool_indices", AUDIO, ("pool_indices",))

LIFTED = {
    h.name: h
    for h in (
        *(CU_SEQLENS, ROTARY_POS_IDS, IMAGE_POS_IDS, WINDOW_INDEX, POS_EMBED),
        *(CHUNKS, VALID_INDICES, AUDIO_CU_SEQLENS, POOL_INDICES),
    )
}

_ORDER = {
    name: number
    for number, name in enumerate(dict.fromkeys(n for h in LIFTED.values() for n in h.outputs))
}


def rank(name: str) -> int:
    """Where an optional input stands among those of a method; all others stand behind, as they are."""
    return _ORDER.get(name, len(_ORDER))


def is_input(name: str) -> bool:
    """Tell whether a name is that of an optional input."""
    return name in _ORDER


HELPER_MODULES = {
    **{name: helper.module for name, helper in LIFTED.items()},
    "chunked_eighth_lengths": AUDIO,
    "clear_beyond_longest": AUDIO,
    "widen_valid_indices": AUDIO,
    "flatten_video_grid": VISION,
    "get_block_permutation": VISION,
    "get_half_pixel_indices": VISION,
    "get_segment_ids": VISION,
    "get_segment_mask": VISION,
    "get_temporal_pair_indices": VISION,
    "get_unshuffle_indices": VISION,
    "halved_lengths": AUDIO,
    "add_extra_tensors": "extra_tensors",
    "check_boundaries": "precomputed_inputs",
    "check_together": "precomputed_inputs",
    "check_rows": "precomputed_inputs",
    "check_shape": "precomputed_inputs",
    "encoder_inputs": "precomputed_inputs",
    "is_tracing": "packed",
    "while_tracing": "packed",
    "split_precomputed": "precomputed_inputs",
}

DOCUMENTATION = {
    "cu_seqlens": (
        "`torch.Tensor` of shape `(num_segments + 1,)`",
        "Boundaries of the attention segments. Computed from the grid or the lengths if not given.",
    ),
    "rotary_pos_ids": (
        "`torch.Tensor` of shape `(seq_len, 2)`",
        "Row and column of every patch for the rotary embedding. Computed from the grid if not given.",
    ),
    "window_index": (
        "`torch.Tensor` of shape `(seq_len // spatial_merge_size**2,)`",
        "Window-major order of the merged patches. Computed from the grid if not given.",
    ),
    "cu_window_seqlens": (
        "`torch.Tensor` of shape `(num_windows + 1,)`",
        "Boundaries of the windows, counted in patches. Computed from the grid if not given.",
    ),
    "embed_indices": (
        "`torch.Tensor` of shape `(4, seq_len)`",
        "Entries of the position table around every patch. Computed from the grid if not given.",
    ),
    "bilinear_weights": (
        "`torch.Tensor` of shape `(4, seq_len)`",
        "Interpolation weights that belong to `embed_indices`. Computed from the grid if not given.",
    ),
    "padded_feature": (
        "`torch.Tensor` of shape `(num_chunks, num_mel_bins, max_chunk_length)`",
        "Input features cut into chunks and padded. Computed from the feature lengths if not given.",
    ),
    "chunk_lengths": (
        "`torch.Tensor` of shape `(num_chunks,)`",
        "Lengths of the chunks before padding. Computed from the feature lengths if not given.",
    ),
    "valid_indices": (
        "`torch.Tensor` of shape `(num_frames,)`",
        "Positions of the frames that are not padding. Computed from the chunk lengths if not given.",
    ),
    "pool_indices": (
        "`torch.Tensor` of shape `(num_tokens,)`",
        "First frame of every pooled pair. Computed from the feature lengths if not given.",
    ),
}


def helper_path(package: str, module: str) -> str:
    """A helper module as an import names it."""
    if package.split(".")[-1] == HELPERS:
        return package
    return f"{package}{module}" if package.endswith(".") else f"{package}.{module}"
