"""Mutation testing: how many small faults the fast tests of a folder notice.

    python -m benchmarks.mutation [--folder store utils rewrite] [--sample 200] [--seed 1] [--jobs 2]

The mutants are those of cosmic-ray, a seeded sample (``mutants.py`` says how it is drawn). Each is put into a
copy of the repository, and the tests that can notice it (``records.py``, ``selection.py``) are run there in
forks of a loaded process (``server.py``), the likeliest first, until one fails or they took ``--budget`` seconds.
A test that hangs has failed, and so has one that cannot be imported; a test that fails without a
mutant too is named and does not count. Mutants that were found to
be equivalent by reading stand in ``equivalents.toml`` with the reason, and count neither way.

What was killed is kept in ``.mutation_cache``, so that after tests were added only the rest is tried again;
``--fresh`` tries everything, ``--quick`` goes without records and the tests that take long (for small samples,
after all tests have passed), ``--survivors FILE`` writes the
rest down. Exit 1 where less than 85 % of a folder's
sample are killed; with ``--strict`` also where any mutant of it survives that is not listed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.mutation.copies import Copy, copies
from benchmarks.mutation.mutants import Mutant, equivalents, find_mutants
from benchmarks.mutation.selection import test_files
from benchmarks.mutation.trial import Choices, Folder, Tell, Trial

WANTED = 0.85
FOLDERS: Mapping[str, Folder] = {
    "store": Folder("codegen/store", ("tests/store",)),
    "utils": Folder(
        "utils",
        ("tests/utils", "tests/processors"),
        True,
        True,
        ("test_capture", "test_chain", "test_contract", "test_equal"),
    ),
    "rewrite": Folder(
        "codegen/rewrite",
        ("tests/rewrite",),
        True,
        False,
        ("test_execution", "test_changed_encoders", "test_bounds", "test_joined_blocks"),
    ),
}


def main() -> int:
    """Run the folders and print the table."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the copies are removed on the way
    known = equivalents()
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if options.survivors:
            options.survivors.write_text("\n".join(lines) + "\n", encoding="utf-8")

    choices = Choices(options.fresh, options.quick, options.budget, options.verbose)
    with copies(options.jobs) as made:
        failed = False
        for name in options.folder:
            sample = find_mutants(FOLDERS[name].sources, options.sample, options.seed)
            share, alive = _run(name, sample, known, made, choices, tell)
            failed |= share < WANTED or (options.strict and alive)
    return int(failed)


def _run(
    name: str,
    sample: Sequence[Mutant],
    known: Mapping[tuple[str, str, str], str],
    made: Sequence[Copy],
    choices: Choices,
    tell: Tell,
) -> tuple[float, bool]:
    """Try the sample of a folder; returns the share that is killed (0 where tests fail without any
    mutant), and whether any survives."""
    folder = FOLDERS[name]
    left_out = folder.lengthy if choices.quick else ()
    files = [file for file in test_files(folder.tests) if Path(file).stem not in left_out]
    counted = [mutant for mutant in sample if mutant.key not in known]
    trial = Trial(folder, files, made, choices, tell)
    alive = trial.run(counted)
    share = 1 - len(alive) / max(len(counted), 1)
    tell(
        f"{name}: {len(counted) - len(alive)} of {len(counted)} killed ({share:.0%}), "
        f"{len(sample) - len(counted)} equivalent"
    )
    for test, reason in sorted(trial.broken.items()):
        tell(f"  fails without any mutant: {test}: {reason}")
    return 0.0 if trial.broken else share, bool(alive)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--survivors", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
