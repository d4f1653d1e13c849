"""The registry of runtime helpers: what each takes, returns and checks, and how its results are documented.

Everything that the passes write about a helper follows from its entry: imports, parameters and their order,
checks of given values, docstrings, and the types of precomputed inputs (:mod:`codegen.rewrite.input_types`).
``tests/rewrite/test_helper_registry.py`` holds the entries against the functions in ``utils/``.
"""

from __future__ import annotations

from codegen.rewrite.audio_helpers import AUDIO_CU_SEQLENS, CHUNKS, POOL_INDICES, VALID_INDICES
from codegen.rewrite.helper_entry import AUDIO, PROMPTS, SEGMENTS, SOUNDS, VISION, Helper, Result
from codegen.rewrite.vision_helpers import (
    BLOCK_ORDER,
    CU_SEQLENS,
    FLATTENED,
    HALF_PIXEL,
    IMAGE_POS_IDS,
    MAX_WINDOW_SEQLEN,
    POS_EMBED,
    ROTARY_POS_IDS,
    SAMPLING_GRID,
    TEMPORAL_PAIRS,
    UNSHUFFLE,
    WINDOW_INDEX,
)
from codegen.trees.names import HELPERS

MAX_SEQLEN = Helper(
    "get_max_seqlen",
    SEGMENTS,
    ("cu_seqlens",),
    (),
    (
        Result(
            "max_seqlen",
            "()",
            "cu_seqlens",
            "Tokens of the longest segment, for kernels that ask. "
            "Computed from `cu_seqlens` if not given.",
        ),
    ),
    checks=('check_longest("max_seqlen", max_seqlen, {args[0]})',),
)

PROMPT_POSITIONS = Helper(
    "get_prompt_positions",
    PROMPTS,
    ("token_types", "image_grid_thw", "video_grid_thw", "spatial_merge_size"),
    ("temporal_merge_size", "frames_apart", "tokens_per_second", "seconds")
    + ("attention_mask", "dtype"),
    (
        Result("position_ids", "(3, num_prompts, prompt_length)", "int64"),
        Result("rope_deltas", "(num_prompts, 1)", "int64"),
    ),
)
SOUND_PROMPTS = Helper(
    "get_sound_prompt_positions",
    SOUNDS,
    ("input_ids", "image_grid_thw", "video_grid_thw", "spatial_merge_size"),
    ("image_token", "video_token", "audio_token", "vision_start_token", "audio_start_token")
    + ("positions_per_second", "seconds", "attention_mask", "padding_position")
    + ("delimiters_share_position", "dtype"),
    PROMPT_POSITIONS.results,
)

_LIFTED = (
    *(CU_SEQLENS, ROTARY_POS_IDS, IMAGE_POS_IDS, WINDOW_INDEX, POS_EMBED, HALF_PIXEL),
    SAMPLING_GRID,
    *(TEMPORAL_PAIRS, BLOCK_ORDER, UNSHUFFLE),
    *(MAX_SEQLEN, MAX_WINDOW_SEQLEN),
    *(CHUNKS, VALID_INDICES, AUDIO_CU_SEQLENS, POOL_INDICES),
)
_OTHERS = (
    *(FLATTENED, PROMPT_POSITIONS, SOUND_PROMPTS),
    Helper(
        "get_segment_ids",
        VISION,
        ("cu_seqlens", "num_tokens"),
        (),
        (Result("segment_ids", "(seq_len,)", "int64"),),
    ),
    Helper(
        "get_segment_mask",
        VISION,
        ("segment_ids", "dtype"),
        ("within",),
        (Result("mask", "(1, 1, seq_len, seq_len)", "bool"),),
    ),
    Helper(
        "halved_lengths",
        AUDIO,
        ("lengths",),
        (),
        (Result("halved", "(num_lengths,)", "lengths"),),
    ),
    Helper(
        "chunked_eighth_lengths",
        AUDIO,
        ("lengths", "n_window"),
        (),
        (Result("eighths", "(num_lengths,)", "lengths"),),
    ),
    Helper(
        "clear_beyond_longest",
        AUDIO,
        ("columns", "chunk_lengths", "stride"),
        (),
        (Result("cleared", "(num_chunks, num_channels, width)", "columns"),),
    ),
    Helper(
        "widen_valid_indices",
        AUDIO,
        ("valid_indices", "chunk_lengths", "width", "stride"),
        (),
        (Result("widened", "(num_frames,)", "valid_indices"),),
    ),
)

BY_CAPTURE = (HALF_PIXEL, BLOCK_ORDER, UNSHUFFLE)
"""Those that rules of capture bring in, for a second form of what runs image by image."""
LONGEST = {helper.takes[0]: helper for helper in (MAX_SEQLEN, MAX_WINDOW_SEQLEN)}
"""What layers compute from boundaries that they are given, by the name that an encoder gives these."""
REGISTRY = {helper.name: helper for helper in (*_LIFTED, *_OTHERS)}
"""Every function of tensors that passes call, by name."""
LIFTED = {helper.name: helper for helper in _LIFTED}
"""Those whose results become optional inputs."""
INPUTS = {result.name: result for helper in _LIFTED for result in helper.results}
"""The optional inputs by name, in the order that all signatures have."""

_PLUMBING = {
    "extra_tensors": ("add_extra_tensors",),
    "processing_utils": (
        "add_replacement_offsets",
        "get_text_with_replacements",
        "next_item",
        "order_by_form",
        "placeholder_positions",
        "placeholders_in",
        "pop_offsets_option",
    ),
    "replacement_offsets": ("chain_offsets", "move_offsets"),
    "chunk_convolution": ("chunk_width", "convolve_chunks"),
    "grid_sampling": ("sample_grid",),
    "down_scale": ("scale_down_blocks",),
    "item_features": ("count_selected", "split_by_item"),
    "packed": ("count_lengths", "is_tracing", "require_sizes", "while_tracing"),
    "precomputed_inputs": (
        *("check_boundaries", "check_centres", "check_columns", "check_longest", "check_pairs"),
        *("check_rows", "check_shape"),
        "check_together",
        *("encoder_inputs", "given_inputs", "split_precomputed"),
    ),
    "precomputed_types": ("AudioInputs", "ImageInputs", "VideoInputs"),
    "segment_attention": ("attend_segments",),
    "source_images": (
        *("get_source_positions", "keep_targets", "refuse_in_graph", "sizes_of_item"),
        "take_first_rows",
    ),
}
"""Functions that return no tensors of their own or call what they are given, and types, by module."""
TAKE_NO_GRID = frozenset(("check_centres", "check_pairs", "flatten_video_grid", "split_by_item"))
"""Helpers that do what is to be done where the grid that they take is None."""
HELPER_MODULES = {
    **{helper.name: helper.module for helper in REGISTRY.values()},
    **{name: module for module, names in _PLUMBING.items() for name in names},
}
"""Where everything is that rewritten code may import."""

_ORDER = {name: number for number, name in enumerate(INPUTS)}


def rank(name: str) -> int:
    """Where an optional input stands among those of a method; all others stand behind, as they are."""
    return _ORDER.get(name, len(_ORDER))


def is_input(name: str) -> bool:
    """Tell whether a name is that of an optional input."""
    return name in _ORDER


def helper_path(package: str, module: str) -> str:
    """A helper module as an import names it."""
    if package.split(".")[-1] == HELPERS:
        return package
    return f"{package}{module}" if package.endswith(".") else f"{package}.{module}"
