"""Whole models, from token ids and pixels to logits, against transformers with the same weights."""

from typing import Any

import pytest
import torch

from tests.models.configurations import FULL_CASES, MIXED, SEVERAL, FullCase, Grid
from tests.models.prompts import full_inputs
from tests.models.support import (
    build_full_model,
    generated_module,
    load_into_reference,
    randomize,
    reference_module,
)
from utils import sound_positions

IMAGES: Grid = SEVERAL
VIDEOS: Grid = ((2, 4, 6), (4, 2, 4))
RUNS = [
    pytest.param(case, images, videos, id=f"{case.id}-{name}")
    for case in FULL_CASES
    for name, images, videos in (
        ("text", (), ()),
        ("images", IMAGES, ()),
        ("videos", (), VIDEOS),
        ("both", MIXED[:1], VIDEOS[:1]),
    )
    if not videos or case.video
    if not (images and videos) or case.video_id != case.config["image_token_id"]
]
IDS = [case.id for case in FULL_CASES]


def pair(case: FullCase, attention: str) -> tuple[Any, Any]:
    """The generated model and the reference with the same random weights."""
    model = build_full_model(case, generated_module(case.model), attention)
    reference = build_full_model(case, reference_module(case.model), attention)
    randomize(model)
    load_into_reference(reference, model.state_dict())
    return model, reference


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case, images, videos", RUNS)
def test_logits_equal_the_reference(
    case: FullCase, images: Grid, videos: Grid, attention: str
) -> None:
    model, reference = pair(case, attention)
    inputs = full_inputs(case, images, videos)
    with torch.no_grad():
        ours, theirs = model(**inputs), reference(**inputs)
    scale = max(1.0, theirs.logits.abs().max().item())
    assert (ours.logits - theirs.logits).abs().max().item() <= 1e-5 * scale


