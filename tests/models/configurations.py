"""Tiny configurations of every model, and the grids and prompts that the model tests run on.

The sizes are small but not arbitrary: patches of 4 pixels, heads of 8 channels, a position table of
6 x 6 and windows of 4 x 4 merged tokens, so that the grids below fall under, on and over each of them.
"""

from dataclasses import dataclass, field
from typing import Any

Grid = tuple[tuple[int, int, int], ...]

MINIMAL: Grid = ((1, 2, 2),)
SINGLE: Grid = ((1, 4, 4),)
SEVERAL: Grid = ((1, 4, 4), (1, 6, 10), (1, 2, 2))
WIDE: Grid = ((1, 2, 14),)
LARGE: Grid = ((1, 20, 12),)
ONE_WINDOW: Grid = ((1, 8, 8),)
FOUR_WINDOWS: Grid = ((1, 16, 16),)
TABLE_SIDE: Grid = ((1, 6, 6),)
VIDEO: Grid = ((3, 4, 6),)
MIXED: Grid = ((1, 4, 6), (2, 6, 4))
LONG_VIDEO: Grid = ((4, 8, 12), (1, 10, 6))
SHORT_VIDEO: Grid = ((2, 2, 2),)

IMAGE_GRIDS = (MINIMAL, SINGLE, SEVERAL, WIDE, LARGE, ONE_WINDOW, FOUR_WINDOWS, TABLE_SIDE)
VIDEO_GRIDS = (VIDEO, MIXED, LONG_VIDEO, SHORT_VIDEO)
ALL_GRIDS = IMAGE_GRIDS + VIDEO_GRIDS


LONGEST = ("max_seqlen", "max_window_seqlen")
PLAIN_TENSORS = ("cu_seqlens", "rotary_pos_ids", "max_seqlen")
WINDOW_TENSORS = ("cu_seqlens", "rotary_pos_ids", "window_index", "cu_window_seqlens", *LONGEST)
CENTRE_TENSORS = ("cu_seqlens", "rotary_pos_ids", "block_centres", "max_seqlen")
SAMPLED_TENSORS = ("cu_seqlens", "rotary_pos_ids", "sampling_grid", "max_seqlen")
TABLE_TENSORS = ("cu_seqlens", "rotary_pos_ids", "embed_indices", "bilinear_weights", "max_seqlen")
CHUNK_TENSORS = ("padded_feature", "chunk_lengths", "valid_indices", "cu_seqlens", "max_seqlen")


@dataclass(frozen=True)
class VisionCase:
    """One vision encoder: its class and configuration class by name, and the input it takes.

    `patch_shape` is the shape of one row of the input, `grids` are the ones that the architecture
    accepts, `tensors` the optional inputs that the generated encoder computes if they are not given.
    """

    model: str
    encoder: str
    config_class: str
    config: dict[str, Any]
    patch_shape: tuple[int, ...] = (96,)
    grids: tuple[Grid, ...] = ALL_GRIDS
    kind: str = "packed"
    tensors: tuple[str, ...] = PLAIN_TENSORS

    @property
    def id(self) -> str:
        return self.model


@dataclass(frozen=True)
class AudioCase:
    """One audio encoder, and lists of lengths in mel frames."""

    model: str
    encoder: str
    config_class: str
    config: dict[str, Any]
    lengths: tuple[tuple[int, ...], ...]
    tensors: tuple[str, ...]
    kind: str = "audio"

    @property
    def id(self) -> str:
        return f"{self.model}-audio"


@dataclass(frozen=True)
class FullCase:
    """One multimodal model with a language head, and how its prompts are written."""

    model: str
    model_class: str
    config_class: str
    config: dict[str, Any]
    patch_shape: tuple[int, ...] = (96,)
    merge_size: int = 2
    video: bool = True
    audio: bool = False
    frames_apart: bool = False
    video_id: int = 8
    frames_per_token: int = 1
    token_types: str | None = "mm_token_type_ids"
    targets_in_grid: bool = False
    audio_tokens: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.model


