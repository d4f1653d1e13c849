"""Vision helpers against loop definitions in plain Python, over random grids."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import modeling_vision_utils as vision
from utils.vision_interpolation import place_corners_aligned

RANDOM = settings(deadline=None, max_examples=60)

Rows = list[tuple[int, int, int]]


@st.composite
def merged_grids(draw: st.DrawFn) -> tuple[Rows, int]:
    """Draw a merge size and rows whose sides it divides; equal rows and single rows often."""
    m = draw(st.integers(1, 4))
    side = st.integers(1, 9).map(lambda blocks: blocks * m)
    row = st.tuples(st.integers(1, 4), side, side)
    rows = draw(
        st.one_of(st.lists(row, min_size=1, max_size=6), st.lists(row, min_size=1, max_size=1))
    )
    copies = draw(st.sampled_from([1, 1, 3])) if len(rows) == 1 else 1
    return rows * copies, m


def block_major(h: int, w: int, m: int) -> list[tuple[int, int]]:
    """List the patches of a frame block by block."""
    return [
        (top + row, left + column)
        for top in range(0, h, m)
        for left in range(0, w, m)
        for row in range(m)
        for column in range(m)
    ]


def count_tokens(rows: Rows) -> int:
    return sum(t * h * w for t, h, w in rows)


@RANDOM
@given(merged_grids(), st.sampled_from([torch.int32, torch.int64]))
def test_cu_seqlens(case: tuple[Rows, int], dtype: torch.dtype) -> None:
    rows, _ = case
    expected = [0, *itertools.accumulate(h * w for t, h, w in rows for _ in range(t))]
    grid = torch.tensor(rows, dtype=dtype)
    result = vision.get_vision_cu_seqlens(grid)
    assert result.tolist() == expected
    assert result.dtype == torch.int32
    frames, total = len(expected) - 1, expected[-1]
    for bound in (frames, frames + 1, total):
        filled = vision.get_vision_cu_seqlens(grid, num_segments=bound)
        assert filled.tolist() == expected + [total] * (bound - frames)
        assert filled.dtype == torch.int32


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_cu_seqlens_keep_the_dtype_of_the_grid_under_jit_trace() -> None:
    grid = torch.tensor([[1, 4, 6], [2, 2, 4]])
    traced = torch.jit.trace(vision.get_vision_cu_seqlens, (grid,))
    assert traced(grid).dtype == torch.int64
    assert traced(grid).tolist() == [0, 24, 32, 40]
    assert traced(torch.tensor([[3, 2, 2]])).tolist() == [0, 4, 8, 12]


@RANDOM
@given(merged_grids(), st.sampled_from([torch.int32, torch.int64]))
def test_rotary_pos_ids(case: tuple[Rows, int], dtype: torch.dtype) -> None:
    rows, m = case
    expected = [list(p) for t, h, w in rows for _ in range(t) for p in block_major(h, w, m)]
    grid = torch.tensor(rows, dtype=dtype)
    per_entry = torch.full((len(rows),), m, dtype=dtype)
    for function in (vision.get_rotary_pos_ids, vision.get_rotary_pos_ids_interleaved):
        for merge in (m, per_entry):
            result = function(grid, merge)
            assert result.tolist() == expected
            assert result.dtype == torch.int64
            assert function(grid, merge, num_tokens=count_tokens(rows)).tolist() == expected


@RANDOM
@given(st.lists(st.tuples(st.integers(1, 3), *[st.integers(1, 4)] * 3), min_size=1, max_size=6))
def test_rotary_pos_ids_with_a_merge_size_per_entry(
    entries: list[tuple[int, int, int, int]],
) -> None:
    rows = [(t, m * blocks_h, m * blocks_w) for t, blocks_h, blocks_w, m in entries]
    merges = [m for *_, m in entries]
    expected = [
        list(p)
        for (t, h, w), m in zip(rows, merges, strict=True)
        for _ in range(t)
        for p in block_major(h, w, m)
    ]
    result = vision.get_rotary_pos_ids(torch.tensor(rows), torch.tensor(merges))
    assert result.tolist() == expected


def test_rotary_pos_ids_of_the_worked_example() -> None:
    result = vision.get_rotary_pos_ids(torch.tensor([[1, 4, 6], [2, 2, 4]]), 2)
    first = [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    assert result[:8].tolist() == first
    assert result[24:32].tolist() == result[32:].tolist() == first


@RANDOM
@given(st.integers(1, 9), st.integers(1, 9))
def test_image_pos_ids(height: int, width: int) -> None:
    expected = vision.get_rotary_pos_ids(torch.tensor([[1, height, width]]), 1)
    assert torch.equal(vision.get_image_pos_ids(height, width), expected)


def order_by_windows(rows: Rows, m: int, side: int) -> tuple[list[int], list[int]]:
    """Walk over windows of side×side units; list the units and the ends in patches."""
    order: list[int] = []
    ends, start = [0], 0
    for t, h, w in rows:
        height, width = h // m, w // m
        for _ in range(t):
            for top in range(0, height, side):
                for left in range(0, width, side):
                    for row in range(top, min(top + side, height)):
                        for column in range(left, min(left + side, width)):
                            order.append(start + row * width + column)
                    ends.append(len(order) * m**2)
            start += height * width
    return order, ends


@RANDOM
@given(merged_grids(), st.integers(1, 6), st.integers(1, 5), st.data())
def test_window_index(case: tuple[Rows, int], side: int, patch: int, data: st.DataObject) -> None:
    rows, m = case
    window = side * m * patch + data.draw(st.integers(0, m * patch - 1))
    order, ends = order_by_windows(rows, m, side)
    grid, total = torch.tensor(rows), count_tokens(rows)
    index, cu = vision.get_window_index(grid, m, window, patch)
    assert index.tolist() == order
    assert index.dtype == torch.int64
    assert cu.tolist() == ends
    assert cu.dtype == torch.int32
    bound = total // m**2
    index, cu = vision.get_window_index(grid, m, window, patch, num_tokens=total, num_windows=bound)
    assert index.tolist() == order
    assert cu.tolist() == ends + [total] * (bound + 1 - len(ends))
    inverse = vision.get_reverse_window_index(index)
    assert torch.equal(inverse, torch.argsort(index))


@pytest.mark.parametrize(
    ("rows", "windows"),
    [([(1, 8, 8)], 1), ([(1, 16, 16)], 4), ([(4, 8, 12), (1, 10, 6)], 10), ([(1, 2, 14)], 2)],
)
def test_window_boundaries_name_no_empty_window(rows: Rows, windows: int) -> None:
    _, cu = vision.get_window_index(torch.tensor(rows), 2, 32, 4)
    assert cu.shape == (windows + 1,)
    assert (cu[1:] > cu[:-1]).all()


def test_window_index_of_the_worked_example() -> None:
    index, cu = vision.get_window_index(torch.tensor([[1, 4, 12], [2, 2, 4]]), 2, 16, 4)
    assert index.tolist() == [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 12, 13, 14, 15]
    assert cu.tolist() == [0, 16, 32, 48, 56, 64]


def interpolate(rows: Rows, side: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Place the corners of every patch with torch.linspace itself, one patch after the other."""
    indices, weights = [], []
    for t, h, w in rows:
        ys, xs = torch.linspace(0, side - 1, h), torch.linspace(0, side - 1, w)
        for row, column in block_major(h, w, m) * t:
            y, x = ys[row], xs[column]
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, side - 1), min(x0 + 1, side - 1)
            dy, dx = y - y0, x - x0
            indices.append([a * side + b for a in (y0, y1) for b in (x0, x1)])
            weights.append(torch.stack([a * b for a in (1 - dy, dy) for b in (1 - dx, dx)]))
    return torch.tensor(indices).t(), torch.stack(weights, dim=1)


