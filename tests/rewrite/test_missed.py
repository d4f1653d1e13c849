"""What looks like a helper on the first probe and is not: which probe says otherwise, and at which place."""

from __future__ import annotations

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import DictLibrary

TINY = """import torch
from torch import nn


class TinyEncoder(nn.Module):
    def angles(self, grid_thw):
        pieces = []
        for t, h, w in grid_thw.tolist():
            # here
            rows = torch.arange(h)[:, None].expand(-1, w).flatten()
            cols = torch.arange(w).repeat(h)
            pieces.append(torch.stack([rows, cols], dim=-1).repeat(t, 1))
        ids = torch.cat(pieces)
        return ids
"""
SECOND = "[[1, 4, 12], [2, 2, 4], [1, 16, 8]]"
THIRD = "[[1, 3, 6], [2, 6, 3], [1, 12, 9]]"
REASONS = {
    "if len(pieces) > 1: raise ValueError": ("8", f"it refuses {SECOND}: raise in line 9"),
    "if h > 10: raise ValueError": ("8", f"it refuses {SECOND}: raise in line 9"),
    "if h == 3: raise ValueError": ("8", f"it refuses {THIRD}: raise in line 9"),
    "h = min(h, 6)": (
        "13",
        f"it gives something else on {SECOND}: ids has shape (112, 2), not (192, 2)",
    ),
    "h = h if h != 12 else 13 - len(pieces)": (
        "13",
        f"it gives something else on {THIRD}: ids has shape (153, 2), not (162, 2)",
    ),
}


@pytest.mark.parametrize("line", REASONS)
def test_the_probe_on_which_it_is_none_is_named(line: str) -> None:
    place, reason = REASONS[line]
    library = DictLibrary({"models/tiny/modeling_tiny.py": TINY.replace("# here", line)})
    result = rewrite_library(library, Settings(passes=("extract",)))
    assert result.edits == {}
    found = [r for r in result.report if r.helper]
    assert [(r.helper, r.reason, r.location) for r in found] == [
        (
            "get_rotary_pos_ids",
            f"not replaced by get_rotary_pos_ids: {reason}",
            f"models/tiny/modeling_tiny.py:{place}",
        )
    ]


def test_without_such_a_line_it_is_the_helper() -> None:
    library = DictLibrary({"models/tiny/modeling_tiny.py": TINY})
    result = rewrite_library(library, Settings(passes=("extract",)))
    assert "get_rotary_pos_ids(" in result.edits["models/tiny/modeling_tiny.py"]
