"""Each generated encoder against the encoder of transformers that reads the same checkpoint."""

from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version

from tests.models.configurations import AUDIO_CASES, VISION_CASES, AudioCase, Grid, VisionCase
from tests.models.support import (
    audio_inputs,
    build_encoder,
    build_reference,
    reference_audio_inputs,
    reference_vision_inputs,
    shared_tensors,
    tensors_of,
    vision_inputs,
)

VISION_IDS = [case.id for case in VISION_CASES]
AUDIO_IDS = [case.id for case in AUDIO_CASES]
# Later releases sum interpolated positions in float32 and in another order.
KEEPS_ORDER_OF_SUMS = Version(transformers.__version__) < Version("5.9")
GRID_RUNS = [
    pytest.param(case, grid, id=f"{case.id}-{'+'.join('x'.join(map(str, row)) for row in grid)}")
    for case in VISION_CASES
    for grid in case.grids
]

AUDIO_RUNS = [
    pytest.param(case, lengths, id=f"{case.id}-{'+'.join(map(str, lengths))}")
    for case in AUDIO_CASES
    for lengths in case.lengths
]


def pair(case: VisionCase | AudioCase, attention: str) -> tuple[Any, Any]:
    """The generated encoder and the reference with the same random weights."""
    encoder = build_encoder(case, attention)
    reference = build_reference(case, attention)
    reference.load_state_dict(encoder.state_dict(), strict=True)
    return encoder, reference


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    """Compares all tensors of two outputs, relative to the size of the values where that is above 1."""
    for ours_tensor, theirs_tensor in shared_tensors(ours, theirs):
        assert ours_tensor.shape == theirs_tensor.shape
        assert ours_tensor.dtype == theirs_tensor.dtype
        scale = max(1.0, theirs_tensor.abs().max().item())
        assert (ours_tensor - theirs_tensor).abs().max().item() <= tolerance * scale


@pytest.mark.parametrize("case", VISION_CASES + AUDIO_CASES, ids=VISION_IDS + AUDIO_IDS)
def test_parameter_names_are_those_of_the_reference(case: VisionCase | AudioCase) -> None:
    encoder, reference = build_encoder(case), build_reference(case)
    theirs = reference.state_dict()
    encoder.load_state_dict(theirs, strict=True)
    ours = encoder.state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in theirs.items()
    }


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case, grid", GRID_RUNS)
def test_vision_output_equals_the_reference(case: VisionCase, grid: Grid, attention: str) -> None:
    encoder, reference = pair(case, attention)
    for merges in ("ones", "twos", "both") if case.kind == "merge_sizes" else ("both",):
        inputs = vision_inputs(case, grid, merges=merges)
        with torch.no_grad():
            assert_same(encoder(**inputs), reference(**reference_vision_inputs(case, inputs)))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case, lengths", AUDIO_RUNS)
def test_audio_output_equals_the_reference(
    case: AudioCase, lengths: tuple[int, ...], attention: str
) -> None:
    """Transformers 5.8 gives the segments of one family to flash attention only; ours keep to them always."""
    encoder = build_encoder(case, attention)
    reference = build_reference(case, "segmented")
    reference.load_state_dict(encoder.state_dict(), strict=True)
    inputs = audio_inputs(case, lengths)
    with torch.no_grad():
        assert_same(encoder(**inputs), reference(**reference_audio_inputs(case, inputs)))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", VISION_CASES, ids=VISION_IDS)
def test_half_precision_follows_the_reference(case: VisionCase, attention: str) -> None:
    encoder, reference = pair(case, attention)
    encoder, reference = encoder.to(torch.bfloat16), reference.to(torch.bfloat16)
    inputs = vision_inputs(case, case.grids[2])
    with torch.no_grad():
        ours = encoder(**inputs)
        theirs = reference(**reference_vision_inputs(case, inputs))
    assert all(tensor.dtype == torch.bfloat16 for tensor in tensors_of(ours))
    assert_same(ours, theirs, tolerance=0.0 if KEEPS_ORDER_OF_SUMS else 2e-2)


@pytest.mark.parametrize("case", VISION_CASES, ids=VISION_IDS)
def test_grid_dtype_makes_no_difference(case: VisionCase) -> None:
    encoder = build_encoder(case)
    inputs = vision_inputs(case, case.grids[2])
    narrow = {
        name: tensor.to(torch.int32) if not tensor.is_floating_point() else tensor
        for name, tensor in inputs.items()
    }
    with torch.no_grad():
        for wide, other in zip(tensors_of(encoder(**inputs)), tensors_of(encoder(**narrow))):
            assert torch.equal(wide, other)


@pytest.mark.parametrize("case", VISION_CASES, ids=VISION_IDS)
def test_gradients_reach_every_parameter_that_the_reference_reaches(case: VisionCase) -> None:
    encoder, reference = pair(case, "sdpa")
    inputs = vision_inputs(case, case.grids[2])
    pairs = shared_tensors(encoder(**inputs), reference(**reference_vision_inputs(case, inputs)))
    reached = []
    for number, model in enumerate((encoder, reference)):
        sum(pair[number].float().pow(2).mean() for pair in pairs).backward()
        reached.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert reached[0].keys() == reached[1].keys()
    for name, gradient in reached[0].items():
        torch.testing.assert_close(gradient, reached[1][name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", VISION_CASES + AUDIO_CASES, ids=VISION_IDS + AUDIO_IDS)
def test_saved_encoder_loads_again(case: VisionCase | AudioCase, tmp_path: Any) -> None:
    encoder = build_encoder(case)
    encoder.save_pretrained(tmp_path)
    loaded = type(encoder).from_pretrained(tmp_path, attn_implementation="sdpa").eval()
    if isinstance(case, VisionCase):
        inputs = vision_inputs(case, case.grids[2])
    else:
        inputs = audio_inputs(case, case.lengths[0])
    with torch.no_grad():
        before, after = encoder(**inputs), loaded(**inputs)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    # Where a tensor lies in memory decides which kernel runs, and so about the last bit.
    for left, right in zip(tensors_of(before), tensors_of(after)):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)
