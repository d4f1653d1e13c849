"""Whole models with precomputed tensors: `generate` takes them, and they go where they belong.

The keywords carry the prefix of their modality. They must reach the encoders and nothing else, and they
must not be repeated where the inputs of a prompt are repeated for beams or for several answers.
"""

from typing import Any

import pytest
import torch
from torch import nn

from tests.models.configurations import AUDIO_CASES, FULL_CASES, SEVERAL, FullCase
from tests.models.prompts import full_inputs
from tests.models.support import build_full_model, generated_module, precomputed, randomize
from tests.models.test_precomputed import model_tensors
from utils.precomputed_inputs import PREFIXED

IDS = [case.id for case in FULL_CASES]
# Repeating packed images takes a method of the model, which these do not have.
BEAM_CASES = [case for case in FULL_CASES if not case.audio and not case.targets_in_grid]
BEAM_IDS = [case.id for case in BEAM_CASES]
AUDIO_OF = {case.model: case for case in AUDIO_CASES}
FRAMES = 100
SETTINGS: dict[str, Any] = {"max_new_tokens": 3, "eos_token_id": None, "pad_token_id": 0}


def prompt_of(case: FullCase) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A prompt with images, and a clip where the model hears, and all precomputed tensors for it."""
    inputs = full_inputs(case, images=SEVERAL, audio_frames=FRAMES if case.audio else 0)
    tensors = model_tensors(case, "image", SEVERAL)
    if case.audio:
        packed = {
            "input_features": inputs["input_features"][0],
            "feature_lens": torch.tensor([FRAMES]),
        }
        audio = precomputed(AUDIO_OF[case.model], packed)
        tensors.update({f"audio_{name}": value for name, value in audio.items()})
    return inputs, tensors


def model_of(case: FullCase) -> Any:
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    return model


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_generate_takes_prefixed_tensors(case: FullCase) -> None:
    inputs, tensors = prompt_of(case)
    model = model_of(case)
    computed = model.generate(**inputs, **SETTINGS, do_sample=False)
    given = model.generate(**inputs, **tensors, **SETTINGS, do_sample=False)
    assert torch.equal(computed, given)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_generate_hands_them_to_the_encoders(case: FullCase) -> None:
    inputs, tensors = prompt_of(case)
    model = model_of(case)
    for name in ("image_cu_seqlens", "audio_cu_seqlens"):
        if name in tensors:
            wrong = {**tensors, name: tensors[name] + 1}
            with pytest.raises(ValueError, match="cu_seqlens leads from 1"):
                model.generate(**inputs, **wrong, **SETTINGS, do_sample=False)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_generate_refuses_other_keywords_as_before(case: FullCase) -> None:
    inputs, tensors = prompt_of(case)
    with pytest.raises(ValueError, match=r"not used by the model: \['image_colours'\]"):
        model_of(case).generate(**inputs, **tensors, image_colours=tensors["image_cu_seqlens"])


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_generate_refuses_a_misspelt_keyword_by_name(case: FullCase) -> None:
    inputs, tensors = prompt_of(case)
    with pytest.raises(ValueError, match="did you mean image_cu_seqlens?"):
        model_of(case).generate(**inputs, **tensors, image_cu_seqlen=tensors["image_cu_seqlens"])


@pytest.mark.parametrize(
    "settings",
    [{"num_beams": 2, "do_sample": False}, {"num_return_sequences": 2, "do_sample": True}],
    ids=["beams", "sequences"],
)
@pytest.mark.parametrize("case", BEAM_CASES, ids=BEAM_IDS)
def test_generate_several_sequences(case: FullCase, settings: dict[str, Any]) -> None:
    inputs, tensors = prompt_of(case)
    model = model_of(case)
    torch.manual_seed(0)
    computed = model.generate(**inputs, **SETTINGS, **settings)
    torch.manual_seed(0)
    given = model.generate(**inputs, **tensors, **SETTINGS, **settings)
    assert torch.equal(computed, given)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_repeated_inputs_leave_prefixed_tensors_out(case: FullCase) -> None:
    inputs, tensors = prompt_of(case)
    model = model_of(case)
    arguments = {**inputs, **tensors, "is_encoder_decoder": False}
    input_ids, others = model._expand_inputs_for_generation(expand_size=2, **arguments)
    assert len(input_ids) == len(others["attention_mask"]) == 2
    assert not set(others) & set(PREFIXED)
    input_ids, others = model._expand_inputs_for_generation(expand_size=1, **arguments)
    assert all(others[name] is tensor for name, tensor in tensors.items())


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_only_the_encoders_see_them(case: FullCase) -> None:
    """Neither the text decoder nor the loss gets a prefixed keyword."""
    inputs, tensors = prompt_of(case)
    model = model_of(case)
    seen: list[str] = []

    def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not hasattr(module, "get_image_features"):
            seen.extend(kwargs)

    def loss_function(**kwargs: Any) -> torch.Tensor:
        seen.extend(kwargs)
        return torch.zeros(())

    for module in model.modules():
        module.register_forward_pre_hook(look, with_kwargs=True)
    model.loss_function = loss_function
    labels = inputs["input_ids"].clamp(max=model.lm_head.out_features - 1)
    with torch.no_grad():
        model(**inputs, **tensors, labels=labels)
    assert {"logits", "labels", "cu_seqlens"} <= set(seen)
    assert not set(seen) & set(PREFIXED)
