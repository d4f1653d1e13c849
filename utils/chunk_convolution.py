"""Convolutions over chunks as wide as the longest of them, as an operator of a compiled graph.

The width follows from values, so a graph has no size for it, and the compiler cannot lay out a
convolution without. As an operator it is the call that eager code makes, at the width of eager code.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch

from utils.operators import is_compiled_for_torch, register_operator
from utils.packed import while_tracing

CONVOLUTION_INPUTS = "Tensor columns, Tensor weight, Tensor? bias, int[] stride"


def chunk_width(width: int, *convolutions: torch.nn.Module) -> int | None:
    """Return the width to pad chunks to, None for that of the longest chunk.

    Args:
        width: columns of a full chunk.
        *convolutions: the modules that the chunks go through.

    Returns:
        None eagerly, and compiled where `convolve_chunks` takes all these modules as they are; else
        `width`: graphs of other runtimes, and modules that do more, need a size that is known.
    """
    open_width = is_compiled_for_torch() and all(_is_plain(module) for module in convolutions)
    return None if open_width else while_tracing(width)


def convolve_chunks(convolution: torch.nn.Module, columns: torch.Tensor) -> torch.Tensor:
    """Return `convolution(columns)`, in compiled graphs for chunks of any width.

    Args:
        convolution: of kernel 3 and padding 1.
        columns: `(num_chunks, channels, width)` or `(num_chunks, channels, mel, width)`.

    Returns:
        `(num_chunks, out_channels, ...)`, each further size `⌈size / stride⌉`.
    """
    if not (is_compiled_for_torch() and _is_plain(convolution)):
        return cast(torch.Tensor, convolution(columns))
    module = cast(torch.nn.Conv1d, convolution)
    weight, bias, device = module.weight, module.bias, columns.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        columns, weight = columns.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    stride = list(module.stride)
    return cast(torch.Tensor, CHUNK_CONVOLUTION(columns, weight, bias, stride))


def _is_plain(module: torch.nn.Module) -> bool:
    """Tell whether a module is a convolution of kernel 3 and padding 1, and nothing besides."""
    if type(module) not in (torch.nn.Conv1d, torch.nn.Conv2d):
        return False
    made = cast(torch.nn.Conv1d, module)
    hooked = (made._forward_hooks, made._forward_pre_hooks, made._backward_hooks)
    if any(hooked) or made._backward_pre_hooks or made.groups != 1:
        return False
    sizes = (made.kernel_size, made.padding, made.dilation)
    axes = len(made.kernel_size)
    return sizes == ((3,) * axes, (1,) * axes, (1,) * axes) and made.padding_mode == "zeros"


def run_convolution(
    columns: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Sequence[int]
) -> torch.Tensor:
    """Run the operator."""
    ones, none = [1] * len(stride), [0] * len(stride)
    return torch.convolution(columns, weight, bias, stride, ones, ones, False, none, 1).contiguous()


def fake_convolution(
    columns: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Sequence[int]
) -> torch.Tensor:
    """The result's shape and strides."""
    sizes = [(size - 1) // step + 1 for size, step in zip(columns.shape[2:], stride)]
    return columns.new_empty((columns.shape[0], weight.shape[0], *sizes))


def differentiate_convolution(
    gradient: torch.Tensor,
    columns: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    wanted: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of the columns, unless they are not wanted, of the weight and of the bias.

    What is not wanted or not there has an empty tensor.
    """
    ones, none = [1] * len(stride), [0] * len(stride)
    found = torch.ops.aten.convolution_backward(
        *(gradient, columns, weight, [weight.shape[0]], stride, ones, ones, False, none, 1),
        [wanted, True, bias is not None],
    )
    empty = (weight.new_empty(0) for _ in range(3))
    of_columns, of_weight, of_bias = (
        rest if each is None else each.contiguous() for each, rest in zip(found, empty)
    )
    return of_columns, of_weight, of_bias


def fake_convolution_gradients(
    gradient: torch.Tensor,
    columns: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    wanted: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shapes and strides of the gradients."""
    of_columns = columns.new_empty(columns.shape) if wanted else weight.new_empty(0)
    of_bias = weight.new_empty(0 if bias is None else weight.shape[0])
    return of_columns, weight.new_empty(weight.shape), of_bias


def keep_convolution(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    """Keep what the gradients are computed from."""
    ctx.save_for_backward(*inputs[:3])
    ctx.stride = inputs[3]


def propagate_to_chunks(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    """Gradients of the operator's inputs.

    Raises:
        NotImplementedError: these are to be differentiated in turn.
    """
    if torch.is_grad_enabled():
        raise NotImplementedError(
            "a compiled convolution of chunks can be differentiated once: its backward has no "
            "create_graph"
        )
    wanted, with_bias = ctx.needs_input_grad[0], ctx.saved_tensors[2] is not None
    of_columns, of_weight, of_bias = CHUNK_CONVOLUTION_BACKWARD(
        gradient, *ctx.saved_tensors, ctx.stride, wanted
    )
    return of_columns if wanted else None, of_weight, of_bias if with_bias else None, None


CHUNK_CONVOLUTION_BACKWARD = register_operator(
    "chunk_convolution_v1_backward",
    f"(Tensor gradient, {CONVOLUTION_INPUTS}, bool wanted) -> (Tensor, Tensor, Tensor)",
    differentiate_convolution,
    fake_convolution_gradients,
)
CHUNK_CONVOLUTION = register_operator(
    "chunk_convolution_v1",
    f"({CONVOLUTION_INPUTS}) -> Tensor",
    run_convolution,
    fake_convolution,
    (propagate_to_chunks, keep_convolution),
)
"""The operator: `(columns, weight, bias, stride)`."""