QWEN2_VISION = {
    "depth": 2,
    "embed_dim": 16,
    "hidden_size": 24,
    "hidden_act": "quick_gelu",
    "mlp_ratio": 2,
    "num_heads": 2,
    "in_channels": 3,
    "patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
QWEN2_5_VISION = {
    "depth": 2,
    "hidden_size": 16,
    "hidden_act": "silu",
    "intermediate_size": 20,
    "num_heads": 2,
    "in_channels": 3,
    "patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "tokens_per_second": 2,
    "window_size": 32,
    "out_hidden_size": 24,
    "fullatt_block_indexes": [1],
}
QWEN3_5_VISION = {
    "depth": 3,
    "hidden_size": 16,
    "hidden_act": "gelu_pytorch_tanh",
    "intermediate_size": 20,
    "num_heads": 2,
    "in_channels": 3,
    "patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "out_hidden_size": 24,
    "num_position_embeddings": 36,
}
QWEN3_VISION = {**QWEN3_5_VISION, "deepstack_visual_indexes": [0, 2]}
GLM_VISION = {
    "depth": 2,
    "hidden_size": 16,
    "hidden_act": "silu",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "num_heads": 2,
    "in_channels": 3,
    "image_size": 24,
    "patch_size": 4,
    "rms_norm_eps": 1e-5,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "out_hidden_size": 24,
    "intermediate_size": 20,
}
GLM_IMAGE_VISION = {
    "depth": 2,
    "hidden_size": 16,
    "hidden_act": "gelu",
    "attention_bias": True,
    "attention_dropout": 0.0,
    "num_heads": 2,
    "in_channels": 3,
    "image_size": 24,
    "patch_size": 4,
    "spatial_merge_size": 1,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-6,
}
ERNIE_VISION = {
    "depth": 2,
    "hidden_size": 16,
    "hidden_act": "quick_gelu",
    "num_heads": 2,
    "in_channels": 3,
    "patch_size": 4,
    "spatial_merge_size": 2,
    "temporal_merge_size": 2,
    "intermediate_size": 20,
    "rms_norm_eps": 1e-6,
}
VIDEO_LLAMA_VISION = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_channels": 3,
    "patch_size": 4,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
    "attention_dropout": 0.0,
}
PADDLE_VISION = {**VIDEO_LLAMA_VISION, "image_size": 24, "spatial_merge_size": 2}
MLCD_VISION = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_groups": 1,
    "num_channels": 3,
    "image_size": 24,
    "patch_size": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "attention_dropout": 0.0,
}
QWEN2_5_AUDIO = {
    "num_mel_bins": 8,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 20,
    "d_model": 16,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_function": "gelu",
    "activation_dropout": 0.0,
    "scale_embedding": False,
    "initializer_range": 0.02,
    "max_source_positions": 64,
    "n_window": 4,
    "output_dim": 24,
}
QWEN3_AUDIO = {
    **QWEN2_5_AUDIO,
    "n_window": 50,
    "n_window_infer": 200,
    "conv_chunksize": 3,
    "downsample_hidden_size": 6,
}

