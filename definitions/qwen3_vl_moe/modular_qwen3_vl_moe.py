"""Qwen3-VL with a mixture of experts in the text decoder; the encoder is that of qwen3_vl."""

from dataclasses import dataclass

import torch
from transformers import Qwen3VLMoeConfig, Qwen3VLMoeVisionConfig

from ..qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLForConditionalGeneration,
    Qwen3VLModel,
    Qwen3VLModelOutputWithPast,
    Qwen3VLPreTrainedModel,
    Qwen3VLVisionModel,
)
from ..qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor


@dataclass
class Qwen3VLMoeModelOutputWithPast(Qwen3VLModelOutputWithPast):
    router_logits: tuple[torch.FloatTensor] | None = None


class Qwen3VLMoePreTrainedModel(Qwen3VLPreTrainedModel):
    config: Qwen3VLMoeConfig


class Qwen3VLMoeVisionModel(Qwen3VLVisionModel):
    config: Qwen3VLMoeVisionConfig


class Qwen3VLMoeModel(Qwen3VLModel):
    pass


class Qwen3VLMoeForConditionalGeneration(Qwen3VLForConditionalGeneration):
    pass


class Qwen3VLMoeProcessor(Qwen3VLProcessor):
    pass


__all__ = [
    "Qwen3VLMoeForConditionalGeneration",
    "Qwen3VLMoeModel",
    "Qwen3VLMoePreTrainedModel",
    "Qwen3VLMoeProcessor",
    "Qwen3VLMoeVisionModel",
]
