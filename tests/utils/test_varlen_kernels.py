"""Which kernel of variable length is chosen, and what it is given: without a CUDA device, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from utils import segment_operator as operator
from utils.segment_operator import attend_by_flash, attend_memory_efficiently, find_varlen_kernel

BOUNDARIES = torch.tensor([0, 3, 3, 10])


class Cuda:
    """What the choice asks torch about a device; everything is there unless a test says otherwise."""

    flash_is_built = flash_is_on = efficient_is_on = True
    capability = (8, 0)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    device = Cuda()
    backends = torch.backends.cuda
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(backends, "is_flash_attention_available", lambda: device.flash_is_built)
    monkeypatch.setattr(backends, "flash_sdp_enabled", lambda: device.flash_is_on)
    monkeypatch.setattr(backends, "mem_efficient_sdp_enabled", lambda: device.efficient_is_on)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: device.capability)
    return device


def state(shape: tuple[int, ...], dtype: torch.dtype, device: str = "cuda") -> Any:
    return SimpleNamespace(shape=shape, dtype=dtype, device=SimpleNamespace(type=device))


def chosen(
    dtype: torch.dtype, *shapes: tuple[int, ...], device: str = "cuda"
) -> operator.Kernel | None:
    shapes = shapes or ((1, 2, 10, 64),)
    query, key, value = (shapes * 3)[:3]
    return find_varlen_kernel(*(state(shape, dtype, device) for shape in (query, key, value)))


@pytest.mark.parametrize(
    "dtype, head_dim, expected",
    [
        (torch.float16, 64, attend_by_flash),
        (torch.bfloat16, 256, attend_by_flash),
        (torch.bfloat16, 264, attend_memory_efficiently),
        (torch.float32, 64, attend_memory_efficiently),
        (torch.float32, 264, attend_memory_efficiently),
        (torch.float64, 64, None),
        (torch.float16, 60, None),
    ],
)
def test_half_precision_goes_to_flash_and_the_rest_where_it_is_taken(
    cuda: Cuda, dtype: torch.dtype, head_dim: int, expected: Any
) -> None:
    assert chosen(dtype, (1, 2, 10, head_dim)) is expected


@pytest.mark.parametrize(
    "what, value",
    [("flash_is_built", False), ("flash_is_on", False), ("capability", (7, 5))],
)
def test_without_flash_the_other_is_left(cuda: Cuda, what: str, value: Any) -> None:
    setattr(cuda, what, value)
    assert chosen(torch.float16) is attend_memory_efficiently
    cuda.efficient_is_on = False
    assert chosen(torch.float16) is None
    assert chosen(torch.float32) is None


def test_a_newer_device_has_flash(cuda: Cuda) -> None:
    cuda.capability = (9, 0)
    assert chosen(torch.float16) is attend_by_flash


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 2, 10, 64)] * 3,
        [(1, 2, 0, 64)] * 3,
        [(1, 4, 10, 64), (1, 2, 10, 64), (1, 2, 10, 64)],
        [(1, 2, 10, 64), (1, 4, 10, 64), (1, 4, 10, 64)],
        [(1, 2, 10, 64), (1, 2, 10, 64), (1, 2, 10, 32)],
        [(1, 2, 10, 64), (1, 2, 10, 64), (1, 2, 10, 128)],
    ],
    ids=str,
)
def test_other_forms_are_split(cuda: Cuda, shapes: list[tuple[int, ...]]) -> None:
    assert chosen(torch.float16, *shapes) is None


def test_other_devices_are_split(cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cpu", "mps", "xpu", "meta"):
        assert chosen(torch.float16, device=device) is None
    monkeypatch.setattr(torch.version, "hip", "6.0")
    assert chosen(torch.float16) is None


def by_segment(states: list[torch.Tensor], boundaries: torch.Tensor, scale: float) -> torch.Tensor:
    """Attention within segments, of (1, heads, tokens, width), as (1, tokens, heads, width)."""
    pieces = [
        torch.nn.functional.scaled_dot_product_attention(
            *(each[:, :, start:end] for each in states), scale=scale
        )
        for start, end in zip(boundaries.tolist(), boundaries.tolist()[1:])
        if end > start
    ]
    return torch.cat(pieces, dim=2).transpose(1, 2)


def draw() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 2, 10, 8, generator=generator).requires_grad_() for _ in range(3)]


def check_boundaries(given: tuple[Any, ...]) -> torch.Tensor:
    """Both kernels take boundaries of queries and of keys, and the longest segment of either."""
    first, second, longest, other = given
    assert first is second and first.dtype == torch.int32 and first.is_contiguous()
    assert longest == other == 7
    return first


def test_flash_is_given_tokens_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(q: Any, k: Any, v: Any, *given: Any, scale: float) -> tuple[torch.Tensor]:
        boundaries, rest = check_boundaries(given[:4]), given[4:]
        assert q.shape == (10, 2, 8)
        assert rest[:2] == (0.0, False), "no dropout, not causal"
        states = [each.transpose(0, 1)[None] for each in (q, k, v)]
        return (by_segment(states, boundaries, scale)[0],)

    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", kernel)
    states = draw()
    found = attend_by_flash(*states, BOUNDARIES, 0.3)
    torch.testing.assert_close(found, by_segment(states, BOUNDARIES, 0.3))


@pytest.mark.parametrize("differentiable", [True, False])
def test_the_other_is_given_one_batch_and_told_whether_to_keep_what_gradients_need(
    monkeypatch: pytest.MonkeyPatch, differentiable: bool
) -> None:
    def kernel(q: Any, k: Any, v: Any, bias: Any, *given: Any, scale: float) -> tuple[torch.Tensor]:
        boundaries, rest = check_boundaries(given[:4]), given[4:]
        assert bias is None and q.shape == (1, 10, 2, 8)
        assert rest == (0.0, 0, differentiable), "no dropout, not causal"
        states = [each.transpose(1, 2) for each in (q, k, v)]
        return (by_segment(states, boundaries, scale),)

    monkeypatch.setattr(torch.ops.aten, "_efficient_attention_forward", kernel)
    states = draw() if differentiable else [each.detach() for each in draw()]
    found = attend_memory_efficiently(*states, BOUNDARIES, 0.3)
    torch.testing.assert_close(found, by_segment(states, BOUNDARIES, 0.3))


def test_values_and_gradients_come_from_the_kernel_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kernel(q: Any, k: Any, v: Any, boundaries: Any, scale: Any) -> torch.Tensor:
        return by_segment([q, k, v], boundaries, scale) * 2  # shows where it came from

    states = draw()
    expected = kernel(*states, BOUNDARIES, 0.3)
    outer = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, states, outer)
    monkeypatch.setattr(operator, "find_varlen_kernel", lambda *_: kernel)
    found = operator.attend_by_segment(*states, BOUNDARIES, 0.3, False)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous()
    inner = operator.differentiate_by_segment(outer, *states, BOUNDARIES, 0.3, False)
    for one, other in zip(inner, gradients, strict=True):
        torch.testing.assert_close(one, other)
