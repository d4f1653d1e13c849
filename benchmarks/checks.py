"""What the checks of generated files cost, beside the runs that they are part of.

    python -m benchmarks.checks                  a release where nothing differs, and a project

In a library tree only files are looked at that differ from the committed ones; in a project every
file is. Both are run in this process, and the time of every check is noted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from unittest import mock

from benchmarks.meaning import largest_classes, write_project
from benchmarks.speed import yardstick
from benchmarks.trees import fetch_release
from codegen.expansion.link import link as linking
from codegen.run import job as jobs
from codegen.run.sync import Options, check
from codegen.trees.tree import open_tree

#: The checks, where they are called: those of a library's files, and those of a project.
_CHECKS: tuple[tuple[ModuleType, str], ...] = (
    (jobs, "findings"),
    *((linking, name) for name in ("check_names", "check_drafts", "check_classes")),
    *((linking, name) for name in ("check_parents", "check_in_roles")),
)


@contextlib.contextmanager
def _timed() -> Iterator[list[float]]:
    """While this holds, the seconds of every call of a check are noted."""
    spent: list[float] = []

    def timed(plain: Callable[..., Iterable[str] | None]) -> Callable[..., list[str]]:
        def check_and_note(*given: object) -> list[str]:
            started = time.process_time()
            try:
                return list(plain(*given) or ())  # what is lazy runs here
            finally:
                spent.append(time.process_time() - started)

        return check_and_note

    with contextlib.ExitStack() as stack:
        for module, name in _CHECKS:
            change = mock.patch.object(module, name, timed(getattr(module, name)))
            stack.enter_context(change)
        yield spent


def measured(root: Path) -> tuple[float, float, int]:
    """CPU seconds of a whole run in this process, of its checks, and how often one was asked."""
    started = time.process_time()
    with _timed() as spent:
        check(open_tree(root, None), (), Options(jobs=1, cache=False))
    return time.process_time() - started, sum(spent), len(spent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for a release and one for a project."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--sample", type=int, default=60, help="definitions of the project")
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
            whole, part, count = measured(root)
            shown = f"{name:32} {whole / unit:6.2f} Y, of these {count} checks {part / unit:6.3f} Y"
            print(f"{shown} ({part / whole:.1%})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
