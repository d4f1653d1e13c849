"""A torchvision whose compiled part does not fit is imported all the same; one that is absent stays so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What such a package does on import: it describes operators that its library should have defined.
DESCRIPTIONS = """
import torch

def describe(name):
    return lambda function: torch.library.Library("torchvision", "IMPL", "Meta").impl(name, function)

@describe("pool")
def pool(values):
    return values

@torch.library.register_fake("torchvision::nms")
def nms(values):
    return values
"""
DECLARED = (
    "from codegen.verify.torchvision_operators import declare_torchvision_operators as declare\n"
    "import sys\n"
    "declare()\n"
    "declare()\n"
    "assert 'torch' not in sys.modules\n"
)
CALL = """
import torch
try:
    torch.ops.torchvision.nms(torch.ones(2))
except NotImplementedError:
    print("declared only")
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code where only the torchvision of the folder, if any, can be found."""
    isolated = f"import sys\nsys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]\n"
    # What `make setup` leaves in an environment where it is needed, see codegen/verify/at_start.py.
    isolated += "sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != '_OnImport']\n"
    command = [sys.executable, "-c", isolated + code]
    environment = {**os.environ, "PYTHONPATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import _meta_registrations\n")
    (folder / "_meta_registrations.py").write_text(DESCRIPTIONS)
    return tmp_path


def test_it_fails_by_itself(package: Path) -> None:
    pytest.importorskip("torch")
    failed = run("import torchvision", package)
    assert failed.returncode == 1 and "RuntimeError" in failed.stderr


def test_its_operators_are_declared_when_it_is_imported(package: Path) -> None:
    pytest.importorskip("torch")
    done = run(f"{DECLARED}import torchvision\n{CALL}", package)
    assert (done.returncode, done.stdout) == (0, "declared only\n"), done.stderr


def test_a_package_that_describes_nothing_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "import sys\nloaded = 'torch' in sys.modules\n"
    )
    done = run(f"{DECLARED}import torchvision\nprint(torchvision.loaded)", tmp_path)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_python_starts_without_it_and_declares_when_it_is_imported(package: Path) -> None:
    """What a ``.pth`` file runs must not load anything: a folder in front may hold an ``ast.py``."""
    pytest.importorskip("torch")
    start = ROOT / "codegen" / "verify" / "at_start.py"
    code = (
        f"source = open({str(start)!r}, encoding='utf-8').read()\n"
        "before = {*sys.modules, '__future__'}\n"
        "exec(source)\n"
        "assert set(sys.modules) <= before\n"
        "import torchvision\n"
    )
    done = run(code + CALL, package)
    assert (done.returncode, done.stdout) == (0, "declared only\n"), done.stderr
