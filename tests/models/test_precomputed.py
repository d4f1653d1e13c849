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
    LONGEST,
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
from utils import modeling_vision_utils as vision
from utils.packed import MissingGrid

ENCODERS = (*VISION_CASES, *AUDIO_CASES)
ENCODER_IDS = [case.id for case in ENCODERS]
ENCODER_OF = {case.model: case for case in VISION_CASES}
# Fewer pairs to pool give fewer rows; lengths of chunks are not needed once everything else is given.
SIZES_OF_THEIR_OWN = ("pool_indices", "chunk_lengths")
# Eagerly its position table is resized image by image, which indices and weights only come near.
NEAR = ("paddleocr_vl",)
FULL_IDS = [case.id for case in FULL_CASES]
PACKED = [case for case in VISION_CASES if case.kind != "images"]


def inputs_of(case: VisionCase | AudioCase, number: int) -> dict[str, Any]:
    """The inputs of one grid, or one list of clip lengths, of a case."""
    if isinstance(case, AudioCase):
        return audio_inputs(case, case.lengths[number])
    return vision_inputs(case, case.grids[number])


def assert_same(case: VisionCase | AudioCase | FullCase, left: Any, right: Any) -> None:
    """Equal to the last bit, or nearly where indices stand for another computation."""
    if case.model in NEAR:
        exact = left.dtype == torch.float32
        torch.testing.assert_close(left, right, atol=1e-5 if exact else 1e-2, rtol=1e-5)
    else:
        assert torch.equal(left, right)


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
            assert_same(case, left, right)


@pytest.mark.parametrize("case", ENCODERS, ids=ENCODER_IDS)
def test_half_precision_is_bitwise_the_same(case: VisionCase | AudioCase) -> None:
    encoder = build_encoder(case).to(torch.bfloat16)
    inputs = inputs_of(case, 2)
    with torch.no_grad():
        computed = encoder(**inputs)
        given = encoder(**inputs, **precomputed(case, inputs))
    for left, right in zip(tensors_of(computed), tensors_of(given), strict=True):
        assert_same(case, left, right)


