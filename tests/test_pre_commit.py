"""Other repositories use ``check`` as their pre-commit hook: run it through the real pre-commit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = '''\
class PebbleGate:
    """A gate."""

    threshold = 1


__all__ = ["PebbleGate"]
'''


def run(*command: str, cwd: Path, expected: int = 0) -> str:
    environment = {**os.environ, "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    environment |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    # Inside a hook git points at the outer repository; the one under test must not see it.
    environment = {k: v for k, v in environment.items() if k not in ("GIT_DIR", "GIT_INDEX_FILE")}
    environment["PYTHONPATH"] = str(ROOT) if "codegen" in command else ""
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == expected, output
    return output


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one definition whose output is in sync."""
    folder = tmp_path / "theirs"
    (folder / "definitions/pebble").mkdir(parents=True)
    (folder / "definitions/pebble/modular_pebble.py").write_text(DEFINITION)
    (folder / "pyproject.toml").write_text("[tool.codegen]\n")
    run("git", "init", "--quiet", ".", cwd=folder)
    run(sys.executable, "-m", "codegen", "sync", cwd=folder)
    run("git", "add", ".", cwd=folder)
    return folder


@pytest.mark.slow
def test_the_check_hook_passes_in_sync_and_fails_out_of_sync(repository: Path) -> None:
    hook = (sys.executable, "-m", "pre_commit", "try-repo", str(ROOT), "codegen-check")
    passed = run(*hook, "--all-files", "--verbose", cwd=repository)
    assert "generated model files are in sync" in passed
    assert "1 file in sync" in passed

    definition = repository / "definitions/pebble/modular_pebble.py"
    definition.write_text(DEFINITION.replace("threshold = 1", "threshold = 2"))
    failed = run(*hook, "--all-files", cwd=repository, expected=1)
    assert "generated/pebble/modeling_pebble.py: out of date (+1 -1)" in failed
    assert "python -m codegen sync pebble" in failed
    # The hook only looks.
    assert "threshold = 1" in (repository / "generated/pebble/modeling_pebble.py").read_text()
