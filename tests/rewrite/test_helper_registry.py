"""The registry of helpers against the functions in ``utils/``, and the types that are made from it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import pytest

torch = pytest.importorskip("torch")

from codegen.rewrite.helper_entry import Helper  # noqa: E402
from codegen.rewrite.helpers import HELPER_MODULES, INPUTS, LIFTED, REGISTRY  # noqa: E402
from codegen.rewrite.input_types import MODALITIES, input_types, inputs_of  # noqa: E402
from utils import precomputed_types  # noqa: E402
from utils.precomputed_inputs import NAMES  # noqa: E402

GRID = torch.tensor([[2, 4, 8], [1, 8, 4]])
LENGTHS = torch.tensor([7, 8, 3])
WIDTH = 8


@dataclass(frozen=True)
class Sample:
    """A call of a helper, and what the symbols in the shapes of its results are for it.

    ``rows`` are those of the encoder, for the checks; ``named`` what can be given by name only.
    """

    arguments: tuple[Any, ...]
    sizes: dict[str, int]
    rows: int = 96
    named: dict[str, Any] = field(default_factory=dict)


def _features() -> Any:
    return torch.randn(5, int(LENGTHS.sum()), dtype=torch.float64)


PACKED = {"seq_len": 96, "num_segments": 3, "spatial_merge_size": 2}
SAMPLES = {
    "get_vision_cu_seqlens": Sample((GRID,), PACKED),
    "get_rotary_pos_ids": Sample((GRID, 2), PACKED),
    "get_image_pos_ids": Sample((4, 6), {"seq_len": 24}),
    # Windows of two by two merged patches: two per frame and entry, by the sides of both.
    "get_window_index": Sample((GRID, 2, 8, 2), {**PACKED, "num_windows": 6}),
    "get_pos_embed_indices": Sample((GRID, 5, 2), PACKED),
    "get_half_pixel_indices": Sample((GRID, 5), PACKED),
    "get_sampling_grid": Sample((GRID, 2), PACKED),
    "get_block_permutation": Sample((GRID, 2), PACKED),
    "get_temporal_pair_indices": Sample((GRID, 2), {"num_pair_units": 16}),
    "get_unshuffle_indices": Sample((GRID, 2), PACKED),
    "get_prompt_positions": Sample(
        (
            torch.tensor([[0, 1, 1, 0, 2, 0]]),
            torch.tensor([[1, 2, 4]]),
            torch.tensor([[1, 2, 2]]),
            2,
        ),
        {"num_prompts": 1, "prompt_length": 6},
    ),
    "get_sound_prompt_positions": Sample(
        (torch.tensor([[5, 1, 1, 6, 0, 0]]), torch.tensor([[1, 2, 4]]), None, 2),
        {"num_prompts": 1, "prompt_length": 6},
        named=dict.fromkeys(
            ("video_token", "audio_token", "vision_start_token", "audio_start_token"), 9
        )
        | {"image_token": 1, "positions_per_second": 25},
    ),
    "flatten_video_grid": Sample((GRID,), PACKED),
    "get_max_seqlen": Sample((torch.tensor([0, 40, 96], dtype=torch.int32),), {}),
    "get_max_window_seqlen": Sample((torch.tensor([0, 40, 96]),), {}),
    "get_segment_ids": Sample((torch.tensor([0, 40, 96]), 96), PACKED),
    "get_segment_mask": Sample((torch.tensor([0, 0, 1]),), {"seq_len": 3}),
    # Chunks of four frames: 4 + 3, 4 + 4, 3.
    "chunk_and_pad_features": Sample(
        (_features(), LENGTHS, 2), {"num_chunks": 5, "num_mel_bins": 5, "max_chunk_length": 4}
    ),
    "get_valid_indices": Sample((torch.tensor([4, 3, 1]),), {"num_frames": 5}),
    "get_audio_cu_seqlens": Sample((torch.tensor([4, 3, 1]),), {"num_segments": 3}),
    "get_pool_indices": Sample((LENGTHS,), {"num_tokens": 5}),
    "halved_lengths": Sample((LENGTHS.int(),), {"num_lengths": 3}),
    "chunked_eighth_lengths": Sample((LENGTHS.int(),), {"num_lengths": 3}),
    "clear_beyond_longest": Sample(
        (torch.ones(3, 2, WIDTH, dtype=torch.float64), torch.tensor([4, 3, 1]), 1),
        {"num_chunks": 3, "num_channels": 2, "width": WIDTH},
    ),
    "widen_valid_indices": Sample(
        (torch.arange(5, dtype=torch.int32), torch.tensor([4, 3, 1]), WIDTH, 2), {"num_frames": 5}
    ),
}


def function_of(name: str) -> Callable[..., Any]:
    """The function in ``utils/`` that an entry is about."""
    found = getattr(importlib.import_module(f"utils.{HELPER_MODULES[name]}"), name)
    assert callable(found)
    return found


def returned(helper: Helper) -> tuple[Any, ...]:
    """What a helper gives for its sample."""
    sample = SAMPLES[helper.name]
    results = function_of(helper.name)(*sample.arguments, **sample.named)
    return results if isinstance(results, tuple) else (results,)


def given(helper: Helper) -> dict[str, Any]:
    """The arguments of a helper's sample by name."""
    return dict(zip(helper.takes, SAMPLES[helper.name].arguments))


