"""Prompts with images, videos and sounds that methods are run on, and the positions their tokens should get.

Here items are told by the ids of tokens: a delimiter, the tokens of the item, another delimiter. A video
with sound has two of each, and between them the tokens of both in an order that depends on the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np

from codegen.rewrite.probe.probes import MERGES, relevant

CHUNKS, TIMES = "chunks", "times"
"""Orders of the tokens of a video and its sound: a stretch of time of each in turn, and one by one."""
TOKENS = {"image": 151, "video": 152, "audio": 153, "vision_start": 154, "audio_start": 155}
"""Ids of tokens by what they stand for; text has those below ``_WORDS``."""
_VISION_END, _AUDIO_END, _WORDS = 156, 157, 97
PER_SECOND, SECONDS_OF_CHUNK, WINDOW = (4, 6), 2, (12, 30)
"""Positions in a second, for each set of configuration scalars, the length of a stretch of time, and half
of a piece of a sound, again for each."""
_MOST_ITEMS = 24
"""Prompts around a number have no more items or samples."""

Item = tuple[Any, ...]
"""``("text", tokens)``, ``("image", t, h, w)``, ``("video", t, h, w, seconds)``, ``("audio", length)`` or
``("film", t, h, w, seconds, length)``, sizes in patches."""


def _quarter(length: int, _: int) -> int:
    return ((length - 1) // 2 + 1 - 2) // 2 + 1


def _eighth_in_pieces(length: int, piece: int) -> int:
    left = (length % piece - 1) // 2 + 1
    return ((left - 1) // 2 + 1 - 1) // 2 + 1 + length // piece * 13


LAWS: dict[str, Callable[[int, int], int]] = {
    "quarter": _quarter,
    "eighth in hundreds": lambda length, _: _eighth_in_pieces(length, 100),
    "eighth in windows": lambda length, variant: (_eighth_in_pieces(length, 2 * WINDOW[variant])),
    "one each": lambda length, _: length,
}
"""How many tokens an audio of a length has, with a set of configuration scalars."""


@dataclass(frozen=True)
class Style:
    """What prompts of a model look like; ``whole`` tells that the times of frames have their fractions cut off."""

    order: str
    law: str
    whole: bool


STYLES = tuple(Style(*parts) for parts in product((CHUNKS, TIMES), LAWS, (True, False)))


@dataclass(frozen=True, eq=False)
class SoundPrompt:
    """A batch of prompts; ``ids`` and ``mask`` are ``(batch, L)``, all but ``ids`` may be None."""

    style: Style
    variant: int
    samples: tuple[tuple[Item, ...], ...]
    with_sound: bool
    ids: np.ndarray
    mask: np.ndarray | None
    images: np.ndarray | None
    videos: np.ndarray | None
    seconds: np.ndarray | None
    lengths: np.ndarray | None

    @cached_property
    def given(self) -> tuple[object, ...]:
        """All that a method is given, as something that can be compared."""
        arrays = (self.ids, self.mask, self.images, self.videos, self.seconds, self.lengths)
        held = (a if a is None else (a.shape, a.dtype.char, a.tobytes()) for a in arrays)
        return self.variant, self.with_sound, *held

    def expected(self, shared: bool, padding: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions ``(3, batch, L)`` and what they are ahead of the number of tokens, ``(batch, 1)``.

        ``shared`` tells that the delimiters of a video with sound have one position, ``padding`` that of
        what is masked.
        """
        return _expected(self, shared, padding)

    def __str__(self) -> str:
        kinds = [item[0] for sample in self.samples for item in sample]
        inside = [f"{kinds.count(k)} x {k}" for k in ("image", "video", "audio", "film")]
        found = " and ".join(part for part in inside if not part.startswith("0 "))
        whole = f"{len(self.samples)} x prompt of up to {self.ids.shape[1]} tokens"
        return f"{whole} with {found}" if found else whole


