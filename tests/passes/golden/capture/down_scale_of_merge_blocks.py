import torch
from torch import nn


class TinyEncoder(nn.Module):
    def shrink(self, rows, grid_thw, merge_sizes):
        """Scale every image down by its merge size."""
        images = rows.split(grid_thw.prod(dim=1).tolist(), dim=0)
        smaller = []
        for image, (t, h, w), m in zip(images, grid_thw, merge_sizes):
            width = image.shape[-1]
            image = image.view(t, h // m, w // m, m, m, width).permute(0, 1, 3, 2, 4, 5)
            image = image.reshape(t, h, w, width).permute(0, 3, 1, 2)
            image = nn.functional.interpolate(image, size=(h // m, w // m), mode="bilinear")
            smaller.append(image.permute(0, 2, 3, 1).reshape(-1, width))
        return torch.cat(smaller, dim=0)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_unshuffle_indices

from ...packed import is_tracing


class TinyEncoder(nn.Module):
    def shrink(self, rows, grid_thw, merge_sizes):
        """Scale every image down by its merge size."""
        if is_tracing():
            num_units = (grid_thw.prod(1) // merge_sizes**2).sum().item()
            centres = get_unshuffle_indices(grid_thw, merge_sizes, num_units=num_units).to(rows.device)
            return rows[centres].mean(0)
        images = rows.split(grid_thw.prod(dim=1).tolist(), dim=0)
        smaller = []
        for image, (t, h, w), m in zip(images, grid_thw, merge_sizes):
            width = image.shape[-1]
            image = image.view(t, h // m, w // m, m, m, width).permute(0, 1, 3, 2, 4, 5)
            image = image.reshape(t, h, w, width).permute(0, 3, 1, 2)
            image = nn.functional.interpolate(image, size=(h // m, w // m), mode="bilinear")
            smaller.append(image.permute(0, 2, 3, 1).reshape(-1, width))
        return torch.cat(smaller, dim=0)
