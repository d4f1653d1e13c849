"""Blocks scaled down by indices of their central rows, against the down-scale of each image."""

import pytest
import torch

from utils.down_scale import scale_down_blocks
from utils.modeling_vision_utils import get_unshuffle_indices

GRID = ((1, 6, 12), (2, 12, 6), (1, 36, 24), (3, 6, 6))


def one_by_one(rows: torch.Tensor, merges: tuple[int, ...]) -> torch.Tensor:
    """Every image as an image of its own, whose blocks are put in their places first."""
    found, start = [], 0
    for (t, h, w), m in zip(GRID, merges, strict=True):
        image = rows[start : start + t * h * w].view(t, h // m, w // m, m, m, -1)
        image = image.permute(0, 1, 3, 2, 4, 5).reshape(t, h, w, -1).permute(0, 3, 1, 2)
        small = torch.nn.functional.interpolate(image, size=(h // m, w // m), mode="bilinear")
        found.append(small.permute(0, 2, 3, 1).reshape(-1, rows.shape[1]))
        start += t * h * w
    return torch.cat(found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("channels", [4, 5, 16, 33, 80])
@pytest.mark.parametrize("merges", [(2, 2, 2, 2), (1, 2, 3, 6), (3, 3, 3, 3), (6, 6, 4, 2)])
def test_equal_to_the_last_bit(merges: tuple[int, ...], channels: int, dtype: torch.dtype) -> None:
    grid = torch.tensor(GRID)
    rows = torch.randn(int(grid.prod(1).sum()), channels).to(dtype)
    centres = get_unshuffle_indices(grid, torch.tensor(merges))
    assert torch.equal(scale_down_blocks(rows, centres), one_by_one(rows, merges))


def test_a_graph_holds_for_other_sizes() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(scale_down_blocks, fullgraph=True, backend="eager", dynamic=True)
    for number in (4, 9):
        rows, centres = torch.randn(number * 4, 8), torch.arange(number * 4).view(4, -1)
        torch.testing.assert_close(compiled(rows, centres), scale_down_blocks(rows, centres))
