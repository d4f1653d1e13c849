"""VideoLLaMA 3: a vision transformer whose merge size is an input, one for each image or video.

Merging is a bilinear down-scale of the encoded patches. The text decoder has plain positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel, VideoLlama3Config, VideoLlama3VisionConfig
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    BaseModelOutputWithPooling,
    CausalLMOutputWithPast,
)
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple, logging
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs
from transformers.video_utils import VideoInput

from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VLForConditionalGeneration,
    Qwen2VLModel,
    Qwen2VLPreTrainedModel,
    Qwen2VLVisionAttention,
    Qwen2VLVisionRotaryEmbedding,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs

logger = logging.get_logger(__name__)


@dataclass
class VideoLlama3ModelOutputWithPast(BaseModelOutputWithPast):
    """Decoder output, with the projected features of images and videos."""

    image_hidden_states: torch.FloatTensor | None = None
    video_hidden_states: torch.FloatTensor | None = None


@dataclass
class VideoLlama3CausalLMOutputWithPast(CausalLMOutputWithPast):
    """Logits and loss, with the projected features of images and videos."""

    image_hidden_states: torch.FloatTensor | None = None
    video_hidden_states: torch.FloatTensor | None = None


class VideoLlama3VisionRotaryEmbedding(Qwen2VLVisionRotaryEmbedding):
    def __init__(self, config: VideoLlama3VisionConfig, theta: float = 10000.0) -> None:
        super().__init__(config, theta)
        # Each of the two axes takes half of the channels of a head.
        self.dim = config.hidden_size // config.num_attention_heads // 2


class VideoLlama3VisionEmbeddings(nn.Module):
    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__()
        self.num_channels = config.num_channels
        self.patch_size = config.patch_size
        self.patch_embedding = nn.Conv2d(
            config.num_channels,
            config.hidden_size,
            kernel_size=config.patch_size,
            stride=config.patch_size,
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        patches = pixel_values.view(-1, self.num_channels, self.patch_size, self.patch_size)
        return self.patch_embedding(patches).flatten(1)


class VideoLlama3VisionMlp(nn.Module):
    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__()
        self.activation_fn = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation_fn(self.fc1(x)))


class VideoLlama3VisionAttention(Qwen2VLVisionAttention):
    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__(config)
        self.dim = config.hidden_size
        self.num_heads = config.num_attention_heads
        self.attention_dropout = config.attention_dropout
        del self.qkv
        del self.proj
        self.k_proj = nn.Linear(self.dim, self.dim)
        self.v_proj = nn.Linear(self.dim, self.dim)
        self.q_proj = nn.Linear(self.dim, self.dim)
        self.out_proj = nn.Linear(self.dim, self.dim)

    def project_in(
        self, hidden_states: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape `(tokens, heads, head_dim)`."""
        shape = (hidden_states.shape[0], self.num_heads, self.head_dim)
        return (
            self.q_proj(hidden_states).view(shape),
            self.k_proj(hidden_states).view(shape),
            self.v_proj(hidden_states).view(shape),
        )

    def project_out(self, mixed_states: torch.Tensor) -> torch.Tensor:
        return self.out_proj(mixed_states)


