"""Positions of prompts with sounds by grids in patches: against transformers' methods, and inside a graph."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.rewrite.probe.probes import MERGES
from codegen.rewrite.probe.sound_prompts import (
    CHUNKS,
    PER_SECOND,
    SECONDS_OF_CHUNK,
    TIMES,
    TOKENS,
    SoundPrompt,
    Style,
    prompt,
)
from utils import sound_positions, sound_prompts
from utils.sound_prompts import get_sound_prompt_positions

FIELDS = {f"{role}_token_id": token for role, token in TOKENS.items()}
FAMILIES: dict[str, tuple[Style, dict[str, Any]]] = {
    "qwen2_5_omni": (
        Style(CHUNKS, "quarter", True),
        {"padding_position": 1, "delimiters_share_position": True, "dtype": torch.int64},
    ),
    "qwen3_omni_moe": (Style(TIMES, "eighth in hundreds", False), {"dtype": torch.float32}),
}
CLASSES = {
    "qwen2_5_omni": "Qwen2_5OmniPreTrainedModelForConditionalGeneration",
    "qwen3_omni_moe": "Qwen3OmniMoePreTrainedModelForConditionalGeneration",
}
SIDES = st.integers(1, 3)


@st.composite
def prompts(draw: st.DrawFn, style: Style) -> SoundPrompt:
    """Prompts of text, images, sounds, and videos either all with sound or all without."""
    variant, with_sound = draw(st.integers(0, 1)), draw(st.booleans())
    merge = MERGES[variant]
    samples = []
    for _ in range(draw(st.integers(1, 3))):
        items: list[tuple[Any, ...]] = []
        for kind in draw(st.lists(st.sampled_from("tivas"), max_size=5)):
            sides = draw(SIDES) * merge, draw(SIDES) * merge
            # Frames that are further apart than a stretch of time are in an order of their own.
            video = (draw(SIDES), *sides, draw(st.sampled_from([0.25, 1.0, 1.7, 2.0, 1 / 3])))
            length = draw(st.integers(8, 250))
            if kind == "t":
                items.append(("text", draw(st.integers(1, 5))))
            elif kind == "i":
                items.append(("image", draw(st.integers(1, 2)), *sides))
            elif kind == "v":
                items.append(("film", *video, length) if with_sound else ("video", *video))
            else:
                items.append(("audio", length))
        samples.append(items or [("text", 2)])
    # What the methods are about: without any grid they take another way.
    samples[0].append(("image", 1, merge, merge))
    pads = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in samples]
    return prompt(style, variant, samples, with_sound, pads)


def tensors(made: SoundPrompt) -> dict[str, Any]:
    """What a method is given for a prompt."""
    arrays = {
        "image_grid_thw": made.images,
        "video_grid_thw": made.videos,
        "attention_mask": made.mask,
        "seconds": made.seconds,
        "lengths": made.lengths,
    }
    found = {name: None if a is None else torch.tensor(a) for name, a in arrays.items()}
    if found["seconds"] is not None:
        found["seconds"] = found["seconds"].float()
    return {"input_ids": torch.tensor(made.ids), **found}


def ours(made: SoundPrompt, options: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the helper gives."""
    given_ = tensors(made)
    given_.pop("lengths")
    fields = {name.removesuffix("_id"): token for name, token in FIELDS.items()}
    return get_sound_prompt_positions(
        **given_,
        spatial_merge_size=MERGES[made.variant],
        positions_per_second=PER_SECOND[made.variant],
        **fields,
        **options,
    )


def theirs(model: str, made: SoundPrompt) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers gives."""
    module = __import__(f"transformers.models.{model}.modeling_{model}", fromlist=[""])
    cls = getattr(module, CLASSES[model])
    config = SimpleNamespace(
        **FIELDS,
        position_id_per_seconds=PER_SECOND[made.variant],
        seconds_per_chunk=SECONDS_OF_CHUNK,
    )
    # The methods ask nothing of the module but these fields.
    this = SimpleNamespace(spatial_merge_size=MERGES[made.variant], config=config)
    for name in ("get_llm_pos_ids_for_vision", "get_chunked_index"):
        if hasattr(cls, name):
            setattr(this, name, getattr(cls, name).__get__(this))
    given_ = tensors(made)
    found: tuple[torch.Tensor, torch.Tensor] = cls.get_rope_index(
        this,
        given_["input_ids"],
        given_["image_grid_thw"],
        given_["video_grid_thw"],
        given_["attention_mask"],
        made.with_sound,
        given_["lengths"],
        given_["seconds"],
    )
    return found


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("traced", [True, False])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_positions_are_those_of_transformers(model: str, traced: bool, data: Any) -> None:
    style, options = FAMILIES[model]
    made = data.draw(prompts(style))
    expected = theirs(model, made)
    with pytest.MonkeyPatch.context() as patch:
        if traced:
            patch.setattr(sound_positions, "is_tracing", lambda: True)
        found = ours(made, options)
    for left, right in zip(found, expected):
        assert left.dtype == right.dtype and left.shape == right.shape
        # In a graph fractions are summed up at once: off by what rounding each sum is worth.
        rounding = 1e-5 if traced and left.is_floating_point() else 0
        torch.testing.assert_close(left, right, rtol=0, atol=rounding)


def test_what_follows_a_fraction_is_rounded_run_by_run() -> None:
    style, options = FAMILIES["qwen3_omni_moe"]
    short = [("video", 1, 2, 2, 0.25), ("video", 1, 2, 2, 0.25), ("video", 2, 2, 2, 1.0)]
    items = [*short, ("video", 3, 6, 6, 1 / 3), ("audio", 125), ("image", 1, 2, 2)]
    made = prompt(style, 0, [items, [("text", 2)], [("text", 2)]], False, [(2, 2)])
    assert made.ids.size > sound_positions.FEW_TOKENS
    assert all(map(torch.equal, ours(made, options), theirs("qwen3_omni_moe", made)))


def test_one_graph_counts_prompts_of_all_sizes() -> None:
    style, options = FAMILIES["qwen2_5_omni"]
    image, film = ("image", 1, 4, 6), ("film", 3, 4, 2, 1.0, 67)
    items = [("text", 3), image, ("audio", 41), film, ("text", 2)]
    compiled = torch.compile(
        lambda **g: sound_prompts.get_sound_prompt_positions(**g), fullgraph=True, backend="eager"
    )
    fields = {name.removesuffix("_id"): token for name, token in FIELDS.items()}
    for samples in ([items], [items, [*items[1:], film]]):
        made = prompt(style, 0, samples, True, [(0, 2), (1, 0)])
        given_ = tensors(made)
        given_.pop("lengths")
        found = compiled(
            **given_, spatial_merge_size=2, positions_per_second=4, **fields, **options
        )
        assert all(map(torch.equal, found, theirs("qwen2_5_omni", made)))


def test_videos_without_seconds_are_refused() -> None:
    style, options = FAMILIES["qwen2_5_omni"]
    made = prompt(style, 0, [[("video", 2, 2, 2, 1.0)]], False)
    with pytest.raises(ValueError, match="seconds between their frames"):
        given_ = tensors(made) | {"seconds": None}
        given_.pop("lengths")
        get_sound_prompt_positions(
            **given_,
            spatial_merge_size=2,
            positions_per_second=4,
            **{name.removesuffix("_id"): token for name, token in FIELDS.items()},
            **options,
        )
