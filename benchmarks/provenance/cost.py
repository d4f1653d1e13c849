"""What keeping track of lines costs, beside a `sync` of the same tree that is not asked for it.

    python -m benchmarks.provenance.cost --release 5.8.1 --rounds 3

`sync` itself traces nothing (`tests/cli/test_imports.py` holds it to that): lines are traced when they are
asked for. In units of Y, as in ``benchmarks.speed``: CPU time of libcst parsing all definitions once.
Every round does everything once, so that what is compared is measured by turns; medians are printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.speed import Timing, run, yardstick
from benchmarks.trees import fetch_release

_FILE = "transformers/models/glm4v/modeling_glm4v.py"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provenance.cost")
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--line", type=int, default=300, help=f"of {_FILE}")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(fetch_release(options.release), tree)
        unit = yardstick(tree)
        root = ("--root", str(tree))
        line = ("explain", f"{tree / _FILE}:{options.line}", *root)
        page = ("graph", "--html", str(Path(folder) / "page.html"), *root)
        rows: dict[str, list[Timing]] = {}
        for number in range(options.rounds):
            for cache, name, arguments in (
                ("one", "cold sync", ("sync", *root)),
                ("one", "explain a line, cold", line),
                ("one", "explain the line again", line),
                ("one", "graph, cold", page),
                ("one", "graph again", page),
                ("two", "cold sync --source-map", ("sync", "--source-map", *root)),
                ("two", "sync --source-map again", ("sync", "--source-map", *root)),
                ("two", "sync, nothing changed", ("sync", *root)),
            ):
                os.environ["CODEGEN_CACHE_DIR"] = str(Path(folder) / f"{cache}{number}")
                rows.setdefault(name, []).append(run(*arguments))
                told = f"round {number + 1}: {name}: {rows[name][-1].cpu:.2f} CPU seconds"
                print(told, file=sys.stderr, flush=True)
    print(f"transformers {options.release}; Y = {unit:.2f} CPU seconds")
    print(f"{'':34}{'CPU / Y':>9}{'wall s':>9}{'MiB':>7}")
    for name, timings in rows.items():
        cpu = statistics.median(timing.cpu for timing in timings)
        wall = statistics.median(timing.wall for timing in timings)
        memory = max(timing.memory for timing in timings)
        print(f"{name:34}{cpu / unit:9.2f}{wall:9.2f}{memory:7d}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
