"""Small models for the library's own common model tests.

The source distributions of transformers carry the tests that all models share, but neither the tests
of single models nor those of generation. The classes here give the common tests the tiny models and
prompts that ``codegen verify`` uses, and a few tests of generation. Imported where ``tests`` is the
library's test package (see :mod:`benchmarks.model_tests`).
"""

from __future__ import annotations

import copy
import importlib
import inspect
import unittest
import unittest.mock
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.model_generation import BATCH, BY_TOKEN, WORDS, GenerationTests
from codegen.verify.cases import Case, load_cases
from codegen.verify.inputs import Inputs, config_class, find_class, grid_inputs, image_inputs
from codegen.verify.original import add_required
from codegen.verify.torchvision_operators import declare_torchvision_operators
from codegen.verify.whole_prompts import GRIDS, whole_inputs
from codegen.verify.wholes import Whole, load_wholes, whole_class, whole_config

#: The library's own tests import its processors.
declare_torchvision_operators()

PACKAGE = "transformers"
#: Whole models beside those that ``verify`` checks, in the shape of its file.
EXTRA = Path(__file__).with_name("model_suite.json")
GRID = [[1, 4, 4], [1, 6, 4]]


class Tester:
    """What the common tests ask of a model: a configuration, a batch of inputs and their sizes."""

    batch_size = BATCH
    num_hidden_layers = 2
    num_attention_heads = 2

    def __init__(
        self, config: Callable[[], Any], inputs: Callable[[], Inputs], facts: Mapping[str, Any]
    ) -> None:
        self.get_config = config
        self._inputs = inputs
        for name, value in facts.items():
            setattr(self, name, value)

    def prepare_config_and_inputs_for_common(self) -> tuple[Any, Inputs]:
        """A configuration and a batch, both fresh."""
        return self.get_config(), self._inputs()


def suite(model: str) -> dict[str, type]:
    """Test classes of a model by name: one for the whole model, one for each of its encoders."""
    cases = load_cases()
    found = {}
    for whole in load_wholes(cases, EXTRA).values():
        if whole.name == model:
            # Where one placeholder stands for both, a prompt has either images or videos.
            apart = whole.entry.get("video_uses_image_id")
            for kinds in [(kind,) for kind in whole.kinds] if apart else [whole.kinds]:
                found.update(_whole_suite(whole, kinds))
    for case in cases.values():
        if case.model == model and case.kind != "audio":
            found.update(_encoder_suite(case))
    return found


def suite_models() -> list[str]:
    """Models that there is a suite for."""
    cases = load_cases()
    models = (case.model for case in cases.values())
    return list(dict.fromkeys([*models, *load_wholes(cases, EXTRA)]))


# -- whole models -----------------------------------------------------------------------------------


def _whole_suite(whole: Whole, kinds: tuple[str, ...]) -> dict[str, type]:
    whole = replace(whole, vision=replace(whole.vision, config=_shallow(whole.vision.config)))
    head = whole_class(whole, PACKAGE)
    module = importlib.import_module(head.__module__)
    base = vars(module).get(head.__name__.replace("ForConditionalGeneration", "Model"))
    known = importlib.import_module(f"{PACKAGE}.models.auto.modeling_auto").MODEL_MAPPING_NAMES
    classes = (base, head) if base and base.__name__ in known.values() else (head,)
    tester = _whole_tester(whole, kinds, head)
    common = _common_tests()

    def set_up(self: Any) -> None:
        self.model_tester = tester

    def reverse_loading(self: Any) -> None:
        # Only the checkpoints of the class with a head are renamed.
        common.test_reverse_loading_mapping(self, skip_base_model=True)

    def same_embeds(self: Any) -> None:
        # Positions of images are found by their tokens: embeddings alone do for words alone.
        words = torch.arange(WORDS.start, WORDS.stop).repeat(BATCH, 1)
        given = {"input_ids": words, "attention_mask": torch.ones_like(words)}
        self.model_tester = Tester(tester.get_config, partial(copy.deepcopy, given), {})
        common.test_inputs_embeds_matches_input_ids(self)

    def image_features(self: Any) -> tuple[Any, Inputs]:
        config, inputs = common._image_features_prepare_config_and_inputs(self)
        if "pixel_values" not in inputs:
            self.skipTest("prompts of videos only")
        if inputs.pop("images_per_sample", None) is not None:
            # The last grid of a prompt is that of the image to make: it has no data.
            own = torch.tensor(GRIDS["image"] * BATCH)
            inputs = {**inputs, "image_grid_thw": own}
        return config, inputs

    body = {
        "setUp": set_up,
        "test_reverse_loading_mapping": reverse_loading,
        "test_inputs_embeds_matches_input_ids": same_embeds,
        "all_model_classes": classes,
        "_is_composite": True,
        # Some experts and embeddings are not used by these prompts.
        "test_all_params_have_gradient": False,
        "_image_features_prepare_config_and_inputs": image_features,
        # Packed rows have no batch dimension to compare.
        **{f"skip_test_{kind}_features_output_shape": True for kind in whole.kinds},
    }
    bases = (common, GenerationTests, unittest.TestCase)
    name = f"{head.__name__}Test" + "".join(f"_{kind}" for kind in kinds)
    return {name: type(name, bases, body)}


