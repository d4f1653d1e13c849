"""How long segments of packed sequences are at most, which variable-length attention kernels ask for.

A kernel reads it on the host. Computed in every layer from boundaries on a device, it makes every layer wait
for that device; given, as a tensor on the host or as a number, it is there before anything runs.
"""

import torch


def get_max_seqlen(cu_seqlens: torch.Tensor) -> torch.Tensor:
    """Return the length of the longest attention segment.

    Args:
        cu_seqlens: `(num_segments + 1,)` integers, the boundaries of the segments.

    Returns:
        `()` of the dtype of the boundaries, on their device.

    Raises:
        ValueError: another number of dimensions, no integers, or fewer than two boundaries.
    """
    return _longest_of("max_seqlen", cu_seqlens)


def get_max_window_seqlen(cu_window_seqlens: torch.Tensor) -> torch.Tensor:
    """Return the number of patches of the largest window: see `get_max_seqlen`."""
    return _longest_of("max_window_seqlen", cu_window_seqlens)


def _longest_of(name: str, boundaries: torch.Tensor) -> torch.Tensor:
    if boundaries.ndim != 1 or boundaries.shape[0] < 2 or boundaries.is_floating_point():
        kind = f"{boundaries.dtype} {tuple(boundaries.shape)}"
        raise ValueError(f"{name} needs boundaries: one row of at least two integers, got {kind}")
    return (boundaries[1:] - boundaries[:-1]).max()
