"""From the prompt to the logits: what a processor adds precomputed changes nothing, and lets the encoder compile."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

pytest.importorskip("torchvision")

import torch
from torch import nn

from tests.models.configurations import AUDIO_CASES, FULL_CASES, VISION_CASES
from tests.models.support import build_full_model, generated_module, randomize, tensors_of
from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import given, our_processor, parts

IDS = [case.id for case in CASES]
FULL = {case.model: case for case in FULL_CASES}
TENSORS = {case.model: case.tensors for case in VISION_CASES}
AUDIO_TENSORS = {case.model: case.tensors for case in AUDIO_CASES}
#: What modules behind the encoder take.
BEHIND = {"ernie4_5_vl_moe": {"first_units", "second_units"}, "paddleocr_vl": {"block_order"}}
#: Where one resizing of a table per image becomes one look-up for all, sums are taken in another order.
TOLERANCES = {"paddleocr_vl": 1e-5}
#: What the encoder of a modality is given, by name of the value in the batch.
ENCODED = {"image": "pixel_values", "video": "pixel_values_videos", "audio": "input_features"}
PROMPTS: dict[str, Any] = {
    "image": [["a ", ("image", 0), ("image", 2)], [("image", 1), "!"]],
    "video": [["a ", ("video", 0)], [("video", 1), ("video", 2), "!"]],
    "audio": [["a ", ("audio", 0)], [("audio", 1), ("audio", 2), "!"]],
}


def modalities(case: ProcessorCase) -> tuple[str, ...]:
    return tuple(case.wrapped)


PAIRS = [(case, modality) for case in CASES for modality in modalities(case)]
# Videos go through the encoder of images.
ENCODERS = [(case, modality) for case, modality in PAIRS if modality != "video"]
ENCODER_IDS = [f"{case.id}-{modality}" for case, modality in ENCODERS]
VISUAL = [(case, modality) for case, modality in PAIRS if modality != "audio"]
VISUAL_IDS = [f"{case.id}-{modality}" for case, modality in VISUAL]
SIZES = ("grid_thw", "merge_sizes")
#: The decoder of transformers branches on values: no whole graph of these, whatever is given.
BRANCHING = ("qwen3_5", "qwen3_5_moe", "ernie4_5_vl_moe")
PAIR_IDS = [f"{case.id}-{modality}" for case, modality in PAIRS]


def compiled_pairs() -> Iterator[Any]:
    """Every model and modality; one is compiled in each run, all in the long one."""
    for case, modality in VISUAL:
        marks = [pytest.mark.slow] * ((case.model, modality) != ("qwen2_vl", "image"))
        if case.model in BRANCHING:
            marks.append(pytest.mark.xfail(reason="its decoder branches on values", strict=True))
        yield pytest.param(case, modality, id=f"{case.id}-{modality}", marks=marks)


@lru_cache
def whole_model(case: ProcessorCase) -> nn.Module:
    """The generated model of a case, with the tokens of the processor."""
    full = copy.deepcopy(FULL[case.model])
    tokenizer = parts(case)["tokenizer"]
    ids = {f"{name}_id": token for name, token in case.named.items()} | dict(case.ids)
    known = {name: tokenizer.convert_tokens_to_ids(token) for name, token in ids.items()}
    full.config.update({name: value for name, value in known.items() if name in full.config})
    text = full.config["text_config"]
    text.update(vocab_size=len(tokenizer), max_position_embeddings=4096)
    model = build_full_model(full, generated_module(case.model))
    randomize(model)
    return model


def batches(case: ProcessorCase, modality: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the processor returns without and with extra tensors."""
    prompts = PROMPTS[modality]
    prompts = [prompts[1], prompts[1]] if case.equal_numbers else prompts
    call = {**given(case, prompts), "return_tensors": "pt", "padding": True}
    processor = our_processor(case)
    extra = processor(**call, return_extra_tensors=whole_model(case).config)
    return dict(processor(**call)), dict(extra)


