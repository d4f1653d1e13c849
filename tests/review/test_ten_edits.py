"""Ten edits of our definitions: as many changes as edits, every risk named, and none made up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.review.copies import Edit, edited, make_copy, review_of, risks_of

ROOT = "qwen2_vl"
RENAMED = (
    Edit(ROOT, "self.proj = nn.Linear(self.dim", "self.out_proj = nn.Linear(self.dim"),
    Edit(ROOT, "return self.proj(mixed_states)", "return self.out_proj(mixed_states)"),
)
ARGUMENT = (
    Edit(
        ROOT,
        "def forward(self, x: torch.Tensor) -> torch.Tensor:\n        return self.mlp(",
        "def forward(self, x: torch.Tensor, gain: float) -> torch.Tensor:\n        return gain * self.mlp(",
    ),
    Edit(
        ROOT,
        "pooler_output=self.merger(hidden_states),",
        "pooler_output=self.merger(hidden_states, gain=1.0),",
    ),
)
_OUT = """\
    def project_out(self, mixed_states: torch.Tensor) -> torch.Tensor:
        return self.proj(mixed_states)

"""
_IN = """\
    def project_in(
        self, hidden_states: torch.Tensor
"""
MOVED = (
    Edit(ROOT, _OUT, ""),
    Edit(ROOT, _IN, _OUT + _IN),
)
ATTENTION = (
    Edit(
        ROOT,
        "weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)",
        "weights = F.softmax(scores, dim=-1)",
    ),
)
DOCSTRING = (
    Edit(
        ROOT,
        "Joins the patches of one block into one token of the width of the text decoder.",
        "Joins the patches of one block: one token of the width of the text decoder.",
    ),
)
DEFAULT = (Edit(ROOT, "theta: float = 10000.0", "theta: float = 50000.0"),)
NEW_CLASS = (
    Edit(
        ROOT,
        "class Qwen2VLVisionMlp(nn.Module):",
        "class Qwen2VLVisionGate(nn.Module):\n"
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:\n"
        "        return x * torch.sigmoid(x)\n\n\n"
        "class Qwen2VLVisionMlp(nn.Module):",
    ),
    Edit(ROOT, "self.act = ACT2FN[config.hidden_act]\n", "self.act = Qwen2VLVisionGate()\n"),
)
DELETION = (
    Edit(ROOT, "    has_bias = False\n\n", ""),
    Edit(ROOT, "bias=self.has_bias\n", "bias=False\n"),
)
IMPORT = (
    Edit(
        ROOT,
        "from transformers.activations import ACT2FN",
        "from transformers.activations import ACT2CLS",
    ),
    Edit(ROOT, "ACT2FN[config.hidden_act]", "ACT2CLS[config.hidden_act]()"),
)

#: Each edit with the kinds of risk that it has to be told with, and those that it may be.
EDITS = {
    "attribute renamed": (RENAMED, {"state-dict", "dead-weight"}),
    "argument added": (ARGUMENT, {"signature", "numerics"}),
    "method moved": (MOVED, set()),
    "attention changed": (ATTENTION, {"numerics"}),
    "docstring": (DOCSTRING, set()),
    "default": (DEFAULT, {"signature"}),
    "new class": (NEW_CLASS, set()),  # it has no weights
    "deletion": (DELETION, {"lost-override", "state-dict"}),  # the bias is a key
    "import": (IMPORT, set()),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_copy(tmp_path_factory.mktemp("base") / "project")


#: Each takes two syncs of a copy of this repository: one is always made, and all risks are once found together.
ALWAYS = {"deletion"}
SAMPLED = [
    pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow, id=name) for name in EDITS
]


@pytest.mark.parametrize("name", SAMPLED)
def test_an_edit_is_one_change_with_its_risks(name: str, base: Path, tmp_path: Path) -> None:
    edits, risks = EDITS[name]
    report = review_of(base, edited(base, tmp_path / "head", edits))
    assert [change.edit is not None for change in report.changes] == [True]
    assert risks_of(report) == risks
    assert not report.unexplained
    assert not report.stale
    assert report.summary.attributed == 100
    assert report.summary.files >= 1


def test_edits_made_together_are_told_apart(base: Path, tmp_path: Path) -> None:
    apart = (RENAMED, ARGUMENT, ATTENTION, DOCSTRING, DEFAULT, DELETION, IMPORT)
    report = review_of(base, edited(base, tmp_path / "head", [e for edit in apart for e in edit]))
    assert len(report.changes) == len(apart)
    assert not report.unexplained
    expected = {"state-dict", "dead-weight", "signature", "numerics", "lost-override"}
    assert risks_of(report) == expected


@pytest.mark.parametrize("seed", [pytest.param(n, marks=pytest.mark.slow) for n in range(3)])
def test_several_edits_at_once_are_as_many_changes(seed: int, base: Path, tmp_path: Path) -> None:
    chance = random.Random(seed)
    names = chance.sample(sorted(EDITS), chance.randint(3, 5))
    if {"import", "new class"} <= set(names):  # they rewrite the same line
        names.remove("import")
    edits = [edit for name in names for edit in EDITS[name][0]]
    report = review_of(base, edited(base, tmp_path / "head", edits))
    assert len(report.changes) == len(names), (names, [change.title for change in report.changes])
    assert all(change.edit for change in report.changes)
    assert risks_of(report) == set().union(*(EDITS[name][1] for name in names))
    assert not report.unexplained


def test_a_setting_is_an_edit(tmp_path: Path) -> None:
    before = make_copy(tmp_path / "base", ("qwen2_vl", "mlcd"), rewrite=True)
    after = edited(before, tmp_path / "head", ())
    table = after / "pyproject.toml"
    kept = 'keep = ["Qwen2VLVisionAttention"]\n'
    table.write_text(table.read_text(encoding="utf-8") + kept, encoding="utf-8")
    from tests.review.copies import synced

    report = review_of(before, synced(after))
    assert [change.edit.place.path for change in report.changes if change.edit] == [
        "pyproject.toml"
    ]
    assert report.changes[0].models == ("qwen2_vl",)
    assert not report.unexplained
