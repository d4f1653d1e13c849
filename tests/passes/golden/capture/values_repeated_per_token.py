import torch
from torch import nn


class TinyEmbeddings(nn.Module):
    def forward(self, rows, lengths, shapes):
        if isinstance(lengths, list):
            lengths = torch.tensor(lengths, device=rows.device)
        height = torch.cat([shapes[i, 1].repeat(lengths[i]) for i in range(len(lengths))]).to(rows.dtype)
        return rows / height[:, None]


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = TinyEmbeddings()

    def forward(self, rows, grid_thw, cu_seqlens):
        sizes = (cu_seqlens[1:] - cu_seqlens[:-1]).tolist()
        return self.embeddings(rows, sizes, grid_thw)
# output
import torch
from torch import nn

from ...modeling_vision_utils import get_segment_ids


class TinyEmbeddings(nn.Module):
    def forward(self, rows, lengths, shapes):
        if isinstance(lengths, list):
            lengths = torch.tensor(lengths, device=rows.device)
        height = shapes[get_segment_ids(torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(shapes.device), rows.shape[0]), 1].to(rows.dtype)
        return rows / height[:, None]


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = TinyEmbeddings()

    def forward(self, rows, grid_thw, cu_seqlens):
        sizes = cu_seqlens[1:] - cu_seqlens[:-1]
        return self.embeddings(rows, sizes, grid_thw)
