"""Tests of prompts and of generation, beside the common tests of the library.

Its own tests of generation are in no source distribution. These are not them, only what a rewritten
model could break: how inputs are prepared, repeated and dropped between the steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch

from codegen.verify.inputs import Inputs

BATCH = 2
NEW_TOKENS = 4
#: Token ids that stand for nothing special.
WORDS = range(20, 40)
#: Inputs with one value for every token.
BY_TOKEN = {"input_ids", "attention_mask", "mm_token_type_ids", "moe_mm_token_type_ids"}


class GenerationTests:
    """Prompts with images, videos and audios: generation, and refusal of those that do not fit."""

    model_tester: Any
    all_generative_model_classes: tuple[type, ...]

    def test_generate_with_and_without_cache(self) -> None:
        for model, inputs in self._models():
            with_cache, without = (_generate(model, inputs, use_cache=use) for use in (True, False))
            assert torch.equal(with_cache, without)

    def test_generate_with_beams(self) -> None:
        for model, inputs in self._models():
            one = _generate(model, inputs, num_beams=3)
            all_beams = _generate(model, inputs, num_beams=3, num_return_sequences=3)
            assert torch.equal(all_beams[::3], one)

    def test_generate_several_sequences(self) -> None:
        for model, inputs in self._models():
            found = _generate(model, inputs, do_sample=True, num_return_sequences=2)
            assert len(found) == 2 * BATCH

    def test_generate_with_static_cache(self) -> None:
        for model, inputs in self._models():
            dynamic = _generate(model, inputs)
            assert torch.equal(_generate(model, inputs, cache_implementation="static"), dynamic)

    def test_generate_with_prompt_lookup(self) -> None:
        for model, inputs in self._models():
            one = {name: value[: len(value) // BATCH] for name, value in inputs.items()}
            found = _generate(model, one, prompt_lookup_num_tokens=2)
            assert torch.equal(found, _generate(model, one))

    def test_generate_from_padded_prompts(self) -> None:
        for model, inputs in self._models():
            padded = {
                name: torch.nn.functional.pad(value, (3, 0)) if name in BY_TOKEN else value
                for name, value in inputs.items()
            }
            found = _generate(model, padded)[:, 3:]
            assert torch.equal(found, _generate(model, inputs))

    def test_images_without_placeholders_are_refused(self) -> None:
        for model, inputs in self._models():
            if "pixel_values" in inputs:
                words = inputs["input_ids"][:, :4].clamp(WORDS.start, WORDS.stop)
                given = {name: value for name, value in inputs.items() if name not in BY_TOKEN}
                try:
                    model(input_ids=words, **given)
                except ValueError:
                    continue
                raise AssertionError("rows of images went nowhere")

    def _models(self) -> Iterator[tuple[Any, Inputs]]:
        for cls in self.all_generative_model_classes:
            config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
            torch.manual_seed(0)
            yield cls(config).eval(), inputs


def _generate(model: Any, inputs: Inputs, **options: Any) -> torch.Tensor:
    torch.manual_seed(0)
    # No placeholder without data comes up; nor an end token, so all sequences get the same length.
    special = [token for token in inputs["input_ids"].unique().tolist() if token not in WORDS]
    fixed = {"suppress_tokens": special, "eos_token_id": special[0], "max_new_tokens": NEW_TOKENS}
    options = {"do_sample": False, **fixed, **options}
    found: torch.Tensor = model.generate(**copy.deepcopy(inputs), **options)
    return found
