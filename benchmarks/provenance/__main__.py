"""The command line of the comparison; see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.provenance.impacts import PARTS, measure_members
from benchmarks.provenance.measure import KINDS, measure
from benchmarks.provenance.oracle import Score, show
from benchmarks.trees import fetch_release
from codegen.explain.atlas import Atlas, Settings
from codegen.trees.tree import Tree, open_tree


def apart(
    tree: Tree, count: int, jobs: int, seed: int, kinds: tuple[str, ...], skip: int = 0
) -> Mapping[str, Score]:
    """:func:`measure` in several processes, each with a seed of its own."""
    if jobs == 1:
        return measure(Atlas(tree, _settings(tree)), count, seed, kinds, _tell, skip)
    # Made once, and found by all.
    Atlas(tree, _settings(tree)).prepare(item.model for item in tree.definitions)
    shares = [count // jobs + (index < count % jobs) for index in range(jobs)]
    total = {kind: Score() for kind in kinds}
    with ProcessPoolExecutor(jobs) as pool:
        seeds = [seed * jobs + index for index in range(jobs)]
        for scores in pool.map(_measure, [tree] * jobs, shares, seeds, [kinds] * jobs):
            for kind, score in scores.items():
                total[kind].add(score)
    return total


def _measure(tree: Tree, count: int, seed: int, kinds: tuple[str, ...]) -> Mapping[str, Score]:
    return measure(Atlas(tree, _settings(tree)), count, seed, kinds)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _settings(tree: Tree) -> Settings:
    return Settings(tree.config.rewrite)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provenance")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--release", metavar="VERSION")
    where.add_argument("--root", type=Path, metavar="DIR")
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--skip", type=int, default=0, help="edits that an earlier run has made")
    parser.add_argument("--members", type=int, default=0, help="members for `impact`, not lines")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.skip and options.jobs != 1:
        parser.error("--skip counts the edits of one process: use it with --jobs 1")
    tree = open_tree(fetch_release(options.release) if options.release else options.root, None)
    if options.members:
        atlas = Atlas(tree, _settings(tree))
        parts = tuple(options.parts)
        members = measure_members(atlas, options.members, options.seed, parts, _tell)
        return _report(members, "models", 1)
    kinds = tuple(options.kinds)
    scores = apart(tree, options.lines, options.jobs, options.seed, kinds, options.skip)
    return _report(scores, "lines", 0.99)


def _report(scores: Mapping[str, Score], what: str, bar: float) -> int:
    total = Score()
    for kind, score in scores.items():
        print(f"{kind}:")
        print("\n".join(f"  {line}" for line in show(score, what)), flush=True)
        total.add(score)
    total.faults.clear()
    print("\n".join(show(total, what)))
    return 0 if min(total.precision, total.recall) >= bar else 1


if __name__ == "__main__":
    sys.exit(main())
