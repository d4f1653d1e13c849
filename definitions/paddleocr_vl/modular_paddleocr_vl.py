"""PaddleOCR-VL: the transformer of video_llama_3 on patches in reading order, with learned positions.

Patches come row by row, not block by block: the projector gathers the patches of a block itself.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PaddleOCRTextModel, PaddleOCRVisionConfig, PaddleOCRVLConfig
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from ..qwen2_vl.modeling_qwen2_vl import Qwen2VLForConditionalGeneration, Qwen2VLModel
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs
from ..video_llama_3.modeling_video_llama_3 import (
    VideoLlama3PreTrainedModel,
    VideoLlama3VisionAttention,
    VideoLlama3VisionEncoder,
    VideoLlama3VisionEncoderLayer,
    VideoLlama3VisionRotaryEmbedding,
)


class PaddleOCRVisionRotaryEmbedding(VideoLlama3VisionRotaryEmbedding):
    pass


class PaddleOCRVisionAttention(VideoLlama3VisionAttention):
    pass


class PaddleOCRVisionEncoderLayer(VideoLlama3VisionEncoderLayer):
    pass


class PaddleOCRVisionEmbeddings(nn.Module):
    """Projects patches and adds learned positions, read from a square table by bilinear interpolation."""

    def __init__(self, config: PaddleOCRVisionConfig) -> None:
        super().__init__()
        self.table_side = config.image_size // config.patch_size
        self.patch_embedding = nn.Conv2d(
            config.num_channels,
            config.hidden_size,
            kernel_size=config.patch_size,
            stride=config.patch_size,
        )
        self.position_embedding = nn.Embedding(self.table_side**2, config.hidden_size)

    def interpolate_pos_encoding(self, height: int, width: int) -> torch.Tensor:
        """Learned positions of one frame, row by row, shape `(height * width, hidden_size)`."""
        weight = self.position_embedding.weight
        table = weight.view(self.table_side, self.table_side, -1)
        table = table.permute(2, 0, 1).unsqueeze(0)
        resized = F.interpolate(table, size=(height, width), mode="bilinear", align_corners=False)
        return resized.permute(0, 2, 3, 1).flatten(0, 2)

    def forward(self, pixel_values: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
        """Embeds patches of shape `(1, num_patches, num_channels, patch_size, patch_size)`."""
        patches = pixel_values.flatten(0, 1).to(self.patch_embedding.weight.dtype)
        patch_embeds = self.patch_embedding(patches).flatten(1)
        embeddings = []
        start = 0
        for t, h, w in grid_thw.tolist():
            end = start + t * h * w
            positions = self.interpolate_pos_encoding(h, w).repeat(t, 1)
            embeddings.append(patch_embeds[start:end] + positions)
            start = end
        embeddings = torch.cat(embeddings, dim=0)
        return embeddings


class PaddleOCRVisionEncoder(VideoLlama3VisionEncoder):
    def __init__(self, config: PaddleOCRVisionConfig) -> None:
        super().__init__(config)
        self.rotary_pos_emb = PaddleOCRVisionRotaryEmbedding(config)

    def rot_pos_emb(self, grid_thw: torch.Tensor) -> torch.Tensor:
        """Angles of each patch: those of its row, then those of its column.

        Returns a tensor of shape `(num_patches, head_dim // 2)`.
        """
        pos_ids = []
        for t, h, w in grid_thw.tolist():
            frame = torch.cartesian_prod(torch.arange(h), torch.arange(w))
            pos_ids.append(frame.repeat(t, 1))
        pos_ids = torch.cat(pos_ids, dim=0)
        rotary_pos_emb_full = self.rotary_pos_emb(grid_thw[:, 1:].max())
        rotary_pos_emb = rotary_pos_emb_full[pos_ids].flatten(1)
        return rotary_pos_emb

    def forward(
        self,
        hidden_states: torch.Tensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        rotary_pos_emb = self.rot_pos_emb(grid_thw)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        for encoder_layer in self.layers:
            hidden_states = encoder_layer(
                hidden_states,
                cu_seqlens=cu_seqlens,
                position_embeddings=position_embeddings,
                **kwargs,
            )
        return hidden_states


class PaddleOCRVLPreTrainedModel(VideoLlama3PreTrainedModel):
    config: PaddleOCRVLConfig
    _no_split_modules = ["PaddleOCRDecoderLayer", "PaddleOCRVisionEncoderLayer"]


class PaddleOCRVisionTransformer(PaddleOCRVLPreTrainedModel):
    config: PaddleOCRVisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _can_record_outputs = {
        "hidden_states": PaddleOCRVisionEncoderLayer,
        "attentions": PaddleOCRVisionAttention,
    }

    def __init__(self, config: PaddleOCRVisionConfig) -> None:
        super().__init__(config)
        self.embeddings = PaddleOCRVisionEmbeddings(config)
        self.encoder = PaddleOCRVisionEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings.patch_embedding

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        pixel_values: torch.FloatTensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(1, num_patches, num_channels, patch_size, patch_size)`):
                Patches of all images, row by row, one image after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The normalised patches after the last layer; nothing is pooled.
        """
        hidden_states = self.embeddings(pixel_values, grid_thw)
        hidden_states = self.encoder(hidden_states, grid_thw, **kwargs)
        return BaseModelOutputWithPooling(last_hidden_state=self.post_layernorm(hidden_states))


