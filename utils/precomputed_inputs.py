"""Keyword arguments of multimodal models that carry tensors computed ahead of time.

At model level such a keyword has the prefix of its modality (``image_cu_seqlens``), so that one call can
hold those of several; an encoder takes the bare name.
"""

from collections.abc import Mapping
from typing import Any

MODALITIES = ("image", "video", "audio")

NAMES = (
    "cu_seqlens",
    "rotary_pos_ids",
    "window_index",
    "cu_window_seqlens",
    "embed_indices",
    "bilinear_weights",
    "padded_feature",
    "chunk_lengths",
    "valid_indices",
    "pool_indices",
)

PREFIXED = {f"{modality}_{name}": (modality, name) for modality in MODALITIES for name in NAMES}


def split_precomputed(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate keywords with a modality prefix from all others.

    Returns:
        The prefixed ones (those that are None left out) and the rest, in order.
    """
    given = {key: value for key, value in kwargs.items() if key in PREFIXED and value is not None}
    rest = {key: value for key, value in kwargs.items() if key not in PREFIXED}
    return given, rest


def encoder_inputs(kwargs: Mapping[str, Any], modality: str) -> dict[str, Any]:
    """Keywords for the encoder of a modality: its own prefix removed, other modalities dropped."""
    found = {}
    for key, value in kwargs.items():
        owner, name = PREFIXED.get(key, ("", key))
        if owner in ("", modality):
            found[name] = value
    return found
