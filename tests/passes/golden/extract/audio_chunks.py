import torch
from torch import nn
from torch.nn import functional as F


class TinyAudioEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_window = config.n_window

    def pad(self, pieces, lengths):
        longest = lengths.max()
        padded = torch.full((len(pieces), pieces[0].shape[0], longest), 0, dtype=self.dtype)
        mask = torch.zeros((len(pieces), longest), dtype=torch.long)
        after = (lengths - 1) // 2 + 1
        mask_after = torch.zeros((len(pieces), after.max()), dtype=torch.long)
        for i, piece in enumerate(pieces):
            padded[i, :, : lengths[i]] = piece
            mask[i, : lengths[i]] = 1
            mask_after[i, : after[i]] = 1
        return padded, mask.unsqueeze(1), mask_after.bool()

    def forward(self, features, feature_lens):
        step = self.n_window * 2
        counts = torch.ceil(feature_lens / step).long()
        lengths = torch.full((counts.sum(),), step, dtype=torch.long)
        last = counts.cumsum(0) - 1
        lengths[last] = feature_lens % step
        lengths = torch.where(lengths == 0, step, lengths)
        pieces = features.split(lengths.tolist(), dim=1)
        padded_feature, mask, mask_after = self.pad(pieces, lengths)
        hidden = F.gelu(self.conv1(padded_feature)) * mask
        hidden = F.gelu(self.conv2(hidden)).transpose(1, 2)
        rows = hidden[mask_after]
        bounds = F.pad(mask_after.sum(1).cumsum(0), (1, 0)).to(torch.int32)
        return self.layers(rows, bounds)
# output
import torch
from torch import nn
from torch.nn import functional as F

from ...modeling_audio_utils import chunk_and_pad_features, get_audio_cu_seqlens, get_valid_indices


class TinyAudioEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_window = config.n_window

    def pad(self, pieces, lengths):
        longest = lengths.max()
        padded = torch.full((len(pieces), pieces[0].shape[0], longest), 0, dtype=self.dtype)
        mask = torch.zeros((len(pieces), longest), dtype=torch.long)
        after = (lengths - 1) // 2 + 1
        mask_after = torch.zeros((len(pieces), after.max()), dtype=torch.long)
        for i, piece in enumerate(pieces):
            padded[i, :, : lengths[i]] = piece
            mask[i, : lengths[i]] = 1
            mask_after[i, : after[i]] = 1
        return padded, mask.unsqueeze(1), mask_after.bool()

    def forward(self, features, feature_lens):
        padded_feature, chunk_lengths = chunk_and_pad_features(features, feature_lens, self.n_window)
        valid_indices = get_valid_indices(chunk_lengths)
        padded_feature = padded_feature.to(self.dtype).contiguous()
        mask = (torch.arange(padded_feature.shape[-1], device=padded_feature.device) < chunk_lengths.to(padded_feature.device)[:, None]).long().unsqueeze(1)
        hidden = F.gelu(self.conv1(padded_feature)) * mask
        hidden = F.gelu(self.conv2(hidden)).transpose(1, 2)
        rows = hidden.flatten(0, 1)[valid_indices]
        cu_seqlens = get_audio_cu_seqlens(chunk_lengths)
        bounds = cu_seqlens
        return self.layers(rows, bounds)
