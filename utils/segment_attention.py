"""Attention over segments in a graph: one operator that splits by the boundaries when it runs.

A graph has no lengths to split by. A mask in their place costs memory quadratic in the number of
tokens; an operator does not: it is opaque to the compiler, reads the boundaries when it runs, and
then makes the calls that the uncompiled path makes. Values and gradients on the CPU are those of
eager code, bit for bit; on CUDA one kernel of variable length takes the place of the split.
"""

from collections.abc import Callable
from typing import Any, cast

import torch

from utils.operators import is_compiled_for_torch
from utils.segment_operator import SEGMENT_ATTENTION
from utils.vision_segments import get_segment_ids, get_segment_mask

Attention = Callable[..., tuple[torch.Tensor, Any]]


def attend_segments(
    attention: Attention,
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    **kwargs: Any,
) -> tuple[torch.Tensor, Any]:
    """Call an attention function of transformers on all segments at once, while tracing.

    Compiled with sdpa this is `segment_attention`. Where a graph is exported for other runtimes,
    with dropout, where attention weights are wanted, and with eager attention, it is one call with
    a block mask.

    Args:
        attention: a function of the library's table: `(module, query, key, value, attention_mask,
            **kwargs)`, `"eager"` or `"sdpa"` as `module.config` says.
        module: the attention layer.
        query: `(batch, heads, N, head_dim)`.
        key: `(batch, key_value_heads, N, head_dim)`.
        value: `(batch, key_value_heads, N, value_dim)`.
        cu_seqlens: `(num_segments + 1,)` integers, boundaries; they may be on another device.
        **kwargs: what the function is given further; `is_causal` has to be False.

    Returns:
        The function's results: `(batch, N, heads, value_dim)`, and weights or None.
    """
    boundaries = cu_seqlens.to(query.device)
    if _takes_operator(attention, module, kwargs):
        query, key, value = _cast_by_autocast(query, key, value)
        grouped = hasattr(module, "num_key_value_groups")
        scale = kwargs.get("scaling")
        return segment_attention(query, key, value, boundaries, scale, grouped), None
    is_sdpa = _implementation(module) == "sdpa"
    segment_ids = get_segment_ids(boundaries, query.shape[2])
    mask = get_segment_mask(segment_ids, None if is_sdpa else query.dtype)
    return attention(module, query, key, value, attention_mask=mask, **kwargs)


def segment_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Return scaled dot product attention within each segment, as an operator that graphs keep.

    Args:
        query: `(batch, heads, N, head_dim)`.
        key: `(batch, heads, N, head_dim)`; with `enable_gqa` a divisor of the heads will do.
        value: `(batch, heads, N, value_dim)`, heads as for `key`.
        cu_seqlens: `(num_segments + 1,)` integers on the device of the states: not decreasing,
            first 0 and last N. Repeated boundaries are empty segments.
        scale: factor of the products; None for `head_dim ** -0.5`.
        enable_gqa: as in `torch.nn.functional.scaled_dot_product_attention`.

    Returns:
        `(batch, N, heads, value_dim)`, contiguous. It can be differentiated once.

    Raises:
        RuntimeError: the lengths of the segments do not add up to N.
    """
    return cast(torch.Tensor, SEGMENT_ATTENTION(query, key, value, cu_seqlens, scale, enable_gqa))


def _takes_operator(attention: Attention, module: torch.nn.Module, kwargs: dict[str, Any]) -> bool:
    """Tell whether the operator computes what a call computes, and the graph stays in torch."""
    if not is_compiled_for_torch():
        return False
    if _implementation(module) != "sdpa":
        return False
    # Another function can be registered under the name; what that computes is not known.
    if getattr(attention, "__name__", "") != "sdpa_attention_forward":
        return False
    further = {
        name: given for name, given in kwargs.items() if name not in ("scaling", "is_causal")
    }
    dropout, wanted = further.pop("dropout", 0.0), further.get("output_attentions", False)
    # A tensor may be a bias that a version of the function reads.
    return not (dropout or wanted or any(torch.is_tensor(value) for value in further.values()))


def _implementation(module: torch.nn.Module) -> str | None:
    """The name of the attention function that a layer is configured with."""
    config: Any = module.config
    return cast("str | None", config._attn_implementation)


def _cast_by_autocast(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the states in the dtype that autocast would have sdpa compute in."""
    device = query.device.type
    if not torch.is_autocast_enabled(device):
        return query, key, value
    dtype = torch.get_autocast_dtype(device)
    return query.to(dtype), key.to(dtype), value.to(dtype)
