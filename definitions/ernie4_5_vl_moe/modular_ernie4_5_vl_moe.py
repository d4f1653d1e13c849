"""ERNIE 4.5 VL: a vision transformer without merger, and a resampler that joins blocks and pairs of frames.

The text decoder holds one set of experts for text and one for vision tokens.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    Ernie4_5_VLMoeConfig,
    Ernie4_5_VLMoeTextModel,
    Ernie4_5_VLMoeVisionConfig,
)
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import MultiModalData, Unpack
from transformers.utils import TransformersKwargs, can_return_tuple
from transformers.video_utils import VideoInput

from ..qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLRMSNorm,
    Qwen2_5_VLVisionAttention,
    Qwen2_5_VLVisionRotaryEmbedding,
)
from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VisionTransformerPretrainedModel,
    Qwen2VLCausalLMOutputWithPast,
    Qwen2VLForConditionalGeneration,
    Qwen2VLModel,
    Qwen2VLModelOutputWithPast,
    Qwen2VLPreTrainedModel,
    Qwen2VLVisionBlock,
    Qwen2VLVisionMlp,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs


@dataclass
class Ernie4_5_VLMoeModelOutputWithPast(Qwen2VLModelOutputWithPast):
    router_logits: tuple[torch.FloatTensor] | None = None


class Ernie4_5_VLMoeRMSNorm(Qwen2_5_VLRMSNorm):
    pass


class Ernie4_5_VLMoeVisionRotaryEmbedding(Qwen2_5_VLVisionRotaryEmbedding):
    pass


class Ernie4_5_VLMoeVisionAttention(Qwen2_5_VLVisionAttention):
    pass


class Ernie4_5_VLMoeVisionMlp(Qwen2VLVisionMlp):
    def __init__(self, config: Ernie4_5_VLMoeVisionConfig) -> None:
        super(Qwen2VLVisionMlp, self).__init__()
        hidden_dim = config.intermediate_size
        self.fc1 = nn.Linear(config.hidden_size, hidden_dim)
        self.act = ACT2FN[config.hidden_act]
        self.fc2 = nn.Linear(hidden_dim, config.hidden_size)


class Ernie4_5_VLMoePatchEmbed(nn.Module):
    """Projects each flattened patch of a single frame."""

    def __init__(self, config: Ernie4_5_VLMoeVisionConfig) -> None:
        super().__init__()
        patch_values = config.in_channels * config.patch_size**2
        self.proj = nn.Linear(patch_values, config.hidden_size, bias=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.proj(hidden_states.to(self.proj.weight.dtype))


class Ernie4_5_VLMoeVisionBlock(Qwen2VLVisionBlock):
    def __init__(self, config: Ernie4_5_VLMoeVisionConfig) -> None:
        super().__init__(config)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)


class Ernie4_5_VLMoePreTrainedModel(Qwen2VLPreTrainedModel):
    _no_split_modules = ["Ernie4_5_VLMoeDecoderLayer", "Ernie4_5_VLMoeVisionBlock"]
    _can_compile_fullgraph = False
    _keep_in_fp32_modules_strict = ["gate.weight", "moe_statics"]


class Ernie4_5_VLMoeVisionTransformerPretrainedModel(Qwen2VisionTransformerPretrainedModel):
    """Vision encoder: patch rows in, patch rows of the width of the encoder out."""

    config: Ernie4_5_VLMoeVisionConfig

    def __init__(self, config: Ernie4_5_VLMoeVisionConfig) -> None:
        super().__init__(config)
        del self.merger
        self.ln = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_init()

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
            The normalised patches after the last block; nothing is pooled.
        """
        hidden_states = self.patch_embed(hidden_states)
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
        return BaseModelOutputWithPooling(last_hidden_state=self.ln(hidden_states))