def as_rows(features: Any) -> torch.Tensor:
    """Features of all images in one tensor; releases split them by image or leave them as maps."""
    if isinstance(features, (list, tuple)):
        return torch.cat([as_rows(part) for part in features])
    return features.flatten(1).T if features.dim() == 3 else features


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_features_equal_the_reference(case: FullCase) -> None:
    model, reference = pair(case, "sdpa")
    inputs = full_inputs(case, IMAGES)
    arguments = {key: inputs[key] for key in ("pixel_values", "image_merge_sizes") if key in inputs}
    arguments["image_grid_thw"] = torch.tensor(IMAGES)
    with torch.no_grad():
        ours = model.get_image_features(**arguments).pooler_output
        theirs = reference.get_image_features(**arguments).pooler_output
    torch.testing.assert_close(as_rows(ours), as_rows(theirs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_wrong_number_of_placeholders_is_refused(case: FullCase) -> None:
    model = build_full_model(case, generated_module(case.model))
    inputs = full_inputs(case, IMAGES)
    inputs["input_ids"][inputs["input_ids"] == case.config["image_token_id"]] = 20
    with pytest.raises((ValueError, RuntimeError), match="placeholder"):
        model(**inputs)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_loss_reaches_vision_and_text(case: FullCase) -> None:
    model = build_full_model(case, generated_module(case.model))
    randomize(model)
    inputs = full_inputs(case, IMAGES)
    model(**inputs, labels=inputs["input_ids"]).loss.backward()
    encoder_names = ("visual", "vision_tower", "vision_model")
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert any("lm_head" in name or "embed_tokens" in name for name in reached)
    if case.model != "glm_image":
        assert any(part in name for name in reached for part in encoder_names)


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_greedy_generation_equals_the_reference(case: FullCase) -> None:
    model, reference = pair(case, "sdpa")
    inputs = full_inputs(case, IMAGES)
    settings = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    ours = model.generate(**inputs, **settings)
    theirs = reference.generate(**inputs, **settings)
    assert ours.shape[1] == inputs["input_ids"].shape[1] + 5
    assert torch.equal(ours, theirs)


#: Beams of one model are always searched, those of the others in the long runs.
BEAM_CASES = [
    pytest.param(case, id=case.id, marks=[pytest.mark.slow] * (case.model != "qwen2_vl"))
    for case in FULL_CASES
    if not case.audio and not case.targets_in_grid
]


@pytest.mark.parametrize("case", BEAM_CASES)
def test_beams_equal_the_reference_and_do_not_mix_prompts(case: FullCase) -> None:
    model, reference = pair(case, "sdpa")
    settings = {"max_new_tokens": 4, "do_sample": False, "num_beams": 3, "eos_token_id": None}
    settings["pad_token_id"] = 0
    prompts = [full_inputs(case, ((1, 4, 4), (1, 2, 4))), full_inputs(case, ((1, 2, 4), (1, 4, 4)))]
    prompts[1]["pixel_values"] = prompts[1]["pixel_values"].flip(0)
    alone = [model.generate(**inputs, **settings) for inputs in prompts]
    assert torch.equal(alone[0], reference.generate(**prompts[0], **settings))
    batch = {name: torch.cat([inputs[name] for inputs in prompts]) for name in prompts[0]}
    assert torch.equal(model.generate(**batch, **settings), torch.cat(alone))


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_padded_prompts_equal_the_reference(case: FullCase) -> None:
    model, reference = pair(case, "sdpa")
    inputs = full_inputs(case, IMAGES)
    for name in ("input_ids", "attention_mask", "mm_token_type_ids", "moe_mm_token_type_ids"):
        if name in inputs:
            inputs[name] = torch.nn.functional.pad(inputs[name], (3, 0))
    with torch.no_grad():
        ours, theirs = model(**inputs).logits[:, 3:], reference(**inputs).logits[:, 3:]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


AUDIO_FULL_CASES = [case for case in FULL_CASES if case.audio]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", AUDIO_FULL_CASES, ids=[case.id for case in AUDIO_FULL_CASES])
def test_logits_with_audio_equal_the_reference(case: FullCase, attention: str) -> None:
    model, reference = pair(case, attention)
    inputs = full_inputs(case, IMAGES, audio_frames=100)
    with torch.no_grad():
        ours, theirs = model(**inputs), reference(**inputs)
    scale = max(1.0, theirs.logits.abs().max().item())
    assert (ours.logits - theirs.logits).abs().max().item() <= 1e-5 * scale


@pytest.mark.parametrize("few", [0, sound_positions.FEW_TOKENS], ids=["tensors", "tokens"])
@pytest.mark.parametrize("case", AUDIO_FULL_CASES, ids=[case.id for case in AUDIO_FULL_CASES])
def test_positions_of_a_video_with_sound_equal_the_reference(
    case: FullCase, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens of the sound, 60 of them, stand between those of four frames of one token each."""
    monkeypatch.setattr(sound_positions, "FEW_TOKENS", few)
    model, reference = pair(case, "sdpa")
    config = case.config
    video, sound = config["video_token_id"], config["audio_token_id"]
    if "seconds_per_chunk" in config:
        mixed = [video] * 2 + [sound] * 50 + [video] * 2 + [sound] * 10
    else:
        step = config["position_id_per_seconds"]
        times = sorted([(step * k, 0) for k in range(4)] + [(k, 1) for k in range(60)])
        mixed = [(video, sound)[kind] for _, kind in times]
    opening = [config["vision_start_token_id"], config["audio_start_token_id"]]
    closing = [config["audio_end_token_id"], config["vision_end_token_id"]]
    tokens = torch.tensor([[20, 21, *opening, *mixed, *closing, 22, 23]])
    grid, seconds = torch.tensor([[4, 2, 2]]), torch.tensor([1.0])
    frames = 240 if "seconds_per_chunk" in config else 461
    ours, deltas = model.get_rope_index(
        tokens,
        video_grid_thw=grid,
        attention_mask=torch.ones_like(tokens),
        use_audio_in_video=True,
        video_second_per_grid=seconds,
    )
    # Later releases have a model of their own between the head and its parts.
    holder = reference if hasattr(reference, "get_rope_index") else reference.model
    theirs, their_deltas = holder.get_rope_index(
        tokens, None, grid, torch.ones_like(tokens), True, torch.tensor([frames]), seconds
    )
    assert torch.equal(ours.float(), theirs.float())
    assert torch.equal(deltas.float(), their_deltas.float())