def test_every_entry_has_a_sample() -> None:
    assert SAMPLES.keys() == REGISTRY.keys()


@pytest.mark.parametrize("name", REGISTRY)
def test_parameters_are_those_of_the_function(name: str) -> None:
    parameters = inspect.signature(function_of(name)).parameters.values()
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    positional = [p.name for p in parameters if p.name not in keyword_only]
    helper = REGISTRY[name]
    assert (positional, keyword_only) == ([*helper.takes], [*helper.bounds])
    assert not helper.total or helper.total in helper.bounds


@pytest.mark.parametrize("name", REGISTRY)
def test_results_are_those_of_the_function(name: str) -> None:
    helper = REGISTRY[name]
    results = returned(helper)
    assert len(results) == len(helper.results)
    for tensor, result in zip(results, helper.results):
        source = given(helper).get(result.dtype)
        dtype = source.dtype if source is not None else getattr(torch, result.dtype)
        shape = eval(result.shape, {}, dict(SAMPLES[name].sizes))
        assert (tuple(tensor.shape), tensor.dtype) == (shape, dtype), result.name


@pytest.mark.parametrize(
    "name", [name for name, helper in REGISTRY.items() if len(helper.results) > 1]
)
def test_several_results_come_in_the_order_of_their_names(name: str) -> None:
    """The function's own documentation tells them apart, where their names are inputs."""
    helper = REGISTRY[name]
    if name in LIFTED:
        text = inspect.getdoc(function_of(name)) or ""
        places = [text.partition("Returns:")[2].find(f"`{output}`") for output in helper.outputs]
        assert -1 not in places and places == sorted(places)


@pytest.mark.parametrize("name", LIFTED)
def test_checks_accept_the_results_and_refuse_shorter_ones(name: str) -> None:
    helper = REGISTRY[name]
    results = dict(zip(helper.outputs, returned(helper)))
    for check in helper.checks:
        checked = check.partition('"')[2].partition('"')[0]
        run_check(helper, check, results)
        if checked in ("padded_feature", "chunk_lengths"):
            shorter = results[checked][None]
        elif not results[checked].ndim:
            shorter = results[checked] - 1
        else:
            shorter = results[checked][..., :-1]
        with pytest.raises(ValueError, match=checked):
            run_check(helper, check, {**results, checked: shorter})


def run_check(helper: Helper, check: str, results: dict[str, Any]) -> None:
    """Execute a check as it stands in a rewritten method."""
    arguments = given(helper)
    args = [f"arguments[{key!r}]" for key in arguments]
    code = check.format(rows=SAMPLES[helper.name].rows, args=args, law="halved_lengths")
    # Checks of one helper may name the results of another one of the same encoder.
    beside = {"valid_indices": torch.arange(5), **arguments, **results, "arguments": arguments}
    functions = {name: function_of(name) for name in HELPER_MODULES}
    exec(code, {**functions, **beside})


def test_every_input_is_documented() -> None:
    assert all(result.text.endswith(".") for result in INPUTS.values())
    assert {r.name for helper in LIFTED.values() for r in helper.results} == INPUTS.keys()


def test_types_are_made_from_the_registry(update_golden: bool) -> None:
    path = Path(precomputed_types.__file__)
    if update_golden:
        path.write_text(input_types(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == input_types()


def test_types_name_the_inputs_of_each_modality() -> None:
    for modality in MODALITIES:
        typed = getattr(precomputed_types, f"{modality.capitalize()}Inputs")
        names = [f"{modality}_{result.name}" for result in inputs_of(modality)]
        assert [*get_type_hints(typed)] == names and not typed.__required_keys__
        assert set(get_type_hints(typed).values()) == {torch.Tensor}
    assert [*NAMES] == [*INPUTS]


def test_the_number_of_rows_says_something_about_what_stands_for_each_row() -> None:
    assert {name for name, helper in REGISTRY.items() if helper.needs_rows} == {
        "get_vision_cu_seqlens",
        "get_rotary_pos_ids",
        "get_window_index",
        "get_pos_embed_indices",
        "get_half_pixel_indices",
        "get_sampling_grid",
        "get_block_permutation",
    }
