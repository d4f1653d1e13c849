"""Which fields a method that counts positions reads: told by the values that they have on two kinds of prompts."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codegen.rewrite.probe.prompts import APART, MERGED, TOGETHER, small_prompts
from codegen.rewrite.probe.sound_prompts import STYLES, SoundPrompt, first_prompt
from codegen.rewrite.probe.sound_prompts import small_prompts as small_sounds
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise import positions, sounds
from codegen.rewrite.recognise.effects import Objection

Scalars = dict[str, tuple[int, int]]
STYLE = STYLES[0]
TOKENS: Scalars = {
    "c.image_token_id": (151, 151),
    "c.video_token_id": (152, 152),
    "c.audio_token_id": (153, 153),
    "c.vision_start_token_id": (154, 154),
    "c.audio_start_token_id": (155, 155),
}
MERGE, SPEED = ("c.spatial_merge_size", (2, 3)), ("c.position_id_per_seconds", (4, 6))
FUNCTION: Any = ast.parse("def f(self, ids): return 1, 2").body[0]


def without(name: str) -> Scalars:
    return {key: value for key, value in TOKENS.items() if name not in key}


def of_sounds(scalars: Scalars, hidden: str = "") -> str:
    """What the fields are taken for; ``hidden`` is read on one kind of prompts only."""

    def run(prompt: SoundPrompt) -> Any:
        read = {text: value[prompt.variant] for text, value in scalars.items()}
        if prompt.variant:
            read.pop(hidden, None)
        return SimpleNamespace(scalars=read)

    branch = SimpleNamespace(statements=(FUNCTION,))
    this: Any = SimpleNamespace(
        _run=run, function=FUNCTION, roles=None, dtype="long", branch=branch
    )
    found = sounds.Trial._arguments(this, STYLE, True, 1)
    if isinstance(found, Objection):
        return found.reason
    assert (found.shared, found.padding, found.dtype, found.anchor) == (True, 1, "long", FUNCTION)
    assert dict(found.tokens) == {
        key.removeprefix("c.").removesuffix("_token_id"): key for key in TOKENS
    }
    return f"{found.merge}, {found.per_second}"


FIELD = "not one field that it reads is the {}"
BLOCK, SECOND = FIELD.format("size of a merge block"), FIELD.format("positions in a second")


@pytest.mark.parametrize(
    ("scalars", "hidden", "expected"),
    [
        (dict([MERGE, SPEED]), "", "c.spatial_merge_size, c.position_id_per_seconds"),
        (dict([SPEED]), "", BLOCK),
        (dict([MERGE, SPEED, ("c.other", (2, 3))]), "", BLOCK),
        (dict([SPEED, ("c.other", (2, 2))]), "", BLOCK),
        (dict([SPEED, ("c.other", (3, 2))]), "", BLOCK),
        (dict([MERGE]), "", SECOND),
        (dict([MERGE, SPEED, ("c.other", (4, 6))]), "", SECOND),
        (dict([MERGE, ("c.other", (4, 4))]), "", SECOND),
        (dict([MERGE, SPEED]), "c.spatial_merge_size", BLOCK),
        (dict([MERGE, SPEED]), "c.position_id_per_seconds", SECOND),
        ({}, "", BLOCK),
    ],
)
def test_fields_of_prompts_with_sounds(scalars: Scalars, hidden: str, expected: str) -> None:
    assert of_sounds({**scalars, **TOKENS}, hidden) == expected


@pytest.mark.parametrize("token", [key.removeprefix("c.") for key in TOKENS])
def test_every_token_has_to_be_read(token: str) -> None:
    found = of_sounds({**dict([MERGE, SPEED]), **without(token)})
    assert found == f"it reads no id of a token for {token.removesuffix('_token_id')}"


def test_all_tokens_that_are_not_read_are_named() -> None:
    found = of_sounds({**dict([MERGE, SPEED]), **without("audio")})
    assert found == "it reads no id of a token for audio, audio_start"


def result(prompt: SoundPrompt, shared: bool, padding: int, kind: type, more: int = 0) -> Any:
    where, ahead = prompt.expected(shared, padding)
    return SimpleNamespace(
        result=(Arr(where.astype(kind) + more), Arr(ahead.astype(kind))), refused="", reasons={}
    )


@pytest.mark.parametrize("style", [STYLES[0], STYLES[1]], ids=["whole", "with fractions"])
def test_whole_numbers_where_positions_should_be(style: Any) -> None:
    prompt = first_prompt(style)
    right, other = (np.int64, float) if style.whole else (float, np.int64)
    assert sounds._agrees(prompt, result(prompt, True, 1, right), True, 1)
    assert not sounds._agrees(prompt, result(prompt, True, 1, other), True, 1)
    assert not sounds._agrees(prompt, result(prompt, True, 1, right, 1), True, 1)
    assert not sounds._agrees(prompt, result(prompt, True, 1, right), True, 0)
    assert not sounds._agrees(prompt, result(prompt, True, 1, right), False, 1)
    nothing: Any = SimpleNamespace(result=None)
    assert not sounds._agrees(prompt, nothing, True, 1)
    assert any(p.variant for p in small_sounds(style))


def of_images(layout: str, scalars: Scalars, few: bool = False) -> str:
    """The same of prompts with images and videos; ``few`` where one kind of prompts fits only."""
    known = [p for p in small_prompts(layout) if not few or not p.variant]

    def run(prompt: Any) -> Any:
        return SimpleNamespace(scalars={t: v[prompt.variant] for t, v in scalars.items()})

    this: Any = SimpleNamespace(
        _prompts=lambda _: known, _run=run, function=FUNCTION, roles=SimpleNamespace(types="", others=()),
        runs=SimpleNamespace(traces=()),
    )  # fmt: skip
    found = positions.Trial._arguments(this, layout)
    assert isinstance(found, Objection)
    return found.reason


TEMPORAL = ("c.temporal_patch_size", (2, 2))
NO_FIELD = "no field that it reads is the size of {}"


@pytest.mark.parametrize(
    ("layout", "scalars", "expected"),
    [
        (TOGETHER, {}, NO_FIELD.format("a merge block")),
        (MERGED, {}, NO_FIELD.format("a merge block")),
        (MERGED, dict([MERGE]), NO_FIELD.format("the frames of a token")),
        (MERGED, dict([TEMPORAL]), NO_FIELD.format("a merge block")),
        (MERGED, dict([MERGE, ("c.other", (2, 4))]), NO_FIELD.format("the frames of a token")),
        (TOGETHER, dict([MERGE, ("c.other", (2, 3))]), "several fields have one value: c.spatial_merge_size, c.other"),
        (APART, dict([MERGE, ("c.other", (2, 3))]), "several fields have one value: c.spatial_merge_size, c.other"),
        (MERGED, dict([MERGE, TEMPORAL, ("c.other", (2, 2))]), "several fields have one value: c.temporal_patch_size, c.other"),
    ],
)  # fmt: skip
def test_fields_of_prompts_with_images(layout: str, scalars: Scalars, expected: str) -> None:
    assert of_images(layout, scalars) == expected
    few = of_images(layout, scalars, few=True)
    assert few == "its parameters hold too few kinds of prompts"
