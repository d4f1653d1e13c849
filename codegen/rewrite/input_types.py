"""The types of precomputed inputs, as a helper module: one ``TypedDict`` per modality, out of the registry.

``utils/precomputed_types.py`` holds what is made here, and goes into rewritten trees with the helpers.
"""

from __future__ import annotations

import textwrap

from codegen.rewrite.helper_entry import AUDIO, VISION, Helper, Result
from codegen.rewrite.helpers import LIFTED, rank

MODALITIES = ("image", "video", "audio")
_HEAD = '''\
"""Inputs of models that can be computed ahead, by modality, for annotations and editors.

    inputs: ImageInputs = {"image_cu_seqlens": get_vision_cu_seqlens(image_grid_thw)}
    model(**batch, **inputs)

Made from the registry of helpers (`codegen/rewrite/helpers.py`); change it there.
"""

from typing import TypedDict

import torch
'''


def input_types() -> str:
    """The source of the helper module."""
    parts = [_HEAD, *(_typed(modality) for modality in MODALITIES), _results()]
    return "\n\n".join(parts)


def inputs_of(modality: str) -> tuple[Result, ...]:
    """What can be computed ahead for a modality, in the order of all signatures."""
    of_others = VISION if modality == "audio" else AUDIO
    helpers = (h for h in LIFTED.values() if h.module != of_others)
    found = {result.name: result for helper in helpers for result in helper.results}
    return tuple(sorted(found.values(), key=lambda result: rank(result.name)))


def _typed(modality: str) -> str:
    plural = {"image": "images", "video": "videos", "audio": "audios"}[modality]
    entries = "\n".join(_entry(modality, result) for result in inputs_of(modality))
    about = f'    """What a model can be given for its {plural}, computed ahead."""\n\n'
    return f"class {modality.capitalize()}Inputs(TypedDict, total=False):\n{about}{entries}"


def _entry(modality: str, result: Result) -> str:
    dtype = f"the dtype of `{result.dtype}`" if "_" in result.dtype else result.dtype
    about = f"Shape `{result.shape}`, {dtype}. {result.text}"
    lines = textwrap.wrap(f'"""{about}"""', 96, break_long_words=False)
    text = "".join(f"    {line}\n" for line in lines)
    return f"    {modality}_{result.name}: torch.Tensor\n{text}"


def _results() -> str:
    """The names of the results of every helper, for what computes them ahead."""
    return (
        "RESULTS = {\n"
        + "".join(_row(helper) for helper in LIFTED.values())
        + '}\n"""Names of the results of helpers, which are those of the inputs without their prefix."""\n'
    )


def _row(helper: Helper) -> str:
    names = ", ".join(f'"{name}"' for name in helper.outputs)
    return f'    "{helper.name}": ({names}{"," if len(helper.outputs) == 1 else ""}),\n'
