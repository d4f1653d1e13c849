"""Marble: an image encoder like Qwen2-VL's with a width of its own, published with its code."""

from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLVisionConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel


class MarbleVLVisionConfig(Qwen2VLVisionConfig):
    model_type = "marble_vl_vision"


class MarbleVLVisionModel(Qwen2VisionTransformerPretrainedModel):
    config: MarbleVLVisionConfig


__all__ = ["MarbleVLVisionConfig", "MarbleVLVisionModel"]
