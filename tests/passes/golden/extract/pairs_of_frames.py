import torch
from torch import nn


class TinyResampler(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size

    def pair(self, rows, grid_thw):
        even, odd, begin = [], [], 0
        for t, h, w in grid_thw.tolist():
            units = h * w // self.merge**2
            frames = torch.arange(begin, begin + t * units).reshape(t, units)
            even.append(frames[0 : max(t - 1, 1) : 2].reshape(-1))
            odd.append(frames[1::2].reshape(-1) if t > 1 else frames[0])
            begin += t * units
        even = torch.cat(even).to(rows.device)
        odd = torch.cat(odd).to(rows.device)
        return torch.cat([rows[even], rows[odd]], dim=-1)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_temporal_pair_indices


class TinyResampler(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size

    def pair(self, rows, grid_thw):
        first_units, second_units = get_temporal_pair_indices(grid_thw, self.merge)
        first_units = first_units.to(rows.device)
        second_units = second_units.to(rows.device)
        return torch.cat([rows[first_units], rows[second_units]], dim=-1)
