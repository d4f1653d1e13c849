"""Start the process that records the processors of one tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codegen.verify.processes import REPOSITORY

_START = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module('codegen.verify.processors.worker', run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class ProcessorOptions:
    """``root`` is a package folder, ``overlay`` one with files on top of it; ``prompts`` is how many each gets.

    ``manners`` are how processors are to be called, by model, as an earlier record has them.
    """

    root: Path
    models: tuple[str, ...]
    overlay: Path | None = None
    prompts: int = 24
    seed: int = 0
    manners: Mapping[str, Any] = field(default_factory=dict)


def _merged(root: Path, overlay: Path, folder: Path) -> Path:
    """A package with the files of a folder on top of its own, which are linked.

    An import hook would not do: the library reads its files from where a module lies.
    """
    merged = folder / root.name
    shutil.copytree(root, merged, copy_function=_linked)
    for path in overlay.rglob("*.py"):
        target = merged / path.relative_to(overlay)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy2(path, target)
    return merged


def _linked(source: str, target: str) -> str:
    try:
        os.symlink(source, target)
    except OSError:  # a system that does not let everybody make links
        shutil.copy2(source, target)
    return target


def record(options: ProcessorOptions) -> Sequence[Mapping[str, Any]]:
    """What the processors of a tree do, one entry for each model.

    Raises:
        RuntimeError: the process failed as a whole; the message ends with its output.
    """
    root = options.root.resolve()
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        if options.overlay is not None:
            root = _merged(root, options.overlay.resolve(), Path(folder, "tree"))
        results, path = Path(folder, "results.jsonl"), Path(folder, "job.json")
        job = {
            "search": str(root.parent),
            "package": root.name,
            "original": str(options.root.resolve()),
            "models": options.models,
            "prompts": options.prompts,
            "seed": options.seed,
            "manners": options.manners,
            "results": str(results),
        }
        path.write_text(json.dumps(job), encoding="utf-8")
        known = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, known))}
        command = [sys.executable, "-c", _START, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"the process of {root} failed:\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return [
            json.loads(line) for line in results.read_text(encoding="utf-8").split("\n") if line
        ]
