"""``sync --rewrite`` on a library tree: what the passes changed is there after every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.trees import Sandbox

_ENCODER = '''\
"""Alpha, written by hand: boundaries of the frames in its forward."""

import torch
from torch import nn
from torch.nn import functional as F


class AlphaMLP(nn.Module):
    def forward(self, states):
        return states * 2


class AlphaModel(nn.Module):
    def forward(self, rows, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        bounds = F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows
'''
_HELPER = "src/transformers/encoder_helpers/modeling_vision_utils.py"
_SOURCE = "src/transformers/models/alpha/modeling_alpha.py"


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


@pytest.mark.parametrize("lost", ["everything", _HELPER, _SOURCE, "edited helper"])
def test_lost_files_are_written_again(checkout: Sandbox, lost: str) -> None:
    """The cache remembers what the passes found, not that it is still there."""
    (checkout.root / _SOURCE).write_text(_ENCODER, encoding="utf-8")
    folder = checkout.root.parent / "out"
    command = ("sync", "--rewrite", "--output", str(folder))
    assert checkout.run(*command).code == 0
    expected = _texts(folder)
    assert "get_vision_cu_seqlens(grid_thw)" in expected[_SOURCE]
    assert _HELPER in expected
    for place in [folder / lost] if lost in expected else folder.rglob("*.py"):
        if lost != "edited helper":
            place.unlink()
        elif place == folder / _HELPER:
            place.write_text("", encoding="utf-8")
    assert checkout.run("check", *command[1:]).code == 1
    assert checkout.run(*command).code == 0
    assert _texts(folder) == expected


def test_second_run_counts_the_same_files(checkout: Sandbox) -> None:
    (checkout.root / _SOURCE).write_text(_ENCODER, encoding="utf-8")
    command = ("sync", "--rewrite", "--output", str(checkout.root.parent / "out"))
    first = checkout.run(*command, "--format", "json").json
    second = checkout.run(*command, "--format", "json").json
    paths = [
        [file["path"] for m in run["models"] for file in m["files"]] for run in (first, second)
    ]
    assert sorted(paths[0]) == sorted(paths[1])
    assert all(file["state"] == "in sync" for m in second["models"] for file in m["files"])


def test_helpers_stay_in_a_tree_that_is_rewritten_in_place(checkout: Sandbox) -> None:
    """Then there is nothing left to rewrite, but the sources still import them."""
    (checkout.root / _SOURCE).write_text(_ENCODER, encoding="utf-8")
    assert checkout.run("sync", "--rewrite").code == 0
    expected = _texts(checkout.root)
    (checkout.root / _HELPER).unlink()
    assert checkout.run("check", "--rewrite").code == 1
    assert checkout.run("sync", "--rewrite").code == 0
    assert _texts(checkout.root) == expected
    assert checkout.run("check", "--rewrite").code == 0


def test_files_that_change_through_their_parents_are_named(checkout: Sandbox) -> None:
    """A child whose definition no pass touches is in the report, as often as it is made."""
    (checkout.root / _SOURCE).write_text(_ENCODER, encoding="utf-8")
    child = "from ..alpha.modeling_alpha import AlphaModel\n\n\nclass ZetaModel(AlphaModel):\n    pass\n"
    checkout.write({"zeta": child})
    checkout.run("sync")
    command = ("sync", "--rewrite", "--output", str(checkout.root.parent / "out"))
    reports = [checkout.run(*command, "--format", "json").json["rewrites"] for _ in range(2)]
    found = [r for r in reports[0] if r["kind"] == "inherited" and r["model"] == "zeta"]
    assert [r["location"] for r in found] == ["src/transformers/models/zeta/modeling_zeta.py:1"]
    assert found[0]["reason"] == "changes with what it inherits from modeling_alpha.py"
    assert reports[0] == reports[1]
    assert "inherited" in checkout.run(*command).out


def test_a_rewritten_file_may_have_the_name_of_a_helper(checkout: Sandbox) -> None:
    """As the library's `processing_utils.py` has; both are written and told of."""
    source = "src/transformers/models/vision_utils/modeling_vision_utils.py"
    (checkout.root / source).parent.mkdir()
    (checkout.root / source).write_text(_ENCODER, encoding="utf-8")
    folder = checkout.root.parent / "out"
    done = checkout.run("sync", "--rewrite", "--output", str(folder))
    assert done.code == 0, done.err
    assert f"created {source}" in done.out and f"created {_HELPER}" in done.out
    assert {source, _HELPER} <= _texts(folder).keys()
