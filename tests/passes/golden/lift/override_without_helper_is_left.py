from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyEncoder(nn.Module):
    def angles(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, 2)
        return self.rotary(rotary_pos_ids)

    def forward(self, rows, grid_thw):
        return self.layers(rows, self.angles(grid_thw))


class TinyChildEncoder(TinyEncoder):
    def angles(self, grid_thw):
        return self.rotary(grid_thw.prod(1))