@settings(deadline=None, max_examples=25)
@given(merged_grids(), st.integers(1, 40))
def test_pos_embed_indices(case: tuple[Rows, int], side: int) -> None:
    rows, m = case
    # The definition is slow, and patches of a frame do not depend on other entries.
    rows = [(min(t, 2), h, w) for t, h, w in rows[:3]]
    indices, weights = interpolate(rows, side, m)
    for dtype in (torch.int32, torch.int64):
        result = vision.get_pos_embed_indices(torch.tensor(rows, dtype=dtype), side, m)
        assert torch.equal(result[0], indices)
        assert torch.equal(result[1], weights)
        assert result[0].dtype == torch.int64


def test_pos_embed_indices_of_the_worked_example() -> None:
    indices, weights = vision.get_pos_embed_indices(torch.tensor([[1, 2, 4]]), 6, 2)
    assert indices.tolist() == [
        [0, 1, 30, 31, 3, 5, 33, 35],
        [1, 2, 31, 32, 4, 5, 34, 35],
        [6, 7, 30, 31, 9, 11, 33, 35],
        [7, 8, 31, 32, 10, 11, 34, 35],
    ]
    assert torch.allclose(weights.sum(0), torch.ones(8))


@pytest.mark.parametrize("side", [1, 2, 6, 16, 27, 48, 64])
def test_packed_points_equal_linspace_bit_for_bit(side: int) -> None:
    sizes = torch.arange(1, 2049)
    size = sizes.repeat_interleave(sizes)
    index = torch.cat([torch.arange(n) for n in range(1, 2049)])
    expected = torch.cat([torch.linspace(0, side - 1, n) for n in range(1, 2049)])
    assert torch.equal(place_corners_aligned(index, size, side), expected)


