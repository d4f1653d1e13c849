"""Prompts with source images and targets: the helpers against plain loops, eagerly and in a graph."""

from __future__ import annotations

import pytest
import torch

from codegen.rewrite.probe.source_prompts import END, START, large_prompts, small_prompts
from utils.source_images import (
    get_source_positions,
    keep_targets,
    refuse_in_graph,
    sizes_of_item,
    take_first_rows,
)

PROMPTS = (*small_prompts(), *large_prompts())


def tensor(array):
    return None if array is None else torch.from_numpy(array)


def positions_of(prompt):
    given = [tensor(array) for array in (prompt.ids, prompt.grid, prompt.sizes)]
    options = {"end_token": END, "attention_mask": tensor(prompt.mask)}
    positions, deltas = get_source_positions(
        *given, start_token=START, padding_position=1, **options
    )
    return positions, deltas, keep_targets(positions, *given, **options)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
def test_positions_are_those_of_a_loop(prompt, traced):
    if not prompt.kept.any(1).all():
        pytest.skip("a prompt without tokens")
    with pytest.MonkeyPatch.context() as patch:
        if traced:  # what a graph computes, without the time that it takes to capture one for each
            patch.setattr("utils.source_images.is_tracing", lambda: True)
            patch.setattr("utils.text_positions.is_tracing", lambda: True)
        positions, deltas, targets = positions_of(prompt)
    assert torch.equal(positions, torch.from_numpy(prompt.positions(1)))
    assert torch.equal(deltas, torch.zeros_like(deltas)) and deltas.shape == (len(prompt.ids), 1)
    expected = prompt.targets()
    if expected is None:
        assert targets is None
    else:
        assert torch.equal(targets[:, :, 0:], torch.from_numpy(expected))
        assert torch.equal(targets[:, :, 1:3], torch.from_numpy(expected[:, :, 1:3]))


def test_targets_are_kept_by_a_graph():
    model = torch.nn.Module()

    def forward(ids, grid, sizes, mask):
        options = {"end_token": END, "attention_mask": mask}
        positions, _ = get_source_positions(ids, grid, sizes, start_token=START, **options)
        model.targets = keep_targets(positions, ids, grid, sizes, **options)
        return positions

    torch._dynamo.reset()
    call = torch.compile(forward, fullgraph=True, backend="eager", dynamic=True)
    for prompt in (small_prompts()[1], small_prompts()[4]):
        call(*(tensor(array) for array in (prompt.ids, prompt.grid, prompt.sizes, prompt.mask)))
        assert torch.equal(model.targets.count(), torch.from_numpy(prompt.targets()))

    def asks():
        return model.targets[:, :, 1:2]

    with pytest.raises(Exception, match="give position_ids"):
        torch.compile(asks, fullgraph=True, backend="eager")()


@pytest.mark.parametrize(
    ("sizes", "counts"), [([2, 3], [1, 2]), ([0, 4, 1], [2, 9, 0]), ([3], [0]), ([1] * 9, [1] * 9)]
)
def test_first_rows(sizes, counts):
    rows = torch.arange(1, 3 * sum(sizes) + 1).view(-1, 3)
    given = rows, torch.tensor(sizes), torch.tensor(counts)
    expected = torch.cat([part[:count] for part, count in zip(rows.split(sizes), counts)])
    assert torch.equal(take_first_rows(*given), expected)
    torch._dynamo.reset()
    traced = torch.compile(take_first_rows, fullgraph=True, backend="eager")(*given)
    assert torch.equal(traced[: len(expected)], expected)
    assert traced.shape == rows.shape and not traced[len(expected) :].any()


def test_sizes_of_an_image_and_of_all_in_a_graph():
    grid = torch.tensor([[1, 2, 3], [2, 1, 1]])
    assert sizes_of_item(grid, 1, torch.ones(2, 5)) == [2, 1, 1]
    torch._dynamo.reset()
    call = torch.compile(sizes_of_item, fullgraph=True, backend="eager")
    assert call(grid, 0, torch.ones(8, 5)) == [8, 1, 1]


def test_graphs_refuse():
    def call(values, limit):
        refuse_in_graph(values.sum() > limit, "too many")
        return values * 2

    torch._dynamo.reset()
    program = torch.compile(call, fullgraph=True, backend="eager")
    assert program(torch.ones(3), 3).sum() == 6
    with pytest.raises(RuntimeError, match="too many"):
        program(torch.ones(4), 3)
    with pytest.raises(ValueError, match="known"):
        refuse_in_graph(True, "known")
    refuse_in_graph(False, "known")
