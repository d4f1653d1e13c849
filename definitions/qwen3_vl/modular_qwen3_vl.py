"""Qwen3-VL: learned positions on top of rotary ones, and features of inner blocks for the text decoder.

The table of learned positions is square; grids of any other size read it by linear interpolation
between the four entries around each patch, with the corners of grid and table lying on one another.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Qwen3VLConfig, Qwen3VLVisionConfig
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, can_return_tuple, logging
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs
from transformers.video_utils import VideoInput

from utils.processing_utils import ReplacementOffset, get_text_with_replacements

from ..qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLPatchEmbed,
    Qwen2_5_VLVisionAttention,
    Qwen2_5_VLVisionBlock,
    Qwen2_5_VLVisionRotaryEmbedding,
)
from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VisionTransformerPretrainedModel,
    Qwen2VLForConditionalGeneration,
    Qwen2VLModel,
    Qwen2VLModelOutputWithPast,
    Qwen2VLPreTrainedModel,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs

logger = logging.get_logger(__name__)


@dataclass
class BaseModelOutputWithDeepstackFeatures(BaseModelOutputWithPooling):
    """Encoder output, with one tensor of merged tokens for each tapped block in `deepstack_features`."""

    deepstack_features: list[torch.FloatTensor] | None = None


class Qwen3VLModelOutputWithPast(Qwen2VLModelOutputWithPast):
    pass


def join_deepstack_features(
    image_mask: torch.Tensor | None,
    image_features: list[torch.Tensor] | None,
    video_mask: torch.Tensor | None,
    video_features: list[torch.Tensor] | None,
) -> tuple[torch.Tensor | None, list[torch.Tensor] | None]:
    """Mask of all vision tokens, and features of each tapped block in the order of that mask.

    Masks have shape `(batch_size, sequence_length)`. Either modality may be missing, then its mask and
    features are None.
    """
    if image_mask is None or image_features is None:
        return video_mask, video_features
    if video_mask is None or video_features is None:
        return image_mask, image_features
    joint_mask = image_mask | video_mask
    from_image = image_mask[joint_mask].unsqueeze(-1)
    joined = []
    for image_layer, video_layer in zip(image_features, video_features):
        rows = image_layer.new_zeros((from_image.shape[0], image_layer.shape[-1]))
        rows = rows.masked_scatter(from_image.expand_as(rows), image_layer)
        joined.append(rows.masked_scatter(~from_image.expand_as(rows), video_layer))
    return joint_mask, joined


class Qwen3VLVisionMlp(nn.Module):
    def __init__(self, config: Qwen3VLVisionConfig) -> None:
        super().__init__()
        self.linear_fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.act_fn = ACT2FN[config.hidden_act]
        self.linear_fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear_fc2(self.act_fn(self.linear_fc1(x)))


class Qwen3VLPatchEmbed(Qwen2_5_VLPatchEmbed):
    has_bias = True


class Qwen3VLVisionRotaryEmbedding(Qwen2_5_VLVisionRotaryEmbedding):
    pass


class Qwen3VLPatchMerger(nn.Module):
    """Joins the patches of one block into one token; the norm comes before or after they are joined."""

    def __init__(self, config: Qwen3VLVisionConfig, use_postshuffle_norm: bool = False) -> None:
        super().__init__()
        self.hidden_size = config.hidden_size * config.spatial_merge_size**2
        self.use_postshuffle_norm = use_postshuffle_norm
        self.norm = nn.LayerNorm(
            self.hidden_size if use_postshuffle_norm else config.hidden_size, eps=1e-6
        )
        self.linear_fc1 = nn.Linear(self.hidden_size, self.hidden_size)
        self.act_fn = nn.GELU()
        self.linear_fc2 = nn.Linear(self.hidden_size, config.out_hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.use_postshuffle_norm:
            x = self.norm(x.view(-1, self.hidden_size))
        else:
            x = self.norm(x).view(-1, self.hidden_size)
        return self.linear_fc2(self.act_fn(self.linear_fc1(x)))


class Qwen3VLVisionAttention(Qwen2_5_VLVisionAttention):
    pass


class Qwen3VLVisionBlock(Qwen2_5_VLVisionBlock):
    def __init__(self, config: Qwen3VLVisionConfig) -> None:
        super().__init__(config)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=1e-6)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=1e-6)


class Qwen3VLPreTrainedModel(Qwen2VLPreTrainedModel):
    _no_split_modules = ["Qwen3VLTextDecoderLayer", "Qwen3VLVisionBlock"]


class Qwen3VLVisionModel(Qwen2VisionTransformerPretrainedModel):
    config: Qwen3VLVisionConfig

    def __init__(self, config: Qwen3VLVisionConfig) -> None:
        super().__init__(config)
        self.pos_embed = nn.Embedding(config.num_position_embeddings, config.hidden_size)
        self.num_grid_per_side = int(config.num_position_embeddings**0.5)
        self.deepstack_visual_indexes = config.deepstack_visual_indexes
        self.deepstack_merger_list = nn.ModuleList(
            [
                Qwen3VLPatchMerger(config, use_postshuffle_norm=True)
                for _ in config.deepstack_visual_indexes
            ]
        )
        self.post_init()

    def fast_pos_embed_interpolate(self, grid_thw: torch.Tensor) -> torch.Tensor:
        """Learned position of each patch, shape `(num_patches, hidden_size)`, in the dtype of the table."""
        last = self.num_grid_per_side - 1
        merge_size = self.spatial_merge_size
        table = self.pos_embed.weight
        patch_pos_embeds = []
        for t, h, w in grid_thw.tolist():
            y, x = torch.linspace(0, last, h).unsqueeze(1), torch.linspace(0, last, w)
            top, left = y.floor(), x.floor()
            bottom, right = (top + 1).clamp(max=last), (left + 1).clamp(max=last)
            below, beside = y - top, x - left
            corners = []
            for row, col, weight in (
                (top, left, (1 - below) * (1 - beside)),
                (top, right, (1 - below) * beside),
                (bottom, left, below * (1 - beside)),
                (bottom, right, below * beside),
            ):
                index = (row * self.num_grid_per_side + col).long().to(table.device)
                corners.append(self.pos_embed(index) * weight.to(table).unsqueeze(-1))
            frame = corners[0] + corners[1] + corners[2] + corners[3]
            # From row by row to block by block, once per frame.
            blocks = frame.view(h // merge_size, merge_size, w // merge_size, merge_size, -1)
            patch_pos_embeds.append(blocks.transpose(1, 2).flatten(0, 3).repeat(t, 1))
        patch_pos_embeds = torch.cat(patch_pos_embeds, dim=0)
        return patch_pos_embeds

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        hidden_states: torch.Tensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithDeepstackFeatures:
        """Encodes the patches of a batch of images and videos.

        Args:
            hidden_states (`torch.Tensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images and videos, one after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image or video, counted in patches.

        Returns:
            The patches after the last block, as `pooler_output` the merged tokens, and as
            `deepstack_features` the merged tokens after each tapped block.
        """
        hidden_states = self.patch_embed(hidden_states)
        hidden_states = hidden_states + self.fast_pos_embed_interpolate(grid_thw)
        rotary_pos_emb = self.rot_pos_emb(grid_thw)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        deepstack_features = []
        for layer_num, blk in enumerate(self.blocks):
            hidden_states = blk(
                hidden_states,
                cu_seqlens=cu_seqlens,
                position_embeddings=position_embeddings,
                **kwargs,
            )
            if layer_num in self.deepstack_visual_indexes:
                merger = self.deepstack_merger_list[self.deepstack_visual_indexes.index(layer_num)]
                deepstack_features.append(merger(hidden_states))

        return BaseModelOutputWithDeepstackFeatures(
            last_hidden_state=hidden_states,
            pooler_output=self.merger(hidden_states),
            deepstack_features=deepstack_features,
        )


class Qwen3VLModel(Qwen2VLModel):
    frames_apart = True

    def __init__(self, config: Qwen3VLConfig) -> None:
        super().__init__(config)
        self.visual = Qwen3VLVisionModel._from_config(config.vision_config)

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
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen3VLModelOutputWithPast:
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        image_mask, image_deepstack = None, None
        if pixel_values is not None:
            image_outputs = self.get_image_features(pixel_values, image_grid_thw, return_dict=True)
            image_embeds = image_outputs.pooler_output
            image_deepstack = image_outputs.deepstack_features
            image_mask = self.get_image_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, image_mask, image_embeds)

        video_mask, video_deepstack = None, None
        if pixel_values_videos is not None:
            video_outputs = self.get_video_features(
                pixel_values_videos, video_grid_thw, return_dict=True
            )
            video_embeds = video_outputs.pooler_output
            video_deepstack = video_outputs.deepstack_features
            video_mask = self.get_video_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, video_mask, video_embeds)

        visual_pos_masks, deepstack_visual_embeds = join_deepstack_features(
            image_mask, image_deepstack, video_mask, video_deepstack
        )

        if position_ids is None:
            position_ids = self.compute_3d_position_ids(
                input_ids=input_ids,
                inputs_embeds=inputs_embeds,
                image_grid_thw=image_grid_thw,
                video_grid_thw=video_grid_thw,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
                mm_token_type_ids=mm_token_type_ids,
            )

        outputs = self.language_model(
            input_ids=None,
            position_ids=position_ids,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            visual_pos_masks=visual_pos_masks,
            deepstack_visual_embeds=deepstack_visual_embeds,
            **kwargs,
        )
        return Qwen3VLModelOutputWithPast(**outputs, rope_deltas=self.rope_deltas)


class Qwen3VLForConditionalGeneration(Qwen2VLForConditionalGeneration):
    pass


class Qwen3VLProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor: metadata of videos are always asked for."""

    _defaults = {
        "text_kwargs": {
            "padding": False,
            "return_token_type_ids": False,
            "return_mm_token_type_ids": True,
        },
        "videos_kwargs": {"return_metadata": True},
    }


class Qwen3VLProcessor(Qwen2VLProcessor):
    """A processor that writes the frames of a video one by one, with the second of each in front.

    A video stands in a prompt with its start and end tokens around it, which its frames replace, or alone.
    Where a prompt has both, the processor of the library gives the first video to the first wrapped
    placeholder, wherever it stands; here videos go to their placeholders in order.
    """

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
        self.vision_start_token = getattr(tokenizer, "vision_start_token", "<|vision_start|>")
        self.vision_end_token = getattr(tokenizer, "vision_end_token", "<|vision_end|>")
        self.vision_start_token_id = self.find_token_id(tokenizer, "vision_start_token")
        self.vision_end_token_id = self.find_token_id(tokenizer, "vision_end_token")

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[Qwen3VLProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, **kwargs)

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        # The seconds of frames follow from the metadata, whether the caller wants to see it or not.
        kwargs["return_metadata"] = True
        return super()._process_videos(videos, **kwargs)

    def replace_video_token(self, video_inputs: dict[str, Any], video_idx: int) -> str:
        """Every frame with its second in front and its own start and end."""
        grid = video_inputs["video_grid_thw"][video_idx]
        count = int(grid[1:].prod()) // self.video_processor.merge_size**2
        frame = self.vision_start_token + self.video_token * count + self.vision_end_token
        times = self.frame_times(video_inputs["video_metadata"][video_idx])
        return "".join(f"<{time:.1f} seconds>{frame}" for time in times[: int(grid[0])])

    def frame_times(self, metadata: Any) -> list[float]:
        """The middle second of every group of frames that the encoder joins; the last frame fills up."""
        if metadata.fps is None:
            logger.warning_once(
                f"the frames of a video have no times, as its fps is not known: {self.assumed_fps} is "
                "assumed; give `video_metadata`"
            )
        fps = metadata.fps or self.assumed_fps
        size = self.video_processor.temporal_patch_size
        frames = [int(index) for index in metadata.frames_indices]
        frames += frames[-1:] * (-len(frames) % size)
        return [
            (frames[start] / fps + frames[start + size - 1] / fps) / 2
            for start in range(0, len(frames), size)
        ]

    def expand_texts(
        self,
        texts: list[str],
        replacements: dict[str, list[str]],
        return_replacement_offsets: bool,
    ) -> tuple[list[str], list[list[ReplacementOffset]]]:
        """New texts, and where what was replaced; a video with start and end around it goes as a whole."""
        wrapped = self.vision_start_token + self.video_token + self.vision_end_token
        either = re.compile(f"{re.escape(wrapped)}|{re.escape(self.video_token)}")
        videos = replacements["video"]
        found = [match[0] for text in texts for match in either.finditer(text)] if videos else []
        if len(found) != len(videos):
            # The helper says what is missing.
            return super().expand_texts(texts, replacements, return_replacement_offsets)
        pairs = list(zip(found, videos))
        texts, offsets = get_text_with_replacements(
            texts,
            image_token=self.image_token,
            images_replacements=replacements["image"],
            video_token=wrapped,
            videos_replacements=[new for old, new in pairs if old == wrapped],
            # Nothing here is audio: it is the helper's third kind of placeholder.
            audio_token=self.video_token,
            audio_replacements=[new for old, new in pairs if old != wrapped],
            return_replacement_offsets=return_replacement_offsets,
        )
        for offset in itertools.chain.from_iterable(offsets):
            if offset["type"] == "audio":
                offset["type"] = "video"
        return texts, offsets


__all__ = [
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLModel",
    "Qwen3VLPreTrainedModel",
    "Qwen3VLProcessor",
    "Qwen3VLProcessorKwargs",
    "Qwen3VLVisionModel",
]
