"""Encoders and inputs of a case, the same in both processes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch

from codegen.verify.cases import Case

Inputs = dict[str, Any]


def build(case: Case, package: str, attention: str, dtype: torch.dtype) -> torch.nn.Module:
    """Build the encoder of a case with reproducible weights, in eval mode."""
    torch.manual_seed(0)
    if case.factory:
        module_name, _, function = case.factory.partition(":")
        encoder = getattr(importlib.import_module(module_name), function)(attention)
    else:
        module = importlib.import_module(f"{package}.{case.module}")
        cls = find_class(module, case.encoder)
        config = config_class(cls)(**case.config)
        config._attn_implementation = attention
        encoder = cls(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    result: torch.nn.Module = encoder.to(dtype).eval()
    return result


def find_class(module: ModuleType, name: str) -> Any:
    """The class of a module, however its release spells it: `A_BModel` is found as `ABModel`.

    Raises:
        AttributeError: no class has such a name.
    """
    wanted = name.replace("_", "").lower()
    spelled = [found for found in vars(module) if found.replace("_", "").lower() == wanted]
    return getattr(module, spelled[0] if len(spelled) == 1 else name)


def config_class(cls: type) -> Any:
    """Configuration class of a model class, from its ``config`` annotation or attribute."""
    found = getattr(cls, "config_class", None)
    for base in cls.__mro__:
        annotation = base.__dict__.get("__annotations__", {}).get("config")
        if annotation is not None:
            return annotation
    return found


def vary(case: Case) -> Iterator[tuple[str, Inputs]]:
    """Named inputs in float32 for every grid of a case."""
    if case.kind == "audio":
        for lengths in case.lengths:
            yield "+".join(map(str, lengths)), audio_inputs(case, lengths)
    elif case.kind == "image":
        for height, width in ((24, 24), (16, 24), (40, 24)):
            yield f"{height}x{width}", image_inputs(case, 2, height, width)
    else:
        for name, grid in case.grids.items():
            yield from grid_variants(case, name, grid)


def grid_variants(case: Case, name: str, grid: Any) -> Iterator[tuple[str, Inputs]]:
    """Inputs of one grid, once per pattern of merge sizes where the encoder takes them."""
    if not case.merge_sizes:
        yield name, grid_inputs(case, grid)
    for sizes in case.merge_sizes:
        repeated = [sizes[i % len(sizes)] for i in range(len(grid))]
        if len(sizes) <= len(grid):
            yield f"{name}/m={','.join(map(str, repeated))}", grid_inputs(case, grid, repeated)


def grid_inputs(case: Case, grid: Any, merge_sizes: Any = None) -> Inputs:
    """Packed rows and grid, in the shapes the case asks for."""
    count = sum(math.prod(row) for row in grid)
    generator = torch.Generator().manual_seed(count)
    shape = [count if size == "N" else size for size in case.shape]
    inputs: Inputs = {
        case.rows: torch.randn(shape, generator=generator),
        case.grid: torch.tensor(grid),
    }
    if merge_sizes is not None:
        inputs["merge_sizes"] = torch.tensor(merge_sizes)
    return inputs


def image_inputs(case: Case, batch: int, height: int, width: int) -> Inputs:
    """A batch of images."""
    generator = torch.Generator().manual_seed(height * width)
    return {case.rows: torch.randn(batch, 3, height, width, generator=generator)}


def audio_inputs(case: Case, lengths: Any) -> Inputs:
    """Packed mel frames and their lengths, with the lengths after convolution some encoders take."""
    generator = torch.Generator().manual_seed(sum(lengths))
    shape = [sum(lengths) if size == "N" else size for size in case.shape]
    feature_lens = torch.tensor(lengths)
    return {
        case.rows: torch.randn(shape, generator=generator),
        "feature_lens": feature_lens,
        "aftercnn_lens": (feature_lens - 1) // 2 + 1,
    }


def export_inputs(case: Case) -> tuple[Inputs, Inputs]:
    """Two inputs that differ in the number of images, frames and rows."""
    if case.kind == "audio":
        first, second = (audio_inputs(case, lengths) for lengths in case.export_lengths)
    elif case.kind == "image":
        first, second = image_inputs(case, 2, 24, 24), image_inputs(case, 3, 24, 24)
    else:
        merges = [
            [1 + i % 2 for i in range(len(g))] if case.merge_sizes else None
            for g in case.export_grids
        ]
        first, second = (grid_inputs(case, g, m) for g, m in zip(case.export_grids, merges))
    return first, second


def to_dtype(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Inputs with floating tensors in another dtype."""
    return {
        k: v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v
        for k, v in inputs.items()
    }


def tensors(output: Any) -> list[torch.Tensor]:
    """All tensors of a model output in a stable order."""
    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, Mapping):
        return [t for value in output.values() for t in tensors(value)]
    if isinstance(output, (list, tuple)):
        return [t for value in output for t in tensors(value)]
    return []
