"""GLM-Image: an encoder and a codebook that turn source images into tokens of the text decoder's vocabulary.

The encoder is that of glm4v with bilinear positions, without rotary ones and without merging. Prompts
hold source images between start and end tokens; the grids given beside them also describe the images
that are to be generated, whose tokens take positions on a grid of their own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GlmImageConfig, GlmImageVisionConfig, GlmImageVQVAEConfig
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.generation import GenerationMixin
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import ImagesKwargs, MultiModalData, Unpack
from transformers.utils import TransformersKwargs, can_return_tuple, torch_compilable_check

from utils.packed import is_tracing
from utils.text_positions import get_text_positions

from ..glm4v.modeling_glm4v import (
    Glm4vCausalLMOutputWithPast,
    Glm4vForConditionalGeneration,
    Glm4vModel,
    Glm4vModelOutputWithPast,
    Glm4vPatchEmbed,
    Glm4vPreTrainedModel,
    Glm4vVisionAttention,
    Glm4vVisionBlock,
    Glm4vVisionEmbeddings,
    Glm4vVisionModel,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs


class GlmImageModelOutputWithPast(Glm4vModelOutputWithPast):
    pass


class GlmImageCausalLMOutputWithPast(Glm4vCausalLMOutputWithPast):
    pass


class GlmImagePositionGrid(NamedTuple):
    """One image or video as the text decoder sees it: frame times, rows and columns of merged tokens."""

    times: Sequence[float]
    rows: int
    columns: int

    def positions(self) -> torch.Tensor:
        """Time, row and column of every token, shape `(3, tokens)`."""
        frame, row, column = torch.meshgrid(
            torch.arange(len(self.times)),
            torch.arange(self.rows),
            torch.arange(self.columns),
            indexing="ij",
        )
        time = torch.tensor(list(self.times))[frame]
        return torch.stack([time.flatten(), row.flatten(), column.flatten()])

    def span(self) -> float:
        """How far the text behind it moves on."""
        return max(self.rows, self.columns)


class GlmImageVisionMlp(nn.Module):
    def __init__(self, config: GlmImageVisionConfig) -> None:
        super().__init__()
        self.activation_fn = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation_fn(self.fc1(x)))


class GlmImagePatchEmbed(Glm4vPatchEmbed):
    """Projects each flattened patch of a single frame."""

    def __init__(self, config: GlmImageVisionConfig) -> None:
        super(Glm4vPatchEmbed, self).__init__()
        self.patch_size = config.patch_size
        self.in_channels = config.in_channels
        self.embed_dim = config.hidden_size
        kernel = [config.patch_size, config.patch_size]
        self.proj = nn.Conv2d(
            config.in_channels, config.hidden_size, kernel_size=kernel, stride=kernel
        )

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        patches = hidden_states.view(-1, self.in_channels, self.patch_size, self.patch_size)
        return self.proj(patches.to(self.proj.weight.dtype)).view(-1, self.embed_dim)


class GlmImageVisionEmbeddings(Glm4vVisionEmbeddings):
    interpolated_method = "bilinear"


class GlmImageVisionAttention(Glm4vVisionAttention):
    def __init__(self, config: GlmImageVisionConfig) -> None:
        super().__init__(config)
        self.proj = nn.Linear(self.dim, self.dim, bias=config.attention_bias)


class GlmImageVisionBlock(Glm4vVisionBlock):
    def __init__(self, config: GlmImageVisionConfig) -> None:
        super().__init__(config)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class GlmImagePreTrainedModel(Glm4vPreTrainedModel):
    config: GlmImageConfig
    input_modalities = ("image", "text")

    def _init_weights(self, module: nn.Module) -> None:
        PreTrainedModel._init_weights(self, module)


class GlmImageVQVAEVectorQuantizer(nn.Module):
    """Nearest entry of a codebook, by direction: rows and entries are scaled to unit length."""

    def __init__(self, config: GlmImageVQVAEConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.num_embeddings, config.embed_dim)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Index of the nearest entry for each row, shape `(rows,)`."""
        rows = F.normalize(hidden_states, p=2, dim=-1)
        entries = F.normalize(self.embedding.weight, p=2, dim=-1)
        distances = (
            rows.pow(2).sum(dim=1, keepdim=True)
            + entries.pow(2).sum(dim=1)
            - 2 * torch.matmul(rows, entries.transpose(0, 1))
        )
        return torch.argmin(distances, dim=1)


