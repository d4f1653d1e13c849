import torch
from torch import nn


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        row_ids, col_ids = [], []
        for t, h, w in grid_thw:
            inside = torch.arange(t * h * w, device=rows.device) % (h * w)
            row_ids.append(inside // w)
            col_ids.append(inside % w)
        places = torch.stack([torch.concat(row_ids), torch.concat(col_ids)], dim=-1)
        return self.layers(rows, places)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyEncoder(nn.Module):
    def forward(self, rows, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, 1)
        return self.layers(rows, rotary_pos_ids)
