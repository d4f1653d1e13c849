import torch
from torch import nn


class TinyModel(nn.Module):
    def get_video_features(self, pixels, video_grid_thw, **kwargs):
        rows = []
        for t, h, w in video_grid_thw.tolist():
            rows.append(torch.tensor([[1, h, w]]).repeat(t, 1))
        frames = torch.cat(rows, dim=0)
        return self.visual(pixels, grid_thw=frames, **kwargs)
# output
import torch
from torch import nn

from ...modeling_vision_utils import flatten_video_grid


class TinyModel(nn.Module):
    def get_video_features(self, pixels, video_grid_thw, **kwargs):
        flattened_video_grid_thw = flatten_video_grid(video_grid_thw)
        return self.visual(pixels, grid_thw=flattened_video_grid_thw, **kwargs)