class GlmImageVQVAE(GlmImagePreTrainedModel):
    """Turns rows of the encoder into tokens. The part that turns tokens into images is not needed here."""

    config: GlmImageVQVAEConfig
    _no_split_modules = ["GlmImageVQVAEVectorQuantizer"]

    def __init__(self, config: GlmImageVQVAEConfig) -> None:
        super().__init__(config)
        self.quantize = GlmImageVQVAEVectorQuantizer(config)
        self.quant_conv = nn.Conv2d(config.latent_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.latent_channels, 1)
        self.post_init()

    def encode(self, hidden_states: torch.Tensor) -> torch.LongTensor:
        """Token of each row of `(rows, latent_channels)`; a row needs nothing from its neighbours."""
        latents = self.quant_conv(hidden_states[:, :, None, None]).flatten(1)
        return self.quantize(latents)


class GlmImageVisionModel(Glm4vVisionModel):
    """Vision encoder: patch rows in, as many rows out."""

    config: GlmImageVisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: GlmImageVisionConfig) -> None:
        super().__init__(config)
        del self.rotary_pos_emb
        del self.merger
        del self.post_conv_layernorm
        del self.post_layernorm
        del self.downsample

    def rot_pos_emb(self, grid_thw: torch.Tensor) -> torch.Tensor:
        """Row and column of each patch, shape `(num_patches, 2)`; nothing is rotated by them."""
        merge_size = self.spatial_merge_size
        pos_ids = []
        for t, h, w in grid_thw.tolist():
            frame = torch.cartesian_prod(torch.arange(h), torch.arange(w))
            blocks = frame.view(h // merge_size, merge_size, w // merge_size, merge_size, 2)
            pos_ids.append(blocks.transpose(1, 2).reshape(-1, 2).repeat(t, 1))
        pos_ids = torch.cat(pos_ids, dim=0)
        return pos_ids

    def join_blocks(self, hidden_states):
        raise AttributeError("Patches are not merged.")

    def forward(
        self,
        pixel_values: torch.Tensor,
        grid_thw: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the patches of a batch of images.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images, one after the other.
            grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The patches after the last block; nothing is pooled.
        """
        hidden_states = self.patch_embed(pixel_values)
        hidden_states = self.embeddings(hidden_states, grid_thw, self.rot_pos_emb(grid_thw))

        # One segment per frame; attention kernels ask for int32.
        frame_sizes = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(frame_sizes.cumsum(0, dtype=torch.int32), (1, 0))

        for blk in self.blocks:
            hidden_states = blk(hidden_states, cu_seqlens=cu_seqlens, **kwargs)
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states)


class GlmImageModel(Glm4vModel):
    frames_apart = AttributeError("There are no videos.")
    time_moves_on = AttributeError("There are no videos.")

    def __init__(self, config: GlmImageConfig) -> None:
        super().__init__(config)
        self.visual = GlmImageVisionModel._from_config(config.vision_config)
        self.vqmodel = GlmImageVQVAE._from_config(config.vq_config)
        # Positions of the tokens to be generated, and how many tokens come before them.
        self.target_positions = None
        self.prompt_length = 0
        self.post_init()

    def get_frame_times(self, frame, video, **kwargs):
        raise AttributeError("There are no videos.")

    def get_video_features(self, pixel_values_videos, video_grid_thw, **kwargs):
        raise AttributeError("There are no videos.")

    def get_video_mask(self, input_ids, inputs_embeds):
        raise AttributeError("There are no videos.")

    def get_token_grid(self, grid_thw, is_video):
        raise AttributeError("Grids belong to samples here.")

    def split_grids(
        self,
        batch_size: int,
        image_grid_thw: torch.Tensor | None,
        images_per_sample: torch.Tensor | None,
    ) -> list[torch.Tensor]:
        """Grids of the source and target images of each sample, in this order."""
        if image_grid_thw is None:
            return [torch.zeros((0, 3), dtype=torch.long)] * batch_size
        if images_per_sample is None:
            return [image_grid_thw] * batch_size
        return list(torch.split(image_grid_thw, images_per_sample.tolist()))

    def get_image_ends(
        self, input_ids: torch.LongTensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Where a source image ends, `(batch_size, sequence_length)`."""
        ends = input_ids == self.config.image_end_token_id
        if attention_mask is not None and attention_mask.dim() == 2:
            # Padding may use the same id.
            ends = ends & attention_mask[:, -input_ids.shape[1] :].bool()
        return ends

    def select_source_grids(
        self, image_grid_thw: torch.Tensor, images_per_sample: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """The first grids of each sample, as many as `counts` says.

        While a graph is captured their number cannot be read: there all others follow as images of no
        size, of which nothing comes.
        """
        last = images_per_sample.cumsum(0)
        row = torch.arange(image_grid_thw.shape[0], device=image_grid_thw.device)
        sample = (row.unsqueeze(1) >= last).sum(1)
        is_source = row - (last - images_per_sample)[sample] < counts.to(row.device)[sample]
        if not is_tracing():
            return image_grid_thw[is_source]
        order = torch.argsort((~is_source).long(), stable=True)
        return (image_grid_thw * is_source.unsqueeze(1))[order]

    def get_source_grids(
        self,
        input_ids: torch.LongTensor,
        image_grid_thw: torch.LongTensor | None,
        images_per_sample: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        """Grids of the images that come with pixels: as many for each sample as its prompt has end tokens.

        Without `images_per_sample` all grids but the last are taken for source images. None without
        grids, as an encoder needs none that is given all that follows from them.
        """
        if image_grid_thw is None:
            return None
        if images_per_sample is None:
            return image_grid_thw[:-1]
        counts = self.get_image_ends(input_ids, attention_mask).sum(dim=1)
        if not is_tracing() and not counts.any():
            raise ValueError("Pixels were given, but the prompt holds no end token of an image.")
        return self.select_source_grids(image_grid_thw, images_per_sample, counts)

    def get_target_positions(self, start: int, grids: list[list[int]]) -> torch.Tensor:
        """Positions of the tokens to be generated, last grid first, and of the end token behind them."""
        pieces = []
        for _, h, w in reversed(grids):
            pieces.append(GlmImagePositionGrid([0], h, w).positions() + start)
            start += max(h, w)
        pieces.append(torch.full((3, 1), start))
        return torch.cat(pieces, dim=1)

    def get_rope_index(
        self,
        input_ids: torch.LongTensor,
        image_grid_thw: torch.LongTensor | None = None,
        images_per_sample: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotary positions of a prompt; those of the images to be generated are kept for later calls.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                The prompt, with placeholders or with tokens of images.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of source and target images, sample by sample.
            images_per_sample (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
                Source and target images of each sample.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding, which gets position 1.

        Returns:
            Positions of shape `(3, batch_size, sequence_length)`, and zeros of shape `(batch_size, 1)`.
        """
        batch_size, seq_length = input_ids.shape
        kept = torch.ones_like(input_ids, dtype=torch.bool)
        if attention_mask is not None and attention_mask.shape[1] == seq_length:
            kept = attention_mask.bool().to(input_ids.device)
        starts = ((input_ids == self.config.image_start_token_id) & kept).long()
        ends = (self.get_image_ends(input_ids) & kept).long()
        # The token that starts an image, and that which ends it, are text, as is all behind a start
        # without an end.
        counts, opened = ends.sum(1), starts.cumsum(1) - starts
        inside = (opened > ends.cumsum(1)) & (opened <= counts.unsqueeze(1))
        sources = None
        if image_grid_thw is not None:
            grids, numbers = image_grid_thw, images_per_sample
            if numbers is None:
                grids = image_grid_thw.repeat(batch_size, 1)
                numbers = torch.full_like(counts, image_grid_thw.shape[0])
            sources = self.select_source_grids(grids, numbers.to(grids.device), counts)
            sources = torch.cat([torch.ones_like(sources[:, :1]), sources[:, 1:]], dim=1)
        position_ids, deltas = get_text_positions(
            (inside & kept).long(), sources, attention_mask=kept, dtype=self.position_dtype
        )
        position_ids = position_ids.masked_fill(~kept, 1)
        if not is_tracing():
            # A graph keeps nothing: generation computes positions ahead of the forward call.
            self.prompt_length, self.target_positions = seq_length, None
            if image_grid_thw is not None:
                nexts = (deltas + kept.sum(1, keepdim=True)).flatten().tolist()
                self.keep_target_positions(
                    nexts,
                    counts.tolist(),
                    self.split_grids(batch_size, image_grid_thw, images_per_sample),
                )
        return position_ids, torch.zeros_like(input_ids[:, :1])

    def keep_target_positions(
        self, nexts: list[int], counts: list[int], grids: list[torch.Tensor]
    ) -> None:
        """Remember positions of the tokens to be generated, of each sample from its next one."""
        targets = [
            self.get_target_positions(start, rows[count:].tolist())
            for start, count, rows in zip(nexts, counts, grids)
        ]
        longest = max(target.shape[1] for target in targets)
        padded = [
            torch.cat([target, target[:, -1:].expand(-1, longest - target.shape[1])], dim=1)
            for target in targets
        ]
        self.target_positions = torch.stack(padded, dim=1).to(grids[0].device)

    def compute_3d_position_ids(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor | None,
        image_grid_thw: torch.Tensor | None = None,
        images_per_sample: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> torch.Tensor | None:
        """Positions for a forward call that came without any; None leaves them to the text decoder."""
        past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
        has_grids = input_ids is not None and image_grid_thw is not None
        if has_grids and (self.rope_deltas is None or past_length == 0):
            position_ids, self.rope_deltas = self.get_rope_index(
                input_ids,
                image_grid_thw=image_grid_thw,
                images_per_sample=images_per_sample,
                attention_mask=attention_mask,
            )
            return position_ids
        if self.rope_deltas is None or (past_length == 0 and input_ids is not None):
            return None
        given = inputs_embeds if input_ids is None else input_ids
        batch_size, seq_length = given.shape[:2]
        if self.target_positions is not None:
            step = int(past_length) - self.prompt_length
            return self.target_positions[:, :, step : step + seq_length]
        positions = torch.arange(past_length, past_length + seq_length, device=given.device)
        return positions.expand(3, batch_size, -1)

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes source images.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of the source images.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each source image, counted in patches.

        Returns:
            The encoder output, with one tensor per image in `pooler_output`.
        """
        pixel_values = pixel_values.type(self.visual.dtype)
        vision_outputs = self.visual(pixel_values, grid_thw=image_grid_thw, **kwargs)
        split_sizes = (image_grid_thw.prod(-1) // self.visual.spatial_merge_size**2).tolist()
        vision_outputs.pooler_output = torch.split(vision_outputs.last_hidden_state, split_sizes)
        return vision_outputs

    def get_image_tokens(
        self, hidden_states: torch.FloatTensor, image_grid_thw: torch.LongTensor | None = None
    ) -> torch.LongTensor:
        """Tokens of encoded images, one for each row of `hidden_states`."""
        return self.vqmodel.encode(hidden_states)

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
        images_per_sample: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | GlmImageModelOutputWithPast:
        """Runs the text decoder over a prompt whose placeholders are replaced by tokens of source images.

        Args:
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of the source and target images, sample by sample.
            images_per_sample (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
                Source and target images of each sample; needed for more than one.
        """
        if pixel_values is not None:
            source_grid_thw = self.get_source_grids(
                input_ids, image_grid_thw, images_per_sample, attention_mask
            )
            image_embeds = self.get_image_features(pixel_values, source_grid_thw).pooler_output
            image_ids = self.get_image_tokens(torch.cat(image_embeds, dim=0), source_grid_thw)
            image_mask = input_ids == self.config.image_token_id
            torch_compilable_check(
                image_mask.sum() == image_ids.shape[0],
                "The number of placeholder tokens in the prompt differs from the number of image tokens.",
            )
            input_ids = input_ids.masked_scatter(image_mask, image_ids.to(input_ids.device))

        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        if position_ids is None:
            position_ids = self.compute_3d_position_ids(
                input_ids=input_ids,
                inputs_embeds=inputs_embeds,
                image_grid_thw=image_grid_thw,
                images_per_sample=images_per_sample,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
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
        return GlmImageModelOutputWithPast(**outputs, rope_deltas=self.rope_deltas)


class GlmImageForConditionalGeneration(Glm4vForConditionalGeneration):
    """The model with a head over the tokens of images."""

    _tied_weights_keys = {}
    prompt_inputs = ("pixel_values",)

    def __init__(self, config: GlmImageConfig) -> None:
        super().__init__(config)
        self.lm_head = nn.Linear(
            config.text_config.hidden_size, config.text_config.vision_vocab_size, bias=False
        )

    def get_video_features(self, pixel_values_videos, video_grid_thw, **kwargs):
        raise AttributeError("There are no videos.")

    def get_image_tokens(
        self, hidden_states: torch.FloatTensor, image_grid_thw: torch.LongTensor | None = None
    ) -> torch.LongTensor:
        """Tokens of encoded images, one for each row of `hidden_states`."""
        return self.model.get_image_tokens(hidden_states, image_grid_thw)

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
        images_per_sample: torch.LongTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        rope_deltas: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | GlmImageCausalLMOutputWithPast:
        """Predicts the next image token at every position.

        Args:
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Tokens to be predicted; -100 where there is no loss.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of the source and target images, sample by sample.
            images_per_sample (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
                Source and target images of each sample; needed for more than one.
            logits_to_keep (`int` or `torch.Tensor`, *optional*):
                How many positions from the end, or which positions, get logits; 0 means all.
            rope_deltas (`torch.LongTensor` of shape `(batch_size, 1)`, *optional*):
                Zeros, beside given `position_ids`.
        """
        self.model.keep_rope_deltas(rope_deltas)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            pixel_values=pixel_values,
            image_grid_thw=image_grid_thw,
            images_per_sample=images_per_sample,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :])

        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits,
                labels=labels,
                vocab_size=self.config.text_config.vision_vocab_size,
                **kwargs,
            )
        return GlmImageCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            rope_deltas=outputs.rope_deltas,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.LongTensor,
        is_first_iteration: bool = False,
        use_cache: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        model_inputs = GenerationMixin.prepare_inputs_for_generation(
            self, input_ids, is_first_iteration=is_first_iteration, use_cache=use_cache, **kwargs
        )
        # Rotary positions have three axes, and count on the mask of the prompt: that of the model's
        # inputs may be prepared for a cache of fixed length.
        model_inputs["position_ids"] = self.model.compute_3d_position_ids(
            input_ids=model_inputs.get("input_ids"),
            inputs_embeds=model_inputs.get("inputs_embeds"),
            image_grid_thw=kwargs.get("image_grid_thw"),
            images_per_sample=kwargs.get("images_per_sample"),
            attention_mask=kwargs.get("attention_mask"),
            past_key_values=kwargs.get("past_key_values"),
        )
        if use_cache and not is_first_iteration:
            model_inputs.update(dict.fromkeys(self.prompt_inputs))
        return model_inputs

    def _prepare_position_ids_for_generation(self, inputs_tensor, model_kwargs):
        raise AttributeError("Positions are computed in the forward call.")

    def _repeat_entries(self, kind, pixels, mask, times, inputs):
        raise AttributeError("Grids also describe images without pixels.")

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, **model_kwargs: Any
    ) -> tuple[torch.LongTensor, dict[str, Any]]:
        """Repeats every prompt; grids also describe images without pixels, and stay as they are."""
        expand = super(Glm4vForConditionalGeneration, self)._expand_inputs_for_generation
        return expand(expand_size=expand_size, **model_kwargs)


class GlmImageImagesKwargs(ImagesKwargs, total=False):
    """Options for images, with the size in pixels of the image to be generated."""

    target_h: int
    target_w: int


class GlmImageProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor, with the size of the target."""

    images_kwargs: GlmImageImagesKwargs

    _defaults = {
        "text_kwargs": {"padding": False, "return_mm_token_type_ids": False},
        "images_kwargs": {"target_h": 1152, "target_w": 768},
    }


class GlmImageProcessor(Qwen2VLProcessor):
    """Prompts for an image that is to be generated, from text or from source images.

    Every prompt ends with the size of the target in tokens. The grids of a prompt are those of its sources,
    then of the target, which from text alone is generated in two steps, small and large. The processor of the
    library counts placeholders as sources where no image is given at all; here they are text.
    """

    video_token = None
    checked_modalities = ("image",)
    #: Pixels along a side of one token of the target, and the side of a small target of equal area.
    target_factor, small_side = 32, 16

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_token = tokenizer.image_token
        self.grid_bos_token = tokenizer.grid_bos_token
        self.grid_eos_token = tokenizer.grid_eos_token
        self.bos_token = tokenizer.bos_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        super(Qwen2VLProcessor, self).__init__(
            image_processor, tokenizer, chat_template=chat_template
        )

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        **kwargs: Unpack[GlmImageProcessorKwargs],
    ) -> BatchFeature:
        """Expand and tokenize prompts, and measure their source images.

        Args:
            images: source images in the order of their placeholders, flat or nested by prompt; none to
                generate from text alone.
            text: prompts, each with the same number of placeholders; None for the images alone.

        Returns:
            `input_ids` and `attention_mask`, one row for each prompt; `pixel_values` `(patches, values)` of
            the sources; `image_grid_thw` `(grids, 3)`, for each prompt those of its sources and then of
            its targets; `images_per_sample` `(prompts,)`, how many these are.

        Raises:
            ValueError: neither text nor images; placeholders and images differ in number; prompts have
                different numbers of sources.
        """
        options = self.read_options(kwargs)
        tensor_type = options["text_kwargs"].pop("return_tensors", None)
        height = options["images_kwargs"].pop("target_h")
        width = options["images_kwargs"].pop("target_w")
        image_inputs, replacements = self._process_images(images, **options["images_kwargs"])
        if images is None:
            grid = None
        else:
            # The rows of the sources: what the encoder sees.
            grid = image_inputs["image_grid_thw"]
        if text is None:
            if images is None:
                raise ValueError("GlmImageProcessor needs `text` or `images`")
            return image_inputs
        texts = [text] if isinstance(text, str) else list(text)
        sources = 0 if grid is None else self.count_sources(texts)
        targets = self.target_grids(height, width, from_text=grid is None)
        suffix = "".join(map(self.write_target, targets)) + self.bos_token
        text_inputs = self.process_texts(
            [content + suffix for content in texts],
            {"image": replacements, "video": []},
            **options["text_kwargs"],
        )
        image_inputs["image_grid_thw"] = self.join_grids(grid, sources, targets, len(texts))
        image_inputs["images_per_sample"] = torch.tensor([sources + len(targets)] * len(texts))
        return BatchFeature(
            data={**text_inputs, **image_inputs},
            tensor_type=tensor_type,
            skip_tensor_conversion=["text_replacement_offsets"],
        )

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int) -> str:
        """A token for every patch: the encoder merges none."""
        _, rows, columns = (int(size) for size in image_inputs["image_grid_thw"][image_idx])
        return self.image_token * (rows * columns)

    def count_sources(self, texts: Sequence[str]) -> int:
        """How many source images every prompt has."""
        counts = [content.count(self.image_token) for content in texts]
        if len(set(counts)) > 1:
            raise ValueError(
                f"prompts of a batch need equal numbers of source images, not {counts}"
            )
        return counts[0] if counts else 0

    def target_grids(self, height: int, width: int, from_text: bool) -> list[list[int]]:
        """The grids of the target, in tokens: from text alone a small one of the same form follows."""
        rows, columns = height // self.target_factor, width // self.target_factor
        grids = [[1, rows, columns]]
        if from_text:
            ratio = rows / columns
            small = [int(math.sqrt(side) * self.small_side) for side in (ratio, 1 / ratio)]
            grids.append([1, *small])
        return grids

    def write_target(self, grid: Sequence[int]) -> str:
        """A grid as the prompt holds it."""
        return f"{self.grid_bos_token}{grid[1]} {grid[2]}{self.grid_eos_token}"

    def join_grids(
        self, grid: Any, sources: int, targets: list[list[int]], prompts: int
    ) -> torch.Tensor:
        """The grids of sources and targets, prompt by prompt, as `(grids, 3)`."""
        target = torch.tensor(targets)
        if not sources:
            return target.repeat(prompts, 1)
        pieces = torch.as_tensor(grid).split(sources)
        return torch.cat([rows for piece in pieces for rows in (piece, target)])

    def find_positions(self, batch: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        """The same, of which padding has position 1; the positions of targets are the model's affair."""
        found = super().find_positions(batch, config)
        mask = batch.get("attention_mask")
        positions = found["position_ids"]
        return {
            "position_ids": positions if mask is None else positions.masked_fill(mask == 0, 1),
            "rope_deltas": found["rope_deltas"] * 0,
        }

    def position_types(self, input_ids: Any) -> Any:
        return (input_ids == self.image_token_id).to(input_ids.dtype)

    def token_grid(self, batch: Mapping[str, Any], modality: str) -> Any:
        """The grids of the sources, of which none is merged; each prompt has one of a target behind them."""
        if modality != "image" or batch.get("pixel_values") is None:
            return None
        rows = batch["image_grid_thw"].view(len(batch["images_per_sample"]), -1, 3)
        return rows[:, :-1].flatten(0, 1)

    def _get_num_multimodal_tokens(
        self, image_sizes: Sequence[Sequence[int]] | None = None, **kwargs: Any
    ) -> MultiModalData:
        """How many tokens source images of given sizes `(height, width)` in pixels become."""
        counts = super()._get_num_multimodal_tokens(image_sizes, **kwargs)
        if image_sizes is not None:
            counts.num_image_tokens = counts.num_image_patches
        return counts

    @property
    def model_input_names(self) -> list[str]:
        """Names of everything that a call returns."""
        return [
            *("input_ids", "attention_mask", "pixel_values", "image_grid_thw", "images_per_sample")
        ]


__all__ = [
    "GlmImageForConditionalGeneration",
    "GlmImageModel",
    "GlmImagePreTrainedModel",
    "GlmImageProcessor",
    "GlmImageProcessorKwargs",
    "GlmImageVQVAE",
    "GlmImageVisionModel",
]
