"""Compare our expansion of a transformers release with the files that the release ships.

    python -m benchmarks.fidelity --release 5.8.1
    python -m benchmarks.fidelity --release 5.8.1 --sample
    python -m benchmarks.fidelity --root path/to/transformers --models qwen2_vl mlcd

Exit code 0 if every file is byte-identical, 1 otherwise.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.console.progress import show_progress
from codegen.errors import CodegenError
from codegen.run.outcome import Run, State
from codegen.run.sync import Options, check
from codegen.trees.banners import banner_definition
from codegen.trees.tree import Tree, open_tree

SAMPLE = Path(__file__).with_name("fidelity_sample.txt")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Counts of one sweep; ``differing`` holds (path, diff lines), ``unexplained`` shipped
    generated files that no definition gave."""

    models: int
    identical: int
    differing: tuple[tuple[str, list[str]], ...]
    unexplained: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def perfect(self) -> bool:
        """Whether nothing differs."""
        return not (self.differing or self.unexplained or self.problems)


def measure(tree: Tree, models: list[str]) -> Fidelity:
    """Expand the models of a tree (all by default) and compare with what is on disk."""
    with show_progress(False) as progress:
        run = check(tree, models, Options(cache=False, progress=progress))
    files = [file for item in run.outcomes for file in item.files]
    differing = tuple(
        (file.path, _diff(file.old or "", file.new or "", file.path))
        for file in files
        if file.state is not State.FRESH
    )
    identical = sum(file.state is State.FRESH for file in files)
    problems = tuple(str(problem) for problem in run.problems)
    return Fidelity(len(run.outcomes), identical, differing, _unexplained(tree, run), problems)


def _diff(old: str, new: str, path: str) -> list[str]:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"shipped/{path}", f"ours/{path}", lineterm="", n=2
    )
    return list(lines)


def _unexplained(tree: Tree, run: Run) -> tuple[str, ...]:
    """Files that name one of the examined definitions in their banner but did not come out."""
    given = {file.path for item in run.outcomes for file in item.files}
    found = []
    for item in run.outcomes:
        folder = (tree.root / item.definition).parent
        for path in sorted(folder.glob("*.py")):
            relative = path.relative_to(tree.root).as_posix()
            text = path.read_text(encoding="utf-8")
            source = banner_definition(text) or ""
            if relative not in given and Path(source).name == Path(item.definition).name:
                found.append(relative)
    return tuple(dict.fromkeys(found))


def _print(fidelity: Fidelity, title: str, shown: int) -> None:
    total = fidelity.identical + len(fidelity.differing)
    print(
        f"{title}: {fidelity.models} definitions, {fidelity.identical} of {total} files identical"
    )
    for path, diff in fidelity.differing[:shown]:
        print(f"\n{path}: {len(diff)} lines of diff")
        print("\n".join(diff[:40]))
    for path, _ in fidelity.differing[shown:]:
        print(f"differs: {path}")
    for path in fidelity.unexplained:
        print(f"shipped but not generated: {path}")
    for problem in fidelity.problems:
        print(problem)


def main() -> int:
    """Run a sweep from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fidelity", description=(__doc__ or "").split("\n")[0]
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--release", nargs="+", metavar="VERSION", help="releases to fetch")
    where.add_argument("--root", type=Path, metavar="DIR", help="a tree that is already there")
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL")
    parser.add_argument("--sample", action="store_true", help="only the models that CI checks")
    parser.add_argument("--diffs", type=int, default=3, metavar="N", help="differences to print")
    options = parser.parse_args()
    perfect = True
    for name in options.release or [str(options.root)]:
        tree = open_tree(fetch_release(name) if options.release else options.root, None)
        models = list(options.models)
        if options.sample:
            known = {item.model for item in tree.definitions}
            models += [m for m in SAMPLE.read_text(encoding="utf-8").split() if m in known]
        try:
            fidelity = measure(tree, models)
        except CodegenError as error:
            print(error, file=sys.stderr)
            return 2
        _print(fidelity, name, options.diffs)
        perfect = perfect and fidelity.perfect
    return 0 if perfect else 1


if __name__ == "__main__":
    sys.exit(main())
