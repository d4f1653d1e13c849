"""What single processors do besides: sound in videos, frames with times, prompts of unequal length, targets."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torchvision")

from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import (
    differences,
    given,
    items,
    library_processor,
    our_processor,
    parts,
    written,
)

BY_MODEL = {case.model: case for case in CASES}
OMNI = ("qwen2_5_omni", "qwen3_omni_moe")
QWEN3 = BY_MODEL["qwen3_vl"]
#: Prompts whose videos take the next sound, and the sounds in that order.
SOUNDS: dict[str, Any] = {
    "one": ([["a ", ("video", 0), " b"]], [2]),
    "two": ([[("video", 0), ("video", 1)]], [2, 1]),
    "then a sound": ([[("video", 0), " and ", ("audio", 0)]], [2, 0]),
    "behind a sound": ([[("audio", 0), ("image", 1), " and ", ("video", 2)]], [0, 2]),
    "batch": ([["x ", ("video", 1)], [("audio", 1), ("video", 0), "!"]], [1, 0, 2]),
}


def sounding(case: ProcessorCase, name: str) -> dict[str, Any]:
    """A call in which videos have sound."""
    prompts, sounds = SOUNDS[name]
    call = given(case, prompts) | {"audio": [items("audio")[n] for n in sounds]}
    call["videos_kwargs"] = {**call["videos_kwargs"], "use_audio_in_video": True}
    return {**call, "padding": True, "return_tensors": "pt"}


def check(case: ProcessorCase, call: dict[str, Any]) -> None:
    expected = library_processor(case)(**copy.deepcopy(call))
    assert not list(differences(dict(our_processor(case)(**call)), dict(expected)))


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("model", OMNI)
def test_sound_in_videos(model: str, name: str) -> None:
    check(BY_MODEL[model], sounding(BY_MODEL[model], name))


@pytest.mark.parametrize("model", OMNI)
def test_a_video_without_its_sound_is_refused(model: str) -> None:
    case = BY_MODEL[model]
    call = sounding(case, "one")
    for wrong in ({"audio": None}, {"text": ["a <|VIDEO|> b"]}, {"audio": call["audio"] * 2}):
        with pytest.raises(ValueError, match="each of them takes one"):
            our_processor(case)(**{**call, **wrong})


@pytest.mark.parametrize("make", [our_processor, library_processor])
def test_sounds_depend_on_what_they_are_padded_with(make: Any) -> None:
    """Why samples of qwen3_omni_moe can be merged only with padding of one length: in the library, too."""
    case = BY_MODEL["qwen3_omni_moe"]
    for padding, equal in ((True, False), ("max_length", True)):
        audio_kwargs = {"padding": padding}
        alone, both = (
            make(case)(**given(case, prompts), audio_kwargs=dict(audio_kwargs))
            for prompts in ([[("audio", 0)]], [[("audio", 0), ("audio", 2)]])
        )
        kept = alone["feature_attention_mask"][0].sum()
        frames = (batch["input_features"][0][:, :kept] for batch in (alone, both))
        assert np.array_equal(*frames) == equal


META = [
    {"fps": 2.0, "total_num_frames": 4, "duration": 2.0, "frames_indices": [0, 1, 2, 3]},
    {"fps": 4.0, "total_num_frames": 6, "duration": 1.5, "frames_indices": [0, 1, 2, 3, 4, 5]},
]


@pytest.mark.parametrize("case", [case for case in CASES if case.video], ids=lambda case: case.id)
def test_times_of_frames(case: ProcessorCase) -> None:
    call = given(case, [["a ", ("video", 0), ("video", 1)]])
    call.get("videos_kwargs", call)["video_metadata"] = META
    check(case, call)


def test_videos_with_and_without_their_tokens_around_in_one_prompt() -> None:
    wrapped = QWEN3.wrapped["video"]
    for order in ((wrapped, "<|video_pad|>"), ("<|video_pad|>", wrapped)):
        call = given(QWEN3, [[("video", 0), ("video", 2)]]) | {"text": [" and ".join(order)]}
        ids = our_processor(QWEN3)(**call, return_text_replacement_offsets=True)
        text = parts(QWEN3)["tokenizer"].decode(ids["input_ids"][0])
        alone = [
            our_processor(QWEN3)(**given(QWEN3, [[("video", number)]]))["input_ids"][0]
            for number in (0, 2)
        ]
        assert text == " and ".join(map(parts(QWEN3)["tokenizer"].decode, alone))
        found = ids["text_replacement_offsets"][0]
        assert [(offset["type"], offset["text"]) for offset in found] == [
            ("video", placeholder) for placeholder in order
        ]


def test_types_of_tokens_need_no_padding() -> None:
    case = BY_MODEL["ernie4_5_vl_moe"]
    prompts = [["a ", ("image", 0)], ["longer ", ("image", 1)]]
    call = {key: value for key, value in given(case, prompts).items() if key != "padding"}
    batch = our_processor(case)(**call)
    for number, prompt in enumerate(prompts):
        alone = library_processor(case)(**given(case, [prompt]))
        for name in ("input_ids", "mm_token_type_ids", "moe_mm_token_type_ids"):
            assert batch[name][number] == alone[name][0]


def test_an_image_from_text_alone() -> None:
    case = BY_MODEL["glm_image"]
    for texts in (["a cat"], ["a cat", "a longer dog"]):
        check(case, {"text": texts, **case.options, "target_h": 640, "target_w": 320})
    text = {"text": written(case, [["x ", ("image", 0)]]), **case.options}
    # The library counts the placeholder as a source that nobody gave.
    assert our_processor(case)(**text)["images_per_sample"].tolist() == [2]
    images = {"images": [items("image")[0]], **case.options}
    check(case, images)
