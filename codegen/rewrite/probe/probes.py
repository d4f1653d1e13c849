"""The grids and lengths that methods are run on: small ones, random larger ones, and around numbers.

Small probes show quickly that nothing is recognised, which is so for most methods. What agrees on them has
to agree on larger ones: a side of several hundred patches, thirty frames, a dozen images; and on both
sides of every number that the computation reads.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

MOST_PATCHES = 200_000
"""No probe has more."""
LARGEST_NUMBER = 2_000
"""A number above it is on both sides of no probe."""
_SMALL_NUMBER = 4
"""Numbers up to this one lie between sizes of the other probes anyway."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A grid, merge sizes per entry and the set of configuration scalars it goes with.

    For audio ``grid`` has one column, the lengths. ``tracing`` is what the code is told when it asks.
    Without ``defaults`` nothing is known of parameters that are not given; with ``distinct`` fields of
    the configuration that usually have one value get different ones.
    """

    variant: int
    grid: np.ndarray
    merge_sizes: np.ndarray
    tracing: bool = False
    defaults: bool = True
    distinct: bool = False

    @property
    def rows(self) -> int:
        """Number of patches."""
        return int(self.grid.prod(1).sum())

    @property
    def is_audio(self) -> bool:
        """Whether this is about lengths of audios."""
        return bool(self.grid.shape[1] == 1)

    def __str__(self) -> str:
        if self.is_audio:
            return f"{len(self.grid)} lengths up to {self.grid.max()}"
        if not len(self.grid):
            return "a grid without entries"
        if len(self.grid) <= 3:
            return str(self.grid.tolist())
        frames, rows, columns = self.grid.max(0).tolist()
        sides = f"up to {rows} by {columns} patches, in up to {frames} frames"
        return f"{len(self.grid)} images of {sides}"


def small_numbers(probe: Probe) -> Probe:
    """The same grid in numbers of 32 bits."""
    return replace(probe, grid=probe.grid.astype(np.int32))


LENGTHS = ([5, 13, 6], [130, 30, 257, 240])
"""The second goes with large chunks: only above a hundred frames do the laws show their constants."""

MERGES = (2, 3)
"""The merge size that goes with each set of configuration scalars."""

PROBES = (
    Probe(0, np.array([[1, 4, 6], [2, 2, 4]]), np.array([2, 1])),
    Probe(0, np.array([[1, 4, 12], [2, 2, 4], [1, 16, 8]]), np.array([1, 2, 4])),
    Probe(1, np.array([[1, 3, 6], [2, 6, 3], [1, 12, 9]]), np.array([3, 1, 3])),
)
SIDE_PROBES = (
    Probe(0, np.array([[1, 4, 6]]), np.array([1])),
    Probe(1, np.array([[1, 5, 3]]), np.array([1])),
)


NO_ENTRY = Probe(0, np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64))
"""No helper is told by it: much code fails on it, and the rest gives little."""


@cache
def large_probes() -> tuple[Probe, ...]:
    """Random larger grids: both sides up to several hundred, up to thirty frames, a dozen images."""
    random = np.random.default_rng(20_240_229)
    found = []
    for variant, merge in enumerate(MERGES):
        long, wide = (int(side) * merge for side in random.integers(110, 130, 2))
        entries = [[1, merge, long], [1, wide, 2 * merge], [30 + variant, merge, 2 * merge]]
        entries.append([1, *(int(side) * merge for side in random.integers(13, 18, 2))])
        for frames in (1, 3, 4, 5, 1, 2, 1, 6):
            entries.append([frames, *(int(side) * merge for side in random.integers(1, 7, 2))])
        random.shuffle(entries)
        found.append(_probe(variant, entries))
    found.append(_probe(0, [[1, 2, 4]]))
    return tuple(found)


@cache
def large_side_probes() -> tuple[Probe, ...]:
    """Larger images, one at a time."""
    sides = ((0, 340, 5), (1, 7, 355), (0, 63, 61), (1, 1, 9))
    return tuple(_probe(variant, [[1, height, width]]) for variant, height, width in sides)


def probes_around(
    numbers: Collection[int], variant: int, literals: Collection[int] | None = None
) -> Iterator[Probe]:
    """Grids on both sides of numbers: as rows, columns, frames, images and patches of an image.

    How many frames and images there are has nothing to do with the configuration: one set is enough, and
    only ``literals`` (all numbers, if they are not given) are numbers of images.
    """
    merge = MERGES[variant]
    wanted = relevant(numbers)
    sides: list[list[int]] = []
    frames: list[list[int]] = []
    for number in wanted:
        low = max(number // merge, 1) * merge
        for side in (low, low + merge):
            sides += [[1, side, merge], [1, merge, side]]
        if (low + merge) ** 2 <= MOST_PATCHES // 40:
            sides.append([1, low + merge, low + merge])
        frames += [[count, merge, merge] for count in (number - 1, number, number + 1)]
    if not wanted:
        return
    yield from _parted(variant, sides)
    if variant == 0:
        yield from _parted(variant, frames)
        # The other probes have fewer images than any of the numbers.
        for most in relevant(numbers if literals is None else literals)[-1:]:
            yield _probe(variant, [[1, merge, merge * (1 + i % 2)] for i in range(most + 2)])


def side_probes_around(
    numbers: Collection[int], variant: int, literals: Collection[int] | None = None
) -> Iterator[Probe]:
    """Images whose rows or columns are on both sides of numbers; one at a time, whatever is a literal."""
    for number in relevant(numbers):
        for side in (number - 1, number, number + 1):
            yield _probe(variant, [[1, side, 2]])
            yield _probe(variant, [[1, 2, side]])
        yield _probe(variant, [[1, min(number + 1, 400), min(number + 1, 400)]])


@cache
def length_probes() -> tuple[Probe, ...]:
    """Small lengths of audios."""
    return tuple(_lengths(variant, lengths) for variant, lengths in enumerate(LENGTHS))


@cache
def large_length_probes() -> tuple[Probe, ...]:
    """A dozen random lengths, up to several hundred frames and several thousand."""
    random = np.random.default_rng(20_240_301)
    longest = (520, 3_100)
    chosen = (random.integers(5, most, 13).tolist() for most in longest)
    found = [_lengths(v, [*some, longest[v]]) for v, some in enumerate(chosen)]
    return (*found, _lengths(0, [9]), _lengths(1, [2_000]))


def length_probes_around(
    numbers: Collection[int], variant: int, literals: Collection[int] | None = None
) -> Iterator[Probe]:
    """Lengths on both sides of numbers, and more audios than any of the ``literals`` among them.

    How many audios there are has nothing to do with the configuration.
    """
    wanted = relevant(numbers)
    if wanted:
        yield _lengths(variant, [n + d for n in wanted for d in (-1, 0, 1)])
    if variant == 0:
        for most in relevant(numbers if literals is None else literals)[-1:]:
            yield _lengths(variant, [5 + i % 2 for i in range(most + 2)])


def _lengths(variant: int, lengths: list[int]) -> Probe:
    return Probe(variant, np.array(lengths)[:, None], np.ones(len(lengths), dtype=np.int64))


def relevant(numbers: Collection[int]) -> list[int]:
    """The numbers that need probes of their own, each once."""
    return sorted({n for n in numbers if _SMALL_NUMBER < n <= LARGEST_NUMBER})


def traced(probe: Probe) -> Probe:
    """The probe for code that is told that it is traced."""
    return replace(probe, tracing=True)


def bare(probe: Probe) -> Probe:
    """The probe for code whose other parameters may be anything."""
    return replace(probe, defaults=False)


DISTINCT = Probe(0, np.array([[1, 16, 32], [2, 16, 16]]), np.array([2, 1]), distinct=True)
"""Its sides are multiples of what fields with one value get instead."""


def _parted(variant: int, entries: Sequence[list[int]]) -> Iterator[Probe]:
    """Entries as one probe, or as several where there are too many patches for one."""
    taken: list[list[int]] = []
    rows = 0
    for entry in entries:
        count = math.prod(entry)
        if taken and rows + count > MOST_PATCHES:
            yield _probe(variant, taken)
            taken, rows = [], 0
        taken.append(entry)
        rows += count
    yield _probe(variant, taken)


def _probe(variant: int, entries: list[list[int]]) -> Probe:
    grid = np.array(entries)
    assert grid.prod(1).sum() <= MOST_PATCHES
    merge = MERGES[variant]
    sizes = np.where(np.arange(len(grid)) % 3 == 1, 1, merge)
    return Probe(variant, grid, sizes)
