"""Our processors give what those of transformers give, on everything that fits together."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torchvision")

from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import (
    differences,
    given,
    items,
    library_processor,
    our_processor,
    random_prompts,
    written,
)

IDS = [case.id for case in CASES]
BOTH = [["a ", ("image", 0), " b"], [("image", 1), ("image", 2)]]
CLIPS = [[("video", 0), " b"], ["x ", ("video", 2), ("video", 1)]]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tensors": {"return_tensors": "pt", "padding": True},
    "arrays": {"return_tensors": "np", "padding": True},
    "no types": {"return_mm_token_type_ids": False},
    "types": {"return_mm_token_type_ids": True, "padding": True},
    "by modality": {"text_kwargs": {"padding": "max_length", "max_length": 300}},
    "right": {"padding": True, "padding_side": "right", "return_tensors": "pt"},
}


def check(case: ProcessorCase, call: dict[str, Any]) -> None:
    """Both processors return the same for a call."""
    expected = library_processor(case)(**call)
    actual = our_processor(case)(**call)
    assert not list(differences(dict(actual), dict(expected)))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_random_prompts(case: ProcessorCase) -> None:
    for seed in range(12):
        prompts = random_prompts(case, seed)
        for prompt in (prompts, prompts[:1]):
            if not case.upstream_errs(prompt):
                check(case, given(case, prompt, nested=seed % 2 == 0))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_options(case: ProcessorCase, name: str) -> None:
    for prompts in (BOTH, CLIPS) if case.video else (BOTH,):
        check(case, {**given(case, prompts), **OPTIONS[name]})


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_one_text(case: ProcessorCase) -> None:
    text = written(case, BOTH[:1])[0]
    check(case, {"text": text, "images": items("image")[0], **case.options})
    check(case, {"text": "just words", **case.options})
    check(case, {"text": "placeholders stay: " + text, **case.options})
