"""The inference of rules on whole releases: other labels, and the marks of the rules."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.trees import fetch_release
from codegen.run.evidence import Trials
from codegen.run.examine import name_table
from codegen.run.sync import Options, check
from codegen.trees.dialect import RULES, Dialect
from codegen.trees.tree import open_tree


@pytest.mark.slow
@pytest.mark.parametrize(("release", "label"), [("5.8.1", "5.24.0"), ("5.24.0", "5.21.0.dev0")])
def test_release_with_another_label(tmp_path: Path, release: str, label: str) -> None:
    """All files come out, but for those that alone show a rule."""
    package = tmp_path / "transformers"
    shutil.copytree(fetch_release(release) / "transformers/models", package / "models")
    (package / "__init__.py").write_text(f'__version__ = "{label}"\n')
    run = check(open_tree(tmp_path, None), (), Options(cache=False))
    assert run.rules is not None and run.rules.shown
    differing = [item.model for item in run.outcomes if not item.in_sync]
    assert len(differing) <= 3, differing


@pytest.mark.slow
def test_marks_leave_nothing_out() -> None:
    """Where a rule's mark is not found, no value of the rule changes a file."""
    tree = open_tree(fetch_release("5.8.1"), None)
    dialect = tree.convention.dialect
    assert isinstance(dialect, Dialect)
    trials, wrong = Trials(tree, name_table(tree)), []
    models = [item.model for item in tree.definitions[::8]]
    for rule in RULES:
        without = [model for model in models if not _has(tree.root, model, rule.mark)]
        for value in (value for value in rule.values if value != getattr(dialect, rule.name)):
            if not rule.in_parents:
                scores = trials.scores(replace(dialect, **{rule.name: value}), without)
                wrong += [(rule.name, model) for model in without if scores[model].distance]
    assert wrong == []


def _has(root: Path, model: str, mark: str) -> bool:
    place = next(root.glob(f"transformers/models/*/modular_{model}.py"))
    return re.search(mark, place.read_text(encoding="utf-8"), re.MULTILINE) is not None
