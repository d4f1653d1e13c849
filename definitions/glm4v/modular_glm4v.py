"""GLM-4.1V: learned positions read from a square table by bicubic interpolation, beside rotary ones.

Each merge block of patches is joined by a strided convolution. Prompts hold the frames of a video one
by one, with the placeholder of images.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Glm4vConfig, Glm4vVisionConfig
from transformers.activations import ACT2FN
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple, logging
from transformers.video_utils import VideoInput

from ..qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLPatchEmbed,
    Qwen2_5_VLRMSNorm,
    Qwen2_5_VLVisionAttention,
    Qwen2_5_VLVisionBlock,
    Qwen2_5_VLVisionMlp,
    Qwen2_5_VLVisionRotaryEmbedding,
)
from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VisionTransformerPretrainedModel,
    Qwen2VLForConditionalGeneration,
    Qwen2VLModel,
    Qwen2VLPreTrainedModel,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs

logger = logging.get_logger(__name__)


class Glm4vRMSNorm(Qwen2_5_VLRMSNorm):
    pass


class Glm4vVisionMlp(Qwen2_5_VLVisionMlp):
    def __init__(self, config: Glm4vVisionConfig, bias: bool = False) -> None:
        super().__init__(config, bias)
        self.intermediate_size = config.out_hidden_size


class Glm4vPatchEmbed(Qwen2_5_VLPatchEmbed):
    has_bias = True


class Glm4vVisionRotaryEmbedding(Qwen2_5_VLVisionRotaryEmbedding):
    pass


class Glm4vPatchMerger(nn.Module):
    """Carries the joined patches into the space of the text decoder."""

    def __init__(self, config: Glm4vVisionConfig) -> None:
        super().__init__()
        dim = config.out_hidden_size
        context_dim = config.intermediate_size
        self.proj = nn.Linear(dim, dim, bias=False)
        self.post_projection_norm = nn.LayerNorm(dim)
        self.gate_proj = nn.Linear(dim, context_dim, bias=False)
        self.up_proj = nn.Linear(dim, context_dim, bias=False)
        self.down_proj = nn.Linear(context_dim, dim, bias=False)
        self.act1 = nn.GELU()
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act1(self.post_projection_norm(self.proj(x)))
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


class Glm4vVisionEmbeddings(nn.Module):
    """Adds a learned position to each patch, read from a table of another size than the image."""

    interpolated_method = "bicubic"

    def __init__(self, config: Glm4vVisionConfig) -> None:
        super().__init__()
        self.table_side = config.image_size // config.patch_size
        self.position_embedding = nn.Embedding(self.table_side**2, config.hidden_size)

    def forward(
        self, embeddings: torch.Tensor, grid_thw: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Returns the patches with their positions added.

        Args:
            embeddings (`torch.Tensor` of shape `(num_patches, hidden_size)`):
                The patches.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image.
            positions (`torch.LongTensor` of shape `(num_patches, 2)`):
                Row and column of each patch in its frame.
        """
        weight = self.position_embedding.weight
        table = (
            weight.view(self.table_side, self.table_side, -1).permute(2, 0, 1).unsqueeze(0).float()
        )

        sizes = torch.repeat_interleave(grid_thw[:, 1:], grid_thw.prod(-1), dim=0)
        # Centres of patches, on an image that reaches from -1 to 1; x comes before y.
        points = (positions.to(weight.device) + 0.5) / sizes.to(
            weight.device, torch.float32
        ) * 2 - 1
        points = torch.stack((points[:, 1], points[:, 0]), dim=-1).unsqueeze(0).unsqueeze(2)
        sampled = F.grid_sample(
            table, points, mode=self.interpolated_method, padding_mode="border", align_corners=False
        )
        sampled = sampled.squeeze(0).squeeze(-1).permute(1, 0)
        return embeddings + sampled.to(weight.dtype).to(embeddings.device)


class Glm4vVisionAttention(Qwen2_5_VLVisionAttention):
    def __init__(self, config: Glm4vVisionConfig) -> None:
        super().__init__(config)
        self.attention_dropout = config.attention_dropout
        self.qkv = nn.Linear(self.dim, self.dim * 3, bias=config.attention_bias)
        self.proj = nn.Linear(self.dim, self.dim, bias=False)


class Glm4vVisionBlock(Qwen2_5_VLVisionBlock):
    def __init__(self, config: Glm4vVisionConfig) -> None:
        super().__init__(config)
        self.norm1 = Glm4vRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.norm2 = Glm4vRMSNorm(config.hidden_size, eps=config.rms_norm_eps)


class Glm4vPreTrainedModel(Qwen2VLPreTrainedModel):
    _no_split_modules = ["Glm4vTextDecoderLayer", "Glm4vVisionBlock"]


