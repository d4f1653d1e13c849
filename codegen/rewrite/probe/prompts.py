"""Prompts with images and videos that methods are run on, and the positions that their tokens should get.

How a video stands in a prompt depends on the model, so there are three layouts: its frames behind each
other, with several frames in one token, and every frame in a run of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from codegen.rewrite.probe.probes import MERGES, relevant

TOGETHER, MERGED, APART = "together", "merged", "apart"
LAYOUTS = (TOGETHER, MERGED, APART)
_MOST_ITEMS = 64
"""Prompts around a number have no more images, samples or frames."""
_MOST_TYPES = 16
"""No token is said to be of a type above."""
TEMPORAL_MERGE = 2
"""Frames in one token, where there are several."""

Item = tuple[Any, ...]
"""``("text", tokens)``, ``("image", t, h, w)`` or ``("video", t, h, w, seconds)``, sizes in patches."""


@dataclass(frozen=True)
class Run:
    """A run of tokens in a sample: the number of each in its frame, row and column; none for text."""

    type: int
    length: int
    sizes: tuple[int, int, int] = (0, 0, 0)
    seconds: float = 1.0


@dataclass(frozen=True, eq=False)
class Prompt:
    """A batch of prompts and how it came about.

    ``types``, ``ids`` and ``mask`` are ``(batch, L)``; ``mask``, the grids and ``seconds`` may be None.
    """

    variant: int
    runs: tuple[tuple[Run, ...], ...]
    types: np.ndarray
    mask: np.ndarray | None
    images: np.ndarray | None
    videos: np.ndarray | None
    seconds: np.ndarray | None

    @property
    def ids(self) -> np.ndarray:
        """Token ids, which say nothing."""
        return np.random.default_rng(self.types.size).integers(0, 97, self.types.shape)

    def expected(self, per_second: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Positions ``(3, batch, L)`` and what they are ahead of the number of tokens, ``(batch, 1)``."""
        return _expected(self, per_second)

    def __str__(self) -> str:
        kinds = [run.type for runs in self.runs for run in runs]
        counts = zip((kinds.count(1), kinds.count(2)), ("image", "run of a video"))
        inside = [f"{count} x {name}" for count, name in counts if count]
        longest = self.types.shape[1]
        whole = f"{len(self.runs)} x prompt of up to {longest} tokens"
        return f"{whole} with {' and '.join(inside)}" if inside else whole


@lru_cache(maxsize=256)
def _expected(prompt: Prompt, per_second: int | None) -> tuple[np.ndarray, np.ndarray]:
    positions = np.zeros((3, *prompt.types.shape), np.int64)
    ahead = []
    for number, runs in enumerate(prompt.runs):
        found, start = [], 0
        for run in runs:
            step = 1
            if run.type == 2 and per_second is not None:
                step = per_second * (1 if prompt.seconds is None else int(run.seconds))
            found.append(start + _within(run, step))
            start += run.length if run.type == 0 else max(run.sizes[1:])
        placed = np.concatenate(found, axis=1)
        kept = slice(None) if prompt.mask is None else prompt.mask[number].astype(bool)
        positions[:, number, kept] = placed
        ahead.append([int(placed.max()) + 1 - placed.shape[1]])
    return positions, np.array(ahead)


def _within(run: Run, step: int) -> np.ndarray:
    """Positions counted from the start of a run, ``(3, length)``."""
    if run.type == 0:
        return np.tile(np.arange(run.length), (3, 1))
    frame, row, column = (axis.reshape(-1) for axis in np.indices(run.sizes))
    return np.stack((frame * step, row, column))


def prompt(
    layout: str,
    variant: int,
    samples: Sequence[Sequence[Item]],
    padding: Sequence[tuple[int, int]] | None = (),
    leftover: bool = False,
    timed: bool = True,
    filler: int = 0,
) -> Prompt:
    """Build a batch.

    Args:
        layout: how videos stand in it.
        variant: the set of configuration scalars it goes with.
        samples: what each prompt is made of.
        padding: tokens on the left and at least so many on the right of each; None for no mask.
        leftover: whether the grids hold more than the prompts.
        timed: whether the seconds of videos are given.
        filler: the type of padding.
    """
    merge = MERGES[variant]
    runs = tuple(tuple(_runs(layout, merge, sample)) for sample in samples)
    lengths = [sum(run.length for run in sample) for sample in runs]
    sides = list(padding or ()) + [(0, 0)] * (len(runs) - len(padding or ()))
    width = max(left + length + right for length, (left, right) in zip(lengths, sides))
    types = np.full((len(runs), width), filler)
    mask = np.zeros((len(runs), width), np.int64)
    for number, (sample, (left, _), length) in enumerate(zip(runs, sides, lengths)):
        types[number, left : left + length] = [
            run.type for run in sample for _ in range(run.length)
        ]
        mask[number, left : left + length] = 1
    found = {
        kind: [item[1:] for sample in samples for item in sample if item[0] == kind]
        for kind in ("image", "video")
    }
    images, videos = (
        _grid([list(item[:3]) for item in items], leftover) for items in found.values()
    )
    seconds = np.array([item[3] for item in found["video"]] + [9.0] * leftover)
    given = seconds if timed and len(found["video"]) else None
    return Prompt(variant, runs, types, None if padding is None else mask, images, videos, given)


