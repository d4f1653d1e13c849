"""Qwen2-VL: a packed vision transformer with 2-D rotary positions in front of a text decoder.

Images and videos arrive as rows of flattened patches, all of them in one sequence, together with one
`(frames, rows, columns)` entry per image or video. Rows are ordered block by block: the patches that
the merger joins into one token stand next to each other. Attention never crosses a frame.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel, Qwen2VLConfig, Qwen2VLVisionConfig
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.generation import GenerationMixin
from transformers.image_utils import ImageInput
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    BaseModelOutputWithPooling,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.processing_utils import (
    MultiModalData,
    ProcessingKwargs,
    ProcessorMixin,
    TextKwargs,
    Unpack,
)
from transformers.utils import TransformersKwargs, can_return_tuple, torch_compilable_check
from transformers.utils.generic import is_flash_attention_requested, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs
from transformers.video_utils import VideoInput

from utils.processing_utils import ReplacementOffset, get_text_with_replacements
from utils.text_positions import get_text_positions


@dataclass
class Qwen2VLModelOutputWithPast(BaseModelOutputWithPast):
    """Decoder output, plus how far rotary positions lag behind the sequence length of each sample."""

    rope_deltas: torch.LongTensor | None = None


@dataclass
class Qwen2VLCausalLMOutputWithPast(CausalLMOutputWithPast):
    """Logits and loss, plus how far rotary positions lag behind the sequence length of each sample."""

    rope_deltas: torch.LongTensor | None = None


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    """Swaps the two halves of the last dimension and negates the one that comes first."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    return torch.cat((-second, first), dim=-1)


