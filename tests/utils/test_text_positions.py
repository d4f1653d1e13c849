"""Positions of prompts with images and videos: against loops, against transformers, inside graphs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounterWithBackend

from benchmarks import loops
from utils import text_positions
from utils.text_positions import get_text_positions

Grid = tuple[int, int, int]
SIDES = st.integers(1, 4)
GRIDS = st.tuples(st.integers(1, 3), SIDES, SIDES)


@dataclass(frozen=True)
class Prompts:
    """A batch: token types and mask, and grids in tokens."""

    types: torch.Tensor
    mask: torch.Tensor | None
    images: torch.Tensor | None
    videos: torch.Tensor | None


def as_tensor(grids: list[Grid]) -> torch.Tensor | None:
    return torch.tensor(grids) if grids else None


@st.composite
def prompts(draw: st.DrawFn, frames_apart: bool = False) -> Prompts:
    """Samples of text, images and videos in any order, padded at random places or at one side."""
    images, videos, rows = [], [], []
    for _ in range(draw(st.integers(1, 3))):
        row = [0] * draw(st.integers(1, 4))
        for kind in draw(st.lists(st.sampled_from([0, 1, 2]), max_size=4)):
            if kind == 0:
                row += [0] * draw(st.integers(1, 3))
                continue
            grid = draw(GRIDS)
            (images if kind == 1 else videos).append(grid)
            t, h, w = grid
            parted = frames_apart and kind == 2
            row += ([kind] * (h * w) + [0]) * t if parted else [kind] * (t * h * w) + [0]
        rows.append(row)
    length = max(map(len, rows)) + draw(st.integers(0, 2))
    places = draw(st.sampled_from(["left", "right", "mixed", "none"]))
    if places == "none":
        rows = rows[:1] if len(rows) > 1 and len({len(r) for r in rows}) > 1 else rows
        length = len(rows[0])
    types, mask = torch.zeros(len(rows), length, dtype=torch.int), torch.zeros(len(rows), length)
    for sample, row in enumerate(rows):
        kept = range(length - len(row), length) if places == "left" else range(len(row))
        if places == "mixed":
            kept = sorted(draw(st.permutations(range(length)))[: len(row)])
            # Padding may carry any type.
            types[sample] = torch.tensor(
                draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
            )
        types[sample, list(kept)] = torch.tensor(row, dtype=torch.int)
        mask[sample, list(kept)] = 1
    return Prompts(types, None if places == "none" else mask, as_tensor(images), as_tensor(videos))


def equal(found: Any, expected: Any) -> bool:
    return all(
        torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(found, expected, strict=True)
    )


def thirds(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    """Fractional times, other ones for each video."""
    return frame * torch.tensor([0.7, 1.0 / 3, 2.5, 0.1] * 4)[video] * 13


def steps(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    return frame * torch.tensor([1, 4, 2, 3] * 4)[video]


FAMILIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "seconds": {"frame_times": steps},
    "apart": {"frames_apart": True},
    "time_moves_on": {"frame_times": steps, "time_moves_on": True},
    "fractions": {"frame_times": thirds, "time_moves_on": True, "dtype": torch.float32},
}


@pytest.mark.parametrize("few", [0, text_positions.FEW], ids=["tensors", "runs"])
@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_positions_are_those_of_the_loop_bit_for_bit(
    few: int, family: str, data: st.DataObject
) -> None:
    further = FAMILIES[family]
    case = data.draw(prompts(further.get("frames_apart", False)))
    given_ = (case.types, case.images, case.videos)
    expected = loops.text_positions(*given_, attention_mask=case.mask, **further)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_positions, "FEW", few)
        found = get_text_positions(*given_, attention_mask=case.mask, **further)
    assert equal([found[0]], [expected[0]])
    # Where no sample holds an image, the loop's offsets are whole numbers; ours have one dtype.
    assert torch.equal(found[1], expected[1].to(found[1].dtype))


def test_a_prompt_with_one_large_image_is_counted_alike() -> None:
    types = torch.tensor([[0] * 5 + [1] * 768 + [0] * 9])
    expected = loops.text_positions(types, torch.tensor([[1, 32, 24]]))
    assert equal(get_text_positions(types, torch.tensor([[1, 32, 24]])), expected)


# -- the models -------------------------------------------------------------------------------------

MERGE = 2
VISION = SimpleNamespace(spatial_merge_size=MERGE, tokens_per_second=2, temporal_merge_size=2)
MODELS = {
    "qwen2_vl": "Qwen2VLModel",
    "qwen2_5_vl": "Qwen2_5_VLModel",
    "qwen3_vl": "Qwen3VLModel",
    "qwen3_5": "Qwen3_5Model",
    "glm4v": "Glm4vModel",
    "ernie4_5_vl_moe": "Ernie4_5_VLMoeModel",
    "paddleocr_vl": "PaddleOCRVLModel",
}
APART = ("qwen3_vl", "qwen3_5", "glm4v")


def bare_model(module: str, name: str) -> Any:
    """A model without parts: what computes positions reads its configuration only."""
    cls = getattr(importlib.import_module(module), name)
    model = cls.__new__(cls)
    torch.nn.Module.__init__(model)
    model.config = SimpleNamespace(vision_config=VISION)
    return model


def patches(grid: torch.Tensor | None, frames: int = 1) -> torch.Tensor | None:
    return None if grid is None else grid * torch.tensor([frames, MERGE, MERGE])


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_positions_of_models_are_those_of_transformers(model: str, data: st.DataObject) -> None:
    ours = bare_model(f"generated.{model}.modeling_{model}", MODELS[model])
    theirs = bare_model(f"transformers.models.{model}.modeling_{model}", MODELS[model])
    case = data.draw(prompts(model in APART))
    inputs: dict[str, Any] = {
        "mm_token_type_ids": case.types,
        "image_grid_thw": patches(case.images),
        "video_grid_thw": patches(case.videos, 2 if model == "ernie4_5_vl_moe" else 1),
        "attention_mask": case.mask,
    }
    if model == "qwen2_5_vl" and case.videos is not None:
        inputs["second_per_grid_ts"] = torch.tensor([1.0, 2.7, 0.5, 3.0] * 4)[: len(case.videos)]
    tokens = torch.zeros_like(case.types, dtype=torch.int64)
    found, expected = (m.get_rope_index(tokens, **inputs) for m in (ours, theirs))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1].to(torch.int64))


@st.composite
def uneven_prompts(draw: st.DrawFn) -> Prompts:
    """Samples whose images and videos have other numbers of tokens than their grids, which may add up."""
    images, videos, rows = [], [], []
    for _ in range(draw(st.integers(1, 2))):
        kinds = draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=4))
        total = 0
        for kind in kinds:
            grid = draw(st.tuples(st.just(1), SIDES, SIDES))
            (images if kind == 1 else videos).append(grid)
            total += grid[1] * grid[2]
        total += draw(st.sampled_from([0, 0, 0, -1, 1, 3]))
        inner = range(1, max(total, len(kinds)))
        cuts = sorted(draw(st.permutations(inner))[: len(kinds) - 1])
        ends = [*cuts, max(total, len(kinds))]
        row = [0] * draw(st.integers(0, 2))
        for kind, begin, end in zip(kinds, [0, *cuts], ends, strict=True):
            row += [kind] * (end - begin) + [0] * draw(st.integers(1, 2))
        rows.append(row[: len(row) - draw(st.integers(0, 1))])
    length = max(map(len, rows))
    types, mask = torch.zeros(len(rows), length, dtype=torch.int), torch.zeros(len(rows), length)
    for sample, row in enumerate(rows):
        types[sample, length - len(row) :] = torch.tensor(row, dtype=torch.int)
        mask[sample, length - len(row) :] = 1
    return Prompts(types, mask, as_tensor(images), as_tensor(videos))


@pytest.mark.parametrize("few", [0, text_positions.FEW], ids=["tensors", "runs"])
@pytest.mark.parametrize("model", ["qwen2_vl", "glm4v"])
@given(case=uneven_prompts())
@settings(max_examples=25, deadline=None)
def test_runs_may_differ_from_their_grids_where_transformers_take_them(
    few: int, model: str, case: Prompts
) -> None:
    ours = bare_model(f"generated.{model}.modeling_{model}", MODELS[model])
    theirs = bare_model(f"transformers.models.{model}.modeling_{model}", MODELS[model])
    inputs: dict[str, Any] = {
        "mm_token_type_ids": case.types,
        "image_grid_thw": patches(case.images),
        "video_grid_thw": patches(case.videos),
        "attention_mask": case.mask,
    }
    tokens = torch.zeros_like(case.types, dtype=torch.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_positions, "FEW", few)
        try:
            expected = theirs.get_rope_index(tokens, **inputs)
        except (RuntimeError, StopIteration, TypeError):
            with pytest.raises(ValueError, match="number of tokens|more images"):
                ours.get_rope_index(tokens, **inputs)
            return
        found = ours.get_rope_index(tokens, **inputs)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1].to(torch.int64))


@pytest.mark.parametrize("few", [0, text_positions.FEW], ids=["tensors", "runs"])
def test_a_single_position_stands_for_all_tokens(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_positions, "FEW", few)
    theirs = bare_model("transformers.models.qwen2_vl.modeling_qwen2_vl", "Qwen2VLModel")
    types, grid = torch.ones(1, 5, dtype=torch.int), torch.tensor([[1, MERGE, MERGE]])
    expected = theirs.get_rope_index(torch.zeros(1, 5).long(), types, image_grid_thw=grid)
    found = get_text_positions(types, torch.tensor([[1, 1, 1]]))
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])


# -- graphs and refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_counts_other_prompts_too(family: str) -> None:
    further = FAMILIES[family]
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("inductor" if "dtype" in further else "aot_eager")
    compiled = torch.compile(
        lambda *inputs: get_text_positions(*inputs[:3], attention_mask=inputs[3], **further),
        fullgraph=True,
        backend=counter,
        dynamic=True,
    )
    for images, video in (
        # Equal numbers of images, samples or columns would be taken for the same number.
        ([(1, 2, 3), (1, 4, 2)] * 2, [(3, 2, 2), (2, 1, 3), (1, 2, 1), (2, 2, 2), (1, 1, 1)]),
        ([(1, 1, 2)] * 6, [(2, 3, 2), (1, 2, 2), (3, 1, 1)] * 3),
    ):
        row = [0, 0]
        for t, h, w in images:
            row += [1] * (t * h * w) + [0]
        for t, h, w in video:
            apart = further.get("frames_apart")
            row += ([2] * (h * w) + [0]) * t if apart else [2] * (t * h * w) + [0, 0]
        types = torch.tensor([row, [0] * len(row)])
        mask = torch.ones_like(types)
        mask[1, :3] = 0
        inputs = (types, torch.tensor(images), torch.tensor(video))
        found = compiled(*inputs, mask)
        assert equal(found, get_text_positions(*inputs, attention_mask=mask, **further))
    assert counter.frame_count == 1


@pytest.mark.parametrize("few", [0, text_positions.FEW], ids=["tensors", "runs"])
@pytest.mark.parametrize(
    ("types", "mask", "reason"),
    [
        ([[0, 1, 1, 1, 0]], None, "another number of tokens"),
        ([[0, 1, 1, 0, 1, 1]], None, "more images or videos"),
        ([[0, 2, 2, 0, 0]], None, "more images or videos"),
        ([[0, 3, 1, 1, 0]], None, "other than 0"),
        ([[0, 1, 1, 0], [0, 0, 0, 0]], [[1, 1, 1, 1], [0, 0, 0, 0]], "nothing but padding"),
        ([[0, 1, 1, 0]], [[1, 1, 1]], "attention_mask has shape"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(
    few: int, types: Any, mask: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_positions, "FEW", few)
    with pytest.raises(ValueError, match=reason):
        get_text_positions(
            torch.tensor(types),
            torch.tensor([[1, 1, 2]]),
            attention_mask=None if mask is None else torch.tensor(mask),
        )
