"""What the checks of generated files cost, beside the runs that they are part of.

    python -m benchmarks.checks                  a release where nothing differs, and a project

In a library tree only files are looked at that differ from the committed ones; in a project every
file is. Both are run in this process, by turns with the checks and without them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from unittest import mock

from benchmarks.meaning import largest_classes, write_project
from benchmarks.speed import yardstick
from benchmarks.trees import fetch_release
from codegen.expansion.link import link as linking
from codegen.run import job as jobs
from codegen.run.sync import Options, check
from codegen.trees.tree import open_tree

#: The checks of a project, where its expansion calls them.
_OF_PROJECTS = ("check_names", "check_drafts", "check_classes", "check_parents", "check_in_roles")


@contextlib.contextmanager
def _without_checks() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name in _OF_PROJECTS:
            stack.enter_context(mock.patch.object(linking, name, lambda *_: ()))
        stack.enter_context(mock.patch.object(jobs, "findings", lambda *_: ()))
        yield


def _seconds(root: Path) -> float:
    started = time.process_time()
    check(open_tree(root, None), (), Options(jobs=1, cache=False))
    return time.process_time() - started


def compared(root: Path, rounds: int) -> tuple[float, float]:
    """CPU seconds of a whole run, and how many of these are the checks: medians of some rounds."""
    _seconds(root)  # what is read for the first time
    runs: list[tuple[float, float]] = []
    for _ in range(rounds):
        whole = _seconds(root)
        with _without_checks():
            runs.append((whole, whole - _seconds(root)))
    return median(whole for whole, _ in runs), median(part for _, part in runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for a release and one for a project."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--sample", type=int, default=60, help="definitions of the project")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    tree = fetch_release(options.release)
    unit = yardstick(tree)
    print(f"transformers {options.release}; Y = {unit:.2f} CPU seconds")
    with tempfile.TemporaryDirectory(prefix="checks-") as folder:
        os.environ["CODEGEN_CACHE_DIR"] = str(Path(folder) / "cache")
        project = Path(folder) / "project"
        project.mkdir()
        subjects = largest_classes("transformers", "models")
        step = max(1, len(subjects) // options.sample)
        chosen = subjects[::step][: options.sample]
        write_project(project, chosen, None, "transformers")
        sides = [
            ("release, nothing differs", tree),
            (f"project of {len(chosen)} definitions", project),
        ]
        for name, root in sides:
            whole, part = compared(root, options.rounds)
            print(
                f"{name:32} {whole / unit:6.2f} Y, of these the checks {part / unit:6.3f} Y", end=""
            )
            print(f" ({part / whole:.1%})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
