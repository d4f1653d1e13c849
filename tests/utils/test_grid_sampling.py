"""The operator for samples of a table against `torch.nn.functional.grid_sample`, in graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from utils.grid_sampling import GRID_SAMPLE, sample_grid

FURTHER = [
    {"mode": "bicubic", "padding_mode": "border", "align_corners": False},
    {"mode": "bicubic", "align_corners": True},
    {"mode": "bicubic", "padding_mode": "reflection"},
    {"mode": "bilinear", "padding_mode": "border", "align_corners": False},
    {"mode": "nearest", "align_corners": False},
]


def draw(points: int = 11, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """A table as models have it, (rows, columns, channels) permuted, and points beyond its rim."""
    table = torch.randn(5, 4, 6, dtype=dtype).requires_grad_().permute(2, 0, 1).unsqueeze(0)
    return table, (torch.rand(1, points, 1, 2, dtype=dtype) * 2.4 - 1.2).requires_grad_()


def gradients(output: torch.Tensor, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    return torch.autograd.grad(output, inputs, torch.randn_like(output), retain_graph=True)


def in_graph(further: dict[str, Any], *inputs: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """The compiled result, and whether it is the operator's."""
    called: list[str] = []

    def backend(module: torch.fx.GraphModule, _: Any) -> Any:
        called.extend(str(node.target) for node in module.graph.nodes)
        return module.forward

    torch._dynamo.reset()
    compiled = torch.compile(lambda *given: sample_grid(*given, **further), backend=backend)
    return compiled(*inputs), any("grid_sample_v1" in name for name in called)


@pytest.mark.parametrize("further", FURTHER, ids=str)
def test_values_and_gradients_are_those_of_torch_bit_for_bit(further: dict[str, Any]) -> None:
    inputs = draw()
    expected = torch.nn.functional.grid_sample(*inputs, **further)
    found, by_operator = in_graph(further, *inputs)
    # Without `align_corners` torch warns, and goes on doing so.
    assert by_operator == (further["mode"] == "bicubic" and "align_corners" in further)
    assert torch.equal(found, expected) and found.stride() == expected.stride()
    assert torch.equal(sample_grid(*inputs, **further), expected)
    assert all(map(torch.equal, gradients(found, inputs), gradients(expected, inputs)))


@pytest.mark.slow
def test_it_stays_right_for_other_numbers_of_points() -> None:
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("inductor")
    compiled = torch.compile(
        lambda *given: sample_grid(*given, **FURTHER[0]) * 2, fullgraph=True, backend=counter
    )
    for number in (11, 20, 7):
        inputs = draw(number)
        expected = torch.nn.functional.grid_sample(*inputs, **FURTHER[0]) * 2
        found = compiled(*inputs)
        assert torch.equal(found, expected)
        assert all(map(torch.equal, gradients(found, inputs), gradients(expected, inputs)))
    assert counter.frame_count == 2


def test_exported_it_is_torch_s_own() -> None:
    class Model(torch.nn.Module):
        def forward(self, table: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
            return sample_grid(table, points, **FURTHER[0])

    inputs = tuple(given.detach() for given in draw())
    program = torch.export.export(Model(), inputs)
    assert not any("encoder_helpers" in str(node.target) for node in program.graph.nodes)
    expected = torch.nn.functional.grid_sample(*inputs, **FURTHER[0])
    assert torch.equal(program.module()(*inputs), expected)


def test_volumes_and_unknown_modes_are_left_to_torch() -> None:
    volume, points = torch.randn(1, 2, 3, 4, 5), torch.rand(1, 2, 2, 2, 3)
    expected = torch.nn.functional.grid_sample(volume, points, align_corners=False)
    found, by_operator = in_graph({"align_corners": False}, volume, points)
    assert not by_operator and torch.equal(found, expected)
    with pytest.raises(ValueError, match="mode"):
        sample_grid(*draw(), mode="cubic")


def test_the_registration_keeps_the_rules_of_operators() -> None:
    inputs = [given.detach().requires_grad_() for given in draw()]
    assert set(torch.library.opcheck(GRID_SAMPLE, (*inputs, 2, 1, False)).values()) == {"SUCCESS"}


def test_a_second_derivative_is_refused() -> None:
    inputs = draw()
    output = GRID_SAMPLE(*inputs, 2, 1, False)
    with pytest.raises(NotImplementedError, match="can be differentiated once"):
        torch.autograd.grad(output.sum(), inputs, create_graph=True)