@lru_cache(maxsize=128)
def _expected(prompt: SoundPrompt, shared: bool, padding: int) -> tuple[np.ndarray, np.ndarray]:
    positions = np.full((3, *prompt.ids.shape), float(padding))
    ahead = []
    for number, sample in enumerate(prompt.samples):
        _, placed = _sample(prompt.style, prompt.variant, tuple(sample), shared)
        kept = slice(None) if prompt.mask is None else prompt.mask[number].astype(bool)
        positions[:, number, kept] = placed
        ahead.append([placed.max() + 1 - placed.shape[1]])
    return positions, np.array(ahead)


@lru_cache(maxsize=128)
def _sample(
    style: Style, variant: int, items: tuple[Item, ...], shared: bool
) -> tuple[list[int], np.ndarray]:
    """Ids of the tokens of a prompt, and their positions ``(3, length)``; nobody changes either."""
    random = np.random.default_rng(len(items))
    ids: list[int] = []
    pieces: list[np.ndarray] = []

    def text(tokens: Sequence[int], positions: int = 0) -> None:
        start = pieces[-1].max() + 1 if pieces else 0
        count = np.arange(len(tokens)) % positions if positions else np.arange(len(tokens))
        ids.extend(tokens)
        pieces.append(np.tile(count, (3, 1)) + start)

    for kind, *sizes in items:
        if kind == "text":
            if sizes[0]:
                text([int(random.integers(_WORDS)) for _ in range(sizes[0])])
            continue
        is_film = kind == "film"
        ends = [TOKENS["vision_start"], _VISION_END]
        if kind == "audio":
            ends = [TOKENS["audio_start"], _AUDIO_END]
        text([ends[0], TOKENS["audio_start"]][: 1 + is_film], 1 if is_film and shared else 0)
        for token, piece in _item(style, variant, kind, sizes, pieces[-1].max() + 1):
            ids.extend([token] * piece.shape[1])
            pieces.append(piece)
        text([_AUDIO_END, ends[1]][1 - is_film :], 1 if is_film and shared else 0)
    return ids, np.concatenate(pieces, axis=1)


def _item(
    style: Style, variant: int, kind: str, sizes: Sequence[Any], start: float
) -> Iterator[tuple[int, np.ndarray]]:
    """Stretches of equal tokens of an item, with their positions."""
    if kind == "audio":
        yield (
            TOKENS["audio"],
            np.tile(np.arange(LAWS[style.law](sizes[0], variant)), (3, 1)) + start,
        )
        return
    t, h, w = sizes[0], sizes[1] // MERGES[variant], sizes[2] // MERGES[variant]
    times = np.arange(t) * (sizes[3] if kind != "image" else 1) * PER_SECOND[variant]
    times = np.trunc(times) if style.whole else times
    frame, row, column = (axis.reshape(-1) for axis in np.indices((t, h, w)))
    vision = np.stack((times[frame], row, column))
    if kind != "film":
        yield TOKENS[kind], vision + start
        return
    sound = np.tile(np.arange(LAWS[style.law](sizes[4], variant)), (3, 1))
    cuts = _cuts_by_chunk if style.order == CHUNKS else _cuts_by_time
    for low, high, other, last in cuts(vision[0], sound[0], PER_SECOND[variant]):
        if high > low:
            yield TOKENS["video"], vision[:, low:high] + start
        if last > other:
            yield TOKENS["audio"], sound[:, other:last] + start


Cuts = Iterator[tuple[int, int, int, int]]
"""Where stretches of a video begin and end, and those of its sound behind them."""


def _cuts_by_chunk(vision: np.ndarray, sound: np.ndarray, per_second: int) -> Cuts:
    length = per_second * SECONDS_OF_CHUNK
    last = int(max(vision.max(initial=0), sound.max(initial=0))) // length
    for number in range(last + 1):
        bounds = number * length, (number + 1) * length
        (low, high), (other, end) = (np.searchsorted(axis, bounds) for axis in (vision, sound))
        yield int(low), int(high), int(other), int(end)


