"""Generated encoders as one graph: compiled whole, and exported for sizes other than those of the example."""

import inspect
from typing import Any

import pytest
import torch

from codegen.verify.compiled import dynamic_shapes
from tests.models.configurations import (
    AUDIO_CASES,
    VISION_CASES,
    AudioCase,
    Grid,
    VisionCase,
)
from tests.models.support import audio_inputs, build_encoder, precomputed, tensors_of, vision_inputs

CASES = [*VISION_CASES, *AUDIO_CASES]
IDS = [case.id for case in CASES]

# Other numbers of images, of frames and of patches than in the example.
FRAMES: tuple[Grid, Grid] = (
    ((1, 4, 6), (2, 6, 4), (1, 8, 12)),
    ((3, 4, 4), (1, 10, 6), (2, 2, 2), (1, 4, 20)),
)
STILLS: tuple[Grid, Grid] = (
    ((1, 4, 6), (1, 6, 4), (1, 8, 12)),
    ((1, 4, 4), (1, 10, 6), (1, 2, 2), (1, 4, 20)),
)
CLIPS = {
    "qwen2_5_omni": ((21, 3, 8, 30), (7, 9, 13, 40, 16)),
    "qwen3_omni_moe": ((230, 37, 100, 451), (110, 20, 137, 260, 100)),
}

pytestmark = pytest.mark.slow


def given_alone(case: VisionCase | AudioCase, inputs: dict[str, Any]) -> dict[str, Any]:
    """Every optional input, and no grid."""
    given = {**inputs, **precomputed(case, inputs)}
    return {**given, **dict.fromkeys(inputs.keys() & {"grid_thw", "merge_sizes"})}


WAYS = {
    "given": lambda case, inputs: {**inputs, **precomputed(case, inputs)},
    "alone": given_alone,
    "computed": lambda case, inputs: inputs,
}


def example(case: VisionCase | AudioCase, number: int) -> dict[str, Any]:
    """The inputs that a graph is made with (0), and those that it is tried on (1)."""
    if isinstance(case, AudioCase):
        return audio_inputs(case, CLIPS[case.model][number])
    if case.kind == "images":
        return vision_inputs(case, (((1, 4, 6),) * 2, ((1, 4, 6),) * 3)[number])
    frames = any(t > 1 for grid in case.grids for t, _, _ in grid)
    return vision_inputs(case, (FRAMES if frames else STILLS)[number], merges="twos")


class FromMapping(torch.nn.Module):
    """An encoder that takes its inputs as one mapping."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: dict[str, torch.Tensor]) -> Any:
        return self.encoder(**inputs)


def assert_close(actual: Any, expected: Any) -> None:
    """Compares all tensors of two outputs, up to what a mask in place of a split may change."""
    for left, right in zip(tensors_of(actual), tensors_of(expected), strict=True):
        assert left.shape == right.shape
        if right.numel():
            scale = max(1.0, right.abs().max().item())
            assert (left - right).abs().max().item() <= 1e-5 * scale


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_encoder_compiles_as_one_graph(
    case: VisionCase | AudioCase, attention: str, way: str
) -> None:
    torch._dynamo.reset()
    encoder = build_encoder(case, attention)
    compiled = torch.compile(encoder, fullgraph=True)
    for number in (0, 1):
        inputs = example(case, number)
        with torch.no_grad():
            expected = encoder(**inputs)
            actual = compiled(**WAYS[way](case, inputs))
        assert_close(actual, expected)


SHORT = {
    "qwen2_5_omni": ((2,), (3,), (1, 1), (7, 5)),
    "qwen3_omni_moe": ((8,), (9,), (3, 4), (37, 20)),
}
GIVEN = {"none": (), "indices": ("valid_indices",)}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", AUDIO_CASES, ids=[case.id for case in AUDIO_CASES])
def test_audio_shorter_than_a_chunk_compiles(
    case: AudioCase, attention: str, given: tuple[str, ...]
) -> None:
    """Chunks are padded to another width in a graph, and one row is as good as several."""
    encoder = build_encoder(case, attention)
    for lengths in SHORT[case.model]:
        torch._dynamo.reset()
        # The backend does not matter for the values, and this one is quick.
        compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
        inputs = audio_inputs(case, lengths)
        tensors = precomputed(case, inputs)
        with torch.no_grad():
            actual = compiled(**inputs, **{name: tensors[name] for name in given})
            assert_close(actual, encoder(**inputs))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_exported_encoder_is_right_on_other_sizes(
    case: VisionCase | AudioCase, attention: str, way: str
) -> None:
    torch._dynamo.reset()
    encoder = build_encoder(case, attention)
    full = []
    for number in (0, 1):
        full.append(WAYS[way](case, example(case, number)))
    shapes = dynamic_shapes(full[0], full[1])
    if set(case.tensors) <= set(inspect.signature(encoder.forward).parameters):
        with torch.no_grad():
            program = torch.export.export(encoder, (), full[0], dynamic_shapes=shapes).module()
    else:
        # The exporter cannot mark dimensions behind **kwargs, which this encoder hands on.
        with torch.no_grad():
            exported = torch.export.export(
                FromMapping(encoder), (full[0],), dynamic_shapes=(shapes,)
            )
        graph = exported.module()

        def program(**inputs: torch.Tensor) -> Any:
            return graph(inputs)

    with torch.no_grad():
        for inputs in full:
            assert_close(program(**inputs), encoder(**inputs))
