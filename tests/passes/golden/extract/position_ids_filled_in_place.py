import torch
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config

    def positions(self, grid_thw):
        m = self.config.spatial_merge_size
        sizes = grid_thw.tolist()
        pos = torch.empty((sum(t * h * w for t, h, w in sizes), 2), dtype=torch.long)
        done = 0
        for t, h, w in sizes:
            block = torch.arange(h * w)
            inside, outside = block % (m * m), block // (m * m)
            row = outside // (w // m) * m + inside // m
            col = outside % (w // m) * m + inside % m
            for _ in range(t):
                pos[done : done + h * w] = torch.stack((row, col), dim=-1)
                done += h * w
        return pos
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config

    def positions(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.config.spatial_merge_size)
        return rotary_pos_ids