VISION_CASES = (
    VisionCase(
        "qwen2_vl", "Qwen2VisionTransformerPretrainedModel", "Qwen2VLVisionConfig", QWEN2_VISION
    ),
    VisionCase(
        "qwen2_5_vl",
        "Qwen2_5_VisionTransformerPretrainedModel",
        "Qwen2_5_VLVisionConfig",
        QWEN2_5_VISION,
        tensors=WINDOW_TENSORS,
    ),
    VisionCase(
        "qwen3_vl", "Qwen3VLVisionModel", "Qwen3VLVisionConfig", QWEN3_VISION, tensors=TABLE_TENSORS
    ),
    VisionCase(
        "qwen3_5",
        "Qwen3_5VisionModel",
        "Qwen3_5VisionConfig",
        QWEN3_5_VISION,
        tensors=TABLE_TENSORS,
    ),
    VisionCase(
        "qwen3_vl_moe",
        "Qwen3VLMoeVisionModel",
        "Qwen3VLMoeVisionConfig",
        QWEN3_VISION,
        tensors=TABLE_TENSORS,
    ),
    VisionCase(
        "qwen3_5_moe",
        "Qwen3_5MoeVisionModel",
        "Qwen3_5MoeVisionConfig",
        QWEN3_5_VISION,
        tensors=TABLE_TENSORS,
    ),
    VisionCase(
        "qwen2_5_omni",
        "Qwen2_5OmniVisionEncoder",
        "Qwen2_5OmniVisionEncoderConfig",
        QWEN2_5_VISION,
        tensors=WINDOW_TENSORS,
    ),
    VisionCase(
        "qwen3_omni_moe",
        "Qwen3OmniMoeVisionEncoder",
        "Qwen3OmniMoeVisionEncoderConfig",
        QWEN3_VISION,
        tensors=TABLE_TENSORS,
    ),
    VisionCase(
        "glm4v",
        "Glm4vVisionModel",
        "Glm4vVisionConfig",
        GLM_VISION,
        grids=IMAGE_GRIDS,
        tensors=SAMPLED_TENSORS,
    ),
    VisionCase(
        "glm4v_moe",
        "Glm4vMoeVisionModel",
        "Glm4vMoeVisionConfig",
        GLM_VISION,
        grids=IMAGE_GRIDS,
        tensors=SAMPLED_TENSORS,
    ),
    VisionCase(
        "glm_image",
        "GlmImageVisionModel",
        "GlmImageVisionConfig",
        GLM_IMAGE_VISION,
        patch_shape=(48,),
        grids=IMAGE_GRIDS,
        tensors=SAMPLED_TENSORS,
    ),
    VisionCase("glm_ocr", "GlmOcrVisionModel", "GlmOcrVisionConfig", GLM_VISION),
    VisionCase(
        "ernie4_5_vl_moe",
        "Ernie4_5_VLMoeVisionTransformerPretrainedModel",
        "Ernie4_5_VLMoeVisionConfig",
        ERNIE_VISION,
        patch_shape=(48,),
    ),
    VisionCase(
        "video_llama_3",
        "VideoLlama3VisionModel",
        "VideoLlama3VisionConfig",
        VIDEO_LLAMA_VISION,
        patch_shape=(48,),
        kind="merge_sizes",
        tensors=CENTRE_TENSORS,
    ),
    VisionCase(
        "paddleocr_vl",
        "PaddleOCRVisionModel",
        "PaddleOCRVisionConfig",
        PADDLE_VISION,
        patch_shape=(3, 4, 4),
        kind="raster",
        tensors=TABLE_TENSORS,
    ),
    VisionCase(
        "mlcd",
        "MLCDVisionModel",
        "MLCDVisionConfig",
        MLCD_VISION,
        kind="images",
        grids=IMAGE_GRIDS,
        tensors=("rotary_pos_ids",),
    ),
)

AUDIO_CASES = (
    AudioCase(
        "qwen2_5_omni",
        "Qwen2_5OmniAudioEncoder",
        "Qwen2_5OmniAudioEncoderConfig",
        QWEN2_5_AUDIO,
        lengths=((5,), (8,), (16, 8), (21, 3, 8, 30), (7, 9, 13), (3,)),
        tensors=(*CHUNK_TENSORS, "pool_indices"),
    ),
    AudioCase(
        "qwen3_omni_moe",
        "Qwen3OmniMoeAudioEncoder",
        "Qwen3OmniMoeAudioEncoderConfig",
        QWEN3_AUDIO,
        lengths=(
            (37,),
            (100,),
            (100, 200),
            (230, 37, 100, 451),
            (20, 37),
            (200, 400),
            (1,),
            (9, 108),
        ),
        tensors=CHUNK_TENSORS,
    ),
)

