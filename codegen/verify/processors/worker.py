"""Build the processors of one tree and record what they do: a process of its own.

python -m codegen.verify.processors.worker JOB.json
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codegen.verify.overlay import install
from codegen.verify.processors.build import Built, NotBuilt, build
from codegen.verify.processors.prompts import (
    CLIPS,
    IMAGES,
    KEYWORDS,
    SAMPLES,
    Prompt,
    generated,
    singles,
)
from codegen.verify.torchvision_operators import declare_torchvision_operators

Outcome = dict[str, Any]


def main(path: str) -> None:
    """Carry out a job and write a line for each processor."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
    warnings.filterwarnings("ignore")
    install(Path(job["search"]), job["package"], None)
    declare_torchvision_operators()
    with Path(job["results"]).open("w", encoding="utf-8") as out:
        for model in job["models"]:
            record = {"model": model, **_record(job, model)}
            print(json.dumps(record), file=out, flush=True)


def _record(job: dict[str, Any], model: str) -> dict[str, Any]:
    """What a processor does with single items and with prompts."""
    try:
        built = build(job["package"], model, Path(job["original"]))
        placeholders = dict(_learned(built))
    except NotBuilt as reason:
        return {"why": str(reason)}
    if not placeholders:
        return {"why": "no placeholder of it becomes anything"}
    known = {
        f"{modality} {n}": _call(built, prompt, placeholders)
        for modality in placeholders
        for n, prompt in enumerate(singles(modality))
    }
    prompts = list(generated(sorted(placeholders), job["prompts"], job["seed"]))
    outcomes = [_call(built, prompt, placeholders) for prompt in prompts]
    return {"why": "", "placeholders": placeholders, "singles": known, "outcomes": outcomes}


def _learned(built: Built) -> Iterator[tuple[str, str]]:
    """The placeholder of each modality: the first that becomes something else for an item."""
    for modality, candidates in built.placeholders.items():
        for candidate in candidates:
            first = next(singles(modality))
            outcome = _call(built, first, {modality: candidate})
            if not outcome["error"] and outcome["texts"] not in ([], [f"a {candidate} b"]):
                yield modality, candidate
                break


def _call(built: Built, prompt: Prompt, placeholders: dict[str, str]) -> Outcome:
    """One call: the texts that reach the tokenizer, a digest of what comes back, or the error."""
    texts = prompt.written(placeholders)
    given = [*texts]
    arguments: dict[str, Any] = {"text": given[0] if prompt.plain else given}
    for modality in placeholders:
        numbers = prompt.items(modality)
        if not any(numbers):
            continue
        items = [[_item(modality, number) for number in inner] for inner in numbers]
        flat = [item for inner in items for item in inner]
        arguments[KEYWORDS[modality]] = items if prompt.nested and modality == "image" else flat
    reached: list[list[str]] = []
    error = digest = ""
    with _listening(built.processor.tokenizer, reached):
        try:
            result = built.processor(**arguments, return_tensors=None)
            digest = _digest(dict(result))
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
            if "return_tensors" in error:
                error, digest = _with_tensors(built, arguments)
    return {
        "prompt": texts,
        "pieces": prompt.texts,
        "texts": reached[-1] if reached else [],
        "digest": digest,
        "error": error,
        "changed": not prompt.plain and given != texts,
    }


def _with_tensors(built: Built, arguments: dict[str, Any]) -> tuple[str, str]:
    try:
        result = built.processor(**arguments, return_tensors="pt", padding=True)
        return "", _digest(dict(result))
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}", ""


class _listening:
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


def _item(modality: str, number: int) -> Any:
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


def _digest(value: Any) -> str:
    made = hashlib.sha256()
    for part in _parts(value):
        made.update(part)
    return made.hexdigest()[:24]


def _parts(value: Any) -> Iterator[bytes]:
    """A value as bytes: arrays by type, shape and content."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "tobytes"):
        yield f"{value.dtype}{value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        yield f"[{len(value)}".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield (
            repr(value).encode()
            if "object at 0x" not in repr(value)
            else type(value).__name__.encode()
        )


if __name__ == "__main__":
    main(sys.argv[1])
