"""Encode images of different sizes in one batch, with everything but the tensors' values computed ahead.

The encoder of Qwen2.5-VL takes the patches of all images in one sequence. Where one image, one frame or
one window ends, and where each patch lies, follows from the sizes alone: here those tensors are computed
on the CPU, as a data loader would do, and handed to an encoder that is compiled as one graph. The same
batch then goes through the plain encoder, which computes them in its forward.

    python -m examples.encode_images
    python -m examples.encode_images --device cuda --dtype bfloat16 --hidden-size 1280 --depth 32 --scale 4
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import Qwen2_5_VLVisionConfig

from generated.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel
from utils.modeling_vision_utils import get_rotary_pos_ids, get_vision_cu_seqlens, get_window_index

# Heights and widths in pixels. The second batch has other sizes and another number of images.
BATCHES = (
    ((56, 56), (112, 84), (28, 140), (84, 84), (56, 112), (84, 56)),
    ((84, 112), (56, 84), (140, 56), (28, 28), (112, 56), (56, 140), (84, 28), (56, 56)),
)


def make_config(hidden_size: int, depth: int) -> Qwen2_5_VLVisionConfig:
    """A configuration of the published shape, smaller by default so that a CPU is enough."""
    return Qwen2_5_VLVisionConfig(
        depth=depth,
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 2,
        num_heads=hidden_size // 80,
        out_hidden_size=hidden_size * 2,
        fullatt_block_indexes=list(range(depth - 1, 0, -max(depth // 4, 2))),
    )


def patchify(image: torch.Tensor, config: Qwen2_5_VLVisionConfig) -> torch.Tensor:
    """Cut an image of shape `(channels, height, width)` into rows of patch values, block by block."""
    patch, merge, frames = config.patch_size, config.spatial_merge_size, config.temporal_patch_size
    channels, height, width = image.shape
    blocks = image.reshape(
        channels,
        height // patch // merge,
        merge,
        patch,
        width // patch // merge,
        merge,
        patch,
    ).permute(1, 4, 2, 5, 0, 3, 6)
    rows = blocks.reshape(-1, channels, 1, patch, patch)
    return rows.expand(-1, -1, frames, -1, -1).reshape(rows.shape[0], -1)


def load_batch(
    sizes: Sequence[tuple[int, int]], config: Qwen2_5_VLVisionConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches and grid of a batch of random images, in place of photographs."""
    images = [torch.rand(3, height, width) * 2 - 1 for height, width in sizes]
    grid = [[1, height // config.patch_size, width // config.patch_size] for height, width in sizes]
    return torch.cat([patchify(image, config) for image in images]), torch.tensor(grid)


def precompute(grid_thw: torch.Tensor, config: Qwen2_5_VLVisionConfig) -> dict[str, torch.Tensor]:
    """Everything that the encoder would compute from the sizes."""
    merge = config.spatial_merge_size
    window_index, cu_window_seqlens = get_window_index(
        grid_thw, merge, config.window_size, config.patch_size
    )
    return {
        "cu_seqlens": get_vision_cu_seqlens(grid_thw),
        "rotary_pos_ids": get_rotary_pos_ids(grid_thw, merge),
        "window_index": window_index,
        "cu_window_seqlens": cu_window_seqlens,
    }


def median_ms(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median time of a call in milliseconds, after one call to warm up."""
    run()
    times = []
    for _ in range(repeats):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)[len(times) // 2]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Encode images of different sizes in one batch.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"])
    parser.add_argument("--backend", default="inductor", help="backend of torch.compile")
    parser.add_argument("--scale", type=int, default=1, help="enlarges the images")
    parser.add_argument("--hidden-size", type=int, default=160, help="a multiple of 80")
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=10)
    return parser.parse_args()


def encode_batch(
    encoder: torch.nn.Module,
    compiled: Callable[..., Any],
    batch: tuple[torch.Tensor, torch.Tensor],
    repeats: int,
) -> None:
    """Encode one batch both ways and print sizes, agreement and times."""
    pixels, grid = batch
    config, device = encoder.config, pixels.device
    given = {name: tensor.to(device) for name, tensor in precompute(grid, config).items()}
    grid_there = grid.to(device)

    plain = encoder(pixels, grid_there).pooler_output
    fast = compiled(pixels, grid_there, **given).pooler_output
    difference = (plain.float() - fast.float()).abs().max().item()

    ahead = median_ms(lambda: precompute(grid, config), repeats, torch.device("cpu"))
    inside = median_ms(lambda: encoder(pixels, grid_there), repeats, device)
    outside = median_ms(lambda: compiled(pixels, grid_there, **given), repeats, device)
    windows = len(given["cu_window_seqlens"]) - 1
    print(
        f"{len(grid)} images, {pixels.shape[0]} patches, {windows} windows"
        f" -> {plain.shape[0]} tokens of {plain.shape[1]}"
    )
    print(f"  largest difference        {difference:.1e}")
    print(f"  plain encoder             {inside:8.2f} ms")
    print(f"  compiled, sizes given     {outside:8.2f} ms")
    print(f"  saved in each forward     {inside - outside:8.2f} ms ({1 - outside / inside:.0%})")
    print(f"  spent ahead, on the CPU   {ahead:8.2f} ms")


def main() -> None:
    """Encode batches of different sizes with one compiled graph."""
    arguments = parse_arguments()
    device, dtype = torch.device(arguments.device), getattr(torch, arguments.dtype)
    torch.manual_seed(0)
    config = make_config(arguments.hidden_size, arguments.depth)
    config._attn_implementation = arguments.attention
    encoder = Qwen2_5_VisionTransformerPretrainedModel(config).to(device, dtype).eval()
    compiled = torch.compile(encoder, fullgraph=True, dynamic=True, backend=arguments.backend)
    with torch.no_grad():
        for sizes in BATCHES:
            scaled = [
                (height * arguments.scale, width * arguments.scale) for height, width in sizes
            ]
            pixels, grid = load_batch(scaled, config)
            encode_batch(encoder, compiled, (pixels.to(device, dtype), grid), arguments.repeats)


if __name__ == "__main__":
    main()
