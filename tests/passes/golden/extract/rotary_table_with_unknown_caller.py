import torch
from torch import nn


class TinyRotary(nn.Module):
    def forward(self, length):
        steps = torch.arange(length, dtype=self.inv_freq.dtype)
        return torch.outer(steps, self.inv_freq)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotary = TinyRotary()

    def angles(self, grid_thw):
        row_ids, col_ids = [], []
        for t, h, w in grid_thw.tolist():
            inside = torch.arange(t * h * w) % (h * w)
            row_ids.append(inside // w)
            col_ids.append(inside % w)
        ids = torch.stack([torch.cat(row_ids), torch.cat(col_ids)], dim=-1)
        table = self.rotary(int(grid_thw[:, 1:].max()))
        return table[ids].flatten(1)

    def debug(self, grid_thw):
        return self.rotary(32).mean()
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def forward(self, length):
        steps = torch.arange(length, dtype=self.inv_freq.dtype)
        return torch.outer(steps, self.inv_freq)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotary = TinyRotary()

    def angles(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, 1)
        return (rotary_pos_ids.to(self.rotary.inv_freq.device).unsqueeze(-1) * self.rotary.inv_freq).flatten(1)

    def debug(self, grid_thw):
        return self.rotary(32).mean()