@RANDOM
@given(merged_grids(), st.integers(1, 30))
def test_half_pixel_indices_interpolate_like_torch(case: tuple[Rows, int], side: int) -> None:
    rows, _ = case
    table = torch.randn(side * side, 5, generator=torch.Generator().manual_seed(side))
    image = table.t().view(1, 5, side, side)
    expected = torch.cat(
        [
            F.interpolate(image, size=(h, w), mode="bilinear").view(5, -1).t().repeat(t, 1)
            for t, h, w in rows
        ]
    )
    indices, weights = vision.get_half_pixel_indices(torch.tensor(rows), side)
    result = (table[indices] * weights[..., None]).sum(0)
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-5)


@RANDOM
@given(merged_grids())
def test_sampling_grid(case: tuple[Rows, int]) -> None:
    rows, m = case
    patches = [(p, h, w) for t, h, w in rows for p in block_major(h, w, m) * t]
    row, column = torch.tensor([p for p, _, _ in patches]).t()
    height, width = torch.tensor([(h, w) for _, h, w in patches]).t().to(torch.float32)
    x = ((column + 0.5) / width) * 2 - 1
    y = ((row + 0.5) / height) * 2 - 1
    result = vision.get_sampling_grid(torch.tensor(rows), m)
    assert torch.equal(result, torch.stack((x, y), dim=-1)[None, :, None])


@RANDOM
@given(merged_grids())
def test_block_permutation(case: tuple[Rows, int]) -> None:
    rows, m = case
    expected, start = [], 0
    for t, h, w in rows:
        for _ in range(t):
            expected += [start + row * w + column for row, column in block_major(h, w, m)]
            start += h * w
    assert vision.get_block_permutation(torch.tensor(rows), m).tolist() == expected


@RANDOM
@given(merged_grids())
def test_temporal_pair_indices(case: tuple[Rows, int]) -> None:
    rows, m = case
    first, second, start = [], [], 0
    for t, h, w in rows:
        units = h * w // m**2
        pairs = zip(range(0, t, 2), range(1 if t > 1 else 0, t, 2), strict=False)
        for even, odd in pairs:
            first += range(start + even * units, start + (even + 1) * units)
            second += range(start + odd * units, start + (odd + 1) * units)
        start += t * units
    result = vision.get_temporal_pair_indices(torch.tensor(rows), m)
    assert [part.tolist() for part in result] == [first, second]
    result = vision.get_temporal_pair_indices(torch.tensor(rows), m, num_pair_units=len(first))
    assert [part.tolist() for part in result] == [first, second]