class VideoLlama3VisionEncoderLayer(GradientCheckpointingLayer):
    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = VideoLlama3VisionAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = VideoLlama3VisionMlp(config)

    def forward(
        self,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        hidden_states = hidden_states + self.self_attn(
            self.layer_norm1(hidden_states),
            cu_seqlens=cu_seqlens,
            position_embeddings=position_embeddings,
            **kwargs,
        )
        return hidden_states + self.mlp(self.layer_norm2(hidden_states))


class VideoLlama3VisionEncoder(nn.Module):
    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            [VideoLlama3VisionEncoderLayer(config) for _ in range(config.num_hidden_layers)]
        )
        self.gradient_checkpointing = False

    def forward(
        self,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        for encoder_layer in self.layers:
            hidden_states = encoder_layer(
                hidden_states,
                cu_seqlens=cu_seqlens,
                position_embeddings=position_embeddings,
                **kwargs,
            )
        return hidden_states


class VideoLlama3PreTrainedModel(Qwen2VLPreTrainedModel):
    config: VideoLlama3Config
    _no_split_modules = ["VideoLlama3VisionEncoderLayer"]


class VideoLlama3VisionModel(VideoLlama3PreTrainedModel):
    """Vision encoder: patch rows in, one row per merged block out."""

    config: VideoLlama3VisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _can_record_outputs = {
        "hidden_states": VideoLlama3VisionEncoderLayer,
        "attentions": VideoLlama3VisionAttention,
    }

    def __init__(self, config: VideoLlama3VisionConfig) -> None:
        super().__init__(config)
        self.rotary_pos_emb = VideoLlama3VisionRotaryEmbedding(config)
        self.embeddings = VideoLlama3VisionEmbeddings(config)
        self.encoder = VideoLlama3VisionEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings.patch_embedding

    def rot_pos_emb(self, grid_thw: torch.Tensor, merge_sizes: torch.Tensor) -> torch.Tensor:
        """Angles of each patch: those of its row, then those of its column.

        Returns a tensor of shape `(num_patches, head_dim // 2)`.
        """
        pos_ids = []
        for (t, h, w), merge_size in zip(grid_thw.tolist(), merge_sizes.tolist()):
            frame = torch.cartesian_prod(torch.arange(h), torch.arange(w))
            blocks = frame.view(h // merge_size, merge_size, w // merge_size, merge_size, 2)
            pos_ids.append(blocks.transpose(1, 2).reshape(-1, 2).repeat(t, 1))
        pos_ids = torch.cat(pos_ids, dim=0)
        rotary_pos_emb_full = self.rotary_pos_emb(grid_thw[:, 1:].max())
        rotary_pos_emb = rotary_pos_emb_full[pos_ids].flatten(1)
        return rotary_pos_emb

    def pixel_unshuffle(
        self, hidden_states: torch.Tensor, grid_thw: torch.Tensor, merge_sizes: torch.Tensor
    ) -> torch.Tensor:
        """Scales each image or video down by its merge size; rows come block by block."""
        merged = []
        for rows, (t, h, w), merge_size in zip(
            hidden_states.split(grid_thw.prod(dim=1).tolist(), dim=0),
            grid_thw.tolist(),
            merge_sizes.tolist(),
        ):
            channels = rows.shape[-1]
            rows = rows.view(t, h // merge_size, w // merge_size, merge_size, merge_size, channels)
            rows = rows.permute(0, 1, 3, 2, 4, 5).reshape(t, h, w, channels).permute(0, 3, 1, 2)
            rows = F.interpolate(rows, size=(h // merge_size, w // merge_size), mode="bilinear")
            merged.append(rows.permute(0, 2, 3, 1).reshape(-1, channels))
        return torch.cat(merged, dim=0)

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        pixel_values: torch.Tensor,
        grid_thw: torch.Tensor,
        merge_sizes: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images and videos.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images and videos, one after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image or video, counted in patches.
            merge_sizes (`torch.LongTensor` of shape `(num_images,)`):
                By how much each image or video is scaled down at the end, along both sides.

        Returns:
            The merged rows of all images and videos.
        """
        rotary_pos_emb = self.rot_pos_emb(grid_thw, merge_sizes)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        hidden_states = self.embeddings(pixel_values.type(self.dtype))
        hidden_states = self.encoder(
            hidden_states,
            cu_seqlens=cu_seqlens,
            position_embeddings=position_embeddings,
            **kwargs,
        )
        hidden_states = self.post_layernorm(hidden_states)
        hidden_states = self.pixel_unshuffle(hidden_states, grid_thw, merge_sizes)
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states)


class VideoLlama3Projector(nn.Module):
    """Carries the encoder's rows into the space of the text decoder."""

    def __init__(self, config: VideoLlama3Config) -> None:
        super().__init__()
        self.readout = nn.Sequential(
            nn.Linear(config.vision_config.hidden_size, config.text_config.hidden_size),
            nn.GELU(),
            nn.Linear(config.text_config.hidden_size, config.text_config.hidden_size),
        )

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.readout(hidden_states)


class VideoLlama3Model(Qwen2VLModel):
    frames_apart = AttributeError("Positions of the text decoder are plain.")
    time_moves_on = AttributeError("Positions of the text decoder are plain.")
    position_dtype = AttributeError("Positions of the text decoder are plain.")

    def __init__(self, config: VideoLlama3Config) -> None:
        super().__init__(config)
        del self.visual
        del self.rope_deltas
        self.vision_model = VideoLlama3VisionModel._from_config(config.vision_config)
        self.projector = VideoLlama3Projector(config)
        self.language_model = AutoModel.from_config(config.text_config)
        self.post_init()

    def get_frame_times(self, frame, video, **kwargs):
        raise AttributeError("Positions of the text decoder are plain.")

    def get_token_grid(self, grid_thw, is_video):
        raise AttributeError("Positions of the text decoder are plain.")

    def keep_rope_deltas(self, rope_deltas):
        raise AttributeError("Positions of the text decoder are plain.")

    def get_rope_index(self, input_ids, mm_token_type_ids, **kwargs):
        raise AttributeError("Positions of the text decoder are plain.")

    def compute_3d_position_ids(self, input_ids, inputs_embeds, **kwargs):
        raise AttributeError("Positions of the text decoder are plain.")

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor,
        image_merge_sizes: torch.LongTensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes images for the text decoder.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image, counted in patches.
            image_merge_sizes (`torch.LongTensor` of shape `(num_images,)`):
                By how much each image is scaled down.

        Returns:
            The encoder output, with one projected tensor per image in `pooler_output`.
        """
        vision_outputs = self.vision_model(
            pixel_values=pixel_values,
            grid_thw=image_grid_thw,
            merge_sizes=image_merge_sizes,
            **kwargs,
        )
        image_embeds = self.projector(vision_outputs.last_hidden_state)
        split_sizes = (image_grid_thw.prod(dim=1) // image_merge_sizes**2).tolist()
        vision_outputs.pooler_output = torch.split(image_embeds, split_sizes)
        return vision_outputs

    @can_return_tuple
    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor,
        video_merge_sizes: torch.LongTensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes videos for the text decoder, as images of several frames.

        Args:
            pixel_values_videos (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all videos.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`):
                Frames, rows and columns of each video, counted in patches.
            video_merge_sizes (`torch.LongTensor` of shape `(num_videos,)`):
                By how much each video is scaled down.

        Returns:
            The encoder output, with one projected tensor per video in `pooler_output`.
        """
        return self.get_image_features(
            pixel_values=pixel_values_videos,
            image_grid_thw=video_grid_thw,
            image_merge_sizes=video_merge_sizes,
            **kwargs,
        )

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
        image_grid_thw: torch.LongTensor | None = None,
        image_merge_sizes: torch.LongTensor | None = None,
        pixel_values_videos: torch.FloatTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        video_merge_sizes: torch.LongTensor | None = None,
        video_compression_mask: torch.BoolTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | VideoLlama3ModelOutputWithPast:
        """Runs the text decoder over a prompt whose placeholders are replaced by encoded images and videos.

        Args:
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            image_merge_sizes (`torch.LongTensor` of shape `(num_images,)`, *optional*):
                By how much each image is scaled down.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            video_merge_sizes (`torch.LongTensor` of shape `(num_videos,)`, *optional*):
                By how much each video is scaled down.
            video_compression_mask (`torch.BoolTensor` of shape `(num_video_features,)`, *optional*):
                Which video features the prompt has places for.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        image_embeds = None
        if pixel_values is not None:
            image_embeds = self.get_image_features(
                pixel_values, image_grid_thw, image_merge_sizes, return_dict=True
            ).pooler_output
            image_embeds = torch.cat(image_embeds, dim=0)
            image_mask = self.get_image_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, image_mask, image_embeds)

        video_embeds = None
        if pixel_values_videos is not None:
            video_embeds = self.get_video_features(
                pixel_values_videos, video_grid_thw, video_merge_sizes, return_dict=True
            ).pooler_output
            video_embeds = torch.cat(video_embeds, dim=0)
            if video_compression_mask is not None:
                video_embeds = video_embeds[video_compression_mask.to(video_embeds.device)]
            video_mask = self.get_video_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, video_mask, video_embeds)

        outputs = self.language_model(
            input_ids=None,
            position_ids=position_ids,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        return VideoLlama3ModelOutputWithPast(
            **outputs, image_hidden_states=image_embeds, video_hidden_states=video_embeds
        )


class VideoLlama3ForConditionalGeneration(Qwen2VLForConditionalGeneration):
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor,
        image_merge_sizes: torch.LongTensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        return self.model.get_image_features(
            pixel_values, image_grid_thw, image_merge_sizes, **kwargs
        )

    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor,
        video_merge_sizes: torch.LongTensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        return self.model.get_video_features(
            pixel_values_videos, video_grid_thw, video_merge_sizes, **kwargs
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
        image_grid_thw: torch.LongTensor | None = None,
        image_merge_sizes: torch.LongTensor | None = None,
        pixel_values_videos: torch.FloatTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        video_merge_sizes: torch.LongTensor | None = None,
        video_compression_mask: torch.BoolTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | VideoLlama3CausalLMOutputWithPast:
        """Predicts the next token at every position.

        Args:
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Tokens to be predicted; -100 where there is no loss.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            image_merge_sizes (`torch.LongTensor` of shape `(num_images,)`, *optional*):
                By how much each image is scaled down.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            video_merge_sizes (`torch.LongTensor` of shape `(num_videos,)`, *optional*):
                By how much each video is scaled down.
            video_compression_mask (`torch.BoolTensor` of shape `(num_video_features,)`, *optional*):
                Which video features the prompt has places for.
            logits_to_keep (`int` or `torch.Tensor`, *optional*):
                How many positions from the end, or which positions, get logits; 0 means all.
        """
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            pixel_values=pixel_values,
            image_grid_thw=image_grid_thw,
            image_merge_sizes=image_merge_sizes,
            pixel_values_videos=pixel_values_videos,
            video_grid_thw=video_grid_thw,
            video_merge_sizes=video_merge_sizes,
            video_compression_mask=video_compression_mask,
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
        return VideoLlama3CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=outputs.image_hidden_states,
            video_hidden_states=outputs.video_hidden_states,
        )

    def _prepare_position_ids_for_generation(self, inputs_tensor, model_kwargs):
        raise AttributeError("Positions of the text decoder are plain.")


class VideoLlama3ProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: metadata of videos are always asked for."""

    _defaults = {
        "text_kwargs": {"padding": False, "return_mm_token_type_ids": False},
        "videos_kwargs": {"return_metadata": True},
    }


class VideoLlama3Processor(Qwen2VLProcessor):
    """A processor that writes the frames of a video one by one, without tokens that changed too little.

    Images and videos bring their own merge sizes. Positions are plain: the text decoder counts them, and
    there is nothing to be returned ahead.
    """

    frames_apart = AttributeError("Positions of the text decoder are plain.")
    time_moves_on = AttributeError("Positions of the text decoder are plain.")
    #: Frames a second of clips that do not tell.
    assumed_fps = 1

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[VideoLlama3ProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        # The seconds of frames follow from the metadata, whether the caller wants to see it or not.
        kwargs["return_metadata"] = True
        return super()._process_videos(videos, **kwargs)

    def find_positions(self, batch, config=None):
        raise AttributeError("Positions of the text decoder are plain.")

    def position_types(self, input_ids):
        raise AttributeError("Positions of the text decoder are plain.")

    def token_grid(self, batch, modality):
        raise AttributeError("Positions of the text decoder are plain.")

    def frame_positions(self, frame, video, batch, config):
        raise AttributeError("Positions of the text decoder are plain.")

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int) -> str:
        """A token for every block of patches, of the image's own size."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        merge_size = int(image_inputs["image_merge_sizes"][image_idx])
        return self.image_token * (patches // merge_size**2)

    def replace_video_token(self, video_inputs: dict[str, Any], video_idx: int) -> str:
        """Every frame with its second in front and the tokens that are left of it."""
        sizes = zip(video_inputs["video_grid_thw"], video_inputs["video_merge_sizes"])
        counts = [int(grid.prod()) // int(merge_size) ** 2 for grid, merge_size in sizes]
        first = sum(counts[:video_idx])
        kept = video_inputs["video_compression_mask"][first : first + counts[video_idx]]
        times = self.frame_times(video_inputs["video_metadata"][video_idx])
        size = len(kept) // len(times)
        frames = (int(kept[n * size : (n + 1) * size].sum()) for n in range(len(times)))
        pairs = zip(times, frames)
        return ",".join(f"Time {time:.1f}s:{self.video_token * count}" for time, count in pairs)

    def frame_times(self, metadata: Any) -> list[float]:
        """The second of every frame."""
        if metadata.fps is None:
            logger.warning_once(
                f"the frames of a video have no times, as its fps is not known: {self.assumed_fps} is "
                "assumed; give `video_metadata`"
            )
        fps = metadata.fps or self.assumed_fps
        return [float(index / fps) for index in metadata.frames_indices]


__all__ = [
    "VideoLlama3ForConditionalGeneration",
    "VideoLlama3Model",
    "VideoLlama3PreTrainedModel",
    "VideoLlama3Processor",
    "VideoLlama3ProcessorKwargs",
    "VideoLlama3VisionModel",
]
