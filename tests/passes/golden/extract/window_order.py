import torch
from torch import nn
from torch.nn import functional as F


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size
        self.window_size = config.window_size
        self.patch_size = config.patch_size

    def windows(self, grid_thw):
        order, ends, seen = [], [0], 0
        side = self.window_size // self.merge // self.patch_size
        for t, h, w in grid_thw.tolist():
            h, w = h // self.merge, w // self.merge
            units = torch.arange(t * h * w).reshape(t, h, w)
            tall, wide = -h % side, -w % side
            padded = F.pad(units, (0, wide, 0, tall), value=-1)
            padded = padded.reshape(t, (h + tall) // side, side, (w + wide) // side, side)
            padded = padded.permute(0, 1, 3, 2, 4).reshape(-1, side * side)
            counts = (padded != -1).sum(1) * self.merge**2
            ends.extend((counts.cumsum(0) + ends[-1]).tolist())
            order.append(padded[padded != -1] + seen)
            seen += t * h * w
        return torch.cat(order), ends

    def forward(self, rows, grid_thw):
        order, ends = self.windows(grid_thw)
        ends = torch.tensor(ends, device=rows.device, dtype=torch.int32)
        ends = torch.unique_consecutive(ends)
        rows = rows[order]
        return self.layers(rows, ends)
# output
import torch
from torch import nn
from torch.nn import functional as F

from ...modeling_vision_utils import get_window_index


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size
        self.window_size = config.window_size
        self.patch_size = config.patch_size

    def windows(self, grid_thw):
        order, ends, seen = [], [0], 0
        side = self.window_size // self.merge // self.patch_size
        for t, h, w in grid_thw.tolist():
            h, w = h // self.merge, w // self.merge
            units = torch.arange(t * h * w).reshape(t, h, w)
            tall, wide = -h % side, -w % side
            padded = F.pad(units, (0, wide, 0, tall), value=-1)
            padded = padded.reshape(t, (h + tall) // side, side, (w + wide) // side, side)
            padded = padded.permute(0, 1, 3, 2, 4).reshape(-1, side * side)
            counts = (padded != -1).sum(1) * self.merge**2
            ends.extend((counts.cumsum(0) + ends[-1]).tolist())
            order.append(padded[padded != -1] + seen)
            seen += t * h * w
        return torch.cat(order), ends

    def forward(self, rows, grid_thw):
        window_index, cu_window_seqlens = get_window_index(grid_thw, self.merge, self.window_size, self.patch_size)
        rows = rows[window_index]
        return self.layers(rows, cu_window_seqlens)