class Ernie4_5_VLMoeResamplerMlp(nn.Module):
    def __init__(self, config: Ernie4_5_VLMoeConfig, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_dim, out_dim)
        self.act_fn = nn.GELU()
        self.fc2 = nn.Linear(out_dim, out_dim)
        self.ln = nn.LayerNorm(out_dim, eps=config.vision_config.rms_norm_eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ln(self.fc2(self.act_fn(self.fc1(x))))


class Ernie4_5_VLMoeVariableResolutionResamplerModel(nn.Module):
    """Joins the patches of each block, then the same block of two neighbouring frames.

    A single image counts as a pair of equal frames; pairs are always two frames.
    """

    def __init__(self, config: Ernie4_5_VLMoeConfig) -> None:
        super().__init__()
        self.config = config
        self.spatial_merge_size = config.vision_config.spatial_merge_size
        self.temporal_merge_size = config.vision_config.temporal_merge_size
        self.spatial_dim = config.vision_config.hidden_size * self.spatial_merge_size**2
        self.temporal_dim = self.spatial_dim * self.temporal_merge_size
        self.spatial_linear = Ernie4_5_VLMoeResamplerMlp(config, self.spatial_dim, self.spatial_dim)
        self.temporal_linear = Ernie4_5_VLMoeResamplerMlp(
            config, self.temporal_dim, self.spatial_dim
        )
        self.mlp = nn.Linear(self.spatial_dim, config.text_config.hidden_size)
        self.after_norm = Ernie4_5_VLMoeRMSNorm(
            config.text_config.hidden_size, config.text_config.rms_norm_eps
        )

    def join_frames(self, hidden_states: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
        """Puts the rows of the second frame of each pair beside those of the first."""
        first_units, second_units = [], []
        start = 0
        for t, h, w in grid_thw.tolist():
            frame_units = h * w // self.spatial_merge_size**2
            end = start + t * frame_units
            frames = torch.arange(start, end).view(t, frame_units)
            # The last frame of an odd number above one has no partner and is left out.
            first_units.append(frames[0 : max(t - 1, 1) : 2].flatten())
            second_units.append(frames[min(t - 1, 1) :: 2].flatten())
            start = end
        first_units = torch.cat(first_units, dim=0).to(hidden_states.device)
        second_units = torch.cat(second_units, dim=0).to(hidden_states.device)
        return torch.cat([hidden_states[first_units], hidden_states[second_units]], dim=-1)

    def forward(self, hidden_states: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
        blocks = hidden_states.reshape(-1, hidden_states.shape[-1] * self.spatial_merge_size**2)
        hidden_states = self.spatial_linear(blocks)
        hidden_states = self.temporal_linear(self.join_frames(hidden_states, grid_thw))
        return self.after_norm(self.mlp(hidden_states))


class Ernie4_5_VLMoeModel(Qwen2VLModel):
    def __init__(self, config: Ernie4_5_VLMoeConfig) -> None:
        super().__init__(config)
        del self.visual
        self.vision_tower = Ernie4_5_VLMoeVisionTransformerPretrainedModel._from_config(
            config.vision_config
        )
        self.resampler_model = Ernie4_5_VLMoeVariableResolutionResamplerModel(config)
        self.language_model = Ernie4_5_VLMoeTextModel._from_config(config.text_config)
        self.post_init()

    def get_token_grid(self, grid_thw: torch.LongTensor, is_video: bool) -> torch.LongTensor:
        """Frames, rows and columns as the text decoder sees them; it sees the frames of videos in pairs."""
        config = self.config.vision_config
        frames = grid_thw[:, 0] // (config.temporal_merge_size if is_video else 1)
        sides = grid_thw[:, 1:] // config.spatial_merge_size
        return torch.stack([frames, *sides.unbind(1)], dim=1)

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        vision_outputs = self.vision_tower(pixel_values, image_grid_thw, **kwargs)
        image_embeds = self.resampler_model(vision_outputs.last_hidden_state, image_grid_thw)
        split_sizes = (image_grid_thw.prod(-1) // self.vision_tower.spatial_merge_size**2).tolist()
        vision_outputs.pooler_output = torch.split(image_embeds, split_sizes)
        return vision_outputs

    @can_return_tuple
    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        vision_outputs = self.vision_tower(pixel_values_videos, video_grid_thw, **kwargs)
        video_embeds = self.resampler_model(vision_outputs.last_hidden_state, video_grid_thw)
        merged = self.vision_tower.spatial_merge_size**2 * self.resampler_model.temporal_merge_size
        split_sizes = (video_grid_thw.prod(-1) // merged).tolist()
        vision_outputs.pooler_output = torch.split(video_embeds, split_sizes)
        return vision_outputs


class Ernie4_5_VLMoeCausalLMOutputWithPast(Qwen2VLCausalLMOutputWithPast):
    pass


class Ernie4_5_VLMoeForConditionalGeneration(Qwen2VLForConditionalGeneration):
    prompt_inputs = (
        "pixel_values",
        "pixel_values_videos",
        "mm_token_type_ids",
        "moe_mm_token_type_ids",
    )

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_videos: torch.FloatTensor | None = None,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        mm_token_type_ids: torch.IntTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        moe_mm_token_type_ids: torch.IntTensor | None = None,
        rope_deltas: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Ernie4_5_VLMoeCausalLMOutputWithPast:
        """Predicts the next token at every position.

        Args:
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Tokens to be predicted; -100 where there is no loss.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            mm_token_type_ids (`torch.IntTensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for text, 1 for image, 2 for video tokens; needed unless `position_ids` are given.
            logits_to_keep (`int` or `torch.Tensor`, *optional*):
                How many positions from the end, or which positions, get logits; 0 means all.
            moe_mm_token_type_ids (`torch.IntTensor` of shape `(batch_size, sequence_length)`, *optional*):
                As `mm_token_type_ids`, with the delimiters of images and videos counted to them.
            rope_deltas (`torch.LongTensor` of shape `(batch_size, 1)`, *optional*):
                What later calls of a generation count on from, beside given `position_ids`.
        """
        self.model.keep_rope_deltas(rope_deltas)
        position_inputs = {
            "mm_token_type_ids": mm_token_type_ids,
            "moe_mm_token_type_ids": moe_mm_token_type_ids,
        }
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            pixel_values=pixel_values,
            pixel_values_videos=pixel_values_videos,
            image_grid_thw=image_grid_thw,
            video_grid_thw=video_grid_thw,
            **position_inputs,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :])

        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits,
                labels=labels,
                vocab_size=self.config.text_config.vocab_size,
                **kwargs,
            )
        return Ernie4_5_VLMoeCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            rope_deltas=outputs.rope_deltas,
        )


class Ernie4_5_VLMoeProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: every token has its type."""

    _defaults = {
        "text_kwargs": {
            "padding": False,
            "return_token_type_ids": False,
            "return_mm_token_type_ids": True,
        }
    }


class Ernie4_5_VLMoeProcessor(Qwen2VLProcessor):
    """A processor that also tells which tokens go to the experts for vision, in `moe_mm_token_type_ids`.

    That of the library needs prompts of one length for the types of tokens; this one does not.
    """

    default_tokens = {"image": "<|IMAGE_PLACEHOLDER|>", "video": "<|VIDEO_PLACEHOLDER|>"}

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        video_processor: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, video_processor, chat_template=chat_template)
        self.image_start_token = tokenizer.image_start_token
        self.image_end_token = tokenizer.image_end_token
        self.video_start_token = tokenizer.video_start_token
        self.video_end_token = tokenizer.video_end_token
        self.image_start_token_id = self.find_token_id(tokenizer, "image_start_token")
        self.image_end_token_id = self.find_token_id(tokenizer, "image_end_token")
        self.video_start_token_id = self.find_token_id(tokenizer, "video_start_token")
        self.video_end_token_id = self.find_token_id(tokenizer, "video_end_token")

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[Ernie4_5_VLMoeProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **kwargs: Any) -> Any:
        """Saves the font along, with which the time is drawn on frames, if it is a file here."""
        os.makedirs(save_directory, exist_ok=True)
        font = self.video_processor.font
        if font is not None and os.path.isfile(font):
            # The folder may be the one that it was loaded from.
            with contextlib.suppress(shutil.SameFileError):
                shutil.copyfile(font, os.path.join(save_directory, os.path.basename(font)))
        return super().save_pretrained(save_directory, push_to_hub, **kwargs)

    def replace_video_token(self, video_inputs: dict[str, Any], video_idx: int) -> str:
        """A token for every block of patches in every group of frames that the resampler joins."""
        patches = int(video_inputs["video_grid_thw"][video_idx].prod())
        block = self.video_processor.merge_size**2 * self.video_processor.temporal_patch_size
        return self.video_token * (patches // block)

    def token_grid(self, batch: Mapping[str, Any], modality: str) -> Any:
        """The same; the text decoder sees the frames of videos in pairs."""
        grid = super().token_grid(batch, modality)
        if grid is None or modality == "image":
            return grid
        return grid // grid.new_tensor([self.video_processor.temporal_patch_size, 1, 1])

    def token_types(self, input_ids: list[list[int]]) -> dict[str, list[list[int]]]:
        """Which tokens are text, image or video; for the experts start and end tokens belong to their item."""
        types = self.create_mm_token_type_ids(input_ids)
        ends = {
            self.image_start_token_id: 1,
            self.image_end_token_id: 1,
            self.video_start_token_id: 2,
            self.video_end_token_id: 2,
        }
        by_expert = [
            [ends.get(token, kind) for token, kind in zip(*rows)] for rows in zip(input_ids, types)
        ]
        return {"mm_token_type_ids": types, "moe_mm_token_type_ids": by_expert}

    def _get_num_multimodal_tokens(
        self,
        image_sizes: Sequence[Sequence[int]] | None = None,
        video_sizes: Sequence[Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> MultiModalData:
        counts = super()._get_num_multimodal_tokens(image_sizes, video_sizes, **kwargs)
        if video_sizes is not None:
            frames = kwargs.get("temporal_patch_size") or self.video_processor.temporal_patch_size
            counts.num_video_tokens = [number // frames for number in counts.num_video_tokens]
        return counts

    @property
    def model_input_names(self) -> list[str]:
        return [*super().model_input_names, "moe_mm_token_type_ids"]


__all__ = [
    "Ernie4_5_VLMoeForConditionalGeneration",
    "Ernie4_5_VLMoeModel",
    "Ernie4_5_VLMoePreTrainedModel",
    "Ernie4_5_VLMoeProcessor",
    "Ernie4_5_VLMoeProcessorKwargs",
    "Ernie4_5_VLMoeVariableResolutionResamplerModel",
    "Ernie4_5_VLMoeVisionTransformerPretrainedModel",
]