class PaddleOCRVisionModel(PaddleOCRVLPreTrainedModel):
    """Vision encoder: patches in reading order in, as many rows out."""

    config: PaddleOCRVisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: PaddleOCRVisionConfig) -> None:
        super().__init__(config)
        self.vision_model = PaddleOCRVisionTransformer(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.vision_model.get_input_embeddings()

    def forward(
        self,
        pixel_values: torch.FloatTensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(1, num_patches, num_channels, patch_size, patch_size)`):
                Patches of all images, row by row, one image after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The normalised patches after the last layer; nothing is pooled.
        """
        return self.vision_model(pixel_values, grid_thw, **kwargs)


class PaddleOCRProjector(nn.Module):
    """Joins the patches of each block and carries them into the space of the text decoder."""

    def __init__(self, config: PaddleOCRVLConfig) -> None:
        super().__init__()
        self.spatial_merge_size = config.vision_config.spatial_merge_size
        self.hidden_size = config.vision_config.hidden_size * self.spatial_merge_size**2
        self.pre_norm = nn.LayerNorm(config.vision_config.hidden_size, eps=1e-5)
        self.linear_1 = nn.Linear(self.hidden_size, self.hidden_size)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(self.hidden_size, config.text_config.hidden_size)

    def forward(self, image_features: torch.Tensor, grid_thw: torch.Tensor) -> torch.Tensor:
        """Returns one row per block, shape `(num_blocks, text width)`."""
        merge_size = self.spatial_merge_size
        block_order = []
        start = 0
        for t, h, w in grid_thw.tolist():
            end = start + t * h * w
            patches = torch.arange(start, end)
            patches = patches.view(t, h // merge_size, merge_size, w // merge_size, merge_size)
            block_order.append(patches.transpose(2, 3).flatten())
            start = end
        block_order = torch.cat(block_order, dim=0)
        blocks = self.pre_norm(image_features)[block_order.to(image_features.device)]
        return self.linear_2(self.act(self.linear_1(blocks.view(-1, self.hidden_size))))


class PaddleOCRVLModel(Qwen2VLModel):
    _keys_to_ignore_on_load_unexpected = ["packing_position_embedding", "vision_model.head"]

    def __init__(self, config: PaddleOCRVLConfig) -> None:
        super().__init__(config)
        self.visual = PaddleOCRVisionModel._from_config(config.vision_config)
        self.projector = PaddleOCRProjector(config)
        self.language_model = PaddleOCRTextModel._from_config(config.text_config)
        self.post_init()

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes images for the text decoder.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_patches, num_channels, patch_size, patch_size)`):
                Patches of all images, row by row.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The encoder output, with the projected tokens of all images in `pooler_output`.
        """
        pixel_values = pixel_values.type(self.visual.dtype).unsqueeze(0)
        vision_outputs = self.visual(pixel_values, grid_thw=image_grid_thw, **kwargs)
        vision_outputs.pooler_output = self.projector(
            vision_outputs.last_hidden_state, image_grid_thw
        )
        return vision_outputs

    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Videos are not supported; pass their frames as images."""
        raise NotImplementedError(
            "This model reads no videos: pass their frames as `pixel_values`."
        )


class PaddleOCRVLForConditionalGeneration(Qwen2VLForConditionalGeneration):
    _keys_to_ignore_on_load_unexpected = ["packing_position_embedding", "vision_model.head"]


class PaddleOCRVLProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: every token has its type."""


class PaddleOCRVLProcessor(Qwen2VLProcessor):
    """The processor of qwen2_vl without videos.

    That of the library hands on a truncated prompt that has lost tokens of an image; this one refuses it.
    """

    video_token = None
    checked_modalities = ("image",)

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_token = tokenizer.image_token
        self.image_token_id = self.find_token_id(tokenizer, "image_token")
        super(Qwen2VLProcessor, self).__init__(
            image_processor, tokenizer, chat_template=chat_template
        )

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        **kwargs: Unpack[PaddleOCRVLProcessorKwargs],
    ) -> BatchFeature:
        """Expand, tokenize and measure one prompt or a batch of them.

        Args:
            images: in the order of their placeholders, flat or nested by prompt.
            text: prompts, with one placeholder for each image.

        Returns:
            `input_ids`, `attention_mask` and, unless switched off, `mm_token_type_ids`, one row for
            each prompt; `pixel_values` `(patches, channels, rows, columns)` with `image_grid_thw`
            `(images, 3)`; `text_replacement_offsets` if `return_text_replacement_offsets` is set.

        Raises:
            ValueError: placeholders and images differ in number, there is no prompt, or a truncated one
                has lost tokens of an image.
        """
        return self.prepare(images, text, None, **kwargs)


__all__ = [
    "PaddleOCRVLForConditionalGeneration",
    "PaddleOCRVLModel",
    "PaddleOCRVLPreTrainedModel",
    "PaddleOCRVLProcessor",
    "PaddleOCRVLProcessorKwargs",
    "PaddleOCRVisionModel",
    "PaddleOCRVisionTransformer",
]
