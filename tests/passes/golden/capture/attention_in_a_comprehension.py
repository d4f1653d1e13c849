import torch
from torch import nn


class TinyAttention(nn.Module):
    def forward(self, hidden, cu_seqlens, **kwargs):
        query, key, value = self.project(hidden)
        attend = self.interface()
        if self.is_flash():
            out = attend(self, query, key, value, None, cu_seq_lens_q=cu_seqlens, **kwargs)[0]
        else:
            # Every segment by itself
            sizes = cu_seqlens[1:] - cu_seqlens[:-1]
            parts = [torch.split(state, sizes.tolist(), dim=2) for state in (query, key, value)]
            outs = [
                attend(self, q, k, v, attention_mask=None, scaling=self.scale, is_causal=False, **kwargs)[0]
                for q, k, v in zip(*parts)
            ]
            out = torch.cat(outs, dim=1)
        return self.out(out)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_segment_ids, get_segment_mask

from ...packed import is_tracing


class TinyAttention(nn.Module):
    def forward(self, hidden, cu_seqlens, **kwargs):
        query, key, value = self.project(hidden)
        attend = self.interface()
        if self.is_flash():
            out = attend(self, query, key, value, None, cu_seq_lens_q=cu_seqlens, **kwargs)[0]
        elif is_tracing() and self.config._attn_implementation in (None, "eager", "sdpa"):
            # A graph has no lengths to split by: all segments in one call, separated by a mask
            segment_ids = get_segment_ids(cu_seqlens.to(query.device), query.shape[2])
            mask_dtype = None if self.config._attn_implementation == "sdpa" else query.dtype
            out, _ = attend(
                self,
                query,
                key,
                value,
                attention_mask=get_segment_mask(segment_ids, mask_dtype),
                scaling=self.scale,
                is_causal=False,
                **kwargs,
            )
        else:
            # Every segment by itself
            sizes = cu_seqlens[1:] - cu_seqlens[:-1]
            parts = [torch.split(state, sizes.tolist(), dim=2) for state in (query, key, value)]
            outs = [
                attend(self, q, k, v, attention_mask=None, scaling=self.scale, is_causal=False, **kwargs)[0]
                for q, k, v in zip(*parts)
            ]
            out = torch.cat(outs, dim=1)
        return self.out(out)
