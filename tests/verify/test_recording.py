"""What a verification records of a run, and says of an error."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from codegen.verify.calls import accepted, recording, rounds
from codegen.verify.comparison import safely
from utils import vision_segments


def test_helpers_are_recorded_wherever_they_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of a project are in no package called models."""
    module = ModuleType("quarry.modeling_quarry")
    defined = vision_segments.get_vision_cu_seqlens
    vars(module)["get_vision_cu_seqlens"] = defined
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found: dict[str, torch.Tensor] = {}
    with recording(found):
        result = vars(module)["get_vision_cu_seqlens"](torch.tensor([[2, 2, 4]]))
        # Where it is defined, it is a part of other helpers.
        assert vision_segments.get_vision_cu_seqlens is defined
    assert found["cu_seqlens"] is result and result.tolist() == [0, 8, 16]
    assert vars(module)["get_vision_cu_seqlens"] is defined


def test_a_note_says_where_a_graph_ends() -> None:
    def fails() -> dict[str, object]:
        raise RuntimeError(
            "no graph\nfrom user code:\n"
            '   File "/lib/torch/nn/modules/module.py", line 7, in call\n'
            '   File "/tree/models/tiny/modeling_tiny.py", line 31, in forward\n'
        )

    assert safely(fails)["note"].endswith("(at modeling_tiny.py:31)")
    assert safely(lambda: {"ok": True}) == {"ok": True}


def test_a_catch_all_is_handed_what_is_lifted_and_nothing_else() -> None:
    class Handing(torch.nn.Module):
        def forward(self, hidden: torch.Tensor, **kwargs: object) -> torch.Tensor:
            return hidden

    class Taking(torch.nn.Module):
        def forward(self, hidden: torch.Tensor, cu_seqlens: torch.Tensor) -> torch.Tensor:
            return hidden

    given = dict.fromkeys(("hidden", "cu_seqlens", "embed_indices", "colour"), torch.zeros(1))
    assert accepted(Handing(), given).keys() == {"hidden", "cu_seqlens", "embed_indices"}
    assert accepted(Handing(), given, by_name=True).keys() == {"hidden"}
    assert accepted(Taking(), given).keys() == {"hidden", "cu_seqlens"}


def test_other_operators_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the file of an encoder calls a helper whose results are put to use by other operators."""
    module = ModuleType("models.slate.modeling_slate")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    encoder = type("Slate", (torch.nn.Module,), {"__module__": module.__name__})()
    vars(module)["get_vision_cu_seqlens"] = vision_segments.get_vision_cu_seqlens
    assert not rounds(encoder)
    vars(module)["get_half_pixel_indices"] = object()
    assert rounds(encoder)
