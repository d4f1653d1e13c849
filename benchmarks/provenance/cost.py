"""What keeping track of lines costs, beside a `sync` of the same tree that is not asked for it.

    python -m benchmarks.provenance.cost --release 5.8.1

`sync` itself traces nothing (`tests/cli/test_imports.py` holds it to that): lines are traced when they are
asked for. In units of Y, as in ``benchmarks.speed``: CPU time of libcst parsing all definitions once.
"""

from __future__ import annotations

import argparse
import os
import shutil
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(fetch_release(options.release), tree)
        unit = yardstick(tree)
        root = ("--root", str(tree))
        line = ("explain", f"{tree / _FILE}:{options.line}", *root)
        page = ("graph", "--html", str(Path(folder) / "page.html"), *root)
        rows: list[tuple[str, Timing]] = []
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
            os.environ["CODEGEN_CACHE_DIR"] = str(Path(folder) / cache)
            rows.append((name, run(*arguments)))
    print(f"transformers {options.release}; Y = {unit:.2f} CPU seconds")
    print(f"{'':34}{'CPU / Y':>9}{'wall s':>9}{'MiB':>7}")
    for name, timing in rows:
        print(f"{name:34}{timing.cpu / unit:9.2f}{timing.wall:9.2f}{timing.memory:7d}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
