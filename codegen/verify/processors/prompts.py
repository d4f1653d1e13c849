"""Prompts for processors: texts with placeholders, and the items that stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

IMAGES = ((64, 48), (96, 96), (60, 120), (200, 70), (30, 31))
"""Widths and heights."""
CLIPS = (4, 6, 4)
SAMPLES = (8000, 17600, 36800)
ODD = ("", "a ", "\n", "é ", "\\g<0> ", "{} ", "<placeholde", " |> ", "b\n\n")
KEYWORDS = {"image": "images", "video": "videos", "audio": "audio"}


@dataclass(frozen=True)
class Prompt:
    """Texts as pieces: strings, and (modality, number of the item); how items are given, and how many more or fewer."""

    texts: tuple[tuple[Any, ...], ...]
    nested: bool
    surplus: int
    plain: bool

    def items(self, modality: str) -> list[list[int]]:
        """The numbers of the items in each text."""
        found = [
            [p[1] for p in text if isinstance(p, tuple) and p[0] == modality] for text in self.texts
        ]
        if self.surplus and any(found):
            last = next(inner for inner in reversed(found) if inner)
            if self.surplus > 0:
                last.append(0)
            else:
                last.pop()
        return found

    def written(self, placeholders: Mapping[str, str | None]) -> list[str]:
        """The texts."""
        return [
            "".join(placeholders[p[0]] or "" if isinstance(p, tuple) else p for p in text)
            for text in self.texts
        ]


def singles(modality: str, nested: bool = False) -> Iterator[Prompt]:
    """One prompt for every item that prompts use."""
    numbers = {"image": len(IMAGES), "video": len(CLIPS), "audio": len(SAMPLES)}[modality]
    for number in range(numbers):
        yield Prompt((("a ", (modality, number), " b"),), nested, 0, False)


def generated(
    modalities: Sequence[str],
    number: int,
    seed: int,
    nested: bool | None = None,
    most: int = 3,
    equal: bool = False,
) -> Iterator[Prompt]:
    """Prompts by chance: counts, orders, nesting, batches, odd strings, and a few that do not fit.

    Args:
        modalities: of the items.
        number: of prompts.
        seed: the same prompts for the same one.
        nested: how items are given; None for either way.
        most: how many items a text can have.
        equal: whether all texts of a batch have the same number.
    """
    random = Random(f"{seed} {' '.join(modalities)}")
    counts = tuple(count for count in (0, 1, 1, 2, 3) if count <= most)
    for index in range(number):
        given = [m for m in modalities if random.random() < 0.7] or [
            random.choice(list(modalities))
        ]
        same = random.choice(counts)
        texts = [
            tuple(_pieces(random, given, same if equal else random.choice(counts)))
            for _ in range(random.choice((1, 1, 2, 3)))
        ]
        surplus = {5: -1, 11: 1}.get(index % 12, 0)
        plain = len(texts) == 1 and random.random() < 0.3
        by_text = random.random() < 0.4 if nested is None else nested
        yield Prompt(tuple(texts), by_text, surplus, plain)


def _pieces(random: Random, modalities: Sequence[str], count: int) -> Iterator[Any]:
    yield random.choice(ODD)
    for _ in range(count):
        modality = random.choice(modalities)
        most = {"image": len(IMAGES), "video": len(CLIPS), "audio": len(SAMPLES)}[modality]
        yield modality, random.randrange(most)
        yield random.choice(ODD)
    yield "end"