def _cuts_by_time(vision: np.ndarray, sound: np.ndarray, _: int) -> Cuts:
    """What is at the same time comes in the order of video and sound."""
    low = other = 0
    while low < len(vision) or other < len(sound):
        high, end = low, other
        while high < len(vision) and (other >= len(sound) or vision[high] <= sound[other]):
            high += 1
        while end < len(sound) and (high >= len(vision) or vision[high] > sound[end]):
            end += 1
        yield low, high, other, end
        low, other = high, end


def prompt(
    style: Style,
    variant: int,
    samples: Sequence[Sequence[Item]],
    with_sound: bool,
    padding: Sequence[tuple[int, int]] | None = (),
    leftover: bool = False,
) -> SoundPrompt:
    """Build a batch.

    Args:
        style: what its prompts look like.
        variant: the set of configuration scalars it goes with.
        samples: what each prompt is made of.
        with_sound: what the method is told of videos.
        padding: tokens on the left and at least so many on the right of each; None for no mask.
        leftover: whether grids and lengths hold more than the prompts.
    """
    rows = [_sample(style, variant, tuple(sample), False)[0] for sample in samples]
    sides = list(padding or ()) + [(0, 0)] * (len(rows) - len(padding or ()))
    width = max(left + len(row) + right for row, (left, right) in zip(rows, sides))
    ids, mask = np.full((len(rows), width), 1), np.zeros((len(rows), width), np.int64)
    for number, (row, (left, _)) in enumerate(zip(rows, sides)):
        ids[number, left : left + len(row)] = row
        mask[number, left : left + len(row)] = 1
    items = [item for sample in samples for item in sample]
    more = [[1, 12, 6]] * leftover
    images = [list(item[1:4]) for item in items if item[0] == "image"] + more
    films = [item for item in items if item[0] in ("video", "film")]
    videos = [list(item[1:4]) for item in films] + more
    seconds = [float(item[4]) for item in films] + [9.0] * leftover
    lengths = [item[-1] for item in items if item[0] in ("audio", "film")] + [40] * leftover
    arrays = (np.array(rows) if rows else None for rows in (images, videos, seconds, lengths))
    kept = None if padding is None else mask
    return SoundPrompt(
        style, variant, tuple(tuple(s) for s in samples), with_sound, ids, kept, *arrays
    )


@cache
def first_prompt(style: Style, variant: int = 0) -> SoundPrompt:
    """The first of :func:`small_prompts` with a set of configuration scalars: it has most kinds of items."""
    return next(_all_kinds(style, variant))


@cache
def plainest_prompt(style: Style) -> SoundPrompt:
    """One of :func:`small_prompts`, which all styles have: it shows whether positions are whole numbers."""
    return next(_one_by_one(style))


@cache
def shortest_film(style: Style) -> SoundPrompt:
    """A prompt with one video with sound and one sound: few tokens in which most styles differ."""
    m = MERGES[0]
    items = [("film", 3, 2 * m, m, 1.0, 67), ("text", 1), ("audio", 107)]
    return prompt(style, 0, [items], True)


@cache
def small_prompts(style: Style) -> tuple[SoundPrompt, ...]:
    """Small prompts of all kinds of items, either side padded, with and without a mask and text between."""
    several = (found for variant in range(len(MERGES)) for found in _all_kinds(style, variant))
    return (*several, *_one_by_one(style))


