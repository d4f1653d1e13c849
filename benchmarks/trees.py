"""Fetch releases of transformers as test trees: the wheels carry definitions and generated files."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".benchmark_trees"


def fetch_release(version: str) -> Path:
    """Folder with the unpacked wheel of a release; downloaded once with pip."""
    folder = CACHE / version
    if (folder / "transformers/models").is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(CACHE), f"transformers=={version}"]
    subprocess.run(command, check=True)
    wheel = next(CACHE.glob(f"transformers-{version}-*.whl"))
    partial = CACHE / f"{version}.partial"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial)
    partial.rename(folder)
    wheel.unlink()
    return folder
