import torch
from torch import nn


class TinyAttention(nn.Module):
    def forward(self, hidden, cu_seqlens):
        queries, keys, values = self.project(hidden)
        if self.is_flash():
            out, weights = self.flash(queries, keys, values, cu_seqlens)
        else:
            sizes = cu_seqlens[1:] - cu_seqlens[:-1]
            parts = [torch.split(state, sizes.tolist(), dim=2) for state in (queries, keys, values)]
            outs, weights = [], []
            for q, k, v in zip(*parts):
                one, weight = self.attend(self, q, k, v, attention_mask=None, scaling=self.scale)
                outs.append(one)
                weights.append(weight)
            out = torch.cat(outs, dim=1)
        return self.out(out), weights
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_segment_ids, get_segment_mask

from ...packed import is_tracing


class TinyAttention(nn.Module):
    def forward(self, hidden, cu_seqlens):
        queries, keys, values = self.project(hidden)
        if self.is_flash():
            out, weights = self.flash(queries, keys, values, cu_seqlens)
        elif is_tracing() and self.config._attn_implementation in (None, "eager", "sdpa"):
            # A graph has no lengths to split by: all segments in one call, separated by a mask
            segment_ids = get_segment_ids(cu_seqlens.to(queries.device), queries.shape[2])
            mask_dtype = None if self.config._attn_implementation == "sdpa" else queries.dtype
            out, weights = self.attend(
                self,
                queries,
                keys,
                values,
                attention_mask=get_segment_mask(segment_ids, mask_dtype),
                scaling=self.scale,
            )
        else:
            sizes = cu_seqlens[1:] - cu_seqlens[:-1]
            parts = [torch.split(state, sizes.tolist(), dim=2) for state in (queries, keys, values)]
            outs, weights = [], []
            for q, k, v in zip(*parts):
                one, weight = self.attend(self, q, k, v, attention_mask=None, scaling=self.scale)
                outs.append(one)
                weights.append(weight)
            out = torch.cat(outs, dim=1)
        return self.out(out), weights
