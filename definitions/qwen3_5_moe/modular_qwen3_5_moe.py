"""Qwen3.5 with a mixture of experts in the text decoder; the encoder is that of qwen3_5."""

from dataclasses import dataclass

import torch
from transformers import Qwen3_5MoeConfig, Qwen3_5MoeVisionConfig

from ..qwen3_5.modeling_qwen3_5 import (
    Qwen3_5ForConditionalGeneration,
    Qwen3_5Model,
    Qwen3_5ModelOutputWithPast,
    Qwen3_5PreTrainedModel,
    Qwen3_5VisionModel,
)
from ..qwen3_5.processing_qwen3_5 import Qwen3_5Processor


@dataclass
class Qwen3_5MoeModelOutputWithPast(Qwen3_5ModelOutputWithPast):
    router_logits: tuple[torch.FloatTensor] | None = None


class Qwen3_5MoePreTrainedModel(Qwen3_5PreTrainedModel):
    config: Qwen3_5MoeConfig


class Qwen3_5MoeVisionModel(Qwen3_5VisionModel):
    config: Qwen3_5MoeVisionConfig


class Qwen3_5MoeModel(Qwen3_5Model):
    pass


class Qwen3_5MoeForConditionalGeneration(Qwen3_5ForConditionalGeneration):
    pass


class Qwen3_5MoeProcessor(Qwen3_5Processor):
    pass


__all__ = [
    "Qwen3_5MoeForConditionalGeneration",
    "Qwen3_5MoeModel",
    "Qwen3_5MoePreTrainedModel",
    "Qwen3_5MoeProcessor",
    "Qwen3_5MoeVisionModel",
]
