"""What is reported about processors, and what keeps a tensor or a whole processor out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite import Record, Settings, rewrite_library
from tests.rewrite.test_report import line_of
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case, run

MODEL = """
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = {unit}

    def forward(self, rows, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)
        cu_seqlens = get_vision_cu_seqlens(grid_thw)
        return self.layers(rows, rotary_pos_ids, cu_seqlens)
"""
PROCESSOR = """
from transformers.processing_utils import ProcessorMixin


class TinyProcessor(ProcessorMixin):
    def __call__(self, images, **kwargs):
        batch = self.image_processor(images, **kwargs)
        self.place(batch["image_grid_thw"])
        return batch
"""


def rewrite(**files: str) -> tuple[dict[str, str], list[Record]]:
    """New texts by module name and what is reported about processors."""
    paths = {f"models/{name.split('_', 1)[1]}/{name}.py": text for name, text in files.items()}
    result = run(paths, "lift")
    texts = {name: result.edits.get(path, "") for name, path in zip(files, paths)}
    return texts, [record for record in result.report if record.method == "__call__"]


def test_added_tensors_are_reported() -> None:
    case = "lift/processor_option.txt"
    files = read_case(GOLDEN / case).files
    found = [record for record in run(files, "lift").report if record.cls == "TinyProcessor"]
    assert [(r.kind, r.method, r.helper) for r in found] == [
        ("lifted", "__call__", "add_extra_tensors")
    ]
    assert found[0].parameters == (
        *("embed_indices", "bilinear_weights", "rotary_pos_ids"),
        *("window_index", "cu_window_seqlens"),
    )
    start = line_of(case, "# file: models/tiny/processing_tiny.py")
    place = line_of(case, "def __call__(self, images=None")
    assert found[0].location == f"models/tiny/processing_tiny.py:{place - start}"


ALL = ["image_rotary_pos_ids", "image_cu_seqlens"]


@pytest.mark.parametrize(
    ("keywords", "added"),
    [
        ({}, []),
        ({"return_extra_tensors": False}, []),
        # Only the configuration has what the encoder calls `merge`.
        ({"return_extra_tensors": True}, ALL[1:]),
        ({"return_extra_tensors": SimpleNamespace(merge=1)}, ALL),
    ],
    ids=["not asked", "False", "True", "configuration"],
)
def test_a_rewritten_processor_runs(keywords: dict[str, Any], added: list[str]) -> None:
    torch = pytest.importorskip("torch")
    files = {"a/modeling_a.py": MODEL.format(unit="config.merge"), "a/processing_a.py": PROCESSOR}
    settings = Settings(helper_package="utils", helper_folder=None)
    code = rewrite_library(DictLibrary(files), settings).edits["a/processing_a.py"]
    names: dict[str, Any] = {"ProcessorMixin": object}
    exec(code.replace("from transformers.processing_utils import ProcessorMixin", ""), names)
    processor = names["TinyProcessor"]()
    processor.image_processor = lambda images: {"image_grid_thw": torch.tensor([[2, 2, 4]])}
    processor.place = lambda grid: None
    assert list(processor([], **keywords)) == ["image_grid_thw", *added]


def test_selected_rows_are_reported_as_left() -> None:
    case = "lift/processor_of_selected_rows_is_left.txt"
    files = read_case(GOLDEN / case).files
    found = [record for record in run(files, "lift").report if record.cls == "TinyProcessor"]
    assert [(r.kind, r.reason) for r in found] == [
        ("left", "the model encodes only some rows of the grid")
    ]


def test_an_argument_from_the_state_of_the_encoder_keeps_a_tensor_out() -> None:
    model = MODEL.format(unit="self.rotary.unit")
    texts, found = rewrite(modeling_tiny=model, processing_tiny=PROCESSOR)
    assert '"get_vision_cu_seqlens": ("grid_thw",)' in texts["processing_tiny"]
    assert "get_rotary_pos_ids" not in texts["processing_tiny"]
    assert {(r.kind, r.parameters) for r in found} == {("lifted", ("cu_seqlens",)), ("left", ())}
    assert any("get_rotary_pos_ids(grid_thw, self.unit" in record.reason for record in found)


def test_encoders_that_disagree_keep_a_tensor_out() -> None:
    other = MODEL.format(unit="config.other").replace("TinyEncoder", "SmallEncoder")
    model = MODEL.format(unit="config.merge") + other
    texts, found = rewrite(modeling_tiny=model, processing_tiny=PROCESSOR)
    assert '"get_vision_cu_seqlens"' in texts["processing_tiny"]
    assert "get_rotary_pos_ids" not in texts["processing_tiny"]
    reason = "encoders call get_rotary_pos_ids with different arguments"
    assert [r.reason for r in found if r.kind == "left"] == [reason]


def test_a_model_without_such_encoders_is_reported() -> None:
    model = "class Tiny:\n    def forward(self, grid_thw):\n        return self.encoder(grid_thw)\n"
    texts, found = rewrite(modeling_tiny=model, processing_tiny=PROCESSOR)
    assert texts["processing_tiny"] == ""
    assert [(r.kind, r.reason) for r in found] == [
        ("left", "no encoder of the model takes precomputed tensors")
    ]


def test_a_result_that_is_not_returned_at_the_end_is_reported() -> None:
    open_end = PROCESSOR.replace(
        "        return batch\n", "        if batch:\n            return batch\n"
    )
    model = MODEL.format(unit="config.merge")
    texts, found = rewrite(modeling_tiny=model, processing_tiny=open_end)
    assert texts["processing_tiny"] == ""
    assert "return its result at the end" in found[0].reason
    fixed = PROCESSOR.replace("images, **kwargs", "images")
    texts, found = rewrite(modeling_tiny=model, processing_tiny=fixed)
    assert texts["processing_tiny"] == ""
    assert found[0].reason == "the method takes no further keywords"


def test_a_processor_that_inherits_for_another_encoder_is_reported() -> None:
    child = "from ..tiny.processing_tiny import TinyProcessor\n\n\nclass SmallProcessor(TinyProcessor):\n    grid_thw = 1\n"
    for unit, kinds in (("config.merge", []), ("config.other", ["left"])):
        _, found = rewrite(
            modeling_tiny=MODEL.format(unit="config.merge"),
            processing_tiny=PROCESSOR,
            modeling_small=MODEL.format(unit=unit),
            processing_small=child,
        )
        assert [record.kind for record in found if record.cls == "SmallProcessor"] == kinds


def test_an_inherited_processor_takes_what_its_own_encoder_does() -> None:
    child = (
        "from ..tiny.processing_tiny import TinyProcessor\n\n\n"
        "class SmallProcessor(TinyProcessor):\n"
        "    grid_thw = 1\n\n"
        "    def __call__(self, images, **kwargs):\n"
        "        return self.prepare(images, **kwargs)\n"
    )
    texts, found = rewrite(
        modeling_tiny=MODEL.format(unit="config.merge"),
        processing_tiny=PROCESSOR,
        modeling_small=MODEL.format(unit="config.other"),
        processing_small=child,
    )
    assert '"get_rotary_pos_ids": ("grid_thw", "other")' in texts["processing_small"]
    lifted = [record.cls for record in found if record.kind == "lifted"]
    assert sorted(lifted) == ["SmallProcessor", "TinyProcessor"]
    alone, found = rewrite(processing_tiny=PROCESSOR, processing_small=child)
    assert alone["processing_small"] == "" and not [r for r in found if r.cls == "SmallProcessor"]


def test_work_on_a_result_behind_the_call_hides_no_demand() -> None:
    model = MODEL.replace(
        "        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.unit)\n", ""
    ).replace("rotary_pos_ids, cu_seqlens)", "cu_seqlens)")
    guarded = model.format(unit="config.merge").replace(
        "        cu_seqlens = get_vision_cu_seqlens(grid_thw)\n",
        "        if cu_seqlens is None:\n"
        "            cu_seqlens = get_vision_cu_seqlens(grid_thw)\n"
        "            if torch.jit.is_tracing():\n"
        "                cu_seqlens = cu_seqlens.int()\n",
    )
    guarded = guarded.replace("rows, grid_thw):", "rows, grid_thw, cu_seqlens=None):")
    texts, _ = rewrite(modeling_tiny=guarded, processing_tiny=PROCESSOR)
    assert '"get_vision_cu_seqlens": ("grid_thw",)' in texts["processing_tiny"]
