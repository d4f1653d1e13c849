"""Export the vision encoder of Qwen2-VL as an ONNX file, and run it on other images in onnxruntime.

The file takes any number of images of any size: patches, grid, and the two tensors that follow from the
grid. A program that runs it needs neither PyTorch nor this repository; here both results are compared.

    pip install onnx onnxruntime onnxscript
    python -m examples.export_onnx --output encoder.onnx
"""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import Qwen2VLVisionConfig

from generated.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel
from utils.modeling_vision_utils import get_rotary_pos_ids, get_vision_cu_seqlens

# Frames, rows and columns of patches: what the file is made with, and what it is tried on.
MADE_WITH = ((1, 8, 12), (1, 12, 8))
TRIED_ON = ((1, 4, 6), (1, 16, 10), (2, 6, 4))


def make_inputs(
    grid: tuple[tuple[int, int, int], ...], config: Qwen2VLVisionConfig
) -> dict[str, torch.Tensor]:
    """Random patches in place of images, and everything that follows from their sizes."""
    grid_thw = torch.tensor(grid)
    values = config.in_channels * config.temporal_patch_size * config.patch_size**2
    return {
        "hidden_states": torch.randn(int(grid_thw.prod(-1).sum()), values),
        "grid_thw": grid_thw,
        "cu_seqlens": get_vision_cu_seqlens(grid_thw),
        "rotary_pos_ids": get_rotary_pos_ids(grid_thw, config.spatial_merge_size),
    }


def export(encoder: torch.nn.Module, inputs: dict[str, torch.Tensor], path: Path) -> None:
    """Write the encoder as an ONNX file in which the number of images and of patches is free."""
    anything = {name: {0: torch.export.Dim.AUTO} for name in inputs}
    with torch.no_grad():
        program = torch.export.export(encoder, (), inputs, dynamic_shapes=anything)
        converted = torch.onnx.export(program, dynamo=True, verbose=False)
    assert converted is not None
    converted.save(str(path))


def main(arguments: list[str] | None = None) -> None:
    """Export, run elsewhere, compare."""
    import onnxruntime

    parser = argparse.ArgumentParser(description="Export a vision encoder as an ONNX file.")
    parser.add_argument("--output", type=Path, help="the file (default: a temporary one)")
    parser.add_argument("--depth", type=int, default=4)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    config = Qwen2VLVisionConfig(depth=options.depth, embed_dim=160, num_heads=2, hidden_size=320)
    encoder = Qwen2VisionTransformerPretrainedModel._from_config(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = options.output or Path(folder) / "encoder.onnx"
        export(encoder, make_inputs(MADE_WITH, config), path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for grid in (MADE_WITH, TRIED_ON):
            inputs = make_inputs(grid, config)
            feed = {given.name: inputs[given.name].numpy() for given in session.get_inputs()}
            _, features = session.run(None, feed)
            with torch.no_grad():
                expected = encoder(**inputs).pooler_output
            difference = (torch.from_numpy(features) - expected).abs().max().item()
            print(f"{len(grid)} images, {len(inputs['hidden_states'])} patches: {difference:.1e}")


if __name__ == "__main__":
    main()
