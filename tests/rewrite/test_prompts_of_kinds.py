"""Prompts with sounds, and with source images and targets, that methods are run on, and where their tokens should be.

A prompt that changes is a decision about evidence, to be seen in ``golden/prompts_of_kinds.txt`` and reviewed there: a
line says what a prompt is given, the lines below it which tokens follow each other, from which to which position
of each axis. Record anew with ``pytest tests/rewrite/test_prompts_of_kinds.py --update-golden``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from codegen.rewrite.probe import sound_prompts, source_prompts
from codegen.rewrite.probe.sound_prompts import STYLES, SoundPrompt
from codegen.rewrite.probe.source_prompts import SourcePrompt
from tests.rewrite.small_edits import GOLDEN

TABLE = GOLDEN / "prompts_of_kinds.txt"
AROUND = (3, 5, 24, 25)
SOUNDS = {number: name for name, number in sound_prompts.TOKENS.items()} | {
    156: "vision_end",
    157: "audio_end",
    1: "pad",
}
SOURCES = {151: "image", 161: "start", 162: "end"}


def listed(array: np.ndarray | None) -> str:
    return "none" if array is None else str(array.tolist()).replace(" ", "")


def place(column: np.ndarray) -> str:
    return "/".join(f"{value:g}" for value in column)


def stretches(ids: np.ndarray, where: np.ndarray, kept: Any, names: dict[int, str]) -> str:
    """Which tokens of a prompt follow each other, and their first and last positions."""
    said = []
    kinds = [names.get(int(i), "text") if k else "masked" for i, k in zip(ids, kept)]
    for kind, several in groupby(enumerate(kinds), key=lambda pair: pair[1]):
        at = [n for n, _ in several]
        first, last = place(where[:, at[0]]), place(where[:, at[-1]])
        said.append(f"{len(at)} {kind} {first}" + (f" to {last}" if last != first else ""))
    return ", ".join(said)


def of_sounds(prompt: SoundPrompt) -> Iterator[str]:
    given = ", ".join(
        f"{name} {listed(getattr(prompt, name))}"
        for name in ("images", "videos", "seconds", "lengths")
    )
    yield f"fields {prompt.variant}, sound of videos {prompt.with_sound}: {given}; {prompt}"
    positions, ahead = prompt.expected(True, 1)
    apart, _ = prompt.expected(False, 1)
    for number, ids in enumerate(prompt.ids):
        kept = np.ones(len(ids)) if prompt.mask is None else prompt.mask[number]
        moved = int((apart[:, number] != positions[:, number]).sum())
        yield (
            f"  {stretches(ids, positions[:, number], kept, SOUNDS)}; ahead {ahead[number, 0]:g}, "
            f"{moved} moved where ends stand apart"
        )


def of_sources(prompt: SourcePrompt) -> Iterator[str]:
    masked = "without a mask" if prompt.mask is None else f"a mask of {prompt.mask.shape[1]}"
    known = "" if prompt.known > 99 else f", {prompt.known} known"
    sizes = f"grid {listed(prompt.grid)}, numbers {listed(prompt.sizes)}"
    yield f"{sizes}, {masked}{known}; {prompt}"
    positions = prompt.positions(1)
    for number, ids in enumerate(prompt.ids):
        kept = prompt.kept[number]
        yield f"  {stretches(ids, positions[:, number], kept, SOURCES)}"
    targets = prompt.targets()
    for target in targets if targets is not None else ():
        yield f"  targets {', '.join(map(place, target.T[:12]))} of {target.shape[1]}"


def table() -> Iterator[str]:
    yield "# small prompts with sounds"
    for prompt in sound_prompts.small_prompts(STYLES[0]):
        yield from of_sounds(prompt)
    for style in STYLES[1:]:
        yield f"# a prompt of {style.order}, {style.law}{', whole' * style.whole}"
        for variant in (0, 1):
            yield from of_sounds(sound_prompts.first_prompt(style, variant))
    yield "# larger prompts with sounds"
    for prompt in sound_prompts.large_prompts(STYLES[-1]):
        yield from of_sounds(prompt)
    yield f"# prompts with sounds around {AROUND}"
    for prompt in sound_prompts.prompts_around(STYLES[2], AROUND, 1):
        yield from of_sounds(prompt)
    for name, prompts in {
        "small": source_prompts.small_prompts(),
        "larger": source_prompts.large_prompts(),
        f"around {AROUND}": source_prompts.prompts_around(AROUND),
    }.items():
        yield f"# {name} prompts with sources"
        for source in prompts:
            yield from of_sources(source)


def test_prompts_are_as_recorded(request: pytest.FixtureRequest) -> None:
    text = "\n".join(line[:600] for line in table()) + "\n"
    if request.config.getoption("--update-golden"):
        TABLE.write_text(text, encoding="utf-8")
    assert text == TABLE.read_text(encoding="utf-8"), "record anew with --update-golden"


def test_styles_give_prompts_of_their_own() -> None:
    """A method that is right for one style is not for another: else it would count as either."""
    given = {}
    for style in STYLES:
        made = (*sound_prompts.small_prompts(style), *sound_prompts.large_prompts(style))
        given[style] = b"".join(prompt.expected(True, 1)[0].tobytes() for prompt in made)
    assert len({*given.values()}) == len(STYLES)
