from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyEncoder(nn.Module):
    def angles(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return self.rotary(rotary_pos_ids)

    def forward(self, rows, sizes_grid_thw, **kwargs):
        angles = self.angles(sizes_grid_thw)
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=None, **kwargs)
        return rows
# output
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyEncoder(nn.Module):
    def angles(self, grid_thw, rotary_pos_ids: torch.Tensor | None = None):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return self.rotary(rotary_pos_ids)

    def forward(self, rows, sizes_grid_thw, rotary_pos_ids: torch.Tensor | None = None, **kwargs):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(sizes_grid_thw, self.unit, num_tokens=rows.shape[0])
        angles = self.angles(sizes_grid_thw, rotary_pos_ids=rotary_pos_ids)
        for layer in self.layers:
            rows = layer(rows, angles, cu_seqlens=None, **kwargs)
        return rows
