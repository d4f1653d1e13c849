"""Publish a generated model with its code, and load it as others do.

    python -m examples.publish_model [FOLDER]

Runs ``sync`` on ``examples/own_models``, saves a small encoder of its model ``marble_vl`` into FOLDER
(weights, configuration with an ``auto_map``, the generated files and the helpers beside them), loads it
with ``AutoModel.from_pretrained(FOLDER, trust_remote_code=True)`` in a process that knows nothing of
this repository, and compares the outputs. The folder can be uploaded as it is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent / "own_models"
SMALL = {"depth": 2, "embed_dim": 32, "hidden_size": 16, "num_heads": 2, "patch_size": 4}
_READER = """\
import sys
import torch
from transformers import AutoConfig, AutoModel

folder = sys.argv[1]
config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
encoder = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
inputs, expected = torch.load(f"{folder}/check.pt")
with torch.no_grad():
    output = encoder(**inputs).pooler_output
assert torch.equal(output, expected)
print(f"{type(encoder).__module__.split('.')[-1]}.{type(encoder).__name__}, depth {config.depth}: same outputs")
"""


def save(folder: Path) -> None:
    """Save a small encoder with its code, and a call of it with what it gave."""
    import torch

    sys.path.insert(0, str(PROJECT))
    from generated.marble_vl.configuration_marble_vl import MarbleVLVisionConfig
    from generated.marble_vl.modeling_marble_vl import MarbleVLVisionModel

    MarbleVLVisionConfig.register_for_auto_class()
    MarbleVLVisionModel.register_for_auto_class("AutoModel")
    encoder = MarbleVLVisionModel(MarbleVLVisionConfig(**SMALL)).eval()
    encoder.save_pretrained(folder)
    grid = torch.tensor([[1, 4, 6], [1, 2, 4]])
    rows = torch.randn(int(grid.prod(-1).sum()), 3 * 2 * 4 * 4)
    inputs = {"hidden_states": rows, "grid_thw": grid}
    with torch.no_grad():
        torch.save((inputs, encoder(**inputs).pooler_output), folder / "check.pt")


def main(folder: Path) -> None:
    """Generate, save, and load elsewhere."""
    subprocess.run(
        [sys.executable, "-m", "codegen", "sync", "--quiet", "--root", str(PROJECT)], check=True
    )
    save(folder)
    for path in sorted(folder.iterdir()):
        print(path.name)
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(
            [sys.executable, "-c", _READER, str(folder.resolve())], cwd=elsewhere, check=True
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary) / "marble_vl")