def apply_rotary_pos_emb_vision(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotates queries and keys of shape `(tokens, heads, head_dim)` in float32, whatever their dtype."""
    cos, sin = cos.unsqueeze(-2).float(), sin.unsqueeze(-2).float()
    q_float, k_float = q.float(), k.float()
    q_rotated = q_float * cos + rotate_half(q_float) * sin
    k_rotated = k_float * cos + rotate_half(k_float) * sin
    return q_rotated.to(q.dtype), k_rotated.to(k.dtype)


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention written out, for tensors of shape `(batch, heads, tokens, head_dim)`.

    Returns the mixed values as `(batch, tokens, heads, head_dim)` and the attention weights.
    """
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = F.dropout(weights, p=dropout, training=module.training)
    mixed = torch.matmul(weights, value)
    return mixed.transpose(1, 2).contiguous(), weights


class Qwen2VLVisionRotaryEmbedding(nn.Module):
    """Angles for each position along one axis of the patch grid."""

    inv_freq: torch.Tensor

    def __init__(self, config: Qwen2VLVisionConfig, theta: float = 10000.0) -> None:
        super().__init__()
        # Each of the two axes takes half of the channels of a head.
        self.dim = config.embed_dim // config.num_heads // 2
        self.theta = theta
        self.register_buffer("inv_freq", self.compute_inv_freq(), persistent=False)

    def compute_inv_freq(self) -> torch.Tensor:
        exponents = torch.arange(0, self.dim, 2, dtype=torch.float) / self.dim
        return 1.0 / (self.theta**exponents)

    def forward(self, seqlen: int) -> torch.Tensor:
        positions = torch.arange(seqlen, device=self.inv_freq.device, dtype=self.inv_freq.dtype)
        return torch.outer(positions, self.inv_freq)


class Qwen2VLPatchEmbed(nn.Module):
    """Projects each flattened patch; the kernel covers the patch exactly, so no position mixes."""

    has_bias = False

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.temporal_patch_size = config.temporal_patch_size
        self.in_channels = config.in_channels
        self.embed_dim = config.embed_dim
        kernel = [self.temporal_patch_size, self.patch_size, self.patch_size]
        self.proj = nn.Conv3d(
            self.in_channels, self.embed_dim, kernel_size=kernel, stride=kernel, bias=self.has_bias
        )

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        patches = hidden_states.view(
            -1, self.in_channels, self.temporal_patch_size, self.patch_size, self.patch_size
        )
        return self.proj(patches.to(self.proj.weight.dtype)).view(-1, self.embed_dim)


class Qwen2VLPatchMerger(nn.Module):
    """Joins the patches of one block into one token of the width of the text decoder."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        self.hidden_size = config.embed_dim * config.spatial_merge_size**2
        self.ln_q = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(self.hidden_size, self.hidden_size),
            nn.GELU(),
            nn.Linear(self.hidden_size, config.hidden_size),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mlp(self.ln_q(x).view(-1, self.hidden_size))


class Qwen2VLVisionMlp(nn.Module):
    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        hidden_dim = int(config.embed_dim * config.mlp_ratio)
        self.fc1 = nn.Linear(config.embed_dim, hidden_dim)
        self.act = ACT2FN[config.hidden_act]
        self.fc2 = nn.Linear(hidden_dim, config.embed_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Qwen2VLVisionAttention(nn.Module):
    """Self-attention inside each segment of a packed sequence."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.embed_dim
        self.num_heads = config.num_heads
        self.head_dim = self.dim // self.num_heads
        self.num_key_value_groups = 1  # read by the attention functions of transformers
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = 0.0
        self.is_causal = False
        self.qkv = nn.Linear(self.dim, self.dim * 3, bias=True)
        self.proj = nn.Linear(self.dim, self.dim)

    def project_in(
        self, hidden_states: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape `(tokens, heads, head_dim)`."""
        qkv = self.qkv(hidden_states).reshape(
            hidden_states.shape[0], 3, self.num_heads, self.head_dim
        )
        query_states, key_states, value_states = qkv.permute(1, 0, 2, 3).unbind(0)
        return query_states, key_states, value_states

    def project_out(self, mixed_states: torch.Tensor) -> torch.Tensor:
        return self.proj(mixed_states)

    def forward(
        self,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        seq_length = hidden_states.shape[0]
        query_states, key_states, value_states = self.project_in(hidden_states)
        if position_embeddings is not None:
            cos, sin = position_embeddings
            query_states, key_states = apply_rotary_pos_emb_vision(
                query_states, key_states, cos, sin
            )

        query_states = query_states.transpose(0, 1).unsqueeze(0)
        key_states = key_states.transpose(0, 1).unsqueeze(0)
        value_states = value_states.transpose(0, 1).unsqueeze(0)

        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        dropout = self.attention_dropout if self.training else 0.0

        if is_flash_attention_requested(self.config):
            # The kernels take the segments of a packed sequence as they are.
            max_seqlen = (cu_seqlens[1:] - cu_seqlens[:-1]).max()
            attn_output, _ = attention_interface(
                self,
                query_states,
                key_states,
                value_states,
                attention_mask=None,
                scaling=self.scaling,
                dropout=dropout,
                cu_seq_lens_q=cu_seqlens,
                cu_seq_lens_k=cu_seqlens,
                max_length_q=max_seqlen,
                max_length_k=max_seqlen,
                is_causal=False,
                **kwargs,
            )
        else:
            lengths = cu_seqlens[1:] - cu_seqlens[:-1]
            splits = [
                torch.split(states, lengths.tolist(), dim=2)
                for states in (query_states, key_states, value_states)
            ]
            attn_outputs = [
                attention_interface(
                    self,
                    q,
                    k,
                    v,
                    attention_mask=None,
                    scaling=self.scaling,
                    dropout=dropout,
                    is_causal=False,
                    **kwargs,
                )[0]
                for q, k, v in zip(*splits)
            ]
            attn_output = torch.cat(attn_outputs, dim=1)

        return self.project_out(attn_output.reshape(seq_length, -1).contiguous())


class Qwen2VLVisionBlock(GradientCheckpointingLayer):
    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.attn = Qwen2VLVisionAttention(config)
        self.mlp = Qwen2VLVisionMlp(config)

    def forward(
        self,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        hidden_states = hidden_states + self.attn(
            self.norm1(hidden_states),
            cu_seqlens=cu_seqlens,
            position_embeddings=position_embeddings,
            **kwargs,
        )
        return hidden_states + self.mlp(self.norm2(hidden_states))


class Qwen2VLPreTrainedModel(PreTrainedModel):
    config: Qwen2VLConfig
    base_model_prefix = "model"
    input_modalities = ("image", "video", "text")
    supports_gradient_checkpointing = True
    _no_split_modules = ["Qwen2VLDecoderLayer", "Qwen2VLVisionBlock"]
    _skip_keys_device_placement = "past_key_values"
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    @classmethod
    def is_custom_code(cls) -> bool:
        """Weights are renamed on loading as for the class of the same name in transformers."""
        return False

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        # The frequencies are not saved with the weights and have to be built again after loading.
        if isinstance(module, Qwen2VLVisionRotaryEmbedding):
            init.copy_(module.inv_freq, module.compute_inv_freq())


class Qwen2VisionTransformerPretrainedModel(Qwen2VLPreTrainedModel):
    """Vision encoder: patch rows in, one token per merged block out."""

    config: Qwen2VLVisionConfig
    input_modalities = ("image", "video")
    _no_split_modules = ["Qwen2VLVisionBlock"]
    _input_embed_layer = "patch_embed"
    _can_record_outputs = {
        "hidden_states": Qwen2VLVisionBlock,
        "attentions": Qwen2VLVisionAttention,
    }

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__(config)
        self.spatial_merge_size = config.spatial_merge_size
        self.patch_embed = Qwen2VLPatchEmbed(config)
        self.rotary_pos_emb = Qwen2VLVisionRotaryEmbedding(config)
        self.blocks = nn.ModuleList([Qwen2VLVisionBlock(config) for _ in range(config.depth)])
        self.merger = Qwen2VLPatchMerger(config)
        self.gradient_checkpointing = False
        self.post_init()

    def rot_pos_emb(self, grid_thw: torch.Tensor) -> torch.Tensor:
        """Angles of each patch: those of its row, then those of its column.

        Returns a tensor of shape `(num_patches, head_dim // 2)`.
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
        return rotary_pos_emb

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
            The patches after the last block, and as `pooler_output` the merged tokens.
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

        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.merger(hidden_states),
        )


class Qwen2VLModel(Qwen2VLPreTrainedModel):
    """Vision encoder and text decoder, joined at the token embeddings."""

    accepts_loss_kwargs = False
    # Whether prompts hold the frames of a video one by one, with text between them.
    frames_apart = False
    # Whether text goes on behind the last frame of a video, where that is later than its longer side.
    time_moves_on = False
    position_dtype = torch.long

    def __init__(self, config: Qwen2VLConfig) -> None:
        super().__init__(config)
        self.visual = Qwen2VisionTransformerPretrainedModel._from_config(config.vision_config)
        self.language_model = AutoModel.from_config(config.text_config)
        self.rope_deltas = None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_frame_times(
        self, frame: torch.Tensor, video: torch.Tensor, **kwargs: Any
    ) -> torch.Tensor:
        """Positions in time of frames, counted from the first of their video.

        Args:
            frame (`torch.LongTensor`): The number of each in its video.
            video (`torch.LongTensor` of the same shape): The number of its video.
        """
        return frame

    def get_token_grid(self, grid_thw: torch.LongTensor, is_video: bool) -> torch.LongTensor:
        """Frames, rows and columns of images or videos as the text decoder sees them, in tokens."""
        merge_size = self.config.vision_config.spatial_merge_size
        return torch.stack([grid_thw[:, 0], *(grid_thw[:, 1:] // merge_size).unbind(1)], dim=1)

    def get_rope_index(
        self,
        input_ids: torch.LongTensor,
        mm_token_type_ids: torch.IntTensor,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotary positions of text and vision tokens along time, rows and columns.

        Text counts on along all three axes at once. An image or a video starts where the text before
        it ended, spreads over its grid, and the text behind it goes on after its longer side.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                The prompt.
            mm_token_type_ids (`torch.IntTensor` of shape `(batch_size, sequence_length)`):
                0 for text, 1 for image, 2 for video tokens.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding, which gets position 0.

        Returns:
            Positions of shape `(3, batch_size, sequence_length)`, and for each sample the next
            position minus the number of tokens, shape `(batch_size, 1)`.
        """
        return get_text_positions(
            mm_token_type_ids.to(input_ids.device),
            None if image_grid_thw is None else self.get_token_grid(image_grid_thw, False),
            None if video_grid_thw is None else self.get_token_grid(video_grid_thw, True),
            attention_mask=attention_mask,
            frame_times=lambda frame, video: self.get_frame_times(frame, video, **kwargs),
            frames_apart=self.frames_apart,
            time_moves_on=self.time_moves_on,
            dtype=self.position_dtype,
        )

    def keep_rope_deltas(self, rope_deltas: torch.LongTensor | None) -> None:
        """Remembers offsets that were given, as those that were computed; a program has no memory."""
        if rope_deltas is not None and not torch.compiler.is_exporting():
            self.rope_deltas = rope_deltas

    def compute_3d_position_ids(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor,
        image_grid_thw: torch.Tensor | None = None,
        video_grid_thw: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        mm_token_type_ids: torch.IntTensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor | None:
        """Positions for a forward call that came without any; None leaves them to the text decoder.

        The first call of a prompt with vision tokens computes them and remembers the offsets; later
        calls of the same generation count on from there.
        """
        past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
        has_vision = image_grid_thw is not None or video_grid_thw is not None
        if has_vision and input_ids is not None and mm_token_type_ids is None:
            raise ValueError(
                "Images or videos were given without `mm_token_type_ids`: pass the tensor that the "
                "processor returns beside `input_ids`, or `position_ids` of your own."
            )
        if has_vision and input_ids is not None and (self.rope_deltas is None or past_length == 0):
            position_ids, self.rope_deltas = self.get_rope_index(
                input_ids,
                mm_token_type_ids=mm_token_type_ids,
                image_grid_thw=image_grid_thw,
                video_grid_thw=video_grid_thw,
                attention_mask=attention_mask,
                **kwargs,
            )
            return position_ids
        if self.rope_deltas is None or (past_length == 0 and input_ids is not None):
            return None
        batch_size, seq_length, _ = inputs_embeds.shape
        if attention_mask is not None:
            positions = (attention_mask.long().cumsum(-1) - 1).masked_fill(attention_mask == 0, 0)
            positions = positions[:, -seq_length:]
        else:
            positions = torch.arange(
                past_length, past_length + seq_length, device=inputs_embeds.device
            )
            positions = positions.expand(batch_size, -1)
        deltas = self.rope_deltas.repeat_interleave(batch_size // self.rope_deltas.shape[0], dim=0)
        return (positions + deltas.to(positions.device)).expand(3, -1, -1)

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes images for the text decoder.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The encoder output, with `pooler_output` split into one tensor per image; in one for all
            where no grid tells them apart.
        """
        pixel_values = pixel_values.type(self.visual.dtype)
        vision_outputs = self.visual(pixel_values, grid_thw=image_grid_thw, **kwargs)
        split_sizes = (image_grid_thw.prod(-1) // self.visual.spatial_merge_size**2).tolist()
        vision_outputs.pooler_output = torch.split(vision_outputs.pooler_output, split_sizes)
        return vision_outputs

    @can_return_tuple
    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes videos for the text decoder.

        Args:
            pixel_values_videos (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all videos.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.

        Returns:
            The encoder output, with `pooler_output` split into one tensor per video; in one for all
            where no grid tells them apart.
        """
        pixel_values_videos = pixel_values_videos.type(self.visual.dtype)
        vision_outputs = self.visual(pixel_values_videos, grid_thw=video_grid_thw, **kwargs)
        split_sizes = (video_grid_thw.prod(-1) // self.visual.spatial_merge_size**2).tolist()
        vision_outputs.pooler_output = torch.split(vision_outputs.pooler_output, split_sizes)
        return vision_outputs

    def get_token_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.FloatTensor, token_id: int
    ) -> torch.Tensor:
        """Where the prompt holds a placeholder, shape `(batch_size, sequence_length)`."""
        if input_ids is not None:
            return input_ids == token_id
        token = torch.tensor(token_id, dtype=torch.long, device=inputs_embeds.device)
        return (inputs_embeds == self.get_input_embeddings()(token)).all(-1)

    def get_image_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.FloatTensor
    ) -> torch.Tensor:
        return self.get_token_mask(input_ids, inputs_embeds, self.config.image_token_id)

    def get_video_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.FloatTensor
    ) -> torch.Tensor:
        return self.get_token_mask(input_ids, inputs_embeds, self.config.video_token_id)

    def merge_features(
        self,
        inputs_embeds: torch.FloatTensor,
        token_mask: torch.Tensor,
        features: torch.Tensor | Sequence[torch.Tensor],
    ) -> torch.FloatTensor:
        """Puts one feature row into each place of the mask; their numbers have to agree."""
        if not isinstance(features, torch.Tensor):
            features = torch.cat(tuple(features), dim=0)
        features = features.to(inputs_embeds.device, inputs_embeds.dtype)
        torch_compilable_check(
            token_mask.sum() == features.shape[0],
            "The number of placeholder tokens in the prompt differs from the number of feature rows.",
        )
        return inputs_embeds.masked_scatter(
            token_mask.unsqueeze(-1).expand_as(inputs_embeds), features
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
        pixel_values_videos: torch.FloatTensor | None = None,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        mm_token_type_ids: torch.IntTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen2VLModelOutputWithPast:
        """Runs the text decoder over a prompt whose placeholders are replaced by encoded images and videos.

        Args:
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            mm_token_type_ids (`torch.IntTensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for text, 1 for image, 2 for video tokens; needed unless `position_ids` are given.
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

        position_inputs = {"mm_token_type_ids": mm_token_type_ids}
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
        return Qwen2VLModelOutputWithPast(**outputs, rope_deltas=self.rope_deltas)


class Qwen2VLForConditionalGeneration(Qwen2VLPreTrainedModel, GenerationMixin):
    """The model with a language head."""

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    # What the first call of a generation takes and the later ones do not need again.
    prompt_inputs = ("pixel_values", "pixel_values_videos")

    def __init__(self, config: Qwen2VLConfig) -> None:
        super().__init__(config)
        self.model = Qwen2VLModel(config)
        self.lm_head = nn.Linear(
            config.text_config.hidden_size, config.text_config.vocab_size, bias=False
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes images for the text decoder; see the method of the same name of the inner model."""
        return self.model.get_image_features(pixel_values, image_grid_thw, **kwargs)

    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes videos for the text decoder; see the method of the same name of the inner model."""
        return self.model.get_video_features(pixel_values_videos, video_grid_thw, **kwargs)

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
        rope_deltas: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen2VLCausalLMOutputWithPast:
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
            rope_deltas (`torch.LongTensor` of shape `(batch_size, 1)`, *optional*):
                What later calls of a generation count on from, beside given `position_ids`.
        """
        self.model.keep_rope_deltas(rope_deltas)
        position_inputs = {"mm_token_type_ids": mm_token_type_ids}
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
        return Qwen2VLCausalLMOutputWithPast(
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
        model_inputs = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, use_cache=use_cache, **kwargs
        )
        if use_cache and not is_first_iteration:
            model_inputs.update(dict.fromkeys(self.prompt_inputs))
        return model_inputs

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: torch.Tensor, model_kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """One row of text positions, on which masks are built, above the three rows of rotary positions."""
        text_positions = super()._prepare_position_ids_for_generation(inputs_tensor, model_kwargs)
        text_positions = text_positions.unsqueeze(0)
        cache = model_kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length() != 0 and self.model.rope_deltas is not None:
            beams = text_positions.shape[1] // self.model.rope_deltas.shape[0]
            return text_positions + self.model.rope_deltas.repeat_interleave(beams, dim=0)

        token_types = model_kwargs.get("mm_token_type_ids")
        grids = (model_kwargs.get("image_grid_thw"), model_kwargs.get("video_grid_thw"))
        prompt = model_kwargs.get("input_ids", inputs_tensor)
        is_tokens = prompt.dim() == 2 and not prompt.is_floating_point() and prompt.shape[1] > 0
        if is_tokens and token_types is not None and any(grid is not None for grid in grids):
            arguments = {key: value for key, value in model_kwargs.items() if key != "input_ids"}
            rotary_positions, self.model.rope_deltas = self.model.get_rope_index(
                prompt, **arguments
            )
        else:
            rotary_positions = text_positions.expand(3, -1, -1)
            self.model.rope_deltas = text_positions.new_zeros((inputs_tensor.shape[0], 1))
        return torch.cat([text_positions, rotary_positions], dim=0)

    def _repeat_entries(
        self, kind: str, pixels: str, mask: torch.Tensor, times: int, inputs: dict[str, Any]
    ) -> dict[str, torch.Tensor]:
        """Images or videos, as often as the prompts that hold them; both are packed over the batch.

        Prompts hold placeholders in proportion to the tokens of their images, which tells whose an
        image is.
        """
        grid_thw = inputs.get(f"{kind}_grid_thw")
        if grid_thw is None:
            return {}
        tokens = grid_thw.prod(dim=1)
        if inputs.get(f"{kind}_merge_sizes") is not None:
            tokens = tokens // inputs[f"{kind}_merge_sizes"] ** 2
        ends, prompt_ends = tokens.cumsum(0), mask.sum(dim=1).cumsum(0)
        owners = torch.searchsorted(prompt_ends, ends * prompt_ends[-1] // ends[-1])
        order = torch.cat([torch.where(owners == row)[0].repeat(times) for row in range(len(mask))])

        repeated = {}
        for name in (f"{kind}_grid_thw", f"{kind}_merge_sizes"):
            if inputs.get(name) is not None:
                repeated[name] = inputs[name][order]
        if inputs.get(pixels) is not None:
            pieces = inputs[pixels].split(grid_thw.prod(dim=1).tolist())
            repeated[pixels] = torch.cat([pieces[entry] for entry in order.tolist()])
        return repeated

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: torch.LongTensor | None = None,
        **model_kwargs: Any,
    ) -> tuple[torch.LongTensor, dict[str, Any]]:
        """Repeats every prompt with its images and videos, for several beams or samples of each."""
        repeated: dict[str, torch.Tensor] = {}
        if expand_size > 1 and input_ids is not None:
            for kind, pixels in (("image", "pixel_values"), ("video", "pixel_values_videos")):
                find = self.model.get_image_mask if kind == "image" else self.model.get_video_mask
                mask = find(input_ids, None)
                repeated.update(self._repeat_entries(kind, pixels, mask, expand_size, model_kwargs))
            positions = model_kwargs.get("position_ids")
            if positions is not None and positions.dim() == 3:
                repeated["position_ids"] = positions.repeat_interleave(expand_size, dim=1)
        others = {name: value for name, value in model_kwargs.items() if name not in repeated}
        input_ids, others = super()._expand_inputs_for_generation(
            expand_size, is_encoder_decoder, input_ids, **others
        )
        return input_ids, {**others, **repeated}


class Qwen2VLTextKwargs(TextKwargs, total=False):
    """Options for texts, with the one that asks where the placeholders stood."""

    return_text_replacement_offsets: bool | None


class Qwen2VLProcessorKwargs(ProcessingKwargs, total=False):
    """Options of the processor by modality, and what holds where the caller says nothing."""

    text_kwargs: Qwen2VLTextKwargs

    _defaults = {"text_kwargs": {"padding": False, "return_mm_token_type_ids": True}}


class Qwen2VLProcessor(ProcessorMixin):
    """Prompts with images and videos, as the model takes them.

    A prompt holds one placeholder for each item, which becomes as many tokens as the encoder makes of
    the item. Nothing but placeholders is replaced, whatever a prompt says, and the caller's prompts stay
    as they are. The processor of the library agrees on everything that fits together. Where placeholders
    and items differ in number it drops items without a word or fails on an index; here both numbers
    are named.
    """

    valid_processor_kwargs = Qwen2VLProcessorKwargs
    #: Placeholders of a tokenizer that names none.
    default_tokens = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    #: What a prompt is checked for after it was tokenized: truncation loses tokens of items.
    checked_modalities = ("image", "video")
    #: How the model counts positions, as its attributes of these names say.
    frames_apart = False
    time_moves_on = False

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        video_processor: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_token = getattr(tokenizer, "image_token", self.default_tokens["image"])
        self.video_token = getattr(tokenizer, "video_token", self.default_tokens["video"])
        self.image_token_id = self.find_token_id(tokenizer, "image_token")
        self.video_token_id = self.find_token_id(tokenizer, "video_token")
        super().__init__(image_processor, tokenizer, video_processor, chat_template=chat_template)

    def find_token_id(self, tokenizer: Any, name: str) -> int:
        """Id of the token that is held under this name, by the tokenizer's own word where it has one."""
        known = getattr(tokenizer, f"{name}_id", None)
        return known if known else tokenizer.convert_tokens_to_ids(getattr(self, name))

    def __call__(
        self,
        images: ImageInput | None = None,
        text: str | Sequence[str] | None = None,
        videos: VideoInput | None = None,
        **kwargs: Unpack[Qwen2VLProcessorKwargs],
    ) -> BatchFeature:
        """Expand, tokenize and measure one prompt or a batch of them.

        Args:
            images, videos: all items in the order of their placeholders, flat or nested by prompt.
            text: prompts, with one placeholder for each item.

        Returns:
            `input_ids`, `attention_mask` and, unless switched off, `mm_token_type_ids`, one row for
            each prompt; `pixel_values` `(patches, values)` with `image_grid_thw` `(images, 3)`;
            `pixel_values_videos` with `video_grid_thw`; `text_replacement_offsets` if
            `return_text_replacement_offsets` is set, one list of offsets for each prompt.

        Raises:
            ValueError: placeholders and items differ in number, there is no prompt, or a truncated one has
                lost tokens of an item.
        """
        return self.prepare(images, text, videos, **kwargs)

    def prepare(
        self,
        images: ImageInput | None,
        text: str | Sequence[str] | None,
        videos: VideoInput | None,
        **kwargs: Any,
    ) -> BatchFeature:
        """What a call returns."""
        if text is None:
            raise ValueError(f"{type(self).__name__} needs a prompt in `text`")
        options = self.read_options(kwargs)
        tensor_type = options["text_kwargs"].pop("return_tensors", None)
        image_inputs, image_replacements = self._process_images(images, **options["images_kwargs"])
        video_inputs, video_replacements = self._process_videos(videos, **options["videos_kwargs"])
        if not self.is_asked_for(kwargs, "videos_kwargs", "return_metadata"):
            video_inputs.pop("video_metadata", None)
        text_inputs = self.process_texts(
            [text] if isinstance(text, str) else list(text),
            {"image": image_replacements, "video": video_replacements},
            **options["text_kwargs"],
        )
        return BatchFeature(
            data={**text_inputs, **image_inputs, **video_inputs},
            tensor_type=tensor_type,
            skip_tensor_conversion=["text_replacement_offsets", "video_metadata"],
        )

    def read_options(self, kwargs: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The caller's options and the defaults, by modality."""
        return self._merge_kwargs(
            self.valid_processor_kwargs,
            tokenizer_init_kwargs=self.tokenizer.init_kwargs,
            **kwargs,
        )

    def is_asked_for(self, kwargs: dict[str, Any], modality: str, option: str) -> bool:
        """Whether the caller, not a default, has set an option."""
        return bool(kwargs.get(option) or kwargs.get(modality, {}).get(option))

    def _process_images(
        self, images: ImageInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        """What the encoder takes of the images, and what each placeholder becomes."""
        if images is None:
            return {}, []
        inputs = self.image_processor(images=images, **kwargs)
        number = len(inputs["image_grid_thw"])
        return inputs, [self.replace_image_token(inputs, index) for index in range(number)]

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        """The same of the videos."""
        if videos is None:
            return {}, []
        inputs = self.video_processor(videos=videos, **kwargs)
        number = len(inputs["video_grid_thw"])
        return inputs, [self.replace_video_token(inputs, index) for index in range(number)]

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int) -> str:
        """A token for every block of patches that the encoder merges."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        return self.image_token * (patches // self.image_processor.merge_size**2)

    def replace_video_token(self, video_inputs: dict[str, Any], video_idx: int) -> str:
        """A token for every block of patches that the encoder merges, in all frames."""
        patches = int(video_inputs["video_grid_thw"][video_idx].prod())
        return self.video_token * (patches // self.video_processor.merge_size**2)

    def process_texts(
        self,
        texts: list[str],
        replacements: dict[str, list[str]],
        return_mm_token_type_ids: bool = False,
        return_text_replacement_offsets: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Expand the prompts, with what the placeholders of each modality become, and tokenize them."""
        offsets: list[list[ReplacementOffset]] = [[] for _ in texts]
        if any(replacements.values()):
            texts, offsets = self.expand_texts(
                texts, replacements, bool(return_text_replacement_offsets)
            )
        inputs = self.tokenizer(texts, **kwargs)
        self._check_special_mm_tokens(texts, inputs, modalities=list(self.checked_modalities))
        if return_mm_token_type_ids:
            inputs.update(self.token_types(inputs["input_ids"]))
        if return_text_replacement_offsets:
            inputs["text_replacement_offsets"] = offsets
        return inputs

    def expand_texts(
        self,
        texts: list[str],
        replacements: dict[str, list[str]],
        return_replacement_offsets: bool,
    ) -> tuple[list[str], list[list[ReplacementOffset]]]:
        """New texts, and where what was replaced if that is wanted."""
        return get_text_with_replacements(
            texts,
            image_token=self.image_token,
            images_replacements=replacements["image"],
            video_token=self.video_token,
            videos_replacements=replacements["video"],
            return_replacement_offsets=return_replacement_offsets,
        )

    def token_types(self, input_ids: list[list[int]]) -> dict[str, list[list[int]]]:
        """Which tokens are text, image or video."""
        return {"mm_token_type_ids": self.create_mm_token_type_ids(input_ids)}

    def find_positions(self, batch: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        """Rotary positions of prompts, with items or without, as the model computes them for the batch.

        Args:
            batch: what a call returns, in tensors.
            config: of the model; None if it is not known.

        Returns:
            `position_ids` `(3, prompts, tokens)` and `rope_deltas` `(prompts, 1)`; nothing where they depend
            on a configuration that is not known.

        Raises:
            ValueError: items whose placeholders are not those of the prompts.
        """
        # Processors are used without torch, too.
        from utils.text_positions import get_text_positions

        positions, deltas = get_text_positions(
            self.position_types(batch["input_ids"]),
            self.token_grid(batch, "image"),
            self.token_grid(batch, "video"),
            attention_mask=batch.get("attention_mask"),
            frame_times=lambda frame, video: self.frame_positions(frame, video, batch, config),
            frames_apart=self.frames_apart,
            time_moves_on=self.time_moves_on,
        )
        return {"position_ids": positions, "rope_deltas": deltas}

    def position_types(self, input_ids: Any) -> Any:
        """0 for tokens of text, 1 for those of images, 2 for those of videos, `(prompts, tokens)`."""
        return input_ids.new_tensor(self.create_mm_token_type_ids(input_ids.tolist()))

    def token_grid(self, batch: Mapping[str, Any], modality: str) -> Any:
        """Frames, rows and columns of the images or videos of a batch, in tokens; None if there are none."""
        grid = batch.get(f"{modality}_grid_thw")
        if grid is None:
            return None
        side = getattr(self, f"{modality}_processor").merge_size
        return grid // grid.new_tensor([1, side, side])

    def frame_positions(self, frame: Any, video: Any, batch: Mapping[str, Any], config: Any) -> Any:
        """Positions in time of frames, given the number of each in its video and that of its video."""
        return frame

    def _get_num_multimodal_tokens(
        self,
        image_sizes: Sequence[Sequence[int]] | None = None,
        video_sizes: Sequence[Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> MultiModalData:
        """How many tokens items of given sizes become, before there are any.

        Args:
            image_sizes: `(height, width)` in pixels of each image.
            video_sizes: `(frames, height, width)` of each video.
            kwargs: options of the image and the video processor.
        """
        defaults, counts = self.valid_processor_kwargs._defaults, {}
        if image_sizes is not None:
            options = {**defaults.get("images_kwargs", {}), **kwargs}
            count = self.image_processor.get_number_of_image_patches
            patches = [count(*size, options) for size in image_sizes]
            unit = (options.get("merge_size") or self.image_processor.merge_size) ** 2
            counts["num_image_patches"] = patches
            counts["num_image_tokens"] = [number // unit for number in patches]
        if video_sizes is not None:
            options = {**defaults.get("videos_kwargs", {}), **kwargs}
            count = self.video_processor.get_number_of_video_patches
            unit = (options.get("merge_size") or self.video_processor.merge_size) ** 2
            patches = [count(*size, options) for size in video_sizes]
            counts["num_video_tokens"] = [number // unit for number in patches]
        return MultiModalData(**counts)

    def post_process_image_text_to_text(
        self,
        generated_outputs: Any,
        skip_special_tokens: bool = True,
        clean_up_tokenization_spaces: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Texts of generated ids `(batch, tokens)`."""
        return self.tokenizer.batch_decode(
            generated_outputs,
            skip_special_tokens=skip_special_tokens,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            **kwargs,
        )

    @property
    def model_input_names(self) -> list[str]:
        """Names of everything that a call can return."""
        return [*super().model_input_names, "mm_token_type_ids"]


__all__ = [
    "Qwen2VLForConditionalGeneration",
    "Qwen2VLModel",
    "Qwen2VLPreTrainedModel",
    "Qwen2VLProcessor",
    "Qwen2VLProcessorKwargs",
    "Qwen2VisionTransformerPretrainedModel",
]
