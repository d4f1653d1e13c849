"""Every helper inside torch.compile(fullgraph=True) and torch.export with dynamic sizes.

Eager results are the reference here: other tests compare them with their definitions. The totals
come from the shape of another input, as a model takes them from its hidden states.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from utils import modeling_audio_utils as audio
from utils import modeling_vision_utils as vision

Run = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A call of a helper on sizes and on rows whose number is its total."""

    name: str
    run: Run
    count: Callable[[torch.Tensor], int]
    exact: bool = True


def count_patches(grid: torch.Tensor) -> int:
    return int(grid.prod(1).sum())


def count_rows(lengths: torch.Tensor) -> int:
    return int(audio.halved_lengths(lengths).sum())


def use_merge_sizes(grid: torch.Tensor) -> torch.Tensor:
    """Return a merge size per entry that depends on the entry."""
    return 1 + grid[:, 0] % 2


def mask(grid: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    cu = vision.get_vision_cu_seqlens(grid, num_segments=rows.shape[0])
    return vision.get_segment_mask(vision.get_segment_ids(cu, rows.shape[0]), torch.float32)


GRID_CASES = [
    Case(
        "cu_seqlens",
        lambda g, r: vision.get_vision_cu_seqlens(g, num_segments=r.shape[0]),
        count_patches,
    ),
    Case(
        "rotary", lambda g, r: vision.get_rotary_pos_ids(g, 2, num_tokens=r.shape[0]), count_patches
    ),
    Case(
        "rotary_interleaved",
        lambda g, r: vision.get_rotary_pos_ids_interleaved(g, 1, num_tokens=r.shape[0]),
        count_patches,
    ),
    Case(
        "rotary_per_entry",
        lambda g, r: vision.get_rotary_pos_ids(g, use_merge_sizes(g), num_tokens=r.shape[0]),
        count_patches,
    ),
    Case(
        "window",
        lambda g, r: vision.get_window_index(
            g, 2, 32, 4, num_tokens=4 * r.shape[0], num_windows=r.shape[0]
        ),
        lambda g: count_patches(g) // 4,
    ),
    Case(
        "reverse_window",
        lambda g, r: vision.get_reverse_window_index(
            vision.get_window_index(g, 2, 16, 4, num_tokens=4 * r.shape[0])[0]
        ),
        lambda g: count_patches(g) // 4,
    ),
    Case(
        "pos_embed",
        lambda g, r: vision.get_pos_embed_indices(g, 6, 2, num_tokens=r.shape[0]),
        count_patches,
    ),
    Case(
        "half_pixel",
        lambda g, r: vision.get_half_pixel_indices(g, 6, num_tokens=r.shape[0]),
        count_patches,
        exact=False,
    ),
    Case(
        "sampling",
        lambda g, r: vision.get_sampling_grid(g, 2, num_tokens=r.shape[0]),
        count_patches,
        exact=False,
    ),
    Case(
        "permutation",
        lambda g, r: vision.get_block_permutation(g, 2, num_tokens=r.shape[0]),
        count_patches,
    ),
    Case(
        "pairs",
        lambda g, r: vision.get_temporal_pair_indices(g, 2, num_pair_units=r.shape[0]),
        lambda g: vision.get_temporal_pair_indices(g, 2)[0].shape[0],
    ),
    Case(
        "unshuffle",
        lambda g, r: vision.get_unshuffle_indices(g, use_merge_sizes(g), num_units=r.shape[0]),
        lambda g: vision.get_unshuffle_indices(g, use_merge_sizes(g)).shape[1],
    ),
    Case(
        "segment_ids",
        lambda g, r: vision.get_vision_segment_ids(g, num_tokens=r.shape[0]),
        count_patches,
    ),
    Case("mask", mask, count_patches),
    Case(
        "flatten",
        lambda g, r: vision.flatten_video_grid(g, num_frames=r.shape[0]),
        lambda g: int(g[:, 0].sum()),
    ),
]

LENGTH_CASES = [
    Case(
        "chunk_lengths",
        lambda lens, r: audio.get_chunk_lengths(lens, 4, num_chunks=r.shape[0]),
        lambda lens: int(lens.sum()) // 8 + lens.shape[0],
    ),
    Case(
        "chunk_and_pad",
        lambda lens, r: audio.chunk_and_pad_features(
            r.t(), lens, 4, num_chunks=r.shape[0] // 8 + lens.shape[0], max_chunk_length=8
        ),
        lambda lens: int(lens.sum()),
    ),
    Case(
        "valid",
        lambda lens, r: audio.get_valid_indices(lens, num_valid=r.shape[0], max_length=20),
        count_rows,
    ),
    Case(
        "cu_chunks",
        lambda lens, r: audio.get_audio_cu_seqlens(lens, num_segments=r.shape[0]),
        count_rows,
    ),
    Case(
        "cu_windows",
        lambda lens, r: audio.get_audio_cu_seqlens(
            lens % 8 + 1, lens, 16, 4, length_law=audio.halved_lengths, num_segments=r.shape[0]
        ),
        count_rows,
    ),
    Case(
        "pool",
        lambda lens, r: audio.get_pool_indices(lens, num_pooled=r.shape[0]),
        lambda lens: audio.get_pool_indices(lens).shape[0],
    ),
]

# Three rows come late: dynamo takes dimensions of equal size for one, and a first grid of 3×3
# would fix the number of rows to the number of columns.
GRIDS = [
    [[4, 8, 12], [1, 10, 6]],
    [[2, 4, 6]] * 5,
    [[1, 4, 4], [2, 6, 10], [1, 2, 2]],
    [[1, 20, 12], [1, 2, 14], [2, 2, 2], [1, 16, 16]],
]
LENGTHS = [[21, 3, 39, 30], [40, 9], [16, 39, 1, 8, 33, 17]]

CASES = [(case, [torch.tensor(rows) for rows in GRIDS]) for case in GRID_CASES] + [
    # The longest audio has 39 or 40 frames, for which the width of 20 rows is right.
    (case, [torch.tensor(lens) for lens in LENGTHS])
    for case in LENGTH_CASES
]
ALL = pytest.mark.parametrize(("case", "inputs"), CASES, ids=[case.name for case, _ in CASES])


def in_both_ways(named: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """Return each case for both ways of exporting; two thirds are long sweeps, another third in each way.

    Those with totals are traced by Dynamo, as strict export does it, when they are compiled, and all are exported
    as parts of encoders.
    """
    return [
        pytest.param(
            *values,
            strict,
            id=f"{name}-{'strict' if strict else 'non_strict'}",
            marks=[pytest.mark.slow] * (number % 3 != (0 if strict else 1)),
        )
        for number, (name, values) in enumerate(named.items())
        for strict in (False, True)
    ]


def make_arguments(case: Case, sizes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sizes and rows of features, as many as the total says."""
    total = case.count(sizes)
    return sizes, torch.arange(3.0 * total).view(total, 3)


def compare(case: Case, result: Any, expected: Any) -> None:
    """Compare bit for bit, or by the last bits where a compiler may fuse products and sums."""
    tolerance = 0.0 if case.exact else 1e-6
    torch.testing.assert_close(result, expected, rtol=0, atol=tolerance)


class Call(torch.nn.Module):
    """A module around a call: torch.export takes modules."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def forward(self, sizes: torch.Tensor, rows: torch.Tensor) -> Any:
        """Call the helper."""
        return self.run(sizes, rows)


@ALL
def test_compiles_to_one_graph_for_all_sizes(case: Case, inputs: list[torch.Tensor]) -> None:
    check_compiled(case, inputs, "aot_eager")


@pytest.mark.slow
@ALL
def test_compiled_code_gives_the_same_values(case: Case, inputs: list[torch.Tensor]) -> None:
    check_compiled(case, inputs, "inductor")


def check_compiled(case: Case, inputs: list[torch.Tensor], backend: str) -> None:
    """Compile once with dynamic shapes; every input must pass through that one graph."""
    torch._dynamo.reset()
    graphs = []
    compiler = torch._dynamo.lookup_backend(backend)

    def count_graphs(graph: torch.fx.GraphModule, example: list[Any]) -> Any:
        graphs.append(graph)
        return compiler(graph, example)

    compiled = torch.compile(case.run, fullgraph=True, dynamic=True, backend=count_graphs)
    for sizes in inputs:
        arguments = make_arguments(case, sizes)
        compare(case, compiled(*arguments), case.run(*arguments))
    assert len(graphs) == 1


@pytest.mark.parametrize(
    ("case", "inputs", "strict"), in_both_ways({case[0].name: case for case in CASES})
)
def test_exports_with_dynamic_sizes(case: Case, inputs: list[torch.Tensor], strict: bool) -> None:
    dynamic = {0: torch.export.Dim.DYNAMIC}
    program = torch.export.export(
        Call(case.run),
        make_arguments(case, inputs[0]),
        dynamic_shapes=(dynamic, dynamic),
        strict=strict,
    )
    for sizes in inputs:
        arguments = make_arguments(case, sizes)
        compare(case, program.module()(*arguments), case.run(*arguments))


UNBOUNDED: dict[str, tuple[Run, list[torch.Tensor]]] = {
    "cu_seqlens": (vision.get_vision_cu_seqlens, CASES[0][1]),
    "rotary": (lambda g: vision.get_rotary_pos_ids(g, 2), CASES[0][1]),
    "window": (lambda g: vision.get_window_index(g, 2, 32, 4), CASES[0][1]),
    "pos_embed": (lambda g: vision.get_pos_embed_indices(g, 6, 2), CASES[0][1]),
    "sampling": (lambda g: vision.get_sampling_grid(g, 2), CASES[0][1]),
    "permutation": (lambda g: vision.get_block_permutation(g, 2), CASES[0][1]),
    "pairs": (lambda g: vision.get_temporal_pair_indices(g, 2), CASES[0][1]),
    "unshuffle": (lambda g: vision.get_unshuffle_indices(g, 2), CASES[0][1]),
    "segment_ids": (vision.get_vision_segment_ids, CASES[0][1]),
    "flatten": (vision.flatten_video_grid, CASES[0][1]),
    "chunk_lengths": (lambda lens: audio.get_chunk_lengths(lens, 4), CASES[-1][1]),
    "valid": (audio.get_valid_indices, CASES[-1][1]),
    "cu_chunks": (audio.get_audio_cu_seqlens, CASES[-1][1]),
    "cu_windows": (lambda lens: audio.get_audio_cu_seqlens(lens, lens, 16, 4), CASES[-1][1]),
    "pool": (audio.get_pool_indices, CASES[-1][1]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("run", "inputs"), UNBOUNDED.values(), ids=UNBOUNDED)
def test_compiles_without_totals_to_shapes_known_when_it_runs(
    run: Run, inputs: list[torch.Tensor]
) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, dynamic=True)
    for sizes in inputs:
        torch.testing.assert_close(compiled(sizes), run(sizes), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("run", "inputs", "strict"), in_both_ways(UNBOUNDED))
def test_exports_without_totals(run: Run, inputs: list[torch.Tensor], strict: bool) -> None:
    program = torch.export.export(
        Call(lambda sizes, _: run(sizes)),
        (inputs[0], torch.zeros(1)),
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC}, None),
        strict=strict,
    )
    for sizes in inputs:
        result = program.module()(sizes, torch.zeros(1))
        torch.testing.assert_close(result, run(sizes), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("side", [6, 27, 48])
def test_compiled_points_equal_linspace_bit_for_bit(side: int) -> None:
    # Every number of patches from 1 to 2048 along one axis, as one-column frames.
    sizes = torch.arange(1, 2049)
    grid = torch.stack((torch.ones_like(sizes), sizes, torch.ones_like(sizes)), dim=1)
    total = int(sizes.sum())
    compiled = torch.compile(vision.get_pos_embed_indices, fullgraph=True, dynamic=True)
    indices, weights = compiled(grid, side, 1, num_tokens=total)
    points = torch.cat([torch.linspace(0, side - 1, int(n)) for n in sizes])
    low = points.to(torch.int64)
    assert torch.equal(indices[0], low * side)
    assert torch.equal(weights[2], points - low)


@pytest.mark.parametrize("lens", [[1], [8], [9], [1, 1], [100, 3]], ids=str)
def test_a_graph_can_branch_on_more_than_one_valid_row(lens: list[int]) -> None:
    torch._dynamo.reset()
    law = audio.chunked_eighth_lengths

    def branch(lengths: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        several = lengths.shape[0] > 1 or frames.shape[0] > 8
        indices = audio.get_valid_indices(lengths, law, max_length=13, more_than_one=several)
        return indices + 1 if indices.shape[0] > 1 else indices - 1

    lengths, frames = torch.tensor(lens), torch.zeros(sum(lens))
    compiled = torch.compile(branch, fullgraph=True, backend="aot_eager")
    rows = law(lengths).tolist()
    expected = [13 * chunk + row for chunk, count in enumerate(rows) for row in range(count)]
    change = 1 if sum(rows) > 1 else -1
    assert compiled(lengths, frames).tolist() == [index + change for index in expected]
