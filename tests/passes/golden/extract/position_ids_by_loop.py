import torch
from torch import nn


class TinyRotary(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 100.0 ** torch.linspace(0, 1, width), persistent=False)

    def forward(self, length):
        steps = torch.arange(length, device=self.inv_freq.device, dtype=self.inv_freq.dtype)
        return torch.outer(steps, self.inv_freq)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = config.spatial_merge_size
        self.rotary = TinyRotary(4)

    def angles(self, grid_thw):
        collected = []
        for t, h, w in grid_thw:
            rows = torch.arange(h)[:, None].expand(h, w)
            cols = torch.arange(w)[None, :].expand(h, w)
            both = torch.stack([rows, cols], dim=-1)
            both = both.reshape(h // self.unit, self.unit, w // self.unit, self.unit, 2)
            both = both.permute(0, 2, 1, 3, 4).reshape(-1, 2)
            collected.append(both.repeat(t, 1))
        ids = torch.cat(collected)
        table = self.rotary(grid_thw[:, 1:].max())
        return table[ids].flatten(1)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 100.0 ** torch.linspace(0, 1, width), persistent=False)

    def forward(self, position_ids: torch.Tensor) -> torch.Tensor:
        position_ids = position_ids.to(self.inv_freq.device)
        return (position_ids.unsqueeze(-1) * self.inv_freq).flatten(1)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = config.spatial_merge_size
        self.rotary = TinyRotary(4)

    def angles(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return self.rotary(rotary_pos_ids)
