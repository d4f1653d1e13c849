"""What the passes report: kinds, parameters, paths, and places in the files as given."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen.rewrite import Record, rewrite_library
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case


def report_of(case: str) -> tuple[Record, ...]:
    files = read_case(GOLDEN / case).files
    return rewrite_library(DictLibrary(files)).report


def line_of(case: str, text: str) -> int:
    lines = (GOLDEN / case).read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def test_a_parameter_is_reported_with_its_path() -> None:
    case = "extract/position_ids_by_loop.txt"
    lifted = [r for r in report_of(case) if r.kind == "lifted"]
    assert [(r.method, r.parameters) for r in lifted] == [
        ("angles", ("rotary_pos_ids",)),
        ("angles", ("grid_thw",)),
    ]
    assert lifted[0].path_taken == ("TinyEncoder.angles",)
    assert lifted[0].location.endswith(f":{line_of(case, 'def angles')}")


def test_a_kept_rotary_table_is_reported_at_the_call() -> None:
    case = "extract/rotary_table_with_unknown_caller.txt"
    left = [r for r in report_of(case) if r.kind == "left"]
    assert len(left) == 1
    assert "keeps its table" in left[0].reason
    assert left[0].location.endswith(f":{line_of(case, 'self.rotary(32)')}")


@pytest.mark.parametrize(
    ("case", "reason", "place"),
    [
        ("with_unknown_caller", "a file that is not rewritten may call it", "modular_child.py:1"),
        (
            "replaced_by_an_heir",
            "ChildRotary takes its place in ChildEncoder",
            "modular_child.py:11",
        ),
    ],
)
def test_a_rotary_module_that_keeps_its_parameters_is_reported(
    case: str, reason: str, place: str
) -> None:
    left = [r for r in report_of(f"lift/rotary_module_{case}.txt") if r.kind == "left"]
    assert [r.reason for r in left] == [f"keeps its parameters: {reason}"]
    assert left[0].location.endswith(place)


USES = {
    "self.rotary(*sizes)": "self.rotary(*sizes) is not understood",
    "[self.rotary(grid_thw) for _ in rows]": "self.rotary(grid_thw) is not understood",
    "self.map(self.rotary, grid_thw)": "self.map(self.rotary, grid_thw) is not understood",
    "self.inner.rotary(grid_thw)": "self.inner.rotary is called from outside",
    "TinyRotary()(grid_thw)": "it is not only held as an attribute in models/tiny/modeling_tiny.py",
    "self.rotary()": "a call leaves a size to its default",
    "self.rotary(grid_thw) - rotary_pos_ids": "the caller has another use for rotary_pos_ids",
    "self.rotary(grid_thw) - emb": "the caller has another use for emb",
}


@pytest.mark.parametrize("use", USES)
def test_a_use_that_is_not_understood_keeps_a_rotary_module(use: str) -> None:
    text = f"""import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def forward(self, grid_thw=None):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, 2)
        emb = (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1)
        return emb.cos()


class TinyEncoder(nn.Module):
    def __init__(self, config):
        self.rotary = TinyRotary()

    def forward(self, rows, grid_thw):
        return self.layers(rows, self.rotary(grid_thw))

    def other(self, rows, grid_thw, sizes):
        return {use}
"""
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": text}))
    reasons = [r.reason for r in result.report if r.kind == "left"]
    # A call that cannot be given what the module computes says so, too.
    reasons = [reason for reason in reasons if "computes its own" not in reason]
    reasons = [reason for reason in reasons if "has to be given" not in reason]
    assert reasons == [f"keeps its parameters: {USES[use]}"]
    for changed in result.edits.values():
        assert "def forward(self, grid_thw=None" in changed


REPETITIONS = {
    "def _expand_inputs_for_generation(self, expand_size, inputs): return inputs": [
        "repeats its inputs in a way that is not understood: precomputed ones, too"
    ],
    'def _expand_inputs_for_generation(self, **inputs): raise ValueError("one answer only")': [],
}


@pytest.mark.parametrize("repetition", REPETITIONS)
def test_a_repetition_that_is_not_understood_is_reported(repetition: str) -> None:
    text = f"""from torch import nn

