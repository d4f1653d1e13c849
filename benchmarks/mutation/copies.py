"""Copies of the repository, each with a process that runs tests in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutation.mutants import ROOT

#: Bytecode goes along, or every run would begin with compiling.
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".*_trees")


@dataclass
class Copy:
    """A copy of the repository and the process that runs tests in it."""

    root: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    has_torch: bool = False

    def ask(self, torch: bool, **request: Any) -> Mapping[str, Any]:
        """What ``benchmarks.mutation.server`` answers to a request; SystemExit if it has ended."""
        if torch and not self.has_torch:
            self.close()
        if self.process is None:
            self.has_torch = torch
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.mutation.server", *["--torch"] * torch],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin and self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the process that runs the tests has ended")
        return dict(json.loads(answer))

    def close(self) -> None:
        """End what is running."""
        if self.process is not None and self.process.stdin:
            self.process.stdin.close()  # its sign to end what it runs
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None


@contextmanager
def copies(count: int) -> Iterator[list[Copy]]:
    """Copies of the repository, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        made: list[Copy] = []
        try:
            for number in range(count):
                root = Path(temporary) / str(number) / ROOT.name
                shutil.copytree(ROOT, root, ignore=_NOT_COPIED, symlinks=True)
                apart = {"XDG_CACHE_HOME": root.parent / "cache", "PYTHONPATH": root}
                apart["MUTATION_TEMPORARY"] = root.parent / "tmp"
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                made.append(Copy(root, {**environment, **{k: str(v) for k, v in apart.items()}}))
            yield made
        finally:
            for copy in made:
                copy.close()
