"""Our processors give what those of transformers give, on everything that fits together."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("torchvision")

from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import (
    ODD,
    differences,
    given,
    items,
    library_processor,
    our_processor,
    parts,
    random_prompts,
    written,
)

IDS = [case.id for case in CASES]
BATCHES: dict[str, Any] = {
    "image": [["a ", ("image", 0), " b"], [("image", 1), ("image", 2)]],
    "video": [[("video", 0), " b"], ["x ", ("video", 2), ("video", 1)]],
    "audio": [["a longer one ", ("audio", 2)], [("audio", 1), ("audio", 0)]],
}
EQUAL = [["a longer one ", ("image", 0), " b"], ["x ", ("image", 2)]]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tensors": {"return_tensors": "pt", "padding": True},
    "arrays": {"return_tensors": "np", "padding": True},
    "no types": {"return_mm_token_type_ids": False},
    "types": {"return_mm_token_type_ids": True, "padding": True},
    "by modality": {"text_kwargs": {"padding": "max_length", "max_length": 900}},
    "right": {"padding": True, "padding_side": "right", "return_tensors": "pt"},
}
#: Options that the library's processor cannot take, and why.
UPSTREAM_FAILS = {
    ("video_llama_3", "video", "arrays"): "asks an array to be split as a tensor is",
    ("glm_image", "image", "arrays"): "joins arrays as if they were tensors",
    ("qwen2_5_omni", "", "types"): "knows no types of tokens",
    ("qwen3_omni_moe", "", "types"): "knows no types of tokens",
}


def batch_of(case: ProcessorCase, modality: str) -> Any:
    """Prompts with items of a modality that the model takes in one batch."""
    return EQUAL if case.equal_numbers else BATCHES[modality]


def check(case: ProcessorCase, call: dict[str, Any]) -> None:
    """Both processors return the same for a call."""
    # That of the library takes options out of the dictionaries that it gets.
    expected = library_processor(case)(**copy.deepcopy(call))
    actual = our_processor(case)(**call)
    assert not list(differences(dict(actual), dict(expected)))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_random_prompts(case: ProcessorCase) -> None:
    for seed in range(8):
        prompts = random_prompts(case, seed)
        for prompt in (prompts, prompts[:1]):
            if not case.upstream_errs(prompt):
                check(case, given(case, prompt, nested=seed % 2 == 0))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_options(case: ProcessorCase, name: str) -> None:
    for modality in case.wrapped:
        call = given(case, batch_of(case, modality))
        if "text_kwargs" in OPTIONS[name]:
            # What is told by modality cannot be told for all as well.
            call.pop("padding", None)
        call |= OPTIONS[name]
        if {(case.model, modality, name), (case.model, "", name)} & set(UPSTREAM_FAILS):
            our_processor(case)(**call)
        else:
            check(case, call)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_one_text(case: ProcessorCase) -> None:
    text = written(case, [["a ", ("image", 0), " b"]])[0]
    check(case, {"text": text, "images": items("image")[0], **case.options})
    check(case, {"text": "just words", **case.options})


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_placeholders_without_any_item_stay(case: ProcessorCase) -> None:
    for modality in case.wrapped:
        texts = written(case, [["a ", (modality, 0), " b", (modality, 1)]])
        ids = our_processor(case)(text=texts, **case.options)["input_ids"][0]
        assert parts(case)["tokenizer"].decode(ids).startswith(texts[0])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_numbers_that_differ_are_refused_with_both(case: ProcessorCase) -> None:
    one, two = ([[("image", number) for number in range(count)]] for count in (1, 2))
    for prompts, others, counts in (
        (one, two, (1, 2)),
        (two, one, (2, 1)),
        ([["words"]], one, (0, 1)),
    ):
        call = given(case, others) | {"text": written(case, prompts)}
        with pytest.raises(
            ValueError, match=f"in the texts: {counts[0]}, image replacements: {counts[1]}"
        ):
            our_processor(case)(**call)
    with pytest.raises(ValueError, match="needs"):
        our_processor(case)(text=None, **case.options)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_offsets_are_those_of_the_text_given(case: ProcessorCase) -> None:
    kinds = [*case.wrapped, *case.wrapped]
    prompts = [[ODD, *((kind, n % 3) for n, kind in enumerate(kinds)), "."]]
    call = given(case, prompts)
    for asked in (
        {"return_text_replacement_offsets": True},
        {"text_kwargs": {"return_text_replacement_offsets": True, "padding": True}},
    ):
        if "padding" in call and "text_kwargs" in asked:
            del call["padding"]
        batch = our_processor(case)(
            **call, **asked, return_tensors="pt" if len(prompts) == 1 else None
        )
        assert len(batch["text_replacement_offsets"]) == len(prompts)
        for text, ids, offsets in zip(
            call["text"], batch["input_ids"], batch["text_replacement_offsets"]
        ):
            expanded = parts(case)["tokenizer"].decode(ids)
            assert [offset["type"] for offset in offsets] == kinds
            for offset in offsets:
                assert text[slice(*offset["span"])] == offset["text"]
                assert offset["replacement"] in expanded
    assert "text_replacement_offsets" not in our_processor(case)(**call)
