"""The registry of runtime helpers: what each takes, returns and checks, and how its results are documented.

Everything that the passes write about a helper follows from its entry: imports, parameters and their order,
checks of given values, docstrings, and the types of precomputed inputs (:mod:`codegen.rewrite.input_types`).
``tests/rewrite/test_helper_registry.py`` holds the entries against the functions in ``utils/``.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegen.trees.names import HELPERS

VISION = "modeling_vision_utils"
AUDIO = "modeling_audio_utils"
PROMPTS = "prompt_positions"
SOUNDS = "sound_prompts"
SEGMENTS = "segment_lengths"
"""What says nothing of a modality: segments of images, videos and audios."""


@dataclass(frozen=True, slots=True)
class Result:
    """A tensor that a helper returns: its name, its shape and its dtype, and what it holds.

    ``shape`` is written as in docstrings, ``dtype`` is the name of one, or of the argument that has it.
    ``text`` documents the optional input; it is empty where none is made of the result.
    """

    name: str
    shape: str
    dtype: str
    text: str = ""

    @property
    def kind(self) -> str:
        """Type and shape as docstrings write them."""
        return f"`torch.Tensor` of shape `{self.shape}`"


@dataclass(frozen=True, slots=True)
class Helper:
    """A function of tensors.

    ``takes`` are its parameters, ``bounds`` those that can only be given by name: sizes that would
    otherwise be read from values. The names of ``results`` are the optional parameters that a lift adds.
    ``total`` is the bound that makes the call capturable once the number of rows is known; ``checks``
    are the calls that refuse a given result which does not fit, as templates: ``{rows}`` stands for
    the number of rows, ``{args[0]}`` for the first argument of the helper. ``rounds`` is true if what is
    done with the results adds the same numbers in another order than the original: equal within rounding.
    """

    name: str
    module: str
    takes: tuple[str, ...]
    bounds: tuple[str, ...]
    results: tuple[Result, ...]
    total: str = ""
    checks: tuple[str, ...] = ()
    rounds: bool = False

    @property
    def needs_rows(self) -> bool:
        """Whether the number of rows says something about the results."""
        return bool(self.total) or any("{rows}" in check for check in self.checks)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the results."""
        return tuple(result.name for result in self.results)


_CU_SEQLENS = Result(
    "cu_seqlens",
    "(num_segments + 1,)",
    "int32",
    "Boundaries of the attention segments. Computed from the grid or the lengths if not given.",
)
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
    (_CU_SEQLENS,),
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
    (_CU_SEQLENS,),
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
        (),
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
