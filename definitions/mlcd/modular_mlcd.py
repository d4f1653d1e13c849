"""MLCD: a vision transformer over whole images with 2-D rotary positions and a class token in front.

The class token has a learned rotary position; all images of a batch have one size.
"""

from collections.abc import Callable

import torch
from torch import nn
from transformers import MLCDVisionConfig
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VLVisionRotaryEmbedding,
    apply_rotary_pos_emb_vision,
    eager_attention_forward,
)


class MLCDRotaryEmbedding(Qwen2VLVisionRotaryEmbedding):
    """Angles of each patch of an image: those of its row, then those of its column."""

    def __init__(self, config: MLCDVisionConfig, theta: float = 10000.0) -> None:
        super().__init__(config, theta)
        # Each of the two axes takes half of the channels of a head.
        self.dim = config.hidden_size // config.num_attention_heads // 2

    def forward(self, num_patches_height: int, num_patches_width: int) -> torch.Tensor:
        """Returns a tensor of shape `(num_patches_height * num_patches_width, head_dim // 2)`."""
        device = self.inv_freq.device
        rows = torch.arange(num_patches_height, device=device)
        cols = torch.arange(num_patches_width, device=device)
        pos_ids = torch.cartesian_prod(rows, cols)
        positions = torch.arange(
            max(num_patches_height, num_patches_width), device=device, dtype=self.inv_freq.dtype
        )
        return torch.outer(positions, self.inv_freq)[pos_ids].flatten(1)


class MLCDVisionEmbeddings(nn.Module):
    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(config.hidden_size))
        self.patch_embedding = nn.Conv2d(
            config.num_channels,
            config.hidden_size,
            kernel_size=config.patch_size,
            stride=config.patch_size,
            bias=False,
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Class token and patches of each image, shape `(images, 1 + patches, hidden_size)`."""
        patches = self.patch_embedding(pixel_values.to(self.patch_embedding.weight.dtype))
        patches = patches.flatten(2).transpose(1, 2)
        class_token = self.class_embedding.expand(patches.shape[0], 1, -1)
        return torch.cat([class_token, patches], dim=1)


class MLCDMLP(nn.Module):
    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__()
        self.activation_fn = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation_fn(self.fc1(x)))


class MLCDAttention(nn.Module):
    """Self-attention over all tokens of an image."""

    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.num_heads = config.num_attention_heads
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.num_key_value_groups = config.num_key_value_groups
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        self.is_causal = False
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch_size, seq_length, _ = hidden_states.shape
        shape = (batch_size, seq_length, self.num_heads, self.head_dim)
        query_states = self.q_proj(hidden_states).reshape(shape)
        key_states = self.k_proj(hidden_states).reshape(shape)
        value_states = self.v_proj(hidden_states).reshape(shape)

        cos, sin = position_embeddings
        query_states, key_states = apply_rotary_pos_emb_vision(query_states, key_states, cos, sin)

        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        attn_output, attn_weights = attention_interface(
            self,
            query_states.transpose(1, 2),
            key_states.transpose(1, 2),
            value_states.transpose(1, 2),
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            is_causal=False,
            **kwargs,
        )
        attn_output = attn_output.reshape(batch_size, seq_length, -1).contiguous()
        return self.out_proj(attn_output), attn_weights


class MLCDEncoderLayer(GradientCheckpointingLayer):
    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__()
        self.self_attn = MLCDAttention(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = MLCDMLP(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        attended, _ = self.self_attn(
            self.layer_norm1(hidden_states),
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            **kwargs,
        )
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.layer_norm2(hidden_states))


class MLCDEncoder(nn.Module):
    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            [MLCDEncoderLayer(config) for _ in range(config.num_hidden_layers)]
        )
        self.gradient_checkpointing = False

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        for encoder_layer in self.layers:
            hidden_states = encoder_layer(
                hidden_states, position_embeddings=position_embeddings, **kwargs
            )
        return hidden_states


class MLCDPreTrainedModel(PreTrainedModel):
    config: MLCDVisionConfig
    base_model_prefix = "vision_model"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _no_split_modules = ["MLCDEncoderLayer"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {"hidden_states": MLCDEncoderLayer, "attentions": MLCDAttention}

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, MLCDVisionEmbeddings):
            init.normal_(module.class_embedding, std=self.config.hidden_size**-0.5)
        elif isinstance(module, MLCDVisionModel):
            init.normal_(module.class_pos_emb, std=module.class_pos_emb.shape[-1] ** -0.5)
        elif isinstance(module, MLCDRotaryEmbedding):
            # The frequencies are not saved with the weights and have to be built again after loading.
            init.copy_(module.inv_freq, module.compute_inv_freq())


class MLCDVisionModel(MLCDPreTrainedModel):
    """Vision encoder: images in, tokens out."""

    main_input_name = "pixel_values"
    _input_embed_layer = "patch_embedding"

    def __init__(self, config: MLCDVisionConfig) -> None:
        super().__init__(config)
        self.patch_size = config.patch_size
        self.embeddings = MLCDVisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.encoder = MLCDEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.vision_rotary_embedding = MLCDRotaryEmbedding(config)
        self.class_pos_emb = nn.Parameter(torch.randn(1, self.vision_rotary_embedding.dim))
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        pixel_values: torch.FloatTensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes a batch of images of one size.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_images, num_channels, height, width)`):
                The images; sides are rounded down to whole patches.

        Returns:
            All tokens after the last layer, and as `pooler_output` the normalised class tokens.
        """
        rotary_pos_emb = self.vision_rotary_embedding(
            pixel_values.shape[-2] // self.patch_size, pixel_values.shape[-1] // self.patch_size
        )
        rotary_pos_emb = rotary_pos_emb.to(self.class_pos_emb.device)
        rotary_pos_emb = torch.cat([self.class_pos_emb, rotary_pos_emb], dim=0)
        emb = torch.cat((rotary_pos_emb, rotary_pos_emb), dim=-1)
        position_embeddings = (emb.cos(), emb.sin())

        hidden_states = self.pre_layrnorm(self.embeddings(pixel_values))
        hidden_states = self.encoder(
            hidden_states, position_embeddings=position_embeddings, **kwargs
        )
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden_states,
            pooler_output=self.post_layernorm(hidden_states[:, 0, :]),
        )


__all__ = ["MLCDPreTrainedModel", "MLCDVisionModel"]