TEXT = {
    "vocab_size": 64,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def _rope(section: list[int], **more: Any) -> dict[str, Any]:
    return {
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e4,
            "mrope_section": section,
            **more,
        }
    }


_TOKENS = {"image_token_id": 7, "video_token_id": 8}
_QWEN_TOKENS = {**_TOKENS, "vision_start_token_id": 5, "vision_end_token_id": 6}
_GLM_TOKENS = {
    **_TOKENS,
    "image_start_token_id": 5,
    "image_end_token_id": 6,
    "video_start_token_id": 3,
    "video_end_token_id": 4,
}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
_QWEN2_TEXT = {**TEXT, **_rope([2, 2, 2])}
_QWEN3_TEXT = {**TEXT, "head_dim": 12, **_rope([2, 2, 2])}
_QWEN3_MOE_TEXT = {**_QWEN3_TEXT, **_EXPERTS, "decoder_sparse_step": 1}
_QWEN3_5_TEXT = {
    **TEXT,
    "head_dim": 24,
    **_rope([1, 1, 1], partial_rotary_factor=0.25),
    "linear_conv_kernel_dim": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "layer_types": ["linear_attention", "full_attention"],
}
_GLM_TEXT = {**TEXT, **_rope([1, 1, 1], partial_rotary_factor=0.5)}
_THINKER_TOKENS = {
    "image_token_id": 7,
    "video_token_id": 8,
    "audio_token_id": 9,
    "vision_start_token_id": 5,
    "vision_end_token_id": 6,
    "audio_start_token_id": 10,
    "audio_end_token_id": 11,
    "user_token_id": 12,
}