def _grid(rows: list[list[int]], leftover: bool) -> np.ndarray | None:
    return np.array([*rows, *([[1, 12, 6]] * leftover)]) if rows else None


def _runs(layout: str, merge: int, items: Sequence[Item]) -> Iterator[Run]:
    for kind, *sizes in items:
        if kind == "text":
            yield Run(0, sizes[0])
            continue
        t, h, w = sizes[0], sizes[1] // merge, sizes[2] // merge
        if kind == "image":
            yield Run(1, t * h * w, (t, h, w))
        elif layout == APART:
            for frame in range(t):
                if frame:
                    yield Run(0, 2)
                yield Run(2, h * w, (1, h, w), sizes[3])
        else:
            t //= TEMPORAL_MERGE if layout == MERGED else 1
            yield Run(2, t * h * w, (t, h, w), sizes[3])


@cache
def small_prompts(layout: str) -> tuple[Prompt, ...]:
    """Small prompts: either side padded, with and without a mask, images, videos and their seconds."""
    found = []
    for variant, m in enumerate(MERGES):
        image, wide, still = (
            ("image", 1, 2 * m, 3 * m),
            ("image", 1, m, 4 * m),
            ("image", 2, 2 * m, m),
        )
        video, other = ("video", 4, 2 * m, m, 2.5), ("video", 2, m, 3 * m, 0.5)
        long = ("video", 6, m, m, 30.0)
        first = [("text", 3), image, ("text", 2), video, ("text", 1)]
        second = [wide, other, ("text", 4), still, long]
        pads = [(0, 2), (3, 0)]
        found += [
            prompt(layout, variant, [first, second], pads, filler=variant),
            prompt(layout, variant, [first], None, leftover=True),
            prompt(layout, variant, [second, first], pads[::-1], timed=False),
        ]
    m = MERGES[0]
    odd = ("image", 1, 2 * m + 1, m + 1)
    found += [
        prompt(layout, 0, [[("text", 1), wide_image(m)], [("text", 7)]]),
        prompt(layout, 0, [[odd, ("text", 2)]], None),
        prompt(layout, 0, [[("video", 4, m, m, 1.0)]], None),
        prompt(layout, 0, [[("text", 5)], [("text", 2)]]),
        prompt(layout, 0, [[("text", 1)]], None),
    ]
    return tuple(found)


def wide_image(merge: int) -> Item:
    """An image of one row."""
    return ("image", 1, merge, 5 * merge)


@cache
def large_prompts(layout: str) -> tuple[Prompt, ...]:
    """Random larger prompts: a dozen images and videos, up to some hundred tokens of text."""
    random = np.random.default_rng(20_240_315)
    found = []
    for variant, m in enumerate(MERGES):
        samples = []
        for number in range(3):
            items: list[Item] = []
            for _ in range(4):
                h, w = (int(side) * m for side in random.integers(1, 6, 2))
                kind = random.choice(["image", "video"])
                video = (2 * int(random.integers(1, 4)), h, w, float(random.integers(0, 9)) + 0.75)
                items += [("image", 1, h, w) if kind == "image" else ("video", *video)]
                items += [("text", int(random.integers(1, 30)))] * int(random.integers(1, 3))
            samples.append(items[number:])
        found.append(prompt(layout, variant, samples, [(0, 5), (11, 0), (2, 3)]))
    m = MERGES[0]
    sides = [[("image", 1, m, 120 * m), ("text", 130), ("video", 30, m, 2 * m, 3.0)]]
    return (*found, prompt(layout, 0, sides, None))


def prompts_around(layout: str, numbers: Collection[int], variant: int) -> Iterator[Prompt]:
    """Prompts on both sides of numbers: as tokens, rows, columns, frames, seconds, items and samples."""
    m = MERGES[variant]
    for number in relevant(numbers):
        for near in (number - 1, number, number + 1):
            text = ("text", near)
            yield prompt(layout, variant, [[text, ("image", 1, near * m, m), ("text", 1)]], None)
            image = ("image", 1, m, near * m)
            frames = 2 * near if number <= _MOST_ITEMS else 2
            video = ("video", frames, m, m, float(near))
            yield prompt(layout, variant, [[image, text, video, ("text", 1)]])
        if number <= _MOST_ITEMS:
            items = [("text", 1), ("image", 1, m, m)] * (number + 1)
            yield prompt(layout, variant, [items])
            yield prompt(layout, variant, [[("image", 1, m, m)]] * (number + 1))


def prompts_of_other_types(numbers: Collection[int]) -> Iterator[Prompt]:
    """Prompts with tokens that are neither of text nor of an image or a video, which a helper refuses."""
    for other in sorted({3, *(n for n in numbers if 3 < n <= _MOST_TYPES)}):
        types = np.array([[0, 0, other, other, other, 0]])
        yield Prompt(0, (), types, None, None, None, None)
