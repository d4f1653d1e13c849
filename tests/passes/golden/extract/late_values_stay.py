import torch
from torch import nn


class TinyEncoder(nn.Module):
    """Lengths that come from hidden states are no function of the grid."""

    def forward(self, rows, grid_thw):
        kept = (rows.sum(-1) > 0).long()
        ends = kept.cumsum(0)
        bounds = nn.functional.pad(ends, (1, 0))
        return self.layers(rows, bounds, grid_thw)
