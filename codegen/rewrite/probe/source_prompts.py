"""Prompts with source images whose grids also describe targets, and the positions that their tokens should get.

A source image stands between a start and an end token, which are text; a start without an end opens a
target. The grids of a prompt are those of its sources and behind them those of its targets, in tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from codegen.rewrite.probe.probes import relevant

IMAGE, START, END = 151, 161, 162
"""Ids of the tokens of images, in front of them and behind them; text has those below ``_WORDS``."""
_WORDS = 97
_MOST_ITEMS = 24
"""Prompts around a number have no more images or samples."""

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Sample:
    """One prompt: tokens of text in front of each source, those grids, those of targets, and text at its end."""

    texts: tuple[int, ...]
    sources: tuple[Grid, ...]
    targets: tuple[Grid, ...]
    rest: int
    opens: bool = True


@dataclass(frozen=True, eq=False)
class SourcePrompt:
    """A batch; ``ids`` and ``mask`` are ``(batch, L)``; all but ``ids`` may be None.

    Without ``sizes`` the grids are those of every prompt. ``known`` is the number of sources that have a grid.
    """

    samples: tuple[Sample, ...]
    ids: np.ndarray
    mask: np.ndarray | None
    grid: np.ndarray | None
    sizes: np.ndarray | None
    kept: np.ndarray
    known: int

    def positions(self, padding: int) -> np.ndarray:
        """Positions ``(3, batch, L)``."""
        return _placed(self, padding)[0]

    def targets(self) -> np.ndarray | None:
        """Positions of the tokens of targets and of one behind them, ``(batch, 3, longest)``; None without grids."""
        return _placed(self, 0)[1]

    def __str__(self) -> str:
        images = sum(len(sample.sources) for sample in self.samples)
        return f"{len(self.samples)} x prompt of up to {self.ids.shape[1]} tokens with {images} x image"


@lru_cache(maxsize=256)
def _placed(prompt: SourcePrompt, padding: int) -> tuple[np.ndarray, np.ndarray | None]:
    positions = np.full((3, *prompt.ids.shape), padding)
    found = []
    for number, sample in enumerate(prompt.samples):
        pieces, start, count = [], 0, 0
        known = sample.sources[: prompt.known] if prompt.grid is not None else ()
        for text, (t, h, w) in zip(sample.texts, known):
            # The end of an image is text of what follows it.
            length = text + 1 + (1 if count else 0)
            pieces += [_line(start, length), _spread((t, h, w)) + start + length]
            start += length + max(h, w)
            count += length + t * h * w
        rest = int(prompt.kept[number].sum()) - count
        pieces.append(_line(start, rest))
        positions[:, number, prompt.kept[number]] = np.concatenate(pieces, axis=1)
        if prompt.grid is not None and len(sample.sources[: prompt.known]) + len(sample.targets):
            found.append(_of_targets(start + rest, sample.targets))
    if not found:
        return positions, None
    longest = max(item.shape[1] for item in found)
    padded = [np.pad(i, ((0, 0), (0, longest - i.shape[1])), mode="edge") for i in found]
    return positions, np.stack(padded)


def _line(start: int, length: int) -> np.ndarray:
    return np.tile(np.arange(start, start + length), (3, 1))


def _spread(grid: Grid) -> np.ndarray:
    return np.indices(grid).reshape(3, -1)


def _of_targets(start: int, grids: Sequence[Grid]) -> np.ndarray:
    pieces = []
    for _, h, w in reversed(grids):
        pieces.append(_spread((1, h, w)) + start)
        start += max(h, w)
    return np.concatenate([*pieces, np.full((3, 1), start)], axis=1)


def source_prompt(
    samples: Sequence[Sample],
    padding: Sequence[tuple[int, int]] | None = (),
    sized: bool = True,
    known: int = 1 << 20,
    wider: int = 0,
    grids: bool = True,
) -> SourcePrompt:
    """Build a batch.

    Args:
        samples: what each prompt is made of.
        padding: tokens on the left and at least so many on the right of each; None for no mask.
        sized: whether it is told how many grids each prompt has.
        known: how many sources of a prompt have a grid.
        wider: columns that the mask has besides, so that it is that of other tokens.
        grids: whether there are any.
    """
    random = np.random.default_rng(len(samples))
    rows = [_ids(sample, random) for sample in samples]
    sides = [*(padding or ()), *[(0, 0)] * (len(rows) - len(padding or ()))]
    width = max(left + len(row) + right for row, (left, right) in zip(rows, sides))
    ids = np.full((len(rows), width), END)  # padding may look like the end of an image
    kept = np.zeros((len(rows), width), bool)
    for number, (row, (left, _)) in enumerate(zip(rows, sides)):
        ids[number, left : left + len(row)] = row
        kept[number, left : left + len(row)] = True
    listed = [[*sample.sources[:known], *sample.targets] for sample in samples]
    every = [grid for part in (listed if sized else listed[:1]) for grid in part]
    mask = None if padding is None else np.pad(kept.astype(np.int64), ((0, 0), (wider, 0)))
    grid = np.array(every, np.int64).reshape(-1, 3) if grids else None
    sizes = np.array([len(part) for part in listed]) if sized and grids else None
    return SourcePrompt(tuple(samples), ids, mask, grid, sizes, kept, known)


def _ids(sample: Sample, random: np.random.Generator) -> list[int]:
    found: list[int] = []
    for text, (t, h, w) in zip(sample.texts, sample.sources):
        found += [*random.integers(0, _WORDS, text), START, *[IMAGE] * (t * h * w), END]
    return [*found, *random.integers(0, _WORDS, sample.rest), *[START] * sample.opens]


def _sample(sources: Sequence[Grid], targets: Sequence[Grid], rest: int = 2) -> Sample:
    texts = tuple(1 + 2 * number for number in range(len(sources)))
    return Sample(texts, tuple(sources), tuple(targets), rest)


@cache
def small_prompts() -> tuple[SourcePrompt, ...]:
    """Small prompts: either side padded, with and without masks, grids, their numbers and sources."""
    tall, wide, film, dot = (1, 4, 2), (1, 2, 5), (2, 2, 3), (1, 1, 1)
    one = _sample([tall], [wide])
    two = _sample([wide, tall, dot], [(1, 3, 2), (1, 2, 2)], 4)
    none = _sample([], [(1, 2, 4), (1, 1, 2)], 3)
    closed = Sample((2, 0), (film, wide), (), 1, opens=False)
    bare = _sample([], [], 5)
    over = Sample((1, 0, 2), (wide, tall, dot), (), 4)
    return (
        source_prompt([one], None, sized=False),
        source_prompt([two, one], [(0, 2), (3, 0)]),
        source_prompt([one, none, two], [(4, 0), (0, 1), (1, 1)]),
        source_prompt([none], [(0, 0)], sized=False),
        source_prompt([closed, one]),
        source_prompt([one, one], None, sized=False),
        source_prompt([two], [(0, 0)], wider=3),
        source_prompt([over, one], [(0, 1), (2, 0)], known=1),
        source_prompt([over], None, known=1, sized=False),
        source_prompt([two, none], [(0, 0), (1, 0)], grids=False),
        source_prompt([bare, one], [(2, 0), (0, 0)]),
        source_prompt([bare], None),
    )


@cache
def large_prompts() -> tuple[SourcePrompt, ...]:
    """Larger prompts by chance: up to a dozen images each, hundreds of tokens of text, long sides."""
    random = np.random.default_rng(20_240_315)
    samples = []
    for _ in range(4):
        count = int(random.integers(0, 6))
        grids = [(1, *map(int, random.integers(1, 9, 2))) for _ in range(count + 2)]
        texts = tuple(int(n) for n in random.integers(0, 30, count))
        sources, targets = grids[:count], grids[count : count + int(random.integers(0, 3))]
        samples.append(Sample(texts, tuple(sources), tuple(targets), int(random.integers(1, 20))))  # type: ignore[arg-type]
    long = Sample((130, 2), ((1, 1, 120), (1, 90, 2)), ((1, 3, 70), (1, 60, 1)), 40)
    return (
        source_prompt(samples, [(0, 3), (11, 0), (2, 2), (0, 0)]),
        source_prompt([long], None, sized=False),
    )


def prompts_around(numbers: Collection[int]) -> Iterator[SourcePrompt]:
    """Prompts on both sides of numbers: as tokens, rows, columns, images, targets and samples."""
    for number in relevant(numbers):
        for near in (number - 1, number, number + 1):
            sides = Sample((near,), ((1, near, 1),), ((1, 1, near),), near)
            yield source_prompt([sides, Sample((1,), ((1, 1, near),), ((1, near, 1),), 1)])
        if number <= _MOST_ITEMS:
            yield source_prompt([_sample([(1, 1, 2)] * (number + 1), [(1, 2, 1)] * (number + 1))])
            yield source_prompt([_sample([(1, 1, 1)], [(1, 1, 1)])] * (number + 1))
