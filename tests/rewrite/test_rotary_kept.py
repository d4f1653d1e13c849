"""When a rotary module gets position ids in the place of sizes, and why it does not: one change of a case each."""

from __future__ import annotations

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run

(PATH, TEXT), *_ = read_case(GOLDEN / "lift" / "rotary_module_takes_positions.txt").files.items()
CALL, POOL = "embeddings = self.rotary(grid_thw, merge_sizes=sizes)", "self.rotary(grid_thw, sizes)"
KEPT = "keeps its parameters"


def made(old: str, new: str, other: str = "") -> tuple[bool, list[str]]:
    """Whether the module gets position ids, and what is said of it."""
    assert old in TEXT
    files = {PATH: TEXT.replace(old, new, 1)}
    if other:
        files["models/other/modeling_other.py"] = other
    result = run(files, "lift")
    text = result.edits.get(PATH, "")
    return "def forward(self, position_ids: torch.Tensor)" in text, [
        r.reason for r in result.report
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CALL, CALL.replace("merge_sizes=sizes", "sizes")),
        (CALL, "embeddings: object = self.rotary(grid_thw, merge_sizes=sizes)"),
        ("dim = self.rotary.unit", "dim = self.rotary.inv_freq"),
        ("dim = self.rotary.unit", "dim = 3"),
        ("    def pool", "    def other(self):\n        return self.rotary.unit\n\n    def pool"),
    ],
)
def test_callers_that_are_understood(old: str, new: str) -> None:
    takes, said = made(old, new)
    assert takes, said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            CALL,
            CALL.replace("grid_thw, merge_sizes", "*grid_thw, merge_sizes"),
            "is not understood",
        ),
        (CALL, CALL.replace("merge_sizes=sizes", "**sizes"), "is not understood"),
        (CALL, CALL.replace("self.rotary(", "self.rotary.forward("), "is not understood"),
        (CALL, f"for _ in range(2):\n            {CALL}", "is not understood"),
        (CALL, f"with self.context:\n            {CALL}", "is not understood"),
        (
            CALL,
            CALL.replace("self.rotary(", "(lambda: self.rotary(").replace("sizes)", "sizes))()"),
            "is not understood",
        ),
        (POOL, f"[{POOL} for _ in range(2)]", "is not understood"),
        (POOL, "self.rotary", "is not understood"),
        ("= TinyRotary()", "= [TinyRotary()]", "it is not only held as an attribute"),
        (
            "class TinyEncoder",
            "made = TinyRotary()\n\n\nclass TinyEncoder",
            "it is not only held as an attribute",
        ),
        (
            "class TinyEncoder",
            "class Heir(TinyRotary):\n    def forward(self, x):\n        return x\n\n\nclass TinyEncoder",
            "Heir overrides its forward",
        ),
        (
            "    def pool",
            "    def other(self, model):\n        return model.visual.rotary(self.x)\n\n    def pool",
            "is called from outside",
        ),
    ],
)
def test_callers_that_keep_its_parameters(old: str, new: str, words: str) -> None:
    takes, said = made(old, new)
    assert not takes
    assert any(KEPT in reason and words in reason for reason in said), said


@pytest.mark.parametrize(
    ("heir", "words"),
    [
        ("class Heir(TinyEncoder):\n    pass\n", ""),
        ("class Heir(TinyEncoder):\n    def other(self):\n        return self.rotary.unit\n", ""),
        (
            "class Heir(TinyEncoder):\n    def __init__(self, config):\n        self.rotary = Other()\n\n\nclass Other(nn.Module):\n    def forward(self, x):\n        return x\n",
            "Heir has another self.rotary",
        ),
        (
            "class Heir(TinyEncoder):\n    def __init__(self, config):\n        self.rotary = config.make()\n",
            "Heir has another self.rotary",
        ),
    ],
)
def test_heirs_of_a_caller_hold_the_module_too(heir: str, words: str) -> None:
    takes, said = made("class TinyEncoder", "class TinyEncoder")
    assert takes
    files = {PATH: f"{TEXT}\n\n{heir}"}
    result = run(files, "lift")
    assert ("def forward(self, position_ids" in result.edits.get(PATH, "")) == (not words)
    assert not words or any(words in r.reason for r in result.report)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("x = 1\n", ""),
        ("from ..tiny.modeling_tiny import TinyEncoder\n", ""),
        (
            "from ..tiny.modeling_tiny import TinyEncoder\n\nx = TinyEncoder(1).rotary(3)\n",
            "may call it",
        ),
        ("name = 'TinyEncoder'\nx = getattr(name, 'rotary')\n", "may call it"),
        ("# TinyEncoder rotary\n", ""),
        (
            "from ..tiny.modeling_tiny import TinyRotary\n\nx = TinyRotary().inv_freq\n",
            "may take its place",
        ),
        ("TinyEncoder rotary (\n", "cannot be read"),
    ],
)
def test_files_that_are_not_rewritten(other: str, words: str) -> None:
    files = {PATH: TEXT, "models/other/helper_other.py": other}
    result = run(files, "lift")
    said = [r.reason for r in result.report]
    assert ("def forward(self, position_ids" in result.edits.get(PATH, "")) == (not words), said
    assert not words or any(words in reason for reason in said), said