def _whole_tester(whole: Whole, kinds: tuple[str, ...], head: Any) -> Tester:
    batch = partial(_whole_batch, whole, kinds, head)
    text = {**whole.defaults["text"], **whole.entry["text"]}
    facts = {
        "seq_length": batch()["input_ids"].shape[1],
        "hidden_size": text["hidden_size"],
        "vocab_size": text["vocab_size"],
        "is_training": True,
        "vision_config": {"num_hidden_layers": 2, **whole.vision.config},
    }
    if whole.audio is not None:
        audio = dict(whole.audio.config)
        facts["audio_config"] = {"num_hidden_layers": audio["encoder_layers"], **audio}
    return Tester(partial(whole_config, whole, head), batch, facts)


def _shallow(config: Mapping[str, Any]) -> dict[str, Any]:
    """An encoder's configuration with two layers; the common tests insist on that."""
    limited: dict[str, Any] = {"depth": 2, "deepstack_visual_indexes": [0, 1]}
    return {**config, **{name: limited[name] for name in limited.keys() & config.keys()}}


def _whole_batch(whole: Whole, kinds: tuple[str, ...], head: Any) -> Inputs:
    """Prompts that name everything the model takes, each with data of its own."""
    names = inspect.signature(head.forward).parameters
    row: Inputs = {}
    for kind in kinds:
        for name, value in whole_inputs(whole, kind).items():
            if name in names:
                along = 1 if name in BY_TOKEN else 0
                row[name] = torch.cat([row[name], value], along) if name in row else value
    if "images_per_sample" in names:
        row["images_per_sample"] = torch.tensor([len(row["image_grid_thw"])])
    for name in BY_TOKEN & row.keys():
        # Prompts with audio give no types: their tokens count as text.
        missing = row["input_ids"].shape[1] - row[name].shape[1]
        row[name] = torch.nn.functional.pad(row[name], (0, missing))
    return {name: _varied(name, torch.cat([value] * BATCH)) for name, value in row.items()}


def _varied(name: str, value: torch.Tensor) -> torch.Tensor:
    """Other data in every prompt of a batch, the same in every call."""
    generator = torch.Generator().manual_seed(7)
    if value.is_floating_point() and value.ndim > 1:
        return torch.randn(value.shape, generator=generator)
    if name == "input_ids":
        words = torch.randint(WORDS.start, WORDS.stop, value.shape, generator=generator)
        return torch.where((value >= WORDS.start) & (value < WORDS.stop), words, value)
    return value


# -- encoders ---------------------------------------------------------------------------------------


def _encoder_suite(case: Case) -> dict[str, type]:
    module = importlib.import_module(f"{PACKAGE}.{case.module}")
    encoder = find_class(module, case.encoder)
    config = _shallow(case.config)
    given = _encoder_batch(case, encoder)
    facts = {
        "seq_length": given[case.rows].shape[-2],
        "hidden_size": config.get("embed_dim", config["hidden_size"]),
        "is_training": False,
        "image_size": config.get("image_size"),
    }
    tester = Tester(
        lambda: config_class(encoder)(**config), lambda: _encoder_batch(case, encoder), facts
    )

    def set_up(self: Any) -> None:
        self.model_tester = tester
        # Some tests give only the main input; an encoder seldom names it.
        patch = unittest.mock.patch.object(encoder, "main_input_name", case.rows)
        patch.start()
        self.addCleanup(patch.stop)

    def prepare(
        self: Any, inputs: Inputs, model_class: type, return_labels: bool = False
    ) -> Inputs:
        rows = inputs[case.rows]
        full = {**tester.prepare_config_and_inputs_for_common()[1], **inputs}
        full[case.rows] = given[case.rows].to(rows.dtype)
        return full

    body = {"setUp": set_up, "_prepare_for_class": prepare, "test_resize_embeddings": False}
    bases = (_common_tests(), unittest.TestCase)
    body["all_model_classes"] = (encoder,)
    return {f"{case.encoder}Test": type(f"{case.encoder}Test", bases, body)}


def _encoder_batch(case: Case, encoder: Any) -> Inputs:
    if case.kind == "image":
        given = image_inputs(case, BATCH, 24, 24)
    else:
        given = grid_inputs(case, GRID * BATCH, [1, 2] * BATCH if case.merge_sizes else None)
    return add_required(encoder, given)


def _common_tests() -> Any:
    return importlib.import_module("tests.test_modeling_common").ModelTesterMixin
