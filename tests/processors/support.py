"""Build processors without any download, and give them small items and prompts."""

from __future__ import annotations

import copy
import importlib
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from codegen.verify.contract import ARGUMENTS, Part
from tests.processors.cases import ProcessorCase

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
#: Widths and heights of the images; frames, widths and heights of the clips; samples of the sounds.
IMAGES = ((16, 8), (24, 24), (9, 30))
CLIPS = ((4, 16, 16), (6, 16, 16), (4, 24, 16))
SOUNDS = (8000, 17600, 36800)
#: The loops of the library take strings like <|placeholder|> for tokens of their own; ours do not.
ODD = "\\1 \\g<0> $1 %s {} é😀\n\n"


def build_tokenizer(case: ProcessorCase) -> Any:
    """A tokenizer for which every byte is a token, besides the special ones of the case."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(
        models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokens = dict.fromkeys((*SPECIAL.values(), *case.named.values(), *case.plain))
    backend.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in tokens])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        padding_side="left",
        extra_special_tokens=dict(case.named),
        **SPECIAL,
    )


@lru_cache
def parts(case: ProcessorCase) -> dict[str, Any]:
    """Tokenizer, image, video and audio processor of a case, which our processor shares with the library's."""
    found = {"tokenizer": build_tokenizer(case)}
    names = ("image_processor", "video_processor", "feature_extractor")
    for name, part in zip(names, (case.image, case.video, case.audio)):
        if part is not None:
            found[name] = getattr(transformers, part[0])(**part[1])
    return found


def our_processor(case: ProcessorCase) -> Any:
    """The generated processor."""
    module = importlib.import_module(f"generated.{case.model}.processing_{case.model}")
    return getattr(module, case.processor)(**parts(case))


def library_processor(case: ProcessorCase) -> Any:
    """The processor of transformers for the same model."""
    return getattr(transformers, case.library)(**parts(case))


@lru_cache
def items(modality: str) -> tuple[np.ndarray, ...]:
    """Three items of a modality: images `(height, width, 3)`, clips with frames first, sounds `(samples,)`."""
    if modality == "audio":
        return tuple(np.sin(np.arange(n) * 0.05).astype(np.float32) for n in SOUNDS)
    shapes = (
        [(h, w, 3) for w, h in IMAGES]
        if modality == "image"
        else [(t, h, w, 3) for t, w, h in CLIPS]
    )
    draw = np.random.default_rng(len(modality))
    return tuple(draw.integers(0, 256, size=shape, dtype=np.uint8) for shape in shapes)


Prompt = Sequence[Part]


def written(case: ProcessorCase, prompts: Sequence[Prompt]) -> list[str]:
    """Texts of the prompts, a placeholder for every item."""
    return [
        "".join(part if isinstance(part, str) else case.wrapped[part[0]] for part in prompt)
        for prompt in prompts
    ]


def given(case: ProcessorCase, prompts: Sequence[Prompt], nested: bool = False) -> dict[str, Any]:
    """Text and items of the prompts as keywords of a call, flat or by prompt."""
    call: dict[str, Any] = {"text": written(case, prompts), **copy.deepcopy(dict(case.options))}
    for modality in case.wrapped:
        rows = [
            [items(modality)[p[1]] for p in prompt if not isinstance(p, str) and p[0] == modality]
            for prompt in prompts
        ]
        if any(rows):
            flat = [item for row in rows for item in row]
            call[ARGUMENTS[modality]] = (
                rows if nested and modality != "audio" and all(rows) else flat
            )
    return call


def random_prompts(case: ProcessorCase, seed: int) -> list[Prompt]:
    """One to three prompts with up to four items each, between words and odd strings."""
    draw = random.Random(seed)
    kinds = list(case.wrapped)
    prompts: list[Prompt] = []
    number = draw.randint(0, 4)
    for _ in range(draw.randint(1, 3)):
        parts: list[Part] = []
        for _ in range(number if case.equal_numbers else draw.randint(0, 4)):
            parts.append((draw.choice(kinds), draw.randrange(3)))
            parts += [draw.choice((" ", "", " and ", "\n", ODD))]
        prompts.append(["u: ", *parts, "what?"] if draw.random() < 0.7 else [*parts, "."])
    return prompts


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    """Names of values that are not the same in both, to the last bit."""
    for name in {**left, **right}:
        if name not in left or name not in right or not same(left[name], right[name]):
            yield name


def same(left: Any, right: Any) -> bool:
    """Whether two returned values agree in type, shape and content."""
    if isinstance(left, torch.Tensor) or isinstance(right, torch.Tensor):
        tensors = isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor)
        return tensors and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return type(left) is type(right) and np.array_equal(left, right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