FULL_CASES = (
    FullCase(
        "qwen2_vl",
        "Qwen2VLForConditionalGeneration",
        "Qwen2VLConfig",
        {"vision_config": QWEN2_VISION, "text_config": _QWEN2_TEXT, **_QWEN_TOKENS},
    ),
    FullCase(
        "qwen2_5_vl",
        "Qwen2_5_VLForConditionalGeneration",
        "Qwen2_5_VLConfig",
        {"vision_config": QWEN2_5_VISION, "text_config": _QWEN2_TEXT, **_QWEN_TOKENS},
    ),
    FullCase(
        "qwen3_vl",
        "Qwen3VLForConditionalGeneration",
        "Qwen3VLConfig",
        {"vision_config": QWEN3_VISION, "text_config": _QWEN3_TEXT, **_QWEN_TOKENS},
        frames_apart=True,
    ),
    FullCase(
        "qwen3_vl_moe",
        "Qwen3VLMoeForConditionalGeneration",
        "Qwen3VLMoeConfig",
        {"vision_config": QWEN3_VISION, "text_config": _QWEN3_MOE_TEXT, **_QWEN_TOKENS},
        frames_apart=True,
    ),
    FullCase(
        "qwen3_5",
        "Qwen3_5ForConditionalGeneration",
        "Qwen3_5Config",
        {"vision_config": QWEN3_5_VISION, "text_config": _QWEN3_5_TEXT, **_QWEN_TOKENS},
        frames_apart=True,
    ),
    FullCase(
        "qwen3_5_moe",
        "Qwen3_5MoeForConditionalGeneration",
        "Qwen3_5MoeConfig",
        {
            "vision_config": QWEN3_5_VISION,
            "text_config": {**_QWEN3_5_TEXT, **_EXPERTS, "shared_expert_intermediate_size": 8},
            **_QWEN_TOKENS,
        },
        frames_apart=True,
    ),
    FullCase(
        "glm4v",
        "Glm4vForConditionalGeneration",
        "Glm4vConfig",
        {"vision_config": GLM_VISION, "text_config": _GLM_TEXT, **_GLM_TOKENS},
        frames_apart=True,
        video_id=7,
    ),
    FullCase(
        "glm4v_moe",
        "Glm4vMoeForConditionalGeneration",
        "Glm4vMoeConfig",
        {
            "vision_config": GLM_VISION,
            "text_config": {
                **_GLM_TEXT,
                "head_dim": 12,
                "n_routed_experts": 4,
                "n_shared_experts": 1,
                "n_group": 1,
                "topk_group": 1,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 8,
                "first_k_dense_replace": 1,
            },
            **_GLM_TOKENS,
        },
        frames_apart=True,
        video_id=7,
    ),
    FullCase(
        "glm_ocr",
        "GlmOcrForConditionalGeneration",
        "GlmOcrConfig",
        {"vision_config": GLM_VISION, "text_config": _GLM_TEXT, **_GLM_TOKENS},
        frames_apart=True,
        video_id=7,
    ),
    FullCase(
        "glm_image",
        "GlmImageForConditionalGeneration",
        "GlmImageConfig",
        {
            "vision_config": GLM_IMAGE_VISION,
            "text_config": {
                **_GLM_TEXT,
                "vocab_size": 96,
                "vision_vocab_size": 64,
                "eos_token_id": 1,
            },
            "vq_config": {
                "embed_dim": 12,
                "num_embeddings": 32,
                "latent_channels": 16,
                "in_channels": 3,
            },
            "image_token_id": 50,
            "image_start_token_id": 51,
            "image_end_token_id": 52,
        },
        patch_shape=(48,),
        merge_size=1,
        video=False,
        token_types=None,
        targets_in_grid=True,
    ),
    FullCase(
        "ernie4_5_vl_moe",
        "Ernie4_5_VLMoeForConditionalGeneration",
        "Ernie4_5_VLMoeConfig",
        {
            "vision_config": ERNIE_VISION,
            "text_config": {
                **TEXT,
                **_rope([2, 2, 2]),
                "moe_intermediate_size": [8, 8],
                "moe_num_experts": 4,
                "moe_k": 2,
                "moe_num_shared_experts": 1,
            },
            **_GLM_TOKENS,
        },
        patch_shape=(48,),
        frames_per_token=2,
        token_types="mm_token_type_ids",
    ),
    FullCase(
        "video_llama_3",
        "VideoLlama3ForConditionalGeneration",
        "VideoLlama3Config",
        {
            "vision_config": VIDEO_LLAMA_VISION,
            "text_config": {"model_type": "qwen2", **TEXT},
            **_TOKENS,
        },
        patch_shape=(48,),
        token_types=None,
    ),
    FullCase(
        "paddleocr_vl",
        "PaddleOCRVLForConditionalGeneration",
        "PaddleOCRVLConfig",
        {
            "vision_config": PADDLE_VISION,
            "text_config": {
                **TEXT,
                "head_dim": 12,
                "use_bias": False,
                "hidden_act": "silu",
                **_rope([2, 2, 2]),
            },
            **_QWEN_TOKENS,
        },
        patch_shape=(3, 4, 4),
        video=False,
    ),
    FullCase(
        "qwen2_5_omni",
        "Qwen2_5OmniThinkerForConditionalGeneration",
        "Qwen2_5OmniThinkerConfig",
        {
            "vision_config": QWEN2_5_VISION,
            "audio_config": QWEN2_5_AUDIO,
            "text_config": {**_QWEN2_TEXT, "layer_types": ["full_attention", "full_attention"]},
            **_THINKER_TOKENS,
            "position_id_per_seconds": 25,
            "seconds_per_chunk": 2,
        },
        audio=True,
        audio_tokens={100: 25},
        token_types=None,
    ),
    FullCase(
        "qwen3_omni_moe",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        "Qwen3OmniMoeThinkerConfig",
        {
            "vision_config": QWEN3_VISION,
            "audio_config": QWEN3_AUDIO,
            "text_config": _QWEN3_MOE_TEXT,
            **_THINKER_TOKENS,
            "position_id_per_seconds": 13,
        },
        audio=True,
        audio_tokens={100: 13},
        token_types=None,
    ),
)
