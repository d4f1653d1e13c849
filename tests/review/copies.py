"""Copies of the definitions of this repository, edited and reviewed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.review.ask import Asked, make_question
from codegen.review.build import build_report
from codegen.review.model import Report
from codegen.run.sync import Options, sync
from codegen.trees.tree import open_tree

REPOSITORY = Path(__file__).resolve().parents[2]
#: Enough models for chains of four links, overrides and classes that are left alone.
MODELS = ("qwen2_vl", "qwen2_5_vl", "glm4v", "glm_ocr", "mlcd")
_TABLE = """\
[tool.codegen]
definitions = "definitions"
output = "generated"
formatter = "black"
line-length = 100
include = {models}
rewrite = {rewrite}
helpers = "utils"
"""


@dataclass(frozen=True)
class Edit:
    """One edit of a definition: a text that stands there once, and what takes its place."""

    model: str
    old: str
    new: str

    def make(self, root: Path) -> None:
        """Edit the definition below a folder."""
        path = root / f"definitions/{self.model}/modular_{self.model}.py"
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"{self.old!r} stands {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def make_copy(root: Path, models: Sequence[str] = MODELS, rewrite: bool = False) -> Path:
    """A project with some of our definitions, synced."""
    for model in models:
        shutil.copytree(REPOSITORY / "definitions" / model, root / "definitions" / model)
    shutil.copytree(REPOSITORY / "utils", root / "utils")
    names = "[" + ", ".join(f'"{name}"' for name in models) + "]"
    table = _TABLE.format(models=names, rewrite=str(rewrite).lower())
    (root / "pyproject.toml").write_text(table, encoding="utf-8")
    synced(root)
    return root


def synced(root: Path) -> Path:
    """Write what the definitions give."""
    tree = open_tree(root, None)
    run = sync(tree, [], Options(1, rewrite=tree.config.rewrite))
    assert not run.problems, run.problems
    return root


def edited(base: Path, root: Path, edits: Sequence[Edit]) -> Path:
    """A copy of a project with edits in its definitions, synced."""
    shutil.copytree(base, root)
    for edit in edits:
        edit.make(root)
    return synced(root)


def review_of(base: Path, head: Path) -> Report:
    """The review of one folder against another."""
    return build_report(make_question(Asked((str(base), str(head))), Options(1)))


def risks_of(report: Report) -> set[str]:
    """Kinds of the risks that a review names."""
    return {risk.kind for risk in report.risks}
