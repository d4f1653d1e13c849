"""Qwen2.5-VL: the encoder of qwen2_vl with attention in windows, root mean square norms and gated MLPs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLVisionConfig
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs
from transformers.video_utils import VideoInput

from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VisionTransformerPretrainedModel,
    Qwen2VLCausalLMOutputWithPast,
    Qwen2VLForConditionalGeneration,
    Qwen2VLModel,
    Qwen2VLModelOutputWithPast,
    Qwen2VLPatchEmbed,
    Qwen2VLPatchMerger,
    Qwen2VLPreTrainedModel,
    Qwen2VLVisionAttention,
    Qwen2VLVisionBlock,
    Qwen2VLVisionRotaryEmbedding,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs


class Qwen2_5_VLRMSNorm(nn.Module):
    """Scales each row to unit root mean square, in float32, and then by a learned weight."""

    def __init__(self, hidden_size: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.variance_epsilon = eps

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        values = hidden_states.to(torch.float32)
        values = values * torch.rsqrt(values.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * values.to(hidden_states.dtype)


class Qwen2_5_VLVisionMlp(nn.Module):
    def __init__(self, config: Qwen2_5_VLVisionConfig, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = config.hidden_size
        self.intermediate_size = config.intermediate_size
        self.gate_proj = nn.Linear(self.hidden_size, self.intermediate_size, bias=bias)
        self.up_proj = nn.Linear(self.hidden_size, self.intermediate_size, bias=bias)
        self.down_proj = nn.Linear(self.intermediate_size, self.hidden_size, bias=bias)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


class Qwen2_5_VLPatchEmbed(Qwen2VLPatchEmbed):
    def __init__(self, config: Qwen2_5_VLVisionConfig) -> None:
        super().__init__(config)
        self.embed_dim = config.hidden_size


class Qwen2_5_VLVisionRotaryEmbedding(Qwen2VLVisionRotaryEmbedding):
    def __init__(self, config: Qwen2_5_VLVisionConfig, theta: float = 10000.0) -> None:
        super().__init__(config, theta)
        # Each of the two axes takes half of the channels of a head.
        self.dim = config.hidden_size // config.num_heads // 2


class Qwen2_5_VLPatchMerger(Qwen2VLPatchMerger):
    def __init__(self, config: Qwen2_5_VLVisionConfig) -> None:
        super().__init__(config)
        self.hidden_size = config.hidden_size * config.spatial_merge_size**2
        self.ln_q = Qwen2_5_VLRMSNorm(config.hidden_size, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(self.hidden_size, self.hidden_size),
            nn.GELU(),
            nn.Linear(self.hidden_size, config.out_hidden_size),
        )


class Qwen2_5_VLVisionAttention(Qwen2VLVisionAttention):
    def __init__(self, config: Qwen2_5_VLVisionConfig) -> None:
        super().__init__(config)
        self.dim = config.hidden_size


class Qwen2_5_VLVisionBlock(Qwen2VLVisionBlock):
    def __init__(self, config: Qwen2_5_VLVisionConfig) -> None:
        super().__init__(config)
        self.norm1 = Qwen2_5_VLRMSNorm(config.hidden_size, eps=1e-6)
        self.norm2 = Qwen2_5_VLRMSNorm(config.hidden_size, eps=1e-6)
        self.mlp = Qwen2_5_VLVisionMlp(config)


class Qwen2_5_VLPreTrainedModel(Qwen2VLPreTrainedModel):
    _no_split_modules = ["Qwen2_5_VLDecoderLayer", "Qwen2_5_VLVisionBlock"]


class Qwen2_5_VisionTransformerPretrainedModel(Qwen2VisionTransformerPretrainedModel):
    """Vision encoder: patch rows in, one token per merged block out.

    Most blocks attend inside windows of merged tokens. The patches are reordered once, window by
    window, so that every window is a segment of the sequence; the merged tokens are put back in order
    at the end, the patches of `last_hidden_state` are not.
    """

    config: Qwen2_5_VLVisionConfig

    def __init__(self, config: Qwen2_5_VLVisionConfig) -> None:
        super().__init__(config)
        self.spatial_merge_unit = config.spatial_merge_size**2
        self.patch_size = config.patch_size
        self.window_size = config.window_size
        self.fullatt_block_indexes = config.fullatt_block_indexes

    @merge_with_config_defaults
    @capture_outputs
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
            The patches after the last block, window by window, and as `pooler_output` the merged
            tokens in their own order.
        """
        hidden_states = self.patch_embed(hidden_states)
        rotary_pos_emb = self.rot_pos_emb(grid_thw)

        # Merged tokens window by window; windows at the right and lower edge may be cut.
        side = self.window_size // self.spatial_merge_size // self.patch_size
        windows = []
        start = 0
        for t, h, w in grid_thw.tolist():
            rows, cols = h // self.spatial_merge_size, w // self.spatial_merge_size
            end = start + t * rows * cols
            for frame in torch.arange(start, end).view(t, rows, cols):
                for band in frame.split(side, dim=0):
                    windows += [window.flatten() for window in band.split(side, dim=1)]
            start = end
        window_index = torch.cat(windows, dim=0)
        window_sizes = torch.tensor([len(window) for window in windows], device=grid_thw.device)
        window_sizes = window_sizes * self.spatial_merge_unit
        cu_window_seqlens = F.pad(window_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        seq_len = hidden_states.shape[0]
        units = seq_len // self.spatial_merge_unit
        hidden_states = hidden_states.reshape(units, self.spatial_merge_unit, -1)
        hidden_states = hidden_states[window_index, :, :].reshape(seq_len, -1)
        rotary_pos_emb = rotary_pos_emb.reshape(units, self.spatial_merge_unit, -1)
        rotary_pos_emb = rotary_pos_emb[window_index, :, :].reshape(seq_len, -1)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        for layer_num, blk in enumerate(self.blocks):
            whole_frame = layer_num in self.fullatt_block_indexes
            hidden_states = blk(
                hidden_states,
                cu_seqlens=cu_seqlens if whole_frame else cu_window_seqlens,
                position_embeddings=position_embeddings,
                **kwargs,
            )

        merged_hidden_states = self.merger(hidden_states)
        reverse_indices = torch.argsort(window_index)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=merged_hidden_states[reverse_indices, :],
        )


