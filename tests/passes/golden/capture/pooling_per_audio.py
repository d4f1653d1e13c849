import torch
from torch import nn

from ...modeling_audio_utils import get_audio_cu_seqlens


class TinyAudioEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pool = nn.AvgPool1d(2, stride=2)

    def forward(self, rows, feature_lens=None, after_lens=None, chunk_lengths=None):
        cu_seqlens = get_audio_cu_seqlens(chunk_lengths)
        rows = self.layers(rows, cu_seqlens)
        pieces = rows.split(after_lens.tolist(), dim=0)
        pooled = []
        for piece in pieces:
            piece = self.pool(piece.transpose(0, 1)).transpose(0, 1)
            piece = self.norm(piece)
            piece = self.project(piece)
            pooled.append(piece)
        tokens = torch.cat(pooled, dim=0)
        return tokens
# output
import torch
from torch import nn

from ...modeling_audio_utils import get_audio_cu_seqlens, get_pool_indices
from ...packed import is_tracing


class TinyAudioEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pool = nn.AvgPool1d(2, stride=2)

    def forward(
        self,
        rows,
        feature_lens=None,
        after_lens=None,
        chunk_lengths=None,
        pool_indices: torch.Tensor | None = None,
    ):
        cu_seqlens = get_audio_cu_seqlens(chunk_lengths)
        rows = self.layers(rows, cu_seqlens)
        if is_tracing() or after_lens is None:
            if pool_indices is None:
                pool_indices = get_pool_indices(feature_lens)
            tokens = (rows[pool_indices] + rows[pool_indices + 1]) / 2
            tokens = self.norm(tokens)
            tokens = self.project(tokens)
        else:
            pieces = rows.split(after_lens.tolist(), dim=0)
            pooled = []
            for piece in pieces:
                piece = self.pool(piece.transpose(0, 1)).transpose(0, 1)
                piece = self.norm(piece)
                piece = self.project(piece)
                pooled.append(piece)
            tokens = torch.cat(pooled, dim=0)
        return tokens
