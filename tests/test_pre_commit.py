"""Other repositories use ``check`` as their pre-commit hook: run it through the real pre-commit."""

from __future__ import annotations

import json
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


PARENT = """\
class StoneGate:
    width = 4
"""
CHILD = """\
from rocklib.models.stone.modeling_stone import StoneGate


class PebbleGate(StoneGate):
    threshold = 1
"""


def installed_parent(folder: Path) -> Path:
    """A small library, as it could be installed."""
    package = folder / "library/rocklib/models/stone"
    package.mkdir(parents=True)
    for place in (package, package.parent, package.parent.parent):
        (place / "__init__.py").write_text("")
    (package / "modeling_stone.py").write_text(PARENT)
    (folder / "library/pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "rocklib"\nversion = "1"\n[tool.setuptools.packages.find]\n'
    )
    return folder / "library"


def configure(repository: Path, **more: object) -> None:
    """The hook as the README prints it, from this repository."""
    hook = {"id": "codegen-check", **more}
    revision = run("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    settings = {"repos": [{"repo": str(ROOT), "rev": revision, "hooks": [hook]}]}
    (repository / ".pre-commit-config.yaml").write_text(json.dumps(settings))  # JSON is YAML
    run(sys.executable, "-m", "pre_commit", "install", cwd=repository)


@pytest.mark.slow
def test_commit_that_only_deletes_a_definition(repository: Path) -> None:
    other = repository / "definitions/boulder/modular_boulder.py"
    other.parent.mkdir()
    other.write_text(DEFINITION.replace("PebbleGate", "BoulderGate"))
    run(sys.executable, "-m", "codegen", "sync", cwd=repository)
    configure(repository)
    run("git", "add", ".", cwd=repository)
    assert "Passed" in run("git", "commit", "-m", "first", cwd=repository)
    run("git", "rm", "--quiet", "definitions/pebble/modular_pebble.py", cwd=repository)
    refused = run("git", "commit", "-m", "second", cwd=repository, expected=1)
    assert "generated/pebble/modeling_pebble.py: no longer generated" in refused
    run("git", "rm", "--quiet", "generated/pebble/modeling_pebble.py", cwd=repository)
    assert "Passed" in run("git", "commit", "-m", "second", cwd=repository)


@pytest.mark.slow
def test_hook_where_parents_are_installed(repository: Path, tmp_path: Path) -> None:
    library = installed_parent(tmp_path)
    (repository / "definitions/pebble/modular_pebble.py").write_text(CHILD)
    (repository / "pyproject.toml").write_text('[tool.codegen]\nexpand = ["rocklib.models.*"]\n')
    sync = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(library)!r}]\n"
    sync += "from codegen.cli import main\nsys.exit(main(['sync']))"
    run(sys.executable, "-c", sync, cwd=repository)
    configure(repository)
    run("git", "add", ".", cwd=repository)
    failed = run("git", "commit", "-m", "first", cwd=repository, expected=1)
    assert "additional_dependencies" in failed, "what has to be added is said"
    configure(repository, additional_dependencies=[str(library)])
    run("git", "add", ".", cwd=repository)
    assert "Passed" in run("git", "commit", "-m", "first", cwd=repository)
    assert "width = 4" in (repository / "generated/pebble/modeling_pebble.py").read_text()


@pytest.mark.slow
def test_hook_sees_what_was_left_unstaged(repository: Path) -> None:
    configure(repository)
    run("git", "add", ".", cwd=repository)
    run("git", "commit", "-m", "first", cwd=repository)
    definition = repository / "definitions/pebble/modular_pebble.py"
    definition.write_text(DEFINITION.replace("threshold = 1", "threshold = 2"))
    run(sys.executable, "-m", "codegen", "sync", cwd=repository)
    run("git", "add", "definitions", cwd=repository)
    refused = run("git", "commit", "-m", "second", cwd=repository, expected=1)
    assert "generated/pebble/modeling_pebble.py: out of date" in refused
    run("git", "add", "generated", cwd=repository)
    run("git", "commit", "-m", "second", cwd=repository)
