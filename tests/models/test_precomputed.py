"""Optional inputs of generated encoders and models: given ahead of time they change nothing.

Every tensor that depends on sizes and settings only may be computed once and passed in; the result has
to be the same to the last bit, for an encoder as for a whole model with the prefix of the modality.
"""

import inspect
from typing import Any

import pytest
import torch

from tests.models.configurations import (
    AUDIO_CASES,
    FULL_CASES,
    MIXED,
    SEVERAL,
    VISION_CASES,
    AudioCase,
    FullCase,
    Grid,
    VisionCase,
)
from tests.models.prompts import full_inputs
from tests.models.support import (
    audio_inputs,
    build_encoder,
    build_full_model,
    generated_module,
    precomputed,
    randomize,
    tensors_of,
    vision_inputs,
)

ENCODERS = (*VISION_CASES, *AUDIO_CASES)
ENCODER_IDS = [case.id for case in ENCODERS]
ENCODER_OF = {case.model: case for case in VISION_CASES}
# Fewer pairs to pool give fewer rows; lengths of chunks are not needed once everything else is given.
SIZES_OF_THEIR_OWN = ("pool_indices", "chunk_lengths")
FULL_IDS = [case.id for case in FULL_CASES]


def inputs_of(case: VisionCase | AudioCase, number: int) -> dict[str, Any]:
    """The inputs of one grid, or one list of clip lengths, of a case."""
    if isinstance(case, AudioCase):
        return audio_inputs(case, case.lengths[number])
    return vision_inputs(case, case.grids[number])


@pytest.mark.parametrize("case", ENCODERS, ids=ENCODER_IDS)
def test_encoder_names_its_optional_inputs(case: VisionCase | AudioCase) -> None:
    parameters = inspect.signature(build_encoder(case).forward).parameters
    named = [name for name in case.tensors if name in parameters]
    # An encoder that only wraps another one hands all keywords on.
    assert named == list(case.tensors) or (not named and "kwargs" in parameters)
    for name in named:
        assert parameters[name].default is None


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", ENCODERS, ids=ENCODER_IDS)
def test_encoder_output_is_bitwise_the_same(case: VisionCase | AudioCase, attention: str) -> None:
    encoder = build_encoder(case, attention)
    runs = len(case.lengths) if isinstance(case, AudioCase) else len(case.grids)
    for number in range(runs):
        inputs = inputs_of(case, number)
        with torch.no_grad():
            computed = encoder(**inputs)
            given = encoder(**inputs, **precomputed(case, inputs))
        for left, right in zip(tensors_of(computed), tensors_of(given), strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("case", ENCODERS, ids=ENCODER_IDS)
def test_half_precision_is_bitwise_the_same(case: VisionCase | AudioCase) -> None:
    encoder = build_encoder(case).to(torch.bfloat16)
    inputs = inputs_of(case, 2)
    with torch.no_grad():
        computed = encoder(**inputs)
        given = encoder(**inputs, **precomputed(case, inputs))
    for left, right in zip(tensors_of(computed), tensors_of(given), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("case", ENCODERS, ids=ENCODER_IDS)
def test_given_tensors_are_used(case: VisionCase | AudioCase) -> None:
    """One segment in place of several, or the last position first, has to change what the blocks see."""
    encoder = build_encoder(case)
    inputs = inputs_of(case, 3 if isinstance(case, AudioCase) else 2)
    with torch.no_grad():
        given = precomputed(case, inputs)
        expected = tensors_of(encoder(**inputs, **given))[0]
        if "cu_seqlens" in given:
            given["cu_seqlens"] = given["cu_seqlens"][[0, -1]]
        else:
            given["rotary_pos_ids"] = given["rotary_pos_ids"].flip(0)
        changed = tensors_of(encoder(**inputs, **given))[0]
    assert not torch.allclose(expected, changed, atol=1e-3)


@pytest.mark.parametrize(
    "case, name",
    [
        pytest.param(case, name, id=f"{case.id}-{name}")
        for case in ENCODERS
        for name in case.tensors
        if name not in SIZES_OF_THEIR_OWN
    ],
)
def test_tensor_of_another_size_is_refused(case: VisionCase | AudioCase, name: str) -> None:
    encoder = build_encoder(case)
    inputs = inputs_of(case, 3 if isinstance(case, AudioCase) else 2)
    given = precomputed(case, inputs)
    axis = 1 if name in ("embed_indices", "bilinear_weights") else 0
    given[name] = given[name].narrow(axis, 0, given[name].shape[axis] - 1)
    with pytest.raises(ValueError, match=f"^{name} .*leave it out$"), torch.no_grad():
        encoder(**inputs, **given)


def model_tensors(case: FullCase, kind: str, grid: Grid) -> dict[str, torch.Tensor]:
    """The optional inputs of the vision encoder with the prefix of a modality."""
    encoder = ENCODER_OF[case.model]
    inputs: dict[str, Any] = {"grid_thw": torch.tensor(grid)}
    if encoder.kind == "merge_sizes":
        inputs["merge_sizes"] = torch.full((len(grid),), case.merge_size)
    return {f"{kind}_{name}": value for name, value in precomputed(encoder, inputs).items()}


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("case", FULL_CASES, ids=FULL_IDS)
def test_logits_are_bitwise_the_same(case: FullCase, kind: str) -> None:
    if kind == "video" and not case.video:
        with pytest.raises((NotImplementedError, AttributeError)):
            build_full_model(case, generated_module(case.model)).get_video_features(None, None)
        return
    grid = SEVERAL if kind == "image" else MIXED[1:]
    inputs = full_inputs(case, images=grid) if kind == "image" else full_inputs(case, videos=grid)
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    with torch.no_grad():
        computed = model(**inputs).logits
        given = model(**inputs, **model_tensors(case, kind, grid)).logits
    assert torch.equal(computed, given)


@pytest.mark.parametrize("case", FULL_CASES, ids=FULL_IDS)
def test_given_tensors_reach_the_encoder(case: FullCase) -> None:
    inputs = full_inputs(case, images=SEVERAL)
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    tensors = model_tensors(case, "image", SEVERAL)
    tensors["image_cu_seqlens"] = tensors["image_cu_seqlens"][:-1]
    with pytest.raises((ValueError, RuntimeError)), torch.no_grad():
        model(**inputs, **tensors)
