import torch
from torch import nn


class TinyRotary(nn.Module):
    def __init__(self, inv_freq):
        super().__init__()
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, grid_thw, merge_sizes):
        pieces = []
        for (t, h, w), m in zip(grid_thw, merge_sizes):
            rows = torch.arange(h).reshape(h // m, 1, m, 1).expand(h // m, w // m, m, m)
            cols = torch.arange(w).reshape(1, w // m, 1, m).expand(h // m, w // m, m, m)
            pieces.append(torch.stack([rows.flatten(), cols.flatten()], dim=-1).repeat(t, 1))
        pieces = torch.cat(pieces, dim=0)
        steps = torch.arange(grid_thw[:, 1:].max(), dtype=self.inv_freq.dtype)
        table = torch.outer(steps, self.inv_freq)
        angles = table[pieces].flatten(1)
        return angles.cos(), angles.sin()
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def __init__(self, inv_freq):
        super().__init__()
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, grid_thw, merge_sizes):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, merge_sizes)
        angles = (rotary_pos_ids.to(self.inv_freq.device).unsqueeze(-1) * self.inv_freq).flatten(1)
        return angles.cos(), angles.sin()
