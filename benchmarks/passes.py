"""CPU time of the rewrite passes alone on a whole release, beside the yardstick of the same run.

    python -m benchmarks.passes --release 5.8.1

All passes run once, in one process, on texts that are already read; the expansion is not included.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import sys
import time
from pathlib import Path

from benchmarks.speed import yardstick
from benchmarks.trees import fetch_release


def passes_seconds(folder: Path, profile: cProfile.Profile | None = None) -> float:
    """CPU seconds that the passes need for a tree."""
    from codegen.rewrite import Settings, rewrite_library
    from codegen.run.rewriting import TreeLibrary
    from codegen.trees.tree import open_tree

    tree = open_tree(folder, None)
    texts = {d.model: (tree.root / d.path).read_text(encoding="utf-8") for d in tree.definitions}
    library = TreeLibrary(tree, texts, dict)
    for module in library.modules():
        library.read(module)
    settings = Settings("...", tree.package_dir)
    started = time.process_time()
    if profile is None:
        rewrite_library(library, settings)
    else:
        profile.runcall(rewrite_library, library, settings)
    return time.process_time() - started


def main() -> int:
    """Print seconds and ratio; with ``--profile`` also where they go."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.passes")
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--profile", action="store_true", help="also print the dearest functions")
    options = parser.parse_args()
    folder = fetch_release(options.release)
    profile = cProfile.Profile() if options.profile else None
    unit = yardstick(folder)
    gc.disable()  # as the command line does
    seconds = passes_seconds(folder, profile)
    print(f"transformers {options.release}; Y = {unit:.2f} CPU seconds")
    print(f"rewrite passes: {seconds:.2f} CPU seconds, {seconds / unit:.2f} Y")
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    return 0


if __name__ == "__main__":
    sys.exit(main())
