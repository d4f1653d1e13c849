"""The probes that are put around a number: which sides, frames, images and lengths they have."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.rewrite.probe.functions import _framed
from codegen.rewrite.probe.probes import (
    LARGEST_NUMBER,
    MERGES,
    MOST_PATCHES,
    length_probes_around,
    probes_around,
    relevant,
    side_probes_around,
)


def test_numbers_that_small_probes_reach_or_none_can_need_none_of_their_own() -> None:
    smallest = next(n for n in range(100) if relevant([n]))
    assert relevant([smallest, smallest - 1, -5, LARGEST_NUMBER, LARGEST_NUMBER + 1, smallest]) == [
        smallest,
        LARGEST_NUMBER,
    ]


@pytest.mark.parametrize("variant", range(len(MERGES)))
def test_sides_are_on_both_sides_of_a_number(variant: int) -> None:
    found = list(side_probes_around([40, LARGEST_NUMBER], variant))
    grids = [probe.grid.tolist() for probe in found]
    assert grids[:7] == [
        *([[1, 39, 2]], [[1, 2, 39]], [[1, 40, 2]], [[1, 2, 40]], [[1, 41, 2]], [[1, 2, 41]]),
        [[1, 41, 41]],
    ]
    assert grids[-1] == [[1, 400, 400]] and len(grids) == 14
    assert {probe.variant for probe in found} == {variant}
    assert not list(side_probes_around([1], variant))


@pytest.mark.parametrize(("variant", "low", "high"), [(0, 40, 42), (1, 39, 42)])
def test_grids_are_on_both_sides_of_a_number(variant: int, low: int, high: int) -> None:
    sides, *more = probes_around([41], variant)
    merge = MERGES[variant]
    assert sides.grid.tolist() == [
        *([1, low, merge], [1, merge, low], [1, high, merge], [1, merge, high]),
        [1, high, high],
    ]
    if variant:
        assert not more
        return
    frames, images = (probe.grid.tolist() for probe in more)
    assert frames == [[40, 2, 2], [41, 2, 2], [42, 2, 2]]
    assert images == [[1, 2, 2], [1, 2, 4]] * 21 + [[1, 2, 2]]
    assert sides.merge_sizes.tolist() == [2, 1, 2, 2, 1]


def test_a_square_of_a_number_is_left_out_where_it_is_too_large() -> None:
    def squares(number: int) -> bool:
        (sides, *_) = probes_around([number], 0)
        return any(height == width for _, height, width in sides.grid.tolist())

    assert squares(40) and not squares(1000)


def test_lengths_are_on_both_sides_of_a_number_and_as_many() -> None:
    one, many = length_probes_around([13, 60], 0)
    wanted = [n for n in (13, 60) if relevant([n])]
    assert one.grid[:, 0].tolist() == [n + d for n in wanted for d in (-1, 0, 1)]
    assert many.grid[:, 0].tolist() == [5, 6] * 31
    assert many.merge_sizes.tolist() == [1] * 62 and {one.variant, many.variant} == {0}
    # How many there are has nothing to do with the configuration: once is enough.
    (again,) = length_probes_around([13, 60], 1)
    assert again.grid.tolist() == one.grid.tolist() and again.variant == 1
    assert not list(length_probes_around([1], 0))


def test_very_many_numbers_are_parted_to_several_probes() -> None:
    numbers = range(5, 1_900, 7)
    probes = list(probes_around(numbers, 0))
    assert max(probe.rows for probe in probes) <= MOST_PATCHES
    sides = {side for probe in probes for side in probe.grid[:, 1].tolist()}
    frames = {count for probe in probes for count in probe.grid[:, 0].tolist()}
    assert all({n // 2 * 2, n // 2 * 2 + 2} <= sides for n in numbers)
    assert all({n - 1, n, n + 1} <= frames for n in numbers)


@pytest.mark.parametrize("wider", [((0, 0), (0, 0)), ((1, 0), (0, 2)), ((0, 3), (2, 1))])
def test_numbers_get_a_frame_as_numpy_gives_them_one(wider: tuple[tuple[int, int], ...]) -> None:
    for rows in (np.arange(6).reshape(2, 3), np.zeros((0, 3)), np.ones((2, 1), bool)):
        found = _framed(rows, wider, 1)
        assert found.dtype == rows.dtype
        assert found.tolist() == np.pad(rows, wider, constant_values=1).tolist()
