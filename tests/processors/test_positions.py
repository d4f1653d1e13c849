"""Positions that processors return ahead are those that the model computes, and those that it takes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torchvision")

import torch
from torch import nn

from tests.processors.cases import CASES, GLM, ProcessorCase
from tests.processors.support import (
    differences,
    given,
    items,
    our_processor,
    parts,
    random_prompts,
)
from tests.processors.test_chain import PROMPTS, _Seen, whole_model
from utils.merged_samples import merge_extra_tensors

POSITIONS = ("position_ids", "rope_deltas")
#: One model has a decoder that counts by itself.
COUNTED = [case for case in CASES if case.model != "video_llama_3"]
IDS = [case.id for case in COUNTED]
OMNI = [case for case in COUNTED if case.audio]


def processed(case: ProcessorCase, prompts: Any, wanted: Any, **options: Any) -> dict[str, Any]:
    call = {**given(case, prompts), "return_tensors": "pt", "padding": True, **options}
    return dict(our_processor(case)(**call, return_extra_tensors=wanted))


def decoder_positions(model: nn.Module, batch: dict[str, Any], **options: Any) -> torch.Tensor:
    """What the text decoder is given for a batch without positions, and what the model remembers."""

    def stop(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Seen(args, kwargs)

    decoder = next(m for n, m in model.named_modules() if type(m).__name__.endswith("TextModel"))
    plain = {name: value for name, value in batch.items() if name not in POSITIONS}
    handle = decoder.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with torch.no_grad():
            model(**plain, **options)
    except _Seen as seen:
        return seen.call[1]["position_ids"]
    finally:
        handle.remove()
    raise AssertionError("no text decoder is called")


def remembered(model: nn.Module) -> torch.Tensor:
    return (model if hasattr(model, "rope_deltas") else model.model).rope_deltas


@pytest.mark.parametrize("case", COUNTED, ids=IDS)
def test_positions_are_those_that_the_model_computes(case: ProcessorCase) -> None:
    model = whole_model(case)
    compared = 0
    for seed in range(4):
        batch = processed(case, random_prompts(case, seed), model.config)
        found, deltas = (batch[name] for name in POSITIONS)
        if {"image_grid_thw", "video_grid_thw"} <= set(batch) and case.named == GLM:
            # Frames have the tokens of images there, and the model takes no image beside a video.
            expected, model.model.rope_deltas = model.model.get_rope_index(**batch)
        else:
            expected = decoder_positions(model, batch)
        if expected is None:
            # Nothing but text, which the decoder counts without looking at the padding.
            mask = batch["attention_mask"]
            expected = ((mask.cumsum(-1) - 1) * mask).expand(3, -1, -1)
            assert torch.equal(found, expected) and not deltas.any()
            continue
        compared += 1
        assert found.dtype == expected.dtype and torch.equal(found, expected)
        assert torch.equal(deltas, remembered(model)) and deltas.dtype == remembered(model).dtype
    assert compared >= 2


@pytest.mark.parametrize("case", COUNTED, ids=IDS)
def test_forward_and_generate_take_them(case: ProcessorCase) -> None:
    model = whole_model(case)
    prompts = [PROMPTS["image"][1]] * 2 if case.equal_numbers else PROMPTS["image"]
    batch = processed(case, prompts, model.config)
    plain = {name: value for name, value in batch.items() if name not in POSITIONS}
    options = {"max_new_tokens": 4, "do_sample": False, "return_dict_in_generate": True}
    options |= {"output_logits": True, "eos_token_id": None}
    with torch.no_grad():
        expected, actual = (model.generate(**inputs, **options) for inputs in (plain, batch))
    assert torch.equal(actual.sequences, expected.sequences)
    assert all(map(torch.equal, actual.logits, expected.logits))


@pytest.mark.parametrize("case", OMNI, ids=[case.id for case in OMNI])
def test_videos_with_sound(case: ProcessorCase) -> None:
    model = whole_model(case)
    prompts = [["x ", ("video", 1)], [("audio", 1), ("video", 0), "!", ("image", 0)]]
    call = given(case, prompts) | {"audio": [items("audio")[n] for n in (1, 0, 2)]}
    call["videos_kwargs"] = {**call["videos_kwargs"], "use_audio_in_video": True}
    call |= {"padding": True, "return_tensors": "pt", "return_extra_tensors": model.config}
    batch = dict(our_processor(case)(**call))
    expected = decoder_positions(model, batch, use_audio_in_video=True)
    assert torch.equal(batch["position_ids"], expected)
    assert torch.equal(batch["rope_deltas"], remembered(model))


@pytest.mark.parametrize("case", COUNTED, ids=IDS)
def test_without_a_configuration_there_are_those_that_need_none(case: ProcessorCase) -> None:
    prompts = [PROMPTS["image"][1]]
    config = whole_model(case).config
    found, all_known = (processed(case, prompts, wanted) for wanted in (True, config))
    if case.model in ("qwen2_5_vl", "qwen2_5_omni", "qwen3_omni_moe"):
        assert not set(POSITIONS) & set(found)
    else:
        assert not list(
            differences({n: found[n] for n in POSITIONS}, {n: all_known[n] for n in POSITIONS})
        )


def test_lists_are_refused() -> None:
    with pytest.raises(ValueError, match='needs return_tensors="pt"'):
        our_processor(CASES[0])(text=["words"], return_extra_tensors=True)


def test_padding_on_either_side_and_prompts_without_items_can_be_merged() -> None:
    case = CASES[0]
    config = whole_model(case).config
    prompts = [["words"], ["a ", ("image", 0), ("video", 1)], [("image", 2)]]
    for side in ("left", "right"):
        batch = processed(case, prompts, config, padding_side=side)
        samples = [processed(case, [prompt], config) for prompt in prompts]
        pad = parts(case)["tokenizer"].pad_token_id
        joined = merge_extra_tensors(samples, pad_token_id=pad, padding_side=side)
        assert not list(differences(joined, batch))
