"""Which files keep a rotary module as it is: those that name a class that holds it, and then reach for it."""

from __future__ import annotations

import pytest

from codegen.rewrite import rewrite_library
from tests.rewrite.test_rules import DictLibrary

TINY = """import torch
from torch import nn

from ...modeling_vision_utils import get_rotary_pos_ids


class TinyRotary(nn.Module):
    def forward(self, grid_thw):
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, 2)
        return (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1).cos()


class TinyEncoder(nn.Module):
    def __init__(self, config):
        self.rotary = TinyRotary()

    def forward(self, rows, grid_thw):
        return self.layers(rows, self.rotary(grid_thw))
"""
CALL = "a file that is not rewritten may call it"
PLACE = "a module of a file that is not rewritten may take its place"
#: Another file, and why the module keeps its parameters ("": it does not).
FILES = {
    "from ..tiny.modeling_tiny import TinyEncoder\n\n\nshown = TinyEncoder\n": "",
    "def angles(model):\n    return model.rotary(3)\n": "",
    "def angles(model: MyTinyEncoders):\n    return model.rotary(3)\n": "",
    "def angles(model: TinyEncoder_2):\n    return model.rotary(3)\n": "",
    "def angles(model: TinyEncoder):\n    return model.rotary_2(3)\n": "",
    "def angles(model: TinyEncoder):\n    return model.rotary(3)\n": CALL,
    "def angles(model: TinyRotary):\n    return model.encoder.rotary\n": CALL,
    "class MyTinyRotaryLike:\n    inv_freq = None\n": "",
    "class Other(TinyRotary):\n    inv_freq = None\n": PLACE,
    "class Other:\n    inv_freq = None\n\n\nold = TinyEncoder\n": PLACE,
}


def test_files_that_say_nothing_of_it_hide_no_other() -> None:
    quiet = "# TinyEncoder and TinyRotary are elsewhere.\nx = 1\n"
    last = "def angles(model: TinyEncoder):\n    return model.rotary(3)\n"
    texts = {
        "models/tiny/modeling_tiny.py": TINY,
        "models/a/modeling_a.py": "x = 1\n",
        "models/b/modeling_b.py": quiet,
        "models/c/modeling_c.py": last,
    }
    kept = [r for r in rewrite_library(DictLibrary(texts)).report if CALL in r.reason]
    assert [record.location for record in kept] == ["models/c/modeling_c.py:1"]


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_names_a_holder_and_reaches_for_the_module_keeps_it(file: str) -> None:
    texts = {
        "models/tiny/modeling_tiny.py": TINY,
        "models/other/modeling_other.py": file,
    }
    result = rewrite_library(DictLibrary(texts))
    kept = [r for r in result.report if r.kind == "left" and "keeps its parameters" in r.reason]
    reasons = [record.reason.partition("keeps its parameters: ")[2] for record in kept]
    assert reasons == ([FILES[file]] if FILES[file] else [])
    changed = result.edits.get("models/tiny/modeling_tiny.py", "")
    if FILES[file]:
        # Parameters stay; what nobody can exchange takes results as well.
        assert kept[0].location == "models/other/modeling_other.py:1"
        assert ("def forward(self, grid_thw=None, *, rotary_pos_ids" in changed) is (
            FILES[file] == CALL
        )
    else:
        assert "self.rotary(rotary_pos_ids)" in changed
