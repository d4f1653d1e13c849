import torch
from torch import nn


class TinyRotary(nn.Module):
    def forward(self, rows_count, cols_count):
        rows = torch.arange(rows_count).repeat_interleave(cols_count)
        cols = torch.arange(cols_count).repeat(rows_count)
        ids = torch.stack([rows, cols], dim=-1)
        steps = torch.arange(max(rows_count, cols_count), dtype=self.inv_freq.dtype)
        table = torch.outer(steps, self.inv_freq)
        return table[ids].flatten(1)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_image_pos_ids


class TinyRotary(nn.Module):
    def forward(self, rows_count, cols_count):
        rotary_pos_ids = get_image_pos_ids(rows_count, cols_count)
        return (rotary_pos_ids.to(self.inv_freq.device).unsqueeze(-1) * self.inv_freq).flatten(1)
