"""Generated encoders in other runtimes: converted once, then run on other sizes and another number of images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.runtimes import choose, reached
from codegen.verify.compiled import dynamic_shapes
from codegen.verify.runtimes import TOLERANCE, load_in_onnxruntime, load_package
from tests.models.configurations import AUDIO_CASES, VISION_CASES, AudioCase, VisionCase
from tests.models.support import build_encoder, precomputed, tensors_of
from tests.models.test_capture import CASES, IDS, FromMapping, example

GENERATED = Path(__file__).resolve().parents[2] / "generated"
# Between them these use every helper: it takes some minutes to make all packages.
PACKAGED = [
    case
    for case in (*VISION_CASES, *AUDIO_CASES)
    if case.id
    in (
        "qwen2_5_vl",
        "qwen3_vl",
        "glm4v",
        "video_llama_3",
        "paddleocr_vl",
        "mlcd",
        "qwen2_5_omni-audio",
        "qwen3_omni_moe-audio",
    )
]


def convert_and_compare(
    case: VisionCase | AudioCase,
    attention: str,
    given: bool,
    load: Callable[[torch.export.ExportedProgram, Path], Any],
    folder: Path,
    named: Callable[[dict[str, torch.Tensor]], dict[str, Any]],
) -> None:
    torch._dynamo.reset()
    encoder = build_encoder(case, attention)
    full = []
    for number in (0, 1):
        inputs = example(case, number)
        full.append({**inputs, **(precomputed(case, inputs) if given else {})})
    shapes = dynamic_shapes(full[0], full[1])
    with torch.no_grad():
        exported = torch.export.export(
            FromMapping(encoder),
            (),
            {"inputs": full[0]},
            dynamic_shapes={"inputs": shapes},
        )
        program = load(exported, folder)
        for inputs in full:
            expected = tensors_of(encoder(**inputs))
            for left, right in zip(program(named(inputs)), expected, strict=True):
                assert left.shape == right.shape
                torch.testing.assert_close(left, right, rtol=TOLERANCE, atol=TOLERANCE)


def by_flat_name(inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Inputs as an ONNX file calls what comes out of one mapping."""
    return {f"inputs_{name}": tensor for name, tensor in inputs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False], ids=["given", "computed"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_onnx_file_gives_the_same(
    case: VisionCase | AudioCase, attention: str, given: bool, tmp_path: Path
) -> None:
    convert_and_compare(case, attention, given, load_in_onnxruntime, tmp_path, by_flat_name)


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False], ids=["given", "computed"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", PACKAGED, ids=[case.id for case in PACKAGED])
def test_package_gives_the_same(
    case: VisionCase | AudioCase, attention: str, given: bool, tmp_path: Path
) -> None:
    convert_and_compare(
        case, attention, given, load_package, tmp_path, lambda inputs: {"inputs": inputs}
    )


def test_encoders_that_are_packaged_use_every_helper() -> None:
    """What an encoder calls is read in its file; another one has to be packaged where a helper is used anew."""
    used = {
        case.id: reached(
            (GENERATED / case.model / f"modeling_{case.model}.py").read_text(encoding="utf-8"),
            case.encoder,
        )[1]
        for case in CASES
    }
    every = frozenset().union(*used.values())
    packaged = {case.id: used[case.id] for case in PACKAGED}
    assert frozenset().union(*packaged.values()) == every
    assert len(every) > 25
    for name in packaged:
        others = (helpers for other, helpers in packaged.items() if other != name)
        assert not packaged[name] <= frozenset().union(*others)


def test_few_encoders_are_chosen_for_what_all_use() -> None:
    used = {"first": {"a", "b"}, "second": {"a", "b", "c"}, "third": {"c", "d"}, "none": set()}
    assert choose(used) == {"second": ("a", "b", "c"), "third": ("d",)}


def test_an_encoder_uses_what_its_parts_call() -> None:
    source = """
def rotate(x):
    return get_rotary_pos_ids(x)

class Block:
    def forward(self, x):
        return rotate(x)

class Encoder_Model:
    def __init__(self):
        self.block = Block()

class Decoder:
    def forward(self, x):
        return attend_segments(x)
"""
    parts = reached(source, "EncoderModel")
    assert parts == ({"Encoder_Model", "Block", "rotate"}, {"get_rotary_pos_ids"})
