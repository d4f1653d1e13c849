"""Cases of the verification: inheritance between entries, and messages for malformed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codegen.verify.cases import CaseError, load_cases, load_whole_entries


def test_like_merges_configurations() -> None:
    cases = load_cases()
    assert "deepstack_visual_indexes" in cases["qwen3_vl"].config
    assert "deepstack_visual_indexes" not in cases["qwen3_5"].config
    assert cases["qwen3_5"].config["depth"] == cases["qwen3_vl"].config["depth"]
    assert cases["qwen3_omni_moe_audio"].config["n_window"] == 50


def test_frames_only_leaves_videos_out() -> None:
    cases = load_cases()
    assert "video" in cases["qwen2_vl"].grids
    assert all(row[0] == 1 for grid in cases["glm4v"].grids.values() for row in grid)


def test_every_family_has_a_case() -> None:
    cases = load_cases()
    assert sum(case.kind == "audio" for case in cases.values()) == 2
    # Sixteen families, and an encoder that inherits from one of them.
    assert sum(case.kind != "audio" for case in cases.values()) == 17
    assert set(load_whole_entries()) - set(cases) == {"glm46v"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"module": "models.x.modeling_x"}, "lacks encoder, rows"),
        ({"like": "nothing"}, "like 'nothing', which does not exist"),
        (
            {"module": "m.x", "encoder": "X", "rows": {"name": "r", "shape": []}, "kind": "smell"},
            "kind is 'smell'",
        ),
    ],
)
def test_malformed_case_is_named(tmp_path: Path, entry: dict[str, object], message: str) -> None:
    path = tmp_path / "extra.json"
    path.write_text(json.dumps({"models": {"mine": entry}}))
    with pytest.raises(CaseError, match="'mine'") as error:
        load_cases(path)
    assert message in str(error.value)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "extra.json"
    path.write_text("{")
    with pytest.raises(CaseError, match=r"extra\.json"):
        load_cases(path)
