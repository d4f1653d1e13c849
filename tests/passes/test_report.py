"""What the passes report: kinds, parameters, paths, and places in the files as given."""

from __future__ import annotations

from pathlib import Path

from codegen.passes import Record, rewrite_library
from tests.passes.test_rules import GOLDEN, MARKER, DictLibrary, split_files


def report_of(case: str) -> tuple[Record, ...]:
    files = split_files((GOLDEN / case).read_text().partition(MARKER)[0])
    return rewrite_library(DictLibrary(files)).report


def line_of(case: str, text: str) -> int:
    lines = (GOLDEN / case).read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def test_a_parameter_is_reported_with_its_path() -> None:
    case = "extract/position_ids_by_loop.txt"
    lifted = [r for r in report_of(case) if r.kind == "lifted"]
    assert [(r.method, r.parameters) for r in lifted] == [("angles", ("rotary_pos_ids",))]
    assert lifted[0].path_taken == ("TinyEncoder.angles",)
    assert lifted[0].location.endswith(f":{line_of(case, 'def angles')}")


def test_a_kept_rotary_table_is_reported_at_the_call() -> None:
    case = "extract/rotary_table_with_unknown_caller.txt"
    left = [r for r in report_of(case) if r.kind == "left"]
    assert len(left) == 1
    assert "keeps its table" in left[0].reason
    assert left[0].location.endswith(f":{line_of(case, 'self.rotary(32)')}")


def test_an_unknown_loop_is_reported_as_left() -> None:
    case = "extract/unknown_order_stays.txt"
    records = report_of(case)
    assert [r.kind for r in records] == ["left"]
    assert records[0].location.endswith(f":{line_of(case, 'for t, h, w')}")


def test_a_tree_with_its_own_helpers_says_so(tmp_path: Path) -> None:
    text = (
        "from ...vision_utils import get_vision_cu_seqlens\n\n\nclass Tiny:\n    grid_thw = None\n"
    )
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": text}))
    assert result.edits == {}
    assert [r.reason for r in result.report] == [
        "the tensors already come from shared functions of this tree"
    ]