def without_grid(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of an encoder without what the sizes of images are read from."""
    return {**inputs, **dict.fromkeys(inputs.keys() & {"grid_thw", "merge_sizes"})}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", PACKED, ids=[case.id for case in PACKED])
def test_grid_may_be_left_out_where_everything_is_given(case: VisionCase, attention: str) -> None:
    encoder = build_encoder(case, attention)
    for grid in case.grids:
        inputs = vision_inputs(case, grid)
        given = precomputed(case, inputs)
        with torch.no_grad():
            expected = encoder(**inputs, **given)
            alone = encoder(**without_grid(inputs), **given)
        for left, right in zip(tensors_of(expected), tensors_of(alone), strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize(
    "case, name",
    [
        pytest.param(case, name, id=f"{case.id}-{name}")
        for case in PACKED
        for name in case.tensors
        if name not in LONGEST
    ],
)
def test_what_is_missing_without_grid_is_named(case: VisionCase, name: str) -> None:
    encoder = build_encoder(case)
    inputs = vision_inputs(case, case.grids[2])
    given = precomputed(case, inputs)
    pairs = [{"window_index", "cu_window_seqlens"}, {"embed_indices", "bilinear_weights"}]
    together = next((pair for pair in pairs if name in pair), {name})
    rest = {key: value for key, value in given.items() if key not in together}
    with pytest.raises(ValueError, match=f"{name}.* not given, and no grid_thw"), torch.no_grad():
        encoder(**without_grid(inputs), **rest)


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
            given["max_seqlen"] = given["cu_seqlens"][-1]
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
        if name not in (*SIZES_OF_THEIR_OWN, *LONGEST)
    ],
)
def test_tensor_of_another_size_is_refused(case: VisionCase | AudioCase, name: str) -> None:
    encoder = build_encoder(case)
    inputs = inputs_of(case, 3 if isinstance(case, AudioCase) else 2)
    given = precomputed(case, inputs)
    second = ("embed_indices", "bilinear_weights", "sampling_grid", "block_centres")
    axis = 1 if name in second else 0
    given[name] = given[name].narrow(axis, 0, given[name].shape[axis] - 1)
    with pytest.raises(ValueError, match=f"^{name} .*leave it out$"), torch.no_grad():
        encoder(**inputs, **given)


def model_tensors(case: FullCase, kind: str, grid: Grid) -> dict[str, torch.Tensor]:
    """The optional inputs of the vision encoder with the prefix of a modality."""
    encoder = ENCODER_OF[case.model]
    inputs: dict[str, Any] = {"grid_thw": torch.tensor(grid)}
    if encoder.kind == "merge_sizes":
        inputs["merge_sizes"] = torch.full((len(grid),), case.merge_size)
    found = precomputed(encoder, inputs) | behind_encoder(case, inputs["grid_thw"])
    return {f"{kind}_{name}": value for name, value in found.items()}


def behind_encoder(case: FullCase, grid_thw: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the module takes that joins the encoder's rows for the decoder."""
    if case.model == "ernie4_5_vl_moe":
        pairs = vision.get_temporal_pair_indices(grid_thw, case.merge_size)
        return dict(zip(("first_units", "second_units"), pairs, strict=True))
    if case.model == "paddleocr_vl":
        return {"block_order": vision.get_block_permutation(grid_thw, case.merge_size)}
    return {}


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
    assert_same(case, computed, given)


@pytest.mark.parametrize(
    "model, name", [("ernie4_5_vl_moe", "first_units"), ("paddleocr_vl", "block_order")]
)
def test_given_tensors_reach_the_module_behind_the_encoder(model: str, name: str) -> None:
    (case,) = (case for case in FULL_CASES if case.model == model)
    inputs = full_inputs(case, images=SEVERAL)
    whole = build_full_model(case, generated_module(case.model))
    randomize(whole)
    tensors = model_tensors(case, "image", SEVERAL)
    reversed_order = {**tensors, f"image_{name}": tensors[f"image_{name}"].flip(0)}
    shorter = {**tensors, f"image_{name}": tensors[f"image_{name}"][1:]}
    with torch.no_grad():
        expected, changed = (whole(**inputs, **given).logits for given in (tensors, reversed_order))
        assert not torch.allclose(expected, changed, atol=1e-3)
        with pytest.raises(ValueError, match="(block_order|first_units) has shape"):
            whole(**inputs, **shorter)
        # The encoder, whose keywords go on to its layers, never sees what is not for it.
        features = whole.model.get_image_features
        grid = inputs["image_grid_thw"]
        bare = {key.removeprefix("image_"): value for key, value in tensors.items()}
        prefixed = features(inputs["pixel_values"], grid, **tensors)
        named = features(inputs["pixel_values"], grid, **bare)
        for left, right in zip(tensors_of(prefixed), tensors_of(named), strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("case", FULL_CASES, ids=FULL_IDS)
def test_features_without_a_grid_are_all_in_one(case: FullCase) -> None:
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    inputs, tensors = full_inputs(case, images=SEVERAL), model_tensors(case, "image", SEVERAL)
    names = inspect.signature(model.get_image_features).parameters
    sizes = {n: inputs[n] for n in names if n.endswith(("grid_thw", "merge_sizes"))}
    if case.model == "glm_image":
        # The last grid is that of the image to be made, which has no pixels.
        sizes["image_grid_thw"] = sizes["image_grid_thw"][:-1]
    pixels = inputs["pixel_values"]
    with torch.no_grad():
        parted = model.get_image_features(pixels, **sizes, **tensors).pooler_output
        joined = model.get_image_features(pixels, **tensors).pooler_output
        with pytest.raises(MissingGrid, match="not given"):
            model.get_image_features(pixels)
    if isinstance(parted, tuple):
        assert len(parted) == len(SEVERAL) and len(joined) == 1
        parted, (joined,) = torch.cat(parted), joined
    assert torch.equal(parted, joined)


@pytest.mark.parametrize("case", FULL_CASES, ids=FULL_IDS)
def test_given_tensors_reach_the_encoder(case: FullCase) -> None:
    inputs = full_inputs(case, images=SEVERAL)
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    tensors = model_tensors(case, "image", SEVERAL)
    tensors["image_cu_seqlens"] = tensors["image_cu_seqlens"][:-1]
    with pytest.raises((ValueError, RuntimeError)), torch.no_grad():
        model(**inputs, **tensors)
