"""The differential test on many processes, for a machine with many cores.

    python -m tests.differential.sweep --pairs 8000 --jobs 16

Prints how many pairs of a definition and its parents were equal, listed, refused, or no Python, and
every failure with its sources, made as small as hypothesis can. Exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hypothesis import given, seed, settings

from tests.differential.programs import projects
from tests.differential.test_differential import COMMON, check_pair


def _part(number: int, pairs: int) -> tuple[Counter[str], str]:
    """Compare some pairs; the counts, and what failed."""
    seen: Counter[str] = Counter()
    failure = ""
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:

        @seed(number)
        @settings(COMMON, max_examples=pairs, derandomize=False, print_blob=False)
        @given(projects())
        def run(files: dict[str, str]) -> None:
            check_pair(files, Path(folder), seen)

        try:
            run()
        except AssertionError as error:
            failure = str(error)
    return seen, failure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.differential.sweep", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0, help="the first of the seeds, one a job")
    options = parser.parse_args(arguments)
    share = -(-options.pairs // options.jobs)
    seeds = range(options.seed, options.seed + options.jobs)
    total: Counter[str] = Counter()
    failures = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for seen, failure in pool.map(_part, seeds, [share] * options.jobs):
            total += seen
            failures += [failure] if failure else []
    print(f"{total.total()} pairs: {dict(total)}, {len(failures)} of {options.jobs} parts failed")
    for failure in failures:
        print(f"\n{'-' * 80}\n{failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