class Glm4vVisionModel(Qwen2VisionTransformerPretrainedModel):
    config: Glm4vVisionConfig

    def __init__(self, config: Glm4vVisionConfig) -> None:
        super().__init__(config)
        self.embeddings = Glm4vVisionEmbeddings(config)
        self.post_conv_layernorm = Glm4vRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_layernorm = Glm4vRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.downsample = nn.Conv2d(
            config.hidden_size,
            config.out_hidden_size,
            kernel_size=config.spatial_merge_size,
            stride=config.spatial_merge_size,
        )
        self.post_init()

    def rot_pos_emb(self, grid_thw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Angles of each patch, and its row and column in its frame.

        Returns tensors of shapes `(num_patches, head_dim // 2)` and `(num_patches, 2)`.
        """
        merge_size = self.spatial_merge_size
        pos_ids = []
        for t, h, w in grid_thw.tolist():
            frame = torch.cartesian_prod(torch.arange(h), torch.arange(w))
            blocks = frame.view(h // merge_size, merge_size, w // merge_size, merge_size, 2)
            pos_ids.append(blocks.transpose(1, 2).reshape(-1, 2).repeat(t, 1))
        pos_ids = torch.cat(pos_ids, dim=0)
        rotary_pos_emb_full = self.rotary_pos_emb(grid_thw[:, 1:].max())
        rotary_pos_emb = rotary_pos_emb_full[pos_ids].flatten(1)
        return rotary_pos_emb, pos_ids

    def join_blocks(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """One row of the width of the text decoder for each merge block."""
        merge_size = self.spatial_merge_size
        blocks = hidden_states.view(-1, merge_size, merge_size, hidden_states.shape[-1])
        return self.downsample(blocks.permute(0, 3, 1, 2)).flatten(1)

    def forward(
        self,
        hidden_states: torch.Tensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images.

        Args:
            hidden_states (`torch.Tensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images, one after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The joined blocks, and as `pooler_output` what the merger makes of them.
        """
        hidden_states = self.post_conv_layernorm(self.patch_embed(hidden_states))
        rotary_pos_emb, positions = self.rot_pos_emb(grid_thw)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())
        hidden_states = self.embeddings(hidden_states, grid_thw, positions)

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


class Glm4vModel(Qwen2VLModel):
    frames_apart = True

    def __init__(self, config: Glm4vConfig) -> None:
        super().__init__(config)
        self.visual = Glm4vVisionModel._from_config(config.vision_config)

    @can_return_tuple
    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        pixel_values_videos = pixel_values_videos.type(self.visual.dtype)
        # The encoder takes each frame for an image of its own; given what follows from it, no grid.
        frame_grid_thw = None
        if video_grid_thw is not None:
            sizes = torch.repeat_interleave(video_grid_thw[:, 1:], video_grid_thw[:, 0], dim=0)
            frame_grid_thw = torch.cat([torch.ones_like(sizes[:, :1]), sizes], dim=1)
        vision_outputs = self.visual(pixel_values_videos, grid_thw=frame_grid_thw, **kwargs)
        split_sizes = (video_grid_thw.prod(-1) // self.visual.spatial_merge_size**2).tolist()
        vision_outputs.pooler_output = torch.split(vision_outputs.pooler_output, split_sizes)
        return vision_outputs

    def get_video_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.FloatTensor
    ) -> torch.Tensor:
        return self.get_image_mask(input_ids, inputs_embeds)


class Glm4vForConditionalGeneration(Qwen2VLForConditionalGeneration):
    pass


class Glm4vProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: metadata of videos are always asked for."""

    _defaults = {
        "text_kwargs": {
            "padding": False,
            "return_token_type_ids": False,
            "return_mm_token_type_ids": True,
        },
        "videos_kwargs": {"return_metadata": True},
    }


class Glm4vProcessor(Qwen2VLProcessor):
    """A processor that writes the frames of a video as images, with the second of each behind.

    The processor of the library confuses an image with the frames of a video that stands behind it in
    one prompt: it takes the first tokens of images that it finds for those of the video. Here each keeps
    its own.
    """

    default_tokens = {"image": "<|image|>", "video": "<|video|>"}
    #: Frames a second of clips that do not tell.
    assumed_fps = 24
    frames_apart = True

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        video_processor: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, video_processor, chat_template=chat_template)
        self.video_start_id = tokenizer.convert_tokens_to_ids("<|begin_of_video|>")
        self.video_end_id = tokenizer.convert_tokens_to_ids("<|end_of_video|>")

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[Glm4vProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        # The seconds of frames follow from the metadata, whether the caller wants to see it or not.
        kwargs["return_metadata"] = True
        return super()._process_videos(videos, **kwargs)

    def replace_video_token(self, video_inputs: dict[str, Any], video_idx: int) -> str:
        """Every frame as an image, with its second behind; frames without a time take the last one."""
        frames, rows, columns = (int(size) for size in video_inputs["video_grid_thw"][video_idx])
        count = rows * columns // self.video_processor.merge_size**2
        # Two frames are joined into one: the first tells the time.
        times = self.frame_times(video_inputs["video_metadata"][video_idx])[::2][:frames]
        times += (times[-1:] or [0.0]) * (frames - len(times))
        frame = f"<|begin_of_image|>{self.image_token * count}<|end_of_image|>"
        return "".join(frame + self.write_time(time) for time in times)

    def write_time(self, seconds: float) -> str:
        """The time of a frame, as the prompt holds it."""
        return str(int(seconds))

    def frame_times(self, metadata: Any) -> list[float]:
        """The second of every frame."""
        if metadata.fps is None:
            logger.warning_once(
                f"the frames of a video have no times, as its fps is not known: {self.assumed_fps} is "
                "assumed; give `video_metadata`"
            )
        fps = metadata.fps or self.assumed_fps
        return [float(index / fps) for index in metadata.frames_indices]

    def create_mm_token_type_ids(self, input_ids: list[list[int]]) -> list[list[int]]:
        """2 for tokens of frames, which stand between start and end of a video, 1 for those of images."""
        return [list(self.types_of_row(row)) for row in input_ids]

    def types_of_row(self, row: Sequence[int]) -> Iterator[int]:
        """The types of one prompt."""
        depth = 0
        for token in row:
            depth += (token == self.video_start_id) - (token == self.video_end_id)
            yield (2 if depth > 0 else 1) if token == self.image_token_id else 0


__all__ = [
    "Glm4vForConditionalGeneration",
    "Glm4vModel",
    "Glm4vPreTrainedModel",
    "Glm4vProcessor",
    "Glm4vProcessorKwargs",
    "Glm4vVisionModel",
]
