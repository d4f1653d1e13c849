import torch
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(config.num_position_embeddings, config.hidden_size)
        self.side = int(config.num_position_embeddings**0.5)
        self.merge = config.spatial_merge_size

    def places(self, grid_thw):
        results = []
        for t, h, w in grid_thw.tolist():
            y = torch.linspace(0, self.side - 1, h)
            x = torch.linspace(0, self.side - 1, w)
            top, left = y.int(), x.int()
            low, right = (top + 1).clip(max=self.side - 1), (left + 1).clip(max=self.side - 1)
            dy, dx = (y - top)[:, None, None], (x - left)[None, :, None]
            upper = self.table(top[:, None] * self.side + left) * (1 - dx)
            upper = upper + self.table(top[:, None] * self.side + right) * dx
            lower = self.table(low[:, None] * self.side + left) * (1 - dx)
            lower = lower + self.table(low[:, None] * self.side + right) * dx
            frame = upper * (1 - dy) + lower * dy
            frame = frame.reshape(h // self.merge, self.merge, w // self.merge, self.merge, -1)
            frame = frame.permute(0, 2, 1, 3, 4).flatten(0, 3)
            results.append(frame.repeat(t, 1))
        results = torch.cat(results)
        return results
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_pos_embed_indices


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(config.num_position_embeddings, config.hidden_size)
        self.side = int(config.num_position_embeddings**0.5)
        self.merge = config.spatial_merge_size

    def places(self, grid_thw):
        embed_indices, bilinear_weights = get_pos_embed_indices(grid_thw, self.side, self.merge)
        results = self.table(embed_indices.to(self.table.weight.device))
        results = results * bilinear_weights.to(self.table.weight)[:, :, None]
        results = results[0] + results[1] + results[2] + results[3]
        return results