@pytest.mark.parametrize(("case", "modality"), PAIRS, ids=PAIR_IDS)
def test_everything_the_encoder_takes_is_returned(case: ProcessorCase, modality: str) -> None:
    plain, extra = batches(case, modality)
    tensors = AUDIO_TENSORS[case.model] if modality == "audio" else TENSORS[case.model]
    # The decoder of one model counts positions that are plain, and takes none.
    positions = {"position_ids", "rope_deltas"} if case.model != "video_llama_3" else set()
    taken = {*tensors, *BEHIND.get(case.model, set())}
    assert set(extra) - set(plain) == {f"{modality}_{name}" for name in taken} | positions
    assert all(
        torch.equal(torch.as_tensor(extra[name]), torch.as_tensor(plain[name])) for name in plain
    )


@pytest.mark.parametrize(("case", "modality"), PAIRS, ids=PAIR_IDS)
def test_logits_are_the_same(case: ProcessorCase, modality: str) -> None:
    model = whole_model(case)
    plain, extra = batches(case, modality)
    with torch.no_grad():
        expected = model(**plain).logits
        actual = model(**extra).logits
    assert torch.isfinite(expected).all()
    assert torch.allclose(actual, expected, rtol=0, atol=TOLERANCES.get(case.model, 0))


def without_sizes(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch with everything that follows from the sizes of images and videos, and not these."""
    return {name: value for name, value in batch.items() if not name.endswith(SIZES)}


@pytest.mark.parametrize(("case", "modality"), VISUAL, ids=VISUAL_IDS)
def test_no_grid_is_needed_beside_what_follows_from_it(case: ProcessorCase, modality: str) -> None:
    model = whole_model(case)
    _, extra = batches(case, modality)
    assert without_sizes(extra).keys() < extra.keys()
    with torch.no_grad():
        expected = model(**extra).logits
        actual = model(**without_sizes(extra)).logits
    assert torch.equal(actual, expected)


@pytest.mark.parametrize(("case", "modality"), list(compiled_pairs()))
def test_without_grids_a_whole_model_is_one_graph(case: ProcessorCase, modality: str) -> None:
    model = whole_model(case)
    _, extra = batches(case, modality)
    torch._dynamo.reset()
    with torch.no_grad():
        expected = model(**extra).logits
        program = torch.compile(model, fullgraph=True, backend="eager")
        actual = program(**without_sizes(extra)).logits
    assert torch.allclose(actual, expected, rtol=0, atol=1e-5)


class _Seen(Exception):
    """Ends a model when its encoder is called, with the arguments of that call."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.call = args, kwargs


def encoder_call(model: nn.Module, batch: dict[str, Any]) -> tuple[nn.Module, Any, dict[str, Any]]:
    """The encoder that a model calls first, and with what."""

    def stop(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Seen(args, kwargs)

    for encoder in encoders(model):
        handle = encoder.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            with torch.no_grad():
                model(**batch)
        except _Seen as seen:
            return encoder, *seen.call
        finally:
            handle.remove()
    raise AssertionError("no encoder is called")


def encoders(model: nn.Module) -> Iterator[nn.Module]:
    names = ("visual", "vision_model", "vision_tower", "audio_tower")
    yield from (m for name, m in model.named_modules() if name.rpartition(".")[2] in names)


@pytest.mark.parametrize(("case", "modality"), ENCODERS, ids=ENCODER_IDS)
def test_the_encoder_compiles(case: ProcessorCase, modality: str) -> None:
    plain, extra = batches(case, modality)
    encoder, args, kwargs = encoder_call(whole_model(case), plain)
    _, more, given_ahead = encoder_call(whole_model(case), extra)
    torch._dynamo.reset()
    with torch.no_grad():
        expected = encoder(*args, **kwargs)
        actual = torch.compile(encoder, fullgraph=True, backend="eager")(*more, **given_ahead)
    pairs = list(zip(tensors_of(actual), tensors_of(expected), strict=True))
    assert pairs and all(torch.allclose(left, right, atol=1e-5) for left, right in pairs)
