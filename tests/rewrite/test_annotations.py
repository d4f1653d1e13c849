"""How new annotations are spelled: as the file does, else as the files around it do."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import DictLibrary

ENCODER = """\
import torch
from torch import nn
{imports}

class Encoder(nn.Module):
    def forward(self, rows, grid_thw{own}):
        cu_seqlens = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        cu_seqlens = nn.functional.pad(cu_seqlens.cumsum(0, dtype=torch.int32), (1, 0))
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens)
        return rows
"""
OLD = "from typing import Any, Optional\n\n\ndef f(grid_thw: Optional[int] = None): ...\n"
NEW = "def f(grid_thw: int | None = None): ...\n"
CASES = {
    # what the file writes, what the others write -> annotation, import of Optional
    "neither, old": (("", ""), OLD, "Optional[torch.Tensor]", "from typing import Optional\n"),
    "neither, old, typing": (
        ("from typing import Any\n", ""),
        OLD,
        "Optional[torch.Tensor]",
        "from typing import Any, Optional\n",
    ),
    "neither, new": (("", ""), NEW, "torch.Tensor | None", ""),
    "new, old": (("", ", x: int | None = None"), OLD, "torch.Tensor | None", ""),
    "old, new": (
        ("from typing import Optional as Maybe\n", ", x: Maybe[int] = None"),
        NEW,
        "Maybe[torch.Tensor]",
        "from typing import Optional as Maybe\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_spelling(case: str) -> None:
    (imports, own), other, annotation, wanted = CASES[case]
    files = {"models/a/modeling_a.py": ENCODER.format(imports=imports, own=own)}
    files |= {f"models/{name}/modeling_{name}.py": other for name in "bc"}
    text = rewrite_library(DictLibrary(files), Settings()).edits["models/a/modeling_a.py"]
    assert f"cu_seqlens: {annotation} = None" in text, text
    typing = [line for line in text.split("\n") if line.startswith("from typing")]
    assert "".join(f"{line}\n" for line in typing) == wanted
    ast.parse(text)
