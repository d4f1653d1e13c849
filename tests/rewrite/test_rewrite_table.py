"""The table of the passes as people see it."""

from __future__ import annotations

from dataclasses import asdict

from codegen.console.rewrite_table import format_rewrites
from codegen.rewrite import Record

FILE = "models/tiny/modeling_tiny.py"


def lines(*records: Record) -> list[str]:
    return list(format_rewrites([asdict(r) for r in records], lambda text, colour: text))


def test_rows_are_aligned_and_joined_by_method() -> None:
    inner = ("TinyEncoder.angles",)
    found = lines(
        Record("tiny", "TinyModel", "get_rope_index", "left", f"{FILE}:9", reason="a loop: kept"),
        Record("tiny", "TinyEncoder", "angles", "extracted", f"{FILE}:3", "get_ids", ("ids",)),
        Record(
            *("tiny", "TinyEncoder", "forward", "lifted", f"{FILE}:5", "get_ids", ("ids",)),
            path_taken=(*inner, "TinyEncoder.forward"),
        ),
        Record("tiny", "TinyEncoder", "forward", "lifted", f"{FILE}:5", "get_cu", ("cu_seqlens",)),
    )
    assert found == [
        "tiny: 1 extracted, 2 lifted, 0 captured, 1 left",
        f"  extracted  TinyEncoder.angles        get_ids  {FILE}:3",
        f"  lifted     TinyEncoder.forward       ids, cu_seqlens  {FILE}:5",
        "             ids: through TinyEncoder.angles",
        f"  left       TinyModel.get_rope_index  {FILE}:9",
        "             a loop: kept",
        "rewrite: 1 models, 1 extracted, 2 lifted, 0 captured, 1 left",
    ]


def test_nothing_to_do_is_said() -> None:
    assert lines() == ["rewrite: nothing to do, no computation of early values was found"]
