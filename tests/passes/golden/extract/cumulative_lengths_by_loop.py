import torch
from torch import nn


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        cu_seqlens = [0]
        for frames, height, width in grid_thw.tolist():
            for _ in range(frames):
                cu_seqlens.append(cu_seqlens[-1] + height * width)
        cu_seqlens = torch.tensor(cu_seqlens, dtype=torch.int32, device=rows.device)
        return self.layers(rows, cu_seqlens)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        cu_seqlens = get_vision_cu_seqlens(grid_thw)
        return self.layers(rows, cu_seqlens)
