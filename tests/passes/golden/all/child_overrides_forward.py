# file: models/base/modeling_base.py
import torch
from torch import nn
from torch.nn import functional as F


class BaseRotary(nn.Module):
    def forward(self, length):
        steps = torch.arange(length, dtype=self.inv_freq.dtype)
        return torch.outer(steps, self.inv_freq)


class BaseEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = config.spatial_merge_size
        self.rotary = BaseRotary()

    def angles(self, grid_thw):
        pieces = []
        for t, h, w in grid_thw.tolist():
            rows = torch.arange(h).view(-1, self.unit, 1, 1).permute(0, 2, 1, 3)
            cols = torch.arange(w).view(1, -1, 1, self.unit)
            shape = (h // self.unit, w // self.unit, self.unit, self.unit)
            both = torch.stack([rows.expand(shape).flatten(), cols.expand(shape).flatten()], dim=-1)
            pieces.append(both.repeat(t, 1))
        ids = torch.cat(pieces)
        table = self.rotary(grid_thw[:, 1:].max())
        return table[ids].flatten(1)

    def forward(self, rows, grid_thw, **kwargs):
        angles = self.angles(grid_thw)
        cu_seqlens = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0]).cumsum(0)
        cu_seqlens = F.pad(cu_seqlens, (1, 0))
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=cu_seqlens, **kwargs)
        return rows
# file: models/child/modular_child.py
import torch
from torch.nn import functional as F

from ..base.modeling_base import BaseEncoder


class ChildEncoder(BaseEncoder):
    def forward(self, rows, grid_thw, **kwargs):
        rows = self.norm(rows)
        angles = self.angles(grid_thw)
        cu_seqlens = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0]).cumsum(0)
        cu_seqlens = F.pad(cu_seqlens, (1, 0))
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=cu_seqlens, **kwargs)
        return self.last(rows)
# output
# file: models/base/modeling_base.py
import torch
from torch import nn
from torch.nn import functional as F

from ...modeling_vision_utils import get_rotary_pos_ids, get_vision_cu_seqlens


class BaseRotary(nn.Module):
    def forward(self, position_ids: torch.Tensor) -> torch.Tensor:
        position_ids = position_ids.to(self.inv_freq.device)
        return (position_ids.unsqueeze(-1) * self.inv_freq).flatten(1)


class BaseEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = config.spatial_merge_size
        self.rotary = BaseRotary()

    def angles(self, grid_thw, rotary_pos_ids: torch.Tensor | None = None):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return self.rotary(rotary_pos_ids)

    def forward(
        self,
        rows,
        grid_thw,
        cu_seqlens: torch.Tensor | None = None,
        rotary_pos_ids: torch.Tensor | None = None,
        **kwargs,
    ):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit, num_tokens=rows.shape[0])
        angles = self.angles(grid_thw, rotary_pos_ids=rotary_pos_ids)
        if cu_seqlens is None:
            cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=cu_seqlens, **kwargs)
        return rows
# file: models/child/modular_child.py
import torch
from torch.nn import functional as F

from ..base.modeling_base import BaseEncoder

from ...modeling_vision_utils import get_rotary_pos_ids, get_vision_cu_seqlens


class ChildEncoder(BaseEncoder):
    def forward(
        self,
        rows,
        grid_thw,
        cu_seqlens: torch.Tensor | None = None,
        rotary_pos_ids: torch.Tensor | None = None,
        **kwargs,
    ):
        rows = self.norm(rows)
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit, num_tokens=rows.shape[0])
        angles = self.angles(grid_thw, rotary_pos_ids=rotary_pos_ids)
        if cu_seqlens is None:
            cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=cu_seqlens, **kwargs)
        return self.last(rows)
