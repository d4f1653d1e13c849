"""What a graph keeps of the images that are to be generated: later calls find what they find eagerly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rewrite.execution import load, packages
from tests.rewrite.test_rules import GOLDEN, read_case, run

__all__ = ["packages"]


def test_later_calls_find_the_same(packages: Path) -> None:
    case = read_case(GOLDEN / "capture" / "positions_with_targets.txt")
    edits = run(case.files, "capture").edits
    before = load(case.files, packages, "before_targets_kept", case.run)
    after = load({**case.files, **edits}, packages, "after_targets_kept", case.run)
    torch._dynamo.reset()
    program = torch.compile(after.run, fullgraph=True, backend="eager")
    for number in (0, 1):
        before.run(*before.inputs[number])
        program(*after.inputs[number])
        sides = [side.run.__globals__["model"] for side in (before, after)]
        length = before.inputs[number][0].shape[1]
        for start, count in ((0, 1), (3, 2), (0, 1000)):
            expected, found = (side.next_positions(length + start, count) for side in sides)
            assert expected is not None and torch.equal(expected, found)


NOT_KIN = "from torch import nn\n\n\nclass OtherModel(nn.Module):\n"
CHILD = "from ..tiny.modeling_tiny import TinyModel\n\n\nclass OtherModel(TinyModel):\n"
ASSIGNS = "    def keep(self):\n        self.ahead = 3\n\n"
READS = "    def sides(self, image_grid_thw):\n        return self.ahead + 1\n"
READS_ANOTHERS = "    def sides(self, model, image_grid_thw):\n        return model.ahead + 1\n"


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        (NOT_KIN + ASSIGNS + READS, True),
        (NOT_KIN + READS, False),
        (NOT_KIN + ASSIGNS + READS_ANOTHERS, False),
        (CHILD + ASSIGNS + READS, False),
        (CHILD + READS, False),
    ],
)
def test_another_file_uses_an_attribute_of_that_name(text: str, is_kept: bool) -> None:
    case = read_case(GOLDEN / "capture" / "positions_with_targets.txt")
    result = run({**case.files, "models/other/modeling_other.py": text}, "capture")
    assert bool(result.edits) is is_kept
    said = "".join(record.reason for record in result.report)
    assert ("ahead + 1 in modeling_other" in said) is not is_kept
