import torch
from torch import nn
from torch.nn import functional as F


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        # One segment per frame
        per_frame = grid_thw[:, 1] * grid_thw[:, 2]
        ends = torch.repeat_interleave(per_frame, grid_thw[:, 0]).cumsum(dim=0, dtype=torch.int32)
        bounds = F.pad(ends, (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows
# output
import torch
from torch import nn
from torch.nn import functional as F

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens)
        return rows
