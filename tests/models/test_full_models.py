"""Whole models, from token ids and pixels to logits, against transformers with the same weights."""

from typing import Any

import pytest
import torch

from tests.models.configurations import FULL_CASES, MIXED, SEVERAL, FullCase, Grid
from tests.models.prompts import full_inputs
from tests.models.support import build_full_model, generated_module, randomize, reference_module

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
    reference.load_state_dict(model.state_dict(), strict=True)
    return model, reference


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case, images, videos", RUNS)
def test_logits_equal_the_reference(case: FullCase, images: Grid, videos: Grid, attention: str) -> None:
    model, reference = pair(case, attention)
    inputs = full_inputs(case, images, videos)
    with torch.no_grad():
        ours, theirs = model(**inputs), reference(**inputs)
    scale = max(1.0, theirs.logits.abs().max().item())
    assert (ours.logits - theirs.logits).abs().max().item() <= 1e-5 * scale


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_features_equal_the_reference(case: FullCase) -> None:
    model, reference = pair(case, "sdpa")
    inputs = full_inputs(case, IMAGES)
    arguments = {key: inputs[key] for key in ("pixel_values", "image_merge_sizes") if key in inputs}
    arguments["image_grid_thw"] = torch.tensor(IMAGES)
    with torch.no_grad():
        ours = model.get_image_features(**arguments).pooler_output
        theirs = reference.get_image_features(**arguments).pooler_output
    ours, theirs = (value if isinstance(value, (list, tuple)) else [value] for value in (ours, theirs))
    assert [part.shape for part in ours] == [part.shape for part in theirs]
    for left, right in zip(ours, theirs):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


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
