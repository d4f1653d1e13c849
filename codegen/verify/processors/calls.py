"""Call a processor and say what it did: what reached the tokenizer, what came back, what the helper returned."""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from codegen.verify.contract import knows_helper, spied
from codegen.verify.processors.prompts import CLIPS, IMAGES, KEYWORDS, SAMPLES, Prompt

Outcome = dict[str, Any]


def call(
    processor: Any,
    prompt: Prompt,
    placeholders: Mapping[str, str | None],
    options: Mapping[str, Any],
) -> Outcome:
    """One call: the texts that reach the tokenizer, a digest of what comes back, or the error.

    ``routed`` tells whether the helper has made these texts: each holds what it has returned.
    """
    texts = prompt.written(placeholders)
    given = [*texts]
    arguments: dict[str, Any] = {"text": given[0] if prompt.plain else given}
    number = 0
    for modality, placeholder in placeholders.items():
        numbers = prompt.items(modality)
        if not any(numbers):
            continue
        if placeholder is None:
            arguments.pop("text", None)
        items = [[item(modality, number) for number in inner] for inner in numbers]
        flat = [one for inner in items for one in inner]
        number += len(flat)
        arguments[KEYWORDS[modality]] = items if prompt.nested and modality != "audio" else flat
    reached: list[list[str]] = []
    returned: list[list[str]] = []
    error = made = ""
    with ExitStack() as stack:
        stack.enter_context(_Listening(processor.tokenizer, reached))
        if knows_helper(processor):
            stack.enter_context(spied(processor, returned))
        try:
            made = digest(dict(processor(**arguments, **copy.deepcopy(dict(options)))))
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
    seen = reached[-1] if reached else []
    return {
        "prompt": texts,
        "pieces": prompt.texts,
        "items": number,
        "texts": seen,
        "digest": made,
        "error": error,
        "changed": not prompt.plain and given != texts,
        "routed": any(_within(texts, seen) for texts in returned),
    }


def _within(returned: Sequence[str], seen: Sequence[str]) -> bool:
    """Whether every text holds what the helper has returned for it; more may be written around."""
    return len(returned) == len(seen) and all(map(str.__contains__, seen, returned))


def other_methods(processor: Any) -> Iterator[Outcome]:
    """What a processor says besides: tokens for sizes that are not there yet, and texts of generated ids."""
    sizes = {
        "image_sizes": [(height, width) for width, height in IMAGES],
        "video_sizes": [(frames, 56, 56) for frames in CLIPS],
        "audio_lengths": [*SAMPLES],
    }
    count = getattr(processor, "_get_num_multimodal_tokens", None)
    if count is not None:
        for name, values in sizes.items():
            if name in inspect.signature(count).parameters:
                yield _said(f"_get_num_multimodal_tokens({name})", count, **{name: values})
    ids = [[65, 66, 67, 1], [68, 69, 70, 2]]
    for name in sorted(name for name in dir(processor) if name.startswith("post_process")):
        yield _said(name, getattr(processor, name), ids)
        yield _said(name, getattr(processor, name), "words")


def _said(name: str, method: Any, *args: Any, **keywords: Any) -> Outcome:
    error = made = ""
    try:
        value = method(*args, **keywords)
        made = digest(vars(value) if hasattr(value, "__dict__") else value)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    return {"prompt": [name], "texts": [], "digest": made, "error": error}


class _Listening:
    """While it lasts, lists of texts that a tokenizer is given are remembered."""

    def __init__(self, tokenizer: Any, reached: list[list[str]]) -> None:
        self.cls, self.reached = type(tokenizer), reached
        self.original = self.cls.__call__

    def __enter__(self) -> None:
        original, reached = self.original, self.reached

        def listen(tokenizer: Any, text: Any = None, *args: Any, **keywords: Any) -> Any:
            if text is not None:
                reached.append([text] if isinstance(text, str) else list(text))
            return original(tokenizer, text, *args, **keywords)

        self.cls.__call__ = listen

    def __exit__(self, *problem: object) -> None:
        self.cls.__call__ = self.original


def item(modality: str, number: int) -> Any:
    """An image, a clip or an audio: the same for the same number."""
    import numpy as np

    draw = np.random.default_rng(number)
    if modality == "audio":
        return draw.standard_normal(SAMPLES[number]).astype(np.float32)
    if modality == "video":
        return draw.integers(0, 255, (CLIPS[number], 56, 56, 3), dtype=np.uint8)
    from PIL import Image

    width, height = IMAGES[number]
    return Image.fromarray(draw.integers(0, 255, (height, width, 3), dtype=np.uint8))


def digest(value: Any) -> str:
    """A value in a few letters: equal for equal types, shapes and contents."""
    made = hashlib.sha256()
    for part in _parts(value):
        made.update(part)
    return made.hexdigest()[:24]


def _parts(value: Any) -> Iterator[bytes]:
    """A value as bytes: arrays by type, shape and content."""
    if hasattr(value, "detach"):
        yield str(value.dtype).encode()
        # numpy knows no bfloat16, which every value of is one of float32.
        wide = value.float() if value.is_floating_point() and value.itemsize < 4 else value
        value = wide.detach().cpu().numpy()
    if hasattr(value, "tobytes"):
        yield f"{value.dtype}{value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        yield f"[{len(value)}".encode()
        for one in value:
            yield from _parts(one)
    else:
        known = "object at 0x" not in repr(value)
        yield repr(value).encode() if known else type(value).__name__.encode()
