"""Samples of a position table between its entries, as one operator of a compiled graph.

The compiler takes a bicubic sample apart into sixteen gathers, whose results it keeps side by side:
more memory than the rest of an encoder. As an operator it is what eager code calls, bit for bit.
"""

from typing import Any, cast

import torch

from utils.operators import is_compiled_for_torch, register_operator

SAMPLE_INPUTS = "Tensor table, Tensor points, int mode, int padding, bool align_corners"
SAMPLE_MODES = ("bilinear", "nearest", "bicubic")
SAMPLE_PADDINGS = ("zeros", "border", "reflection")
"""In the order in which torch numbers them."""


def sample_grid(
    input: torch.Tensor,
    grid: torch.Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> torch.Tensor:
    """Return `torch.nn.functional.grid_sample` of the same arguments, in graphs too.

    Args:
        input: `(batch, channels, height, width)`, or with a depth.
        grid: `(batch, rows, columns, 2)` points between -1 and 1, x before y.
        mode: one of `SAMPLE_MODES`.
        padding_mode: one of `SAMPLE_PADDINGS`.
        align_corners: whether -1 and 1 are the centres of the outer entries.

    Returns:
        `(batch, channels, rows, columns)`.
    """
    known = mode == "bicubic" and input.ndim == 4 and align_corners is not None
    if not (known and is_compiled_for_torch()):
        return torch.nn.functional.grid_sample(input, grid, mode, padding_mode, align_corners)
    padding = SAMPLE_PADDINGS.index(padding_mode)
    return cast(torch.Tensor, GRID_SAMPLE(input, grid, 2, padding, bool(align_corners)))


def sample_points(
    table: torch.Tensor, points: torch.Tensor, mode: int, padding: int, align_corners: bool
) -> torch.Tensor:
    """Run the operator."""
    return torch.nn.functional.grid_sample(
        table, points, SAMPLE_MODES[mode], SAMPLE_PADDINGS[padding], align_corners
    ).contiguous()


def fake_sample(table: torch.Tensor, points: torch.Tensor, *further: Any) -> torch.Tensor:
    """The result's shape and strides."""
    batch, channels = table.shape[:2]
    return table.new_empty((batch, channels, *points.shape[1:3]))


def differentiate_sample(
    gradient: torch.Tensor,
    table: torch.Tensor,
    points: torch.Tensor,
    mode: int,
    padding: int,
    align_corners: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of the table and of the points."""
    of_table, of_points = torch.ops.aten.grid_sampler_2d_backward(
        gradient, table, points, mode, padding, align_corners, [True, True]
    )
    return (
        torch.empty_like(table).copy_(of_table),
        torch.empty_like(points).copy_(of_points),
    )


def fake_sample_gradients(
    gradient: torch.Tensor, table: torch.Tensor, points: torch.Tensor, *further: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shapes and strides of the gradients."""
    return torch.empty_like(table), torch.empty_like(points)


def keep_sample(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    """Keep what the gradients are computed from."""
    ctx.save_for_backward(*inputs[:2])
    ctx.settings = inputs[2:]


def propagate_to_table(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    """Gradients of the operator's inputs.

    Raises:
        NotImplementedError: these are to be differentiated in turn.
    """
    if torch.is_grad_enabled():
        raise NotImplementedError(
            "a compiled bicubic sample can be differentiated once: its backward has no create_graph"
        )
    found = GRID_SAMPLE_BACKWARD(gradient, *ctx.saved_tensors, *ctx.settings)
    return (*found, None, None, None)


GRID_SAMPLE_BACKWARD = register_operator(
    "grid_sample_v1_backward",
    f"(Tensor gradient, {SAMPLE_INPUTS}) -> (Tensor, Tensor)",
    differentiate_sample,
    fake_sample_gradients,
)
GRID_SAMPLE = register_operator(
    "grid_sample_v1",
    f"({SAMPLE_INPUTS}) -> Tensor",
    sample_points,
    fake_sample,
    (propagate_to_table, keep_sample),
)
"""The operator: `(table, points, mode, padding, align_corners)`, the last but one as numbers."""