def _all_kinds(style: Style, variant: int) -> Iterator[SoundPrompt]:
    """Prompts with several items."""
    m = MERGES[variant]
    image, wide = ("image", 1, 2 * m, 3 * m), ("image", 1, m, 5 * m)
    video, long = ("video", 3, 2 * m, m, 1.0), ("video", 4, m, m, 2.5)
    sound, other = ("audio", 41), ("audio", 107)
    film, silent = ("film", 3, 2 * m, m, 1.0, 67), ("film", 5, m, 2 * m, 1.5, 9)
    loud, still = ("film", 2, m, m, 0.5, 131), ("image", 2, m, 2 * m)
    plain = [("text", 3), image, ("text", 2), video, ("text", 1), sound]
    mixed = [other, wide, sound, ("text", 4), long, video, still, ("text", 2)]
    films = [("text", 2), film, ("text", 3), image, sound, silent]
    more = [loud, film, ("text", 1), other, ("text", 2), still]
    pads = [(0, 2), (3, 0)]
    yield prompt(style, variant, [films, more], True, pads)
    yield prompt(style, variant, [plain, mixed], False, pads)
    yield prompt(style, variant, [mixed, plain, [("text", 4)]], False, pads[::-1])
    yield prompt(style, variant, [more], True, None, leftover=True)
    yield prompt(style, variant, [plain], False, None, leftover=True)


def _one_by_one(style: Style) -> Iterator[SoundPrompt]:
    """Each kind of item at the beginning, and behind the first words."""
    m = MERGES[0]
    image, film = ("image", 1, m, m), ("film", 1, m, m, 1.0, 12)
    for items, with_sound in (
        ([image, ("video", 2, m, m, 1.0), ("audio", 12)], False),
        ([image, film, ("audio", 9)], True),
    ):
        for item in items:
            samples: list[list[Item]] = [[item, ("text", 1)], [("text", 2), item]]
            samples.append([("text", 7), image])
            yield prompt(style, 0, samples, with_sound)
    yield prompt(style, 0, [[image, ("text", 2)]], False, None)


@cache
def large_prompts(style: Style) -> tuple[SoundPrompt, ...]:
    """Random larger prompts: several items of every kind, up to some hundred tokens of text."""
    random = np.random.default_rng(20_240_318)
    found = []
    for variant, m in enumerate(MERGES):
        for with_sound in (True, False):
            samples = []
            for number in range(2):
                items: list[Item] = []
                for _ in range(4):
                    h, w = (int(side) * m for side in random.integers(1, 4, 2))
                    frames = (int(random.integers(1, 5)), h, w, random.integers(1, 9) / 4)
                    length = int(random.integers(8, 330))
                    kind = random.choice(["image", "video", "audio"])
                    if kind == "video" and with_sound:
                        items.append(("film", *frames, length))
                    else:
                        made = {"image": (1, h, w), "video": frames, "audio": (length,)}
                        items.append((kind, *made[kind]))
                    items.append(("text", int(random.integers(0, 20))))
                samples.append(items[number:])
            found.append(prompt(style, variant, samples, with_sound, [(0, 5), (11, 0)]))
    m = MERGES[0]
    sides: list[Item] = [("image", 1, m, 120 * m), ("text", 130)]
    sides += [("video", 30, m, m, 3.0), ("audio", 1_400)]
    return (*found, prompt(style, 0, [sides], False))


def prompts_around(style: Style, numbers: Collection[int], variant: int) -> Iterator[SoundPrompt]:
    """Prompts on both sides of numbers: as tokens, rows, columns, frames, seconds, lengths and items."""
    m = MERGES[variant]
    for number in relevant(numbers):
        for near in (number - 1, number, number + 1):
            items: list[Item] = [
                ("text", near),
                ("image", 1, near * m, m),
                ("image", 1, m, near * m),
            ]
            frames = near if number <= _MOST_ITEMS else 2
            items += [("video", frames, m, m, float(near)), ("audio", max(near, 8))]
            yield prompt(style, variant, [items], False)
        if number <= _MOST_ITEMS and not variant:  # scalars have no part in how many there are
            yield prompt(style, variant, [[("image", 1, m, m)]] * (number + 1), False)
            yield prompt(style, variant, [[("audio", 8), ("image", 1, m, m)] * (number + 1)], True)
