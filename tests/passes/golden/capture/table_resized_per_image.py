import torch
from torch import nn


class TinyEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.side = config.image_size // config.patch_size
        self.places = nn.Embedding(self.side**2, config.hidden_size)

    def resized(self, height, width):
        table = self.places.weight.reshape(1, self.side, self.side, -1).permute(0, 3, 1, 2)
        table = nn.functional.interpolate(table, size=(height, width), mode="bilinear", align_corners=False)
        return table.permute(0, 2, 3, 1).flatten(0, 2)

    def forward(self, pixels, grid_thw):
        rows = self.patches(pixels)
        begin = 0
        done = []
        for t, h, w in grid_thw:
            end = begin + t * h * w
            image = rows[begin:end] + self.resized(h, w).repeat(t, 1)
            done.append(image)
            begin = end
        rows = torch.cat(done, dim=0)
        return rows
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_half_pixel_indices

from ...packed import is_tracing


class TinyEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.side = config.image_size // config.patch_size
        self.places = nn.Embedding(self.side**2, config.hidden_size)

    def resized(self, height, width):
        table = self.places.weight.reshape(1, self.side, self.side, -1).permute(0, 3, 1, 2)
        table = nn.functional.interpolate(table, size=(height, width), mode="bilinear", align_corners=False)
        return table.permute(0, 2, 3, 1).flatten(0, 2)

    def forward(self, pixels, grid_thw):
        rows = self.patches(pixels)
        if is_tracing():
            corners, weights = get_half_pixel_indices(grid_thw, int(self.places.weight.shape[0] ** 0.5), num_tokens=rows.shape[0])
            table_rows = self.places(corners.to(self.places.weight.device))
            rows = rows + (table_rows * weights.to(self.places.weight)[:, :, None]).sum(0)
        else:
            begin = 0
            done = []
            for t, h, w in grid_thw:
                end = begin + t * h * w
                image = rows[begin:end] + self.resized(h, w).repeat(t, 1)
                done.append(image)
                begin = end
            rows = torch.cat(done, dim=0)
        return rows
