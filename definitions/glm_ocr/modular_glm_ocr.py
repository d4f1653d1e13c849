"""GLM-OCR: the encoder of glm4v without learned positions, with norms on queries and keys."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GlmOcrConfig, GlmOcrVisionConfig
from transformers.activations import ACT2FN
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.video_utils import VideoInput

from ..glm4v.modeling_glm4v import (
    Glm4vForConditionalGeneration,
    Glm4vModel,
    Glm4vPatchMerger,
    Glm4vPreTrainedModel,
    Glm4vRMSNorm,
    Glm4vVisionAttention,
    Glm4vVisionMlp,
    Glm4vVisionModel,
)
from ..glm4v.processing_glm4v import Glm4vProcessor, Glm4vProcessorKwargs


class GlmOcrRMSNorm(Glm4vRMSNorm):
    pass


class GlmOcrVisionMlp(Glm4vVisionMlp):
    def __init__(self, config: GlmOcrVisionConfig, bias: bool = False) -> None:
        bias = config.attention_bias
        super().__init__(config, bias)
        self.intermediate_size = config.intermediate_size


class GlmOcrPatchMerger(Glm4vPatchMerger):
    def __init__(self, config: GlmOcrVisionConfig) -> None:
        super(Glm4vPatchMerger, self).__init__()
        dim = config.out_hidden_size
        context_dim = config.out_hidden_size * config.in_channels
        self.proj = nn.Linear(dim, dim, bias=False)
        self.post_projection_norm = nn.LayerNorm(dim)
        self.gate_proj = nn.Linear(dim, context_dim, bias=False)
        self.up_proj = nn.Linear(dim, context_dim, bias=False)
        self.down_proj = nn.Linear(context_dim, dim, bias=False)
        self.act1 = nn.GELU()
        self.act_fn = ACT2FN[config.hidden_act]


class GlmOcrVisionAttention(Glm4vVisionAttention):
    def __init__(self, config: GlmOcrVisionConfig) -> None:
        super().__init__(config)
        self.proj = nn.Linear(self.dim, self.dim, bias=config.attention_bias)
        self.q_norm = GlmOcrRMSNorm(self.head_dim, eps=config.rms_norm_eps)
        self.k_norm = GlmOcrRMSNorm(self.head_dim, eps=config.rms_norm_eps)

    def project_in(
        self, hidden_states: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape `(tokens, heads, head_dim)`."""
        qkv = self.qkv(hidden_states).reshape(
            hidden_states.shape[0], 3, self.num_heads, self.head_dim
        )
        query_states, key_states, value_states = qkv.permute(1, 0, 2, 3).unbind(0)
        return self.q_norm(query_states), self.k_norm(key_states), value_states


class GlmOcrPreTrainedModel(Glm4vPreTrainedModel):
    config: GlmOcrConfig


class GlmOcrVisionModel(Glm4vVisionModel):
    config: GlmOcrVisionConfig

    def __init__(self, config: GlmOcrVisionConfig) -> None:
        super().__init__(config)
        del self.embeddings
        del self.post_conv_layernorm

    def forward(
        self,
        hidden_states: torch.Tensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images and videos.

        Args:
            hidden_states (`torch.Tensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images and videos, one after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image or video, counted in patches.

        Returns:
            The joined blocks, and as `pooler_output` what the merger makes of them.
        """
        hidden_states = self.patch_embed(hidden_states)
        rotary_pos_emb, _ = self.rot_pos_emb(grid_thw)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        for blk in self.blocks:
            hidden_states = blk(
                hidden_states,
                cu_seqlens=cu_seqlens,
                position_embeddings=position_embeddings,
                **kwargs,
            )

        hidden_states = self.join_blocks(self.post_layernorm(hidden_states))
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.merger(hidden_states),
        )


class GlmOcrModel(Glm4vModel):
    pass


class GlmOcrForConditionalGeneration(Glm4vForConditionalGeneration):
    pass


class GlmOcrProcessorKwargs(Glm4vProcessorKwargs, total=False):
    """Options of the processor: metadata of videos are always asked for."""


class GlmOcrProcessor(Glm4vProcessor):
    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[GlmOcrProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def write_time(self, seconds: float) -> str:
        return f"{seconds:.1f} seconds"


__all__ = [
    "GlmOcrForConditionalGeneration",
    "GlmOcrModel",
    "GlmOcrPreTrainedModel",
    "GlmOcrProcessor",
    "GlmOcrVisionModel",
]
