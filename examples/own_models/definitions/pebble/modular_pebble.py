"""Pebble: Llama attention that normalises queries and keys and scales its output by a learned gain."""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaRMSNorm,
    apply_rotary_pos_emb,
)


class PebbleRMSNorm(LlamaRMSNorm):
    pass


class PebbleAttention(LlamaAttention):
    """Attention with query and key norms and an output gain."""

    def __init__(self, config, layer_idx: int):
        super().__init__(config, layer_idx)
        self.q_norm = PebbleRMSNorm(self.head_dim)
        self.k_norm = PebbleRMSNorm(self.head_dim)
        self.gain = nn.Parameter(torch.ones(config.hidden_size))

    def forward(self, hidden_states, position_embeddings):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query = self.q_norm(self.q_proj(hidden_states).view(shape)).transpose(1, 2)
        key = self.k_norm(self.k_proj(hidden_states).view(shape)).transpose(1, 2)
        value = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        output = nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=True
        )
        output = output.transpose(1, 2).flatten(-2)
        return self.o_proj(output) * self.gain


__all__ = ["PebbleAttention", "PebbleRMSNorm"]
