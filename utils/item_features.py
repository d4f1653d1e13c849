"""Features of images, videos or audios that lie behind each other: parted by item, counted against a prompt."""

import math

import torch

from utils.packed import is_tracing


def split_by_item(features: torch.Tensor, sizes: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
    """Return the rows of each item, as views of `features`.

    While a graph is captured they stay together, as the only entry of the tuple: the sizes cannot be
    read there, and a graph of one entry for each item would hold for that number of items only. So
    they do where nobody has given the sizes, as an encoder that is given everything else needs none.
    Joined, both are the same.

    Args:
        features: `(num_rows, ...)`.
        sizes: `(num_items,)` integers, the rows of each; None if that is not known.

    Raises:
        RuntimeError: the sizes do not add up to the rows; not while a graph is captured.
    """
    if sizes is None or is_tracing():
        return (features,)
    return torch.split(features, sizes.tolist())


def count_selected(values: torch.Tensor, selection: torch.Tensor) -> torch.Tensor | int:
    """Return the number of elements of `values[selection]`, without selecting them.

    Args:
        values: of any shape.
        selection: a mask of its first dimensions, or indices of its first dimension.
    """
    if selection.dtype in (torch.bool, torch.uint8):
        return (selection != 0).sum() * math.prod(values.shape[selection.dim() :])
    return selection.numel() * math.prod(values.shape[1:])
