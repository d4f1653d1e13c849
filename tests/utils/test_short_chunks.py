"""Audios that are all shorter than a chunk, in a graph that is captured once."""

from __future__ import annotations

import torch

from utils import audio_chunks


def test_a_graph_takes_chunks_that_are_all_shorter_than_they_may_be() -> None:
    torch._dynamo.reset()

    def run(features: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        padded, sizes = audio_chunks.chunk_and_pad_features(features, lengths, 4)
        return padded + 1, sizes

    compiled = torch.compile(run, fullgraph=True, backend="eager", dynamic=True)
    for lens in ([5, 3], [2, 7, 7], [8, 3]):
        features = torch.arange(3.0 * sum(lens)).view(3, -1)
        given = (features, torch.tensor(lens))
        for found, expected in zip(compiled(*given), run(*given)):
            assert torch.equal(found, expected)
