"""GLM-4.5V: glm4v with a mixture of experts in the text decoder."""

from dataclasses import dataclass

import torch
from transformers import Glm4vMoeConfig, Glm4vMoeVisionConfig

from ..glm4v.modeling_glm4v import (
    Glm4vForConditionalGeneration,
    Glm4vModel,
    Glm4vModelOutputWithPast,
    Glm4vPreTrainedModel,
    Glm4vVisionModel,
)
from ..glm4v.processing_glm4v import Glm4vProcessor


@dataclass
class Glm4vMoeModelOutputWithPast(Glm4vModelOutputWithPast):
    router_logits: tuple[torch.FloatTensor] | None = None


class Glm4vMoePreTrainedModel(Glm4vPreTrainedModel):
    config: Glm4vMoeConfig


class Glm4vMoeVisionModel(Glm4vVisionModel):
    config: Glm4vMoeVisionConfig


class Glm4vMoeModel(Glm4vModel):
    pass


class Glm4vMoeForConditionalGeneration(Glm4vForConditionalGeneration):
    pass


class Glm4vMoeProcessor(Glm4vProcessor):
    pass


__all__ = [
    "Glm4vMoeForConditionalGeneration",
    "Glm4vMoeModel",
    "Glm4vMoePreTrainedModel",
    "Glm4vMoeProcessor",
    "Glm4vMoeVisionModel",
]
