"""The operator behind `segment_attention`: kernels, gradients, registration."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from utils.operators import register_operator

SEGMENT_INPUTS = (
    "Tensor query, Tensor key, Tensor value, Tensor cu_seqlens, float? scale, bool enable_gqa"
)

Kernel = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, "float | None"], torch.Tensor
]


def attend_by_segment(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scale: float | None,
    enable_gqa: bool,
) -> torch.Tensor:
    """Run the operator: one call of sdpa for each segment, as eager code makes it.

    Returns:
        `(batch, N, heads, value_dim)`, contiguous.

    Raises:
        RuntimeError: the lengths of the segments do not add up to N.
    """
    kernel = find_varlen_kernel(query, key, value)
    if kernel is not None:
        return kernel(query, key, value, cu_seqlens, scale).contiguous()
    batch, heads, tokens, _ = query.shape
    output = query.new_empty((batch, tokens, heads, value.shape[3]))
    for start, length in segment_spans(cu_seqlens, tokens):
        q, k, v = (state.narrow(2, start, length) for state in (query, key, value))
        mixed = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, scale=scale, enable_gqa=enable_gqa
        )
        output.narrow(1, start, length).copy_(mixed.transpose(1, 2))
    return output


def differentiate_by_segment(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scale: float | None,
    enable_gqa: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute each segment again; return the gradients of query, key and value."""
    states = (query, key, value)
    results = (torch.empty_like(query), torch.empty_like(key), torch.empty_like(value))
    kernel = find_varlen_kernel(*states)
    if kernel is not None:
        with torch.enable_grad():
            leaves = [state.detach().requires_grad_() for state in states]
            output = kernel(leaves[0], leaves[1], leaves[2], cu_seqlens, scale)
        for result, found in zip(results, torch.autograd.grad(output, leaves, gradient)):
            result.copy_(found)
        return results
    for start, length in segment_spans(cu_seqlens, query.shape[2]):
        with torch.enable_grad():
            leaves = [state.narrow(2, start, length).detach().requires_grad_() for state in states]
            q, k, v = leaves
            output = torch.nn.functional.scaled_dot_product_attention(
                q, k, v, scale=scale, enable_gqa=enable_gqa
            ).transpose(1, 2)
        outer = gradient.narrow(1, start, length)
        for result, found in zip(results, torch.autograd.grad(output, leaves, outer)):
            result.narrow(2, start, length).copy_(found)
    return results


def segment_spans(cu_seqlens: torch.Tensor, tokens: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of every segment that has tokens.

    Raises:
        RuntimeError: boundaries that decrease, do not begin at 0 or do not end at `tokens`.
    """
    boundaries = cu_seqlens.tolist()
    lengths = [end - start for start, end in zip(boundaries, boundaries[1:])]
    if boundaries[:1] != [0] or boundaries[-1] != tokens or min(lengths, default=0) < 0:
        raise RuntimeError(f"the boundaries of segments {boundaries} do not divide {tokens} tokens")
    yield from ((start, length) for start, length in zip(boundaries, lengths) if length)


# -- kernels of variable length ---------------------------------------------------------------------


def find_varlen_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> Kernel | None:
    """The kernel of this device that takes boundaries, for these shapes and dtypes; None: split.

    Only on CUDA, and only among those that sdpa may choose at present.
    """
    if query.device.type != "cuda" or torch.version.hip is not None:
        return None
    alike = query.shape == key.shape == value.shape and query.shape[0] == 1
    head_dim = query.shape[3]
    if not alike or head_dim % 8 or query.shape[2] == 0:
        return None
    half = query.dtype in (torch.float16, torch.bfloat16)
    flash = torch.backends.cuda.is_flash_attention_available()
    modern = torch.cuda.get_device_capability(query.device) >= (8, 0)
    if half and head_dim <= 256 and flash and modern and torch.backends.cuda.flash_sdp_enabled():
        return attend_by_flash
    if torch.backends.cuda.mem_efficient_sdp_enabled() and (half or query.dtype == torch.float32):
        return attend_memory_efficiently
    return None


def attend_by_flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scale: float | None,
) -> torch.Tensor:
    """Flash attention over boundaries: `(1, N, heads, head_dim)`."""
    states = [state.squeeze(0).transpose(0, 1) for state in (query, key, value)]
    boundaries, longest = read_longest(cu_seqlens)
    output: torch.Tensor = torch.ops.aten._flash_attention_forward(
        *states, boundaries, boundaries, longest, longest, 0.0, False, False, scale=scale
    )[0]
    return output.unsqueeze(0)


def attend_memory_efficiently(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scale: float | None,
) -> torch.Tensor:
    """Memory efficient attention over boundaries, single precision too: `(1, N, heads, head_dim)`."""
    states = [state.transpose(1, 2) for state in (query, key, value)]
    boundaries, longest = read_longest(cu_seqlens)
    keep = any(state.requires_grad for state in states)
    output: torch.Tensor = torch.ops.aten._efficient_attention_forward(
        *states, None, boundaries, boundaries, longest, longest, 0.0, 0, keep, scale=scale
    )[0]
    return output


def read_longest(cu_seqlens: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The boundaries as kernels want them, and the length of the longest segment."""
    longest: int = cu_seqlens.diff().amax().item()  # type: ignore[assignment]
    return cu_seqlens.to(torch.int32).contiguous(), longest


# -- registration -----------------------------------------------------------------------------------


def fake_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *further: Any
) -> torch.Tensor:
    """The result's shape and strides."""
    batch, heads, tokens, _ = query.shape
    return query.new_empty((batch, tokens, heads, value.shape[3]))


def fake_gradients(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *further: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shapes and strides of the gradients."""
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def keep_inputs(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    """Keep what the gradients are computed from."""
    ctx.save_for_backward(*inputs[:4])
    ctx.settings = inputs[4:]


def propagate_gradient(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    """Gradients of the operator's inputs.

    Raises:
        NotImplementedError: these are to be differentiated in turn.
    """
    if torch.is_grad_enabled():
        raise NotImplementedError(
            "attention over segments can be differentiated once: its backward has no create_graph"
        )
    found = SEGMENT_ATTENTION_BACKWARD(gradient, *ctx.saved_tensors, *ctx.settings)
    return (*found, None, None, None)


SEGMENT_ATTENTION_BACKWARD = register_operator(
    "segment_attention_v1_backward",
    f"(Tensor gradient, {SEGMENT_INPUTS}) -> (Tensor, Tensor, Tensor)",
    differentiate_by_segment,
    fake_gradients,
)
SEGMENT_ATTENTION = register_operator(
    "segment_attention_v1",
    f"({SEGMENT_INPUTS}) -> Tensor",
    attend_by_segment,
    fake_attention,
    (propagate_gradient, keep_inputs),
)
"""The operator: `(query, key, value, cu_seqlens, scale, enable_gqa)`."""
