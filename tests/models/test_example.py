"""The example script: both ways of encoding agree, and the numbers are printed; the code of the README."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from examples import encode_images, export_onnx, generate_text

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_batches_are_encoded_both_ways(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--backend", "eager", "--repeats", "1", "--hidden-size", "80", "--depth", "3"]
    monkeypatch.setattr(sys, "argv", ["encode_images", *arguments])
    encode_images.main()
    printed = capsys.readouterr().out
    differences = [float(number) for number in re.findall(r"largest difference +(\S+)", printed)]
    assert len(differences) == len(encode_images.BATCHES)
    assert max(differences) < 1e-5
    assert printed.count("saved in each forward") == len(encode_images.BATCHES)


def test_patches_come_block_by_block() -> None:
    config = encode_images.make_config(hidden_size=80, depth=3)
    side = config.patch_size
    image = torch.zeros(3, 2 * side, 4 * side)
    image[:, :side, side : 2 * side] = 1
    image[:, side:, :side] = 2
    image[:, :side, 2 * side : 3 * side] = 3
    rows = encode_images.patchify(image, config)
    assert rows.shape == (8, 3 * config.temporal_patch_size * side**2)
    assert rows.mean(dim=1).tolist() == [0, 1, 2, 0, 3, 0, 0, 0]


@pytest.mark.slow
def test_an_onnx_file_agrees_on_other_images(capsys: pytest.CaptureFixture[str]) -> None:
    export_onnx.main(["--depth", "1"])
    differences = re.findall(r"images, \d+ patches: (\S+)", capsys.readouterr().out)
    assert len(differences) == 2
    assert max(float(number) for number in differences) < 1e-4


@pytest.mark.slow
def test_prompts_are_answered_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """The second batch, of other sizes and another number of images, needs no further graph."""
    torch._dynamo.reset()
    small = ["--hidden-size", "80", "--layers", "1", "--tokens", "3"]
    generate_text.main(["--backend", "eager", *small])
    printed = capsys.readouterr().out
    found = re.findall(r"(logits|generate) .* new graphs (\d+) +largest difference (\S+)", printed)
    assert [what for what, _, _ in found] == ["logits", "generate"] * len(generate_text.BATCHES)
    assert max(float(difference) for _, _, difference in found) < 1e-4
    assert [int(graphs) > 0 for _, graphs, _ in found] == [True, True, False, False]


@pytest.mark.slow
def test_code_of_the_readme_runs() -> None:
    """With fewer layers, but otherwise as it stands there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(import torch\n.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    code = blocks[0].replace("Qwen2VLConfig()", 'Qwen2VLConfig(vision_config={"depth": 2})')
    assert code != blocks[0]
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["features"].pooler_output.shape == (80 // 4, names["config"].hidden_size)
