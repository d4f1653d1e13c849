"""Both forms of blocks joined per image, run side by side."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import DEFAULT, GOLDEN, DictLibrary, read_case

torch = pytest.importorskip("torch")


def projector() -> Any:
    """The module of the golden case after the rewrite."""
    case = GOLDEN / "capture/blocks_joined_per_image.txt"
    source = read_case(case).files[DEFAULT]
    settings = Settings(passes=("capture",), helper_package="utils")
    (text,) = rewrite_library(DictLibrary({DEFAULT: source}), settings).edits.values()
    names: dict[str, Any] = {}
    exec(text, names)
    return names["TinyProjector"](SimpleNamespace(spatial_merge_size=2, hidden_size=6)).eval()


def test_a_graph_without_breaks_joins_the_same_blocks() -> None:
    model = projector()
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=True)
    for grid in ([[1, 4, 6], [2, 2, 4]], [[1, 2, 2]], [[3, 4, 4], [1, 6, 2], [1, 2, 8]]):
        grid_thw = torch.tensor(grid)
        rows = torch.randn(int(grid_thw.prod(1).sum()), 6)
        with torch.no_grad():
            expected = model(rows, grid_thw)
            assert expected.shape == (rows.shape[0] // 4, 5)
            torch.testing.assert_close(compiled(rows, grid_thw), expected, rtol=1e-5, atol=1e-6)
