from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def forward(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotary = TinyRotary()

    def forward(self, rows, grid_thw):
        return self.layers(rows, self.rotary(grid_thw))
# output
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def forward(self, grid_thw, rotary_pos_ids: torch.Tensor | None = None):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        return (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotary = TinyRotary()

    def forward(self, rows, grid_thw, rotary_pos_ids: torch.Tensor | None = None):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.rotary.unit)
        return self.layers(rows, self.rotary(grid_thw, rotary_pos_ids=rotary_pos_ids))
