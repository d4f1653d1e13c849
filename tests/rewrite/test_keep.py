"""What the author keeps: no pass changes it, what depends on it stays right, and the report says so."""

from __future__ import annotations

import pytest

from codegen.rewrite import RewriteResult, Settings, rewrite_library
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case

TINY = "models/tiny/modeling_tiny.py"
HEIR = "models/heir/modular_heir.py"
SOURCE = """\
import torch
from torch import nn
from torch.nn import functional as F

{above_class}
class TinyEncoder(nn.Module):{behind_class}
    def boundaries(self, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        return F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)

    {above}
    def forward({signature}:{behind}
        cu_seqlens = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = F.pad(cu_seqlens.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens)
        return rows
"""
PLAIN = {
    "above_class": "",
    "behind_class": "",
    "above": "",
    "behind": "",
    "signature": "self, rows, grid_thw)",
}
HEIR_SOURCE = """\
from ..tiny.modeling_tiny import TinyEncoder


class HeirEncoder(TinyEncoder):{mark}
    pass
"""


def run(keep: tuple[str, ...] = (), heir: str | None = None, **parts: str) -> RewriteResult:
    texts = {TINY: SOURCE.format(**{**PLAIN, **parts})}
    if heir is not None:
        texts[HEIR] = HEIR_SOURCE.format(mark=heir)
    return rewrite_library(DictLibrary(texts), Settings(keep=keep))


def forward_is_rewritten(result: RewriteResult) -> bool:
    """Whether a rule changed ``forward``; the method in front of it has a rule of its own."""
    return "cu_seqlens is None" in result.edits.get(TINY, "").partition("def forward")[2]


def reasons(result: RewriteResult) -> list[str]:
    return [f"{r.cls}.{r.method}: {r.reason}" for r in result.report if r.kind == "left"]


def test_without_a_mark_it_is_rewritten() -> None:
    result = run()
    assert forward_is_rewritten(result)
    assert result.edits[TINY].count("cu_seqlens is None") == 2


MARKS = {
    "above": {"above": "# codegen: keep"},
    "above, with a reason": {"above": "# Measured by hand.\n    # codegen: keep (see the paper)"},
    "above a decorator": {"above": "# codegen: keep\n    @torch.no_grad()"},
    "between decorator and method": {"above": "@torch.no_grad()\n    # codegen: keep"},
    "behind the head": {"behind": "  # codegen: keep"},
    "without blanks": {"behind": "  #codegen:keep"},
    "inside a head of several lines": {
        "signature": "self,  # codegen: keep\n        rows,\n        grid_thw,\n    )"
    },
}


@pytest.mark.parametrize("mark", MARKS)
def test_a_marked_method_stays(mark: str) -> None:
    result = run(**MARKS[mark])
    assert not forward_is_rewritten(result)
    told = [reason for reason in reasons(result) if reason.startswith("TinyEncoder.forward: ")]
    assert told and all("kept by the author" in reason for reason in told)


@pytest.mark.parametrize(
    "parts",
    [{"above_class": "# codegen: keep"}, {"behind_class": "  # codegen: keep"}],
    ids=["above", "behind"],
)
def test_a_marked_class_stays_as_a_whole(parts: dict[str, str]) -> None:
    result = run(**parts)
    assert not result.edits
    assert {reason.split(":")[0] for reason in reasons(result)} >= {"TinyEncoder.forward"}


@pytest.mark.parametrize("name", ["TinyEncoder", "TinyEncoder.forward"])
def test_a_named_class_or_method_stays(name: str) -> None:
    result = run(keep=(name,))
    assert not forward_is_rewritten(result)
    assert any(f"keep in [tool.codegen] names {name}" in reason for reason in reasons(result))


def test_a_marked_heir_keeps_what_it_inherits() -> None:
    result = run(heir="  # codegen: keep")
    assert not result.edits
    assert any("HeirEncoder inherits from it and is kept" in reason for reason in reasons(result))
    assert forward_is_rewritten(run(heir=""))


def test_a_name_that_meets_nothing_is_told() -> None:
    result = run(keep=("TinyEncoder.foward",))
    assert forward_is_rewritten(result)
    expected = "names TinyEncoder.foward, which no class or method is called; did you mean TinyEncoder.forward?"
    assert any(expected in reason for reason in reasons(result))


def test_a_directive_that_is_none_is_told() -> None:
    result = run(behind="  # codegen: keeep")
    assert forward_is_rewritten(result)
    assert any("unknown directive 'keeep' (known: keep)" in reason for reason in reasons(result))


def test_the_words_in_a_string_are_no_mark() -> None:
    result = run(behind='\n        """Say # codegen: keep to keep it."""')
    assert forward_is_rewritten(result)


@pytest.mark.parametrize("place", ["behind", "above"])
def test_the_directive_of_another_place_is_none(place: str) -> None:
    """Inside of a body, or in front of a blank line: it belongs to no method."""
    mark = "# codegen: keep"
    parts = (
        {"behind": f"\n        x = 1\n        {mark}"}
        if place == "behind"
        else {"above": f"{mark}\n"}
    )
    assert forward_is_rewritten(run(**parts))


def test_decorators_and_several_comments_may_stand_between() -> None:
    above = "# codegen: keep\n    # for a reason\n    @torch.no_grad()"
    result = run(above=above)
    assert not forward_is_rewritten(result)
    assert any(reason.startswith("TinyEncoder.forward: ") for reason in reasons(result))
    above = "@torch.no_grad()\n    # codegen: keep"
    result = run(above=above)
    assert not forward_is_rewritten(result)
    assert any(reason.startswith("TinyEncoder.forward: ") for reason in reasons(result))


class OnlyModels(DictLibrary):
    """A library of which only the models may be changed, as a whole tree is."""

    def modules(self) -> dict[str, str]:
        return {m: path for m, path in super().modules().items() if path.startswith("models/")}


@pytest.mark.parametrize("asked", ["mark", "table"])
def test_a_kept_class_of_arguments_gets_no_entries_and_methods_document_theirs(asked: str) -> None:
    files = dict(read_case(GOLDEN / "lift/described_in_one_place.txt").files)
    central = "utils/auto_docstring.py"
    assert central in rewrite_library(OnlyModels(files), Settings(passes=("lift",))).edits
    keep: tuple[str, ...] = ("ModelArgs",)
    if asked == "mark":
        files[central] = files[central].replace(
            "class ModelArgs", "# codegen: keep\nclass ModelArgs"
        )
        keep = ()
    result = rewrite_library(OnlyModels(files), Settings(passes=("lift",), keep=keep))
    assert central not in result.edits
    method = result.edits["models/tiny/modeling_tiny.py"].partition("class TinyHeir")[0]
    # What has an entry already needs none; the other is described where it is taken.
    assert "cu_seqlens (`torch" in method and "rotary_pos_ids (`torch" not in method
    said = [r.reason for r in result.report if r.cls == "ModelArgs" and r.kind == "left"]
    because = "keep in [tool.codegen] names ModelArgs" if keep else "kept by the author"
    assert len(said) == 1 and because in said[0], said
