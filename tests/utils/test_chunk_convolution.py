"""Convolutions over chunks of a width that follows from values, inside graphs and as eager code calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from utils.audio_chunks import chunk_and_pad_features
from utils.chunk_convolution import CHUNK_CONVOLUTION, chunk_width, convolve_chunks
from utils.packed import while_tracing

WINDOW = 4
LENGTHS = ([5, 3], [2, 7, 7], [8, 3], [30, 1, 12])


class Encoder(nn.Module):
    """Two convolutions over chunks, as the rewrite leaves them."""

    def __init__(self, second: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 5, kernel_size=3, padding=1)
        self.second = second or nn.Conv1d(5, 5, kernel_size=3, stride=2, padding=1, bias=False)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        padded, chunks = chunk_and_pad_features(
            features,
            lengths,
            WINDOW,
            num_chunks=while_tracing(features.shape[1] // (2 * WINDOW) + lengths.shape[0]),
            max_chunk_length=chunk_width(2 * WINDOW, self.first, self.second),
        )
        mask = torch.arange(padded.shape[-1]) < chunks[:, None]
        rows = convolve_chunks(self.first, padded).relu() * mask.unsqueeze(1)
        return convolve_chunks(self.second, rows)


def draw(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(sum(lengths))
    return torch.randn(3, sum(lengths), requires_grad=True), torch.tensor(lengths)


def gradients(encoder: nn.Module, features: torch.Tensor, output: torch.Tensor) -> Any:
    weighed = output * torch.arange(output[0].numel()).view(output.shape[1:])
    return torch.autograd.grad(weighed.sum(), [features, *encoder.parameters()])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Several threads each sum up a part of the chunks, and how these are parted depends on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_one_graph_is_as_wide_as_eager_code_and_equal_to_it_bit_for_bit() -> None:
    torch._dynamo.reset()
    encoder, counter = Encoder(), CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(encoder, fullgraph=True, dynamic=True, backend=counter)
    for lengths in LENGTHS:
        features, sizes = draw(lengths)
        expected, found = encoder(features, sizes), compiled(features, sizes)
        longest = min(max(lengths), 2 * WINDOW)
        assert found.shape[-1] == expected.shape[-1] == (longest + 1) // 2
        # A graph has room for chunks that do not exist, behind the others.
        found = found[: expected.shape[0]]
        assert torch.equal(found, expected)
        pairs = zip(gradients(encoder, features, found), gradients(encoder, features, expected))
        assert all(torch.equal(left, right) for left, right in pairs)
    assert counter.frame_count == 1


class Scaled(nn.Conv1d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) * 2


def hooked() -> nn.Module:
    module = nn.Conv1d(5, 5, kernel_size=3, padding=1)
    module.register_forward_hook(lambda _, given, result: result * 2)
    return module


@pytest.mark.parametrize("make", [lambda: Scaled(5, 5, 3, padding=1), hooked])
def test_a_module_that_does_more_is_called_on_chunks_of_the_full_width(
    make: Callable[[], nn.Module],
) -> None:
    torch._dynamo.reset()
    encoder = Encoder(make())
    features, sizes = draw([5, 3])
    expected = encoder(features, sizes)
    found = torch.compile(encoder, fullgraph=True, backend="aot_eager")(features, sizes)
    assert found.shape[-1] == 2 * WINDOW and expected.shape[-1] == 5
    torch.testing.assert_close(found[:2, :, :5], expected)


def test_autocast_computes_in_its_dtype() -> None:
    torch._dynamo.reset()
    encoder, given = Encoder(), draw([5, 3])
    with torch.autocast("cpu", torch.bfloat16):
        expected = encoder(*given)
        found = torch.compile(encoder, fullgraph=True, backend="aot_eager")(*given)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found[:2], expected)


def test_an_export_keeps_the_full_width_and_torch_s_own_convolution() -> None:
    program = torch.export.export(Encoder(), draw([5, 3]))
    assert not any("encoder_helpers" in str(node.target) for node in program.graph.nodes)
    assert program.module()(*draw([5, 3])).shape[-1] == WINDOW


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_registration_keeps_the_rules_of_operators(axes: int, with_bias: bool) -> None:
    columns = torch.randn(2, 3, *[7] * axes, requires_grad=True)
    weight = torch.randn(5, 3, *[3] * axes, requires_grad=True)
    bias = torch.randn(5, requires_grad=True) if with_bias else None
    results = torch.library.opcheck(CHUNK_CONVOLUTION, (columns, weight, bias, [2] * axes))
    assert set(results.values()) == {"SUCCESS"}


def test_a_second_derivative_is_refused() -> None:
    columns, weight = torch.randn(2, 3, 7, requires_grad=True), torch.randn(5, 3, 3)
    output = CHUNK_CONVOLUTION(columns, weight, None, [1])
    with pytest.raises(NotImplementedError, match="can be differentiated once"):
        torch.autograd.grad(output.sum(), columns, create_graph=True)