def scale_down(hidden: torch.Tensor, rows: Rows, merges: list[int]) -> torch.Tensor:
    """Bring every entry into raster order and let torch scale it by 1/m."""
    pieces, start = [], 0
    for (t, h, w), m in zip(rows, merges, strict=True):
        entry = hidden[start : start + t * h * w]
        start += t * h * w
        image = entry.view(t, h // m, w // m, m, m, -1).transpose(2, 3).reshape(t, h, w, -1)
        small = F.interpolate(image.permute(0, 3, 1, 2), size=(h // m, w // m), mode="bilinear")
        pieces.append(small.permute(0, 2, 3, 1).reshape(-1, hidden.shape[1]))
    return torch.cat(pieces)


@RANDOM
@given(merged_grids(), st.data())
def test_unshuffle_indices(case: tuple[Rows, int], data: st.DataObject) -> None:
    rows, m = case
    merges = [data.draw(st.sampled_from([1, m])) for _ in rows]
    hidden = torch.randn(count_tokens(rows), 3, generator=torch.Generator().manual_seed(0))
    indices = vision.get_unshuffle_indices(torch.tensor(rows), torch.tensor(merges))
    expected = scale_down(hidden, rows, merges)
    torch.testing.assert_close(hidden[indices].mean(0), expected, rtol=0, atol=1e-6)
    common = vision.get_unshuffle_indices(torch.tensor(rows), m)
    assert torch.equal(
        common, vision.get_unshuffle_indices(torch.tensor(rows), torch.full((len(rows),), m))
    )
    odd = torch.tensor([size % 2 == 1 for size in merges])
    if bool(odd.all()):
        assert torch.equal(hidden[indices[0]], expected)


@RANDOM
@given(merged_grids())
def test_segments(case: tuple[Rows, int]) -> None:
    rows, _ = case
    grid, total = torch.tensor(rows), count_tokens(rows)
    sizes = [h * w for t, h, w in rows for _ in range(t)]
    expected = [frame for frame, size in enumerate(sizes) for _ in range(size)]
    assert vision.get_vision_segment_ids(grid).tolist() == expected
    for bound in (len(sizes), total):
        cu = vision.get_vision_cu_seqlens(grid, num_segments=bound)
        assert vision.get_segment_ids(cu, total).tolist() == expected
        assert vision.get_segment_ids(cu, None).tolist() == expected


def test_empty_segments_own_no_token() -> None:
    cu = torch.tensor([0, 3, 3, 3, 5, 5], dtype=torch.int32)
    assert vision.get_segment_ids(cu, 5).tolist() == [0, 0, 0, 3, 3]


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.bfloat16, torch.float16])
def test_segment_mask(dtype: torch.dtype | None) -> None:
    mask = vision.get_segment_mask(torch.tensor([0, 0, 1, 4]), dtype)
    allowed = torch.block_diag(torch.ones(2, 2), torch.ones(1, 1), torch.ones(1, 1)).bool()
    if dtype is None:
        assert torch.equal(mask, allowed[None, None])
    else:
        assert mask.dtype == dtype
        assert torch.equal(mask[0, 0] == 0, allowed)
        assert (mask[0, 0][~allowed] == torch.finfo(dtype).min).all()


@RANDOM
@given(merged_grids(), st.sampled_from([torch.int32, torch.int64]))
def test_flatten_video_grid(case: tuple[Rows, int], dtype: torch.dtype) -> None:
    rows, _ = case
    expected = [[1, h, w] for t, h, w in rows for _ in range(t)]
    grid = torch.tensor(rows, dtype=dtype)
    flat = vision.flatten_video_grid(grid)
    assert flat.tolist() == expected
    assert flat.dtype == dtype
    assert vision.flatten_video_grid(grid, num_frames=len(expected)).tolist() == expected


def test_tokens_outside_of_boundaries_attend_to_none() -> None:
    bounds = torch.tensor([1, 3, 3, 4])
    expected = torch.zeros(6, 6, dtype=torch.bool)
    expected[1:3, 1:3] = expected[3, 3] = True
    ids = vision.get_segment_ids(bounds, 6)
    assert torch.equal(vision.get_segment_mask(ids, within=bounds)[0, 0], expected)
    filled = vision.get_segment_mask(ids, torch.float16, within=bounds)[0, 0]
    assert torch.equal(filled == 0, expected)
    assert filled[~expected].unique().tolist() == [torch.finfo(torch.float16).min]