from ...generation import GenerationMixin


class TinyForConditionalGeneration(nn.Module, GenerationMixin):
    def get_image_features(self, pixel_values, image_grid_thw, **kwargs):
        return self.visual(pixel_values, image_grid_thw, **kwargs)

    def forward(self, input_ids, pixel_values, image_grid_thw, **kwargs):
        return self.head(input_ids, self.get_image_features(pixel_values, image_grid_thw), **kwargs)

    {repetition}
"""
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": text}))
    left = [r for r in result.report if r.kind == "left"]
    assert [r.reason for r in left] == REPETITIONS[repetition]
    assert all((r.helper, r.path_taken) == ("", ()) for r in left)
    (changed,) = result.edits.values()
    assert f"    {repetition}\n" in changed
    assert "def _validate_model_kwargs(self, model_kwargs: dict):\n" in changed


def test_an_unknown_loop_is_reported_as_left() -> None:
    case = "extract/unknown_order_stays.txt"
    records = report_of(case)
    assert [r.kind for r in records] == ["left"]
    assert records[0].location.endswith(f":{line_of(case, 'for t, h, w')}")


@pytest.mark.parametrize(
    ("case", "line", "reason"),
    [
        ("chunks_name_taken", "sizes = torch.", "whose name chunk_lengths holds something else"),
        ("chunks_mask_multiplied", "sizes = torch.", "whose mask exists selects no rows"),
        ("windows_of_another_law", "lengths = torch.", "but not the mask of the rows behind"),
    ],
)
def test_audio_chunks_that_stay_are_reported(case: str, line: str, reason: str) -> None:
    case = f"audio_{case}"
    place = line_of(f"extract/{case}.txt", line)
    found = [r for r in report_of(f"extract/{case}.txt") if reason in r.reason]
    assert [r.location.rpartition(":")[2] for r in found] == [str(place)]


def test_loops_that_helpers_replace_are_not_reported_as_left() -> None:
    records = report_of("extract/audio_chunks_by_loop.txt")
    assert {r.kind for r in records} == {"extracted", "lifted", "captured", "left"}
    # Of the loops nothing: this piece of an encoder builds no convolutions whose width could be bound.
    [left] = [r for r in records if r.kind == "left"]
    assert "no convolution of them is found" in left.reason


def test_a_tree_with_its_own_helpers_says_so(tmp_path: Path) -> None:
    text = (
        "from ...vision_utils import get_vision_cu_seqlens\n\n\nclass Tiny:\n    grid_thw = None\n"
    )
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": text}))
    assert result.edits == {}
    assert [r.reason for r in result.report] == [
        "the tensors already come from shared functions of this tree"
    ]


SIZES_LOOP = """
from torch import nn

class TinyMerger(nn.Module):
    def windows(self, {name}, grid_thw):
        order = []
        for height, width in {name}:
            order.append(torch.arange(int(height) * int(width)))
        return torch.cat(order)
"""


@pytest.mark.parametrize(("name", "count"), [("target_sizes", 1), ("boxes", 0)])
def test_index_arithmetic_over_rows_of_sizes_is_reported(name: str, count: int) -> None:
    files = {"models/tiny/modular_tiny.py": SIZES_LOOP.format(name=name)}
    left = [r for r in rewrite_library(DictLibrary(files)).report if r.kind == "left"]
    assert [(r.method, r.location) for r in left] == [
        ("windows", "models/tiny/modular_tiny.py:7")
    ] * count


class ForgetfulLibrary(DictLibrary):
    """Fails when a file is read."""

    def read(self, module: str) -> None:
        raise OSError(f"{module} is gone; the collector runs: {gc.isenabled()}")


@pytest.fixture
def collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_and_is_left_as_the_caller_has_it(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    with pytest.raises(OSError, match="the collector runs: False"):
        rewrite_library(ForgetfulLibrary({"models/tiny/modeling_tiny.py": ""}))
    assert gc.isenabled() is enabled
    rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": ""}))
    assert gc.isenabled() is enabled
