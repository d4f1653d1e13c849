"""Tensors and networks as plain data."""

from __future__ import annotations

from typing import Any, Protocol


class Namer(Protocol):
    """What describes values; see :class:`codegen.verify.definitions.values.Describer`."""

    def own(self, cls: type) -> bool:
        """Whether a class belongs to the model."""

    def class_name(self, cls: type) -> list[str]:
        """The names that a class goes by."""

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value as data."""


def is_network(value: Any) -> bool:
    """Whether a value looks like a network; torch need not be loaded to tell."""
    return hasattr(value, "named_modules") and hasattr(value, "state_dict")


def describe_torch(value: Any, namer: Namer) -> Any:
    """A tensor by shape, type and content; a network by its parts and the shapes of its weights."""
    import torch

    if isinstance(value, torch.Tensor):
        shown: list[Any] = []
        if not value.is_meta and value.numel():
            content = value.detach().flatten().double().nan_to_num()
            shown = [float(content.sum()), content[:8].tolist()]
        return ["tensor", list(value.shape), str(value.dtype), repr(shown)]
    if isinstance(value, torch.nn.Module):
        parts = [
            [name, namer.class_name(type(part)), _settings(part, namer)]
            for name, part in value.named_modules()
        ]
        weights = [[name, list(part.shape)] for name, part in value.state_dict().items()]
        return ["network", parts, weights]
    return None


def _settings(network: Any, namer: Namer) -> Any:
    """What a part of a network holds beside weights and parts: numbers, texts, switches."""
    if not namer.own(type(network)):
        return []
    simple = (bool, int, float, str, tuple, list, type(None))
    return [
        [name, namer.value(value)]
        for name, value in vars(network).items()
        if isinstance(value, simple) and not name.startswith(("_", "training"))
    ]
