import torch
from torch import nn


class TinyAudioEncoder(nn.Module):
    """The file is a candidate because of its cu_seqlens."""

    def convolve(self, features):
        done = []
        for part in features.split(self.part_size, dim=0):
            done.append(self.conv(part))
        return torch.cat(done, dim=0)
# output
import torch
from torch import nn

from ...packed import is_tracing


class TinyAudioEncoder(nn.Module):
    """The file is a candidate because of its cu_seqlens."""

    def convolve(self, features):
        done = []
        for part in [features] if is_tracing() else features.split(self.part_size, dim=0):
            done.append(self.conv(part))
        return torch.cat(done, dim=0)
