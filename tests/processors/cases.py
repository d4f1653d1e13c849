"""Every processor of ours, with the one of transformers it is compared with and small parts for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Patches of 4 pixels, merged two by two, from 1 to 64 merged tokens: as the small encoders have them.
PATCHES = {"patch_size": 4, "merge_size": 2, "temporal_patch_size": 2}
SIZE = {"size": {"shortest_edge": 8 * 8, "longest_edge": 64 * 64}}
CLIP_SIZE = {"size": {"shortest_edge": 2 * 8 * 8, "longest_edge": 8 * 32 * 32}}
WORDS = ("<|im_start|>", "<|im_end|>")


@dataclass(frozen=True, eq=False)
class ProcessorCase:
    """One processor: classes by name, options of its parts, and how its prompts are written.

    `named` are the tokens that the tokenizer holds as attributes, `plain` further tokens, `wrapped` what
    a prompt holds for an item of each modality. `options` are keywords of every call.
    """

    model: str
    processor: str
    library: str
    named: Mapping[str, str]
    wrapped: Mapping[str, str]
    image: tuple[str, Mapping[str, Any]]
    video: tuple[str, Mapping[str, Any]] | None = None
    audio: tuple[str, Mapping[str, Any]] | None = None
    plain: tuple[str, ...] = WORDS
    options: Mapping[str, Any] = field(default_factory=lambda: {"do_sample_frames": False})
    #: Pattern of what the processor writes behind every prompt.
    suffix: str = ""
    #: Keywords of single calls without which samples cannot be joined.
    merging: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the prompts of a batch need the same number of items.
    equal_numbers: bool = False
    #: Fields of the model's configuration that name a token, besides those of the named ones.
    ids: Mapping[str, str] = field(default_factory=dict)
    #: Whether the library's processor is known to be wrong for these prompts; the definition says why.
    upstream_errs: Callable[[Sequence[Any]], bool] = lambda prompts: False

    @property
    def id(self) -> str:
        return self.model


QWEN = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
QWEN_PLAIN = ("<|vision_start|>", "<|vision_end|>", *WORDS)
QWEN_WRAPPED = {
    "image": "<|vision_start|><|image_pad|><|vision_end|>",
    "video": "<|vision_start|><|video_pad|><|vision_end|>",
}
QWEN_IDS = {
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
QWEN_IMAGE = ("Qwen2VLImageProcessor", {**PATCHES, **SIZE})
QWEN_VIDEO = ("Qwen2VLVideoProcessor", {**PATCHES, **CLIP_SIZE})

QWEN3_NAMED = {
    **QWEN,
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
QWEN3_VIDEO = ("Qwen3VLVideoProcessor", {**PATCHES, **CLIP_SIZE})
GLM = {"image_token": "<|image|>", "video_token": "<|video|>"}
GLM_WRAPPED = {
    "image": "<|begin_of_image|><|image|><|end_of_image|>",
    "video": "<|begin_of_video|><|video|><|end_of_video|>",
}
GLM_IDS = {
    "image_start_token_id": "<|begin_of_image|>",
    "image_end_token_id": "<|end_of_image|>",
    "video_start_token_id": "<|begin_of_video|>",
    "video_end_token_id": "<|end_of_video|>",
}


def qwen(model: str, processor: str, library: str, **options: Any) -> ProcessorCase:
    """One of the Qwen family."""
    video = QWEN3_VIDEO if "3" in model else QWEN_VIDEO
    named = QWEN3_NAMED if "3" in model else QWEN
    fixed = {"plain": QWEN_PLAIN, "ids": QWEN_IDS, **options}
    return ProcessorCase(model, processor, library, named, QWEN_WRAPPED, QWEN_IMAGE, video, **fixed)


def image_before_video(prompts: Sequence[Any]) -> bool:
    """Whether a prompt has a video somewhere behind an image."""
    kinds = [[part[0] for part in prompt if not isinstance(part, str)] for prompt in prompts]
    return any(
        kind == "video" and "image" in row[:n] for row in kinds for n, kind in enumerate(row)
    )


def glm(model: str, processor: str, parts: str) -> ProcessorCase:
    """One of the GLM family, with the parts of the library under this name."""
    return ProcessorCase(
        model,
        processor,
        f"{parts}Processor",
        GLM,
        GLM_WRAPPED,
        (f"{parts}ImageProcessor", {**PATCHES, **SIZE}),
        (f"{parts}VideoProcessor", {**PATCHES, **CLIP_SIZE}),
        plain=(*GLM_IDS.values(), *WORDS),
        ids=GLM_IDS,
        upstream_errs=image_before_video,
    )


ERNIE = {
    f"{kind.lower()}{place.lower()}_token": f"<|{kind}{place or '_PLACEHOLDER'}|>"
    for kind in ("IMAGE", "VIDEO")
    for place in ("", "_START", "_END")
}
OMNI = {
    "image_token": "<|IMAGE|>",
    "video_token": "<|VIDEO|>",
    "audio_token": "<|AUDIO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}


def omni(model: str, processor: str, merging: Mapping[str, Any]) -> ProcessorCase:
    """One that also hears: sounds of at most two seconds, in eight bins of mel."""
    return ProcessorCase(
        model,
        processor,
        processor,
        OMNI,
        {
            "image": "<|vision_bos|><|IMAGE|><|vision_eos|>",
            "video": "<|vision_bos|><|VIDEO|><|vision_eos|>",
            "audio": "<|audio_bos|><|AUDIO|><|audio_eos|>",
        },
        QWEN_IMAGE,
        QWEN_VIDEO,
        ("WhisperFeatureExtractor", {"feature_size": 8, "chunk_length": 3}),
        # The processor has sizes of its own for videos.
        options={"videos_kwargs": {"do_sample_frames": False, **CLIP_SIZE}},
        merging={"audio_kwargs": merging},
        ids={
            "vision_start_token_id": "<|vision_bos|>",
            "vision_end_token_id": "<|vision_eos|>",
            "audio_start_token_id": "<|audio_bos|>",
            "audio_end_token_id": "<|audio_eos|>",
            "user_token_id": "<|im_start|>",
        },
    )


CASES = (
    qwen("qwen2_vl", "Qwen2VLProcessor", "Qwen2VLProcessor"),
    qwen("qwen2_5_vl", "Qwen2_5_VLProcessor", "Qwen2_5_VLProcessor"),
    qwen("qwen3_vl", "Qwen3VLProcessor", "Qwen3VLProcessor"),
    qwen("qwen3_vl_moe", "Qwen3VLMoeProcessor", "Qwen3VLProcessor"),
    qwen("qwen3_5", "Qwen3_5Processor", "Qwen3VLProcessor"),
    qwen("qwen3_5_moe", "Qwen3_5MoeProcessor", "Qwen3VLProcessor"),
    glm("glm4v", "Glm4vProcessor", "Glm4v"),
    glm("glm4v_moe", "Glm4vMoeProcessor", "Glm4v"),
    glm("glm_ocr", "GlmOcrProcessor", "Glm46V"),
    ProcessorCase(
        "ernie4_5_vl_moe",
        "Ernie4_5_VLMoeProcessor",
        "Ernie4_5_VLMoeProcessor",
        ERNIE,
        {
            "image": "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>",
            "video": "<|VIDEO_START|><|VIDEO_PLACEHOLDER|><|VIDEO_END|>",
        },
        ("Ernie4_5_VLMoeImageProcessor", {**PATCHES, **SIZE}),
        ("Ernie4_5_VLMoeVideoProcessor", {**PATCHES, **CLIP_SIZE, "draw_on_frames": False}),
        # That of the library needs prompts of one length.
        options={"do_sample_frames": False, "padding": True},
        ids={f"{name.replace('_token', '_token_id')}": token for name, token in ERNIE.items()},
    ),
    ProcessorCase(
        "video_llama_3",
        "VideoLlama3Processor",
        "VideoLlama3Processor",
        QWEN,
        {"image": "<|image_pad|>", "video": "<|video_pad|>"},
        (
            "VideoLlama3ImageProcessor",
            {**PATCHES, "temporal_patch_size": 1, "merge_size": 1, **SIZE},
        ),
        ("VideoLlama3VideoProcessor", {**PATCHES, "temporal_patch_size": 1, **CLIP_SIZE}),
    ),
    ProcessorCase(
        "paddleocr_vl",
        "PaddleOCRVLProcessor",
        "PaddleOCRVLProcessor",
        {"image_token": "<|IMAGE_PLACEHOLDER|>"},
        {"image": "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>"},
        ("PaddleOCRVLImageProcessor", {**PATCHES, "temporal_patch_size": 1, **SIZE}),
        plain=("<|IMAGE_START|>", "<|IMAGE_END|>", *WORDS),
        options={},
        ids={
            "vision_start_token_id": "<|IMAGE_START|>",
            "vision_end_token_id": "<|IMAGE_END|>",
        },
    ),
    ProcessorCase(
        "glm_image",
        "GlmImageProcessor",
        "GlmImageProcessor",
        {"image_token": "<|image|>", "grid_bos_token": "<sop>", "grid_eos_token": "<eop>"},
        {"image": "<|begin_of_image|><|image|><|end_of_image|>"},
        ("GlmImageImageProcessor", {**PATCHES, "merge_size": 1, "temporal_patch_size": 1, **SIZE}),
        options={"padding": True, "target_h": 160, "target_w": 96},
        plain=("<|begin_of_image|>", "<|end_of_image|>", *WORDS),
        ids={
            "image_start_token_id": "<|begin_of_image|>",
            "image_end_token_id": "<|end_of_image|>",
        },
        suffix=r"(<sop>\d+ \d+<eop>){1,2}<s>",
        equal_numbers=True,
    ),
    omni("qwen2_5_omni", "Qwen2_5OmniProcessor", {}),
    omni("qwen3_omni_moe", "Qwen3OmniMoeProcessor", {"padding": "max_length"}),
)
