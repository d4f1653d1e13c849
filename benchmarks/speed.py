"""Measure cold and incremental runs on a whole release, as ratios to a yardstick of the same run.

    python -m benchmarks.speed --release 5.8.1

The yardstick Y is the CPU time of ``libcst.parse_module`` over all definitions of the tree in one
process. Times of commands include start-up, formatting and all worker processes. The rewrite passes
alone are measured by ``benchmarks.passes``, which also profiles them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trees import fetch_release


@dataclass(frozen=True, slots=True)
class Timing:
    """One command: wall and CPU seconds, peak resident memory of all its processes in MiB."""

    wall: float
    cpu: float
    memory: int
    output: str


def yardstick(folder: Path) -> float:
    """CPU seconds that libcst needs to parse every definition once."""
    import libcst

    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("modular_*.py")]
    started = time.process_time()
    for text in texts:
        libcst.parse_module(text)
    return time.process_time() - started


def run(*arguments: str) -> Timing:
    """Run ``python -m codegen`` and measure it with everything it starts."""
    return run_module("codegen", *arguments)


def run_module(module: str, *arguments: str) -> Timing:
    """Run ``python -m module`` and measure it with everything it starts."""
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with _peak_memory(process.pid) as peak:
        output, _ = process.communicate()
    wall = time.perf_counter() - started
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Timing(wall, cpu, peak[0], output.strip())


@contextlib.contextmanager
def _peak_memory(pid: int) -> Iterator[list[int]]:
    """Sample the summed resident memory of a process and its descendants (Linux only)."""
    peak, stop = [0], threading.Event()

    def sample() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], sum(_resident(item) for item in _family(pid)) // 1024)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            found += _family(int(child))
    return found


def _resident(pid: int) -> int:
    """Resident memory of one process in KiB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def _touch(path: Path) -> None:
    """Change a definition so that its output changes: one more statement in its last class."""
    with path.open("a", encoding="utf-8") as file:
        file.write("\n\nclass EditedForTimingOnly:\n    pass\n")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--leaf", default="glm_ocr", help="a definition nothing builds on")
    parser.add_argument("--base", default="mistral", help="a definition many build on")
    options = parser.parse_args()
    source = fetch_release(options.release)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(source, tree)
        os.environ["CODEGEN_CACHE_DIR"] = str(Path(folder) / "cache")
        unit = yardstick(tree)
        models = tree / "transformers/models"
        root = ("--root", str(tree))
        rows = [("cold sync", run("sync", *root))]
        rows.append(("sync, nothing changed", run("sync", *root)))
        rows.append(("check, nothing changed", run("check", *root)))
        _touch(models / options.leaf / f"modular_{options.leaf}.py")
        rows.append((f"sync after editing {options.leaf}", run("sync", *root)))
        _touch(models / options.base / f"modular_{options.base}.py")
        rows.append((f"sync after editing {options.base}", run("sync", *root)))
        os.environ["CODEGEN_CACHE_DIR"] = str(Path(folder) / "cache2")
        out = ("--output", str(Path(folder) / "out"))
        rows.append(("cold sync --rewrite", run("sync", "--rewrite", "--quiet", *root, *out)))
    passes = run_module("benchmarks.passes", "--release", options.release)
    print(f"transformers {options.release}; Y = {unit:.2f} CPU seconds")
    print(f"{'':34}{'CPU / Y':>9}{'wall / Y':>10}{'wall s':>9}{'MiB':>7}")
    for name, timing in rows:
        ratios = f"{timing.cpu / unit:9.2f}{timing.wall / unit:10.2f}"
        print(f"{name:34}{ratios}{timing.wall:9.2f}{timing.memory:7d}   {_last(timing.output)}")
    print(_last(passes.output))
    return 0


def _last(output: str) -> str:
    return output.splitlines()[-1] if output else ""


if __name__ == "__main__":
    sys.exit(main())
