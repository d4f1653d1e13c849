"""Samples processed one by one and joined are the batch, or are refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torchvision")

import torch

from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import differences, given, our_processor, parts, random_prompts
from tests.processors.test_chain import whole_model
from utils.merged_samples import merge_extra_tensors

QWEN2 = CASES[0]


def processed(case: ProcessorCase, prompts: list[Any], **text: Any) -> dict[str, Any]:
    """What our processor returns, with everything the encoders take, for options of texts."""
    call = given(case, prompts) | {"return_extra_tensors": whole_model(case).config}
    # What is told by modality cannot be told for all as well.
    call.pop("padding", None)
    options = {"text_kwargs": {"return_tensors": "pt", **text}, **case.merging}
    return dict(our_processor(case)(**call, **options))


def merged(case: ProcessorCase, prompts: list[Any]) -> dict[str, Any]:
    """The same from one call for every prompt."""
    samples = [processed(case, [prompt]) for prompt in prompts]
    return merge_extra_tensors(samples, pad_token_id=parts(case)["tokenizer"].pad_token_id)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_merged_samples_are_the_batch(case: ProcessorCase) -> None:
    batches = (random_prompts(case, seed) for seed in range(12))
    several = [prompts for prompts in batches if len(prompts) > 1]
    assert len(several) >= 6
    for prompts in several[:6]:
        batch = processed(case, prompts, padding=True)
        assert not list(differences(merged(case, prompts), batch))


def sample(**options: Any) -> dict[str, Any]:
    return processed(QWEN2, [["a ", ("image", 0)]], **options)


def test_padding_on_the_right() -> None:
    prompts = [["a ", ("image", 0)], ["a longer one ", ("image", 1)]]
    batch = processed(QWEN2, prompts, padding=True, padding_side="right")
    samples = [processed(QWEN2, [prompt]) for prompt in prompts]
    pad = parts(QWEN2)["tokenizer"].pad_token_id
    joined = merge_extra_tensors(samples, pad_token_id=pad, padding_side="right")
    assert not list(differences(joined, batch))


def test_offsets_and_single_samples_stay() -> None:
    one = sample(return_text_replacement_offsets=True)
    assert not list(differences(merge_extra_tensors([one]), one))
    twice = merge_extra_tensors([one, one])
    assert twice["text_replacement_offsets"] == one["text_replacement_offsets"] * 2


def without(batch: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in batch.items() if key != name}


def refused(*samples: dict[str, Any], **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        merge_extra_tensors(samples, **options)
    return str(caught.value)


def test_what_cannot_be_joined_is_refused() -> None:
    one = sample()
    longer = processed(QWEN2, [["words and ", ("image", 1)]])
    assert refused() == "merge_extra_tensors needs at least one sample"
    assert refused(one, padding_side="up") == 'padding_side is "left" or "right", not \'up\''
    assert refused(one, longer) == "input_ids has another length in every sample: give pad_token_id"
    assert refused(one, without(one, "image_cu_seqlens")) == (
        "image_cu_seqlens is missing in sample 1: process all with the same options"
    )
    assert refused({**one, "other": one["input_ids"]}, one) == (
        "other is missing in sample 1: process all with the same options"
    )
    assert refused({"other": one["input_ids"]}) == (
        "other is not known here: join it by its own rule, and leave it out of the samples"
    )
    assert refused({"input_ids": [[1, 2]]}) == (
        'input_ids is no tensor: call the processor with return_tensors="pt"'
    )
    floats = {**one, "image_cu_seqlens": one["image_cu_seqlens"].float()}
    size = tuple(one["image_cu_seqlens"].shape)
    assert refused(one, floats) == (
        f"image_cu_seqlens differs between samples: torch.int32 {size} and torch.float32 {size}"
    )
    narrow = {**one, "pixel_values": one["pixel_values"][:, :4]}
    assert "pixel_values has rows of other sizes in other samples: " in refused(one, narrow)


def test_numbers_of_images_have_to_agree() -> None:
    two, three = (
        {"image_grid_thw": torch.ones(n, 3), "images_per_sample": torch.tensor([n])} for n in (2, 3)
    )
    assert refused(two, three) == (
        "images_per_sample differs between samples: [2, 3]: batch those with equal ones"
    )


def test_features_of_audio_have_to_be_padded_alike() -> None:
    short, long = ({"input_features": torch.ones(1, 8, n)} for n in (10, 20))
    assert refused(short, long) == (
        "input_features is padded to another length in every sample, which its last frames depend "
        'on: call the processor with audio_kwargs={"padding": "max_length"}'
    )


def test_unknown_length_laws_are_refused() -> None:
    odd = {
        "input_features": torch.ones(1, 8, 8),
        "audio_chunk_lengths": torch.tensor([8]),
        "audio_valid_indices": torch.tensor([0, 2]),
    }
    assert refused(odd) == (
        "audio_valid_indices follows no length law that is known here: compute it for the batch"
    )
    assert refused(without(odd, "audio_chunk_lengths")) == (
        "audio_valid_indices cannot be joined without audio_chunk_lengths"
    )
