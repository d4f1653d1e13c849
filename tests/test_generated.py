"""The files under ``generated/`` are what the definitions expand to."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from codegen.run.outcome import State
from codegen.run.sync import Options, check
from codegen.trees.tree import open_tree

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_generated_files_are_in_sync() -> None:
    """From nothing: what `make test` asks for looks only at what changed since the last run."""
    tree = open_tree(ROOT, None)
    run = check(tree, [], Options(cache=False, rewrite=tree.config.rewrite))
    assert not run.problems, "\n".join(map(str, run.problems))
    assert run.outcomes
    changed = [f for item in run.outcomes for f in item.files if f.state is not State.FRESH]
    diffs = [
        "".join(
            difflib.unified_diff(
                (file.old or "").splitlines(keepends=True),
                (file.new or "").splitlines(keepends=True),
                f"committed/{file.path}",
                f"expanded/{file.path}",
            )
        )
        for file in changed
    ]
    listed = "\n".join(f"{file.path}: {file.state.value}" for file in changed)
    assert not changed, f"run `python -m codegen sync`\n{listed}\n{''.join(diffs)}"
