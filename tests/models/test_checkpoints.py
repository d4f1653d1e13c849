"""Checkpoints as they are published: what transformers writes, generated models read, and the other way."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.configurations import FULL_CASES, SEVERAL, VISION_CASES, FullCase, VisionCase
from tests.models.prompts import full_inputs
from tests.models.support import (
    build_encoder,
    build_full_model,
    generated_module,
    randomize,
    reference_module,
    tensors_of,
    vision_inputs,
)

IDS = [case.id for case in FULL_CASES]


def load(model_class: Any, folder: Path) -> torch.nn.Module:
    """A model from a folder; no weight may be missing, left over or of another shape."""
    model, notes = model_class.from_pretrained(
        folder, attn_implementation="sdpa", output_loading_info=True
    )
    assert not any(notes.values())
    return model.eval()


@pytest.mark.parametrize("case", FULL_CASES, ids=IDS)
def test_checkpoints_go_both_ways(case: FullCase, tmp_path: Path) -> None:
    reference = build_full_model(case, reference_module(case.model))
    randomize(reference)
    reference.save_pretrained(tmp_path / "theirs")
    model = load(getattr(generated_module(case.model), case.model_class), tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours")
    returned = load(type(reference), tmp_path / "ours")
    inputs = full_inputs(case, SEVERAL)
    with torch.no_grad():
        expected = reference(**inputs).logits
        torch.testing.assert_close(model(**inputs).logits, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(returned(**inputs).logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", VISION_CASES, ids=[case.id for case in VISION_CASES])
def test_gradient_checkpointing_changes_no_gradient(case: VisionCase) -> None:
    inputs = vision_inputs(case, case.grids[2])
    gradients = []
    for checkpointing in (False, True):
        encoder = build_encoder(case).train()
        if checkpointing:
            encoder.gradient_checkpointing_enable()
        sum(tensor.pow(2).mean() for tensor in tensors_of(encoder(**inputs))).backward()
        gradients.append({n: p.grad for n, p in encoder.named_parameters() if p.grad is not None})
    plain, recomputed = gradients
    assert plain.keys() == recomputed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(gradient, recomputed[name], rtol=1e-5, atol=1e-6)
