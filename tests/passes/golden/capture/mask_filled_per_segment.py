import torch
from torch import nn


class TinyAudioEncoder(nn.Module):
    def block_mask(self, rows, cu_seqlens):
        count = rows.shape[0]
        mask = torch.full([1, 1, count, count], torch.finfo(rows.dtype).min, dtype=rows.dtype, device=rows.device)
        for i in range(1, len(cu_seqlens)):
            mask[..., cu_seqlens[i - 1] : cu_seqlens[i], cu_seqlens[i - 1] : cu_seqlens[i]] = 0
        return mask
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_segment_ids, get_segment_mask

from ...packed import is_tracing


class TinyAudioEncoder(nn.Module):
    def block_mask(self, rows, cu_seqlens):
        count = rows.shape[0]
        if is_tracing():
            return get_segment_mask(get_segment_ids(cu_seqlens.to(rows.device), count), rows.dtype)
        mask = torch.full([1, 1, count, count], torch.finfo(rows.dtype).min, dtype=rows.dtype, device=rows.device)
        for i in range(1, len(cu_seqlens)):
            mask[..., cu_seqlens[i - 1] : cu_seqlens[i], cu_seqlens[i - 1] : cu_seqlens[i]] = 0
        return mask
