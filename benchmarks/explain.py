"""What a release does that no known rule explains: the first step to a new rule.

    python -m benchmarks.explain --release 5.25.0
    python -m benchmarks.explain --root path/to/transformers

Tells which rules the files show although the release has others, how far every single rule brings
the files that still differ, and prints the smallest difference beside what it is made of. Exit code
0 if nothing is left to explain, 1 otherwise.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.console.progress import show_progress
from codegen.run.evidence import Trials
from codegen.run.examine import name_table
from codegen.run.outcome import ModelOutcome, State
from codegen.run.sync import Options, check
from codegen.text.lines import split_lines
from codegen.trees.dialect import RULES, Dialect
from codegen.trees.tree import Tree, open_tree, with_dialect


def explain(tree: Tree) -> Iterator[str]:
    """The lines of the explanation; none if every file comes out."""
    with show_progress(False) as progress:
        run = check(tree, (), Options(cache=False, progress=progress))
    assert isinstance(tree.convention.dialect, Dialect)
    dialect = tree.convention.dialect
    for name, (value, files) in run.rules.shown.items() if run.rules else ():
        yield f"shown by {files} files: {name} = {value!r}"
        dialect = replace(dialect, **{name: value})
    differing = {item.model: item for item in run.outcomes if _differs(item)}
    trials = Trials(with_dialect(tree, dialect), name_table(tree))
    scores = trials.scores(dialect, list(differing))
    # A file that is exact against those on disk only descends from another one that differs.
    models = sorted((m for m in differing if scores[m].distance), key=lambda m: scores[m].distance)
    if not models:
        return
    yield f"{len(models)} definitions give other files; every rule that brings some of them nearer:"
    for rule in RULES:
        for value in rule.values:
            if value != getattr(dialect, rule.name):
                other = trials.scores(replace(dialect, **{rule.name: value}), models[:20])
                nearer = sum(other[m].distance < scores[m].distance for m in models[:20])
                farther = sum(other[m].distance > scores[m].distance for m in models[:20])
                if nearer:
                    yield f"  {rule.name} = {value!r}: {nearer} nearer, {farther} farther"
    yield from _example(tree, differing[models[0]])


def _differs(item: ModelOutcome) -> bool:
    return any(file.state is not State.FRESH and file.old and file.new for file in item.files)


def _example(tree: Tree, item: ModelOutcome) -> Iterator[str]:
    """The smallest difference of a model, the definition and the parents it comes from."""
    pairs = [(file.path, file.old, file.new) for file in item.files if file.old and file.new]
    diffs: list[list[str]] = [
        list(difflib.unified_diff(split_lines(old), split_lines(new), f"a/{path}", f"b/{path}"))
        for path, old, new in pairs
        if old != new
    ]
    yield "\nthe smallest difference (a: as shipped, b: by the known rules):"
    yield "".join(sorted(diffs, key=len)[0]).rstrip()
    yield f"\ndefinition: {tree.root / item.definition}"
    yield from (f"parent: {tree.root / path}" for path in item.parents)


def main(arguments: Sequence[str] | None = None) -> int:
    """Explain one release or tree."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explain",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--release", metavar="VERSION", help="a release to fetch")
    where.add_argument("--root", type=Path, metavar="DIR", help="a tree that is already there")
    options = parser.parse_args(arguments)
    tree = open_tree(fetch_release(options.release) if options.release else options.root, None)
    lines = list(explain(tree))
    print("\n".join(lines) or "every file comes out as it was shipped")
    return 1 if any(line.startswith("\n") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
