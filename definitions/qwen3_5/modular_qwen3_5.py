"""Qwen3.5: the encoder of qwen3_vl without tapped blocks, in front of a decoder with linear attention."""

import torch
import torch.nn.functional as F
from transformers import Qwen3_5Config, Qwen3_5VisionConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from ..qwen2_vl.modeling_qwen2_vl import Qwen2VLForConditionalGeneration, Qwen2VLModel
from ..qwen3_vl.modeling_qwen3_vl import Qwen3VLPreTrainedModel, Qwen3VLVisionModel
from ..qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor


class Qwen3_5PreTrainedModel(Qwen3VLPreTrainedModel):
    _no_split_modules = ["Qwen3_5DecoderLayer", "Qwen3_5VisionBlock"]


class Qwen3_5VisionModel(Qwen3VLVisionModel):
    config: Qwen3_5VisionConfig

    def __init__(self, config: Qwen3_5VisionConfig) -> None:
        super().__init__(config)
        del self.deepstack_visual_indexes
        del self.deepstack_merger_list

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
            The patches after the last block, and as `pooler_output` the merged tokens.
        """
        hidden_states = self.patch_embed(hidden_states)
        hidden_states = hidden_states + self.fast_pos_embed_interpolate(grid_thw)
        rotary_pos_emb = self.rot_pos_emb(grid_thw)
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

        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.merger(hidden_states),
        )


class Qwen3_5Model(Qwen2VLModel):
    frames_apart = True

    def __init__(self, config: Qwen3_5Config) -> None:
        super().__init__(config)
        self.visual = Qwen3_5VisionModel._from_config(config.vision_config)


class Qwen3_5ForConditionalGeneration(Qwen2VLForConditionalGeneration):
    pass


class Qwen3_5Processor(Qwen3VLProcessor):
    pass


__all__ = [
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5Model",
    "Qwen3_5PreTrainedModel",
    "Qwen3_5Processor",
    "Qwen3_5VisionModel",
]