class Qwen2_5_VLModelOutputWithPast(Qwen2VLModelOutputWithPast):
    pass


class Qwen2_5_VLModel(Qwen2VLModel):
    def __init__(self, config: Qwen2_5_VLConfig) -> None:
        super().__init__(config)
        self.visual = Qwen2_5_VisionTransformerPretrainedModel._from_config(config.vision_config)

    def get_frame_times(
        self,
        frame: torch.Tensor,
        video: torch.Tensor,
        second_per_grid_ts: torch.Tensor | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Positions in time of frames, counted from the first of their video.

        `second_per_grid_ts` holds, for each video, how many seconds lie between two of its frames.
        """
        step = self.config.vision_config.tokens_per_second
        if second_per_grid_ts is None:
            return frame * step
        seconds = torch.as_tensor(second_per_grid_ts, device=frame.device).long()
        return frame * (seconds[video] * step)

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        use_cache: bool | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_videos: torch.FloatTensor | None = None,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        mm_token_type_ids: torch.IntTensor | None = None,
        second_per_grid_ts: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen2_5_VLModelOutputWithPast:
        """Runs the text decoder over a prompt whose placeholders are replaced by encoded images and videos.

        Args:
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            mm_token_type_ids (`torch.IntTensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for text, 1 for image, 2 for video tokens; needed unless `position_ids` are given.
            second_per_grid_ts (`torch.Tensor` of shape `(num_videos,)`, *optional*):
                Seconds between two frames of each video.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        if pixel_values is not None:
            image_embeds = self.get_image_features(pixel_values, image_grid_thw).pooler_output
            image_mask = self.get_image_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, image_mask, image_embeds)

        if pixel_values_videos is not None:
            video_embeds = self.get_video_features(
                pixel_values_videos, video_grid_thw
            ).pooler_output
            video_mask = self.get_video_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, video_mask, video_embeds)

        position_inputs = {
            "mm_token_type_ids": mm_token_type_ids,
            "second_per_grid_ts": second_per_grid_ts,
        }
        if position_ids is None:
            position_ids = self.compute_3d_position_ids(
                input_ids=input_ids,
                inputs_embeds=inputs_embeds,
                image_grid_thw=image_grid_thw,
                video_grid_thw=video_grid_thw,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
                **position_inputs,
            )

        outputs = self.language_model(
            input_ids=None,
            position_ids=position_ids,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        return Qwen2_5_VLModelOutputWithPast(**outputs, rope_deltas=self.rope_deltas)


class Qwen2_5_VLCausalLMOutputWithPast(Qwen2VLCausalLMOutputWithPast):
    pass


class Qwen2_5_VLForConditionalGeneration(Qwen2VLForConditionalGeneration):
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
        second_per_grid_ts: torch.Tensor | None = None,
        rope_deltas: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen2_5_VLCausalLMOutputWithPast:
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
            second_per_grid_ts (`torch.Tensor` of shape `(num_videos,)`, *optional*):
                Seconds between two frames of each video.
            rope_deltas (`torch.LongTensor` of shape `(batch_size, 1)`, *optional*):
                What later calls of a generation count on from, beside given `position_ids`.
        """
        self.model.keep_rope_deltas(rope_deltas)
        position_inputs = {
            "mm_token_type_ids": mm_token_type_ids,
            "second_per_grid_ts": second_per_grid_ts,
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
        return Qwen2_5_VLCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            rope_deltas=outputs.rope_deltas,
        )


class Qwen2_5_VLProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: metadata of videos are always asked for."""

    _defaults = {
        "text_kwargs": {"padding": False, "return_mm_token_type_ids": True},
        "videos_kwargs": {"return_metadata": True},
    }


class Qwen2_5_VLProcessor(Qwen2VLProcessor):
    """The processor of qwen2_vl, which also tells how many seconds a pair of frames lasts.

    A call returns that as `second_per_grid_ts`, one number for each video.
    """

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[Qwen2_5_VLProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        # Seconds follow from the metadata, whether the caller wants to see it or not.
        kwargs["return_metadata"] = True
        inputs, replacements = super()._process_videos(videos, **kwargs)
        if inputs:
            frames = self.video_processor.temporal_patch_size
            metadata = inputs["video_metadata"]
            inputs["second_per_grid_ts"] = [frames / video.sampled_fps for video in metadata]
        return inputs, replacements

    def find_positions(self, batch: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        # How many positions a second has is told by the configuration alone.
        return {} if config is None else super().find_positions(batch, config)

    def frame_positions(self, frame: Any, video: Any, batch: Mapping[str, Any], config: Any) -> Any:
        step = getattr(config, "vision_config", config).tokens_per_second
        return frame * (batch["second_per_grid_ts"].long()[video] * step)

    @property
    def model_input_names(self) -> list[str]:
        names = [*super().model_input_names, "second_per_grid_ts"]
        return list(dict.fromkeys(names))


__all__ = [
    "Qwen2_5_VLForConditionalGeneration",
    "Qwen2_5_VLModel",
    "Qwen2_5_VLPreTrainedModel",
    "Qwen2_5_VLProcessor",
    "Qwen2_5_VLProcessorKwargs",
    "Qwen2_5_VisionTransformerPretrainedModel",
]
