"""Files that a rewrite changes although no pass touched their source: they inherit from what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.trees.sources import read_generated
from codegen.trees.tree import Tree

KIND = "inherited"


def inherited_changes(
    tree: Tree,
    outcomes: Sequence[ModelOutcome],
    edited: Mapping[str, str],
    report: Sequence[Mapping[str, Any]],
) -> Iterator[Mapping[str, Any]]:
    """Records for the files of a library that differ from the original and that no record is about.

    Args:
        tree: the library; what is written in its place leaves no original to compare with.
        outcomes: models, parents in front of those that inherit from them.
        edited: the sources that passes changed, by path.
        report: the records of the passes.
    """
    if tree.kind == "project":
        return
    told = {record["model"] for record in report if record["kind"] != "left"}
    changed = set(edited)
    for outcome in outcomes:
        parents = [path for path in outcome.parents if path in changed]
        if not parents and outcome.definition not in changed:
            continue
        for file in outcome.files:
            if not _differs(tree, file):
                continue
            changed.add(file.path)
            if outcome.model not in told:
                yield _record(outcome.model, file.path, parents)


def _differs(tree: Tree, file: FileOutcome) -> bool:
    """Tell whether a file is another than in the original tree."""
    if tree.output.resolve() == tree.root.resolve():
        return file.state is not State.FRESH
    new = file.new if file.new is not None else read_generated(tree.output / file.path)
    return new != read_generated(tree.root / file.path)


def _record(model: str, path: str, parents: Sequence[str]) -> Mapping[str, Any]:
    names = ", ".join(sorted({parent.rpartition("/")[2] for parent in parents}))
    reason = (
        f"changes with what it inherits from {names}" if names else "changes with its definition"
    )
    return {
        **{"model": model, "cls": "", "method": "", "kind": KIND, "location": f"{path}:1"},
        **{"helper": "", "parameters": (), "path_taken": (), "reason": reason},
    }
