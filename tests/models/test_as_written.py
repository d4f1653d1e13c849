"""What the definitions say by themselves: expanded without the rewrite passes, they compute the same.

The definitions compute with loops what the passes replace by helpers. Here both forms run side by side.
"""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from codegen.rewrite.helpers import LIFTED
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
    build_config,
    build_encoder,
    build_full_model,
    generated_module,
    randomize,
    shared_tensors,
    vision_inputs,
)

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
[tool.codegen]
definitions = "definitions"
output = "generated"
formatter = "none"
rewrite = false
"""
VIDEOS: Grid = ((2, 4, 6), (4, 2, 4))
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads the modeling file of a model as it is without the passes."""
    project = tmp_path_factory.mktemp("as_written")
    shutil.copytree(ROOT / "definitions", project / "definitions")
    (project / "pyproject.toml").write_text(PROJECT)
    command = [sys.executable, "-m", "codegen", "sync", "--root", str(project)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    def load(model: str) -> ModuleType:
        name = f"as_written_{model}"
        if name not in sys.modules:
            path = project / "generated" / model / f"modeling_{model}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None and spec.loader is not None
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load


def encoders(written: Load, case: VisionCase | AudioCase) -> tuple[torch.nn.Module, ...]:
    """The encoder of a case with and without the passes, with the same weights."""
    rewritten = build_encoder(case)
    config = build_config(case.config_class, case.config, "sdpa")
    plain = getattr(written(case.model), case.encoder)(config).eval()
    plain.load_state_dict(rewritten.state_dict())
    return plain, rewritten


@pytest.mark.parametrize("case", VISION_CASES, ids=[case.id for case in VISION_CASES])
def test_vision_encoder_computes_what_is_written(written: Load, case: VisionCase) -> None:
    plain, rewritten = encoders(written, case)
    for grid in case.grids:
        inputs = vision_inputs(case, grid)
        with torch.no_grad():
            for left, right in shared_tensors(plain(**inputs), rewritten(**inputs)):
                assert torch.equal(left, right)


@pytest.mark.parametrize("case", AUDIO_CASES, ids=[case.id for case in AUDIO_CASES])
def test_audio_encoder_computes_what_is_written(written: Load, case: AudioCase) -> None:
    plain, rewritten = encoders(written, case)
    for lengths in case.lengths:
        inputs = audio_inputs(case, lengths)
        with torch.no_grad():
            for left, right in shared_tensors(plain(**inputs), rewritten(**inputs)):
                assert torch.equal(left, right)


@pytest.mark.parametrize("case", FULL_CASES, ids=[case.id for case in FULL_CASES])
def test_whole_model_computes_what_is_written(written: Load, case: FullCase) -> None:
    rewritten = build_full_model(case, generated_module(case.model))
    randomize(rewritten)
    plain = build_full_model(case, written(case.model))
    plain.load_state_dict(rewritten.state_dict())
    for images, videos in ((SEVERAL, ()), (MIXED[:1], ()), ((), VIDEOS)):
        if videos and not case.video:
            continue
        inputs = full_inputs(case, images, videos)
        with torch.no_grad():
            assert torch.equal(plain(**inputs).logits, rewritten(**inputs).logits)


@pytest.mark.parametrize("model", sorted({case.model for case in VISION_CASES}))
def test_definitions_leave_it_to_the_passes_to_lift(written: Load, model: str) -> None:
    """They call helpers for what no pass makes an input, such as positions of text."""
    values = vars(written(model)).values()
    called = {getattr(value, "__name__", "") for value in values if callable(value)}
    assert not called & LIFTED.keys()
