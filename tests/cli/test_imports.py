"""A run with nothing to do is quick because it imports next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.trees import PROJECT, Sandbox

HEAVY = {
    "torch",
    "transformers",
    "numpy",
    "black",
    "isort",
    "jinja2",
    "libcst",
    "multiprocessing.pool",
    "concurrent.futures.process",
}


def _imported(sandbox: Sandbox, *arguments: str) -> set[str]:
    result = sandbox.run_apart(*arguments, options=["-X", "importtime"])
    assert result.code == 0
    lines = result.err.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("command", ["sync", "check", "list"])
@pytest.mark.parametrize("tree", ["project", "checkout"])
def test_nothing_heavy_is_imported_when_all_is_in_sync(
    tree: str, command: str, request: pytest.FixtureRequest
) -> None:
    sandbox: Sandbox = request.getfixturevalue(tree)
    if tree == "project":
        (sandbox.root / "pyproject.toml").write_text(PROJECT.replace("none", "black"))
    assert sandbox.run("sync").code == 0
    imported = _imported(sandbox, command)
    assert "codegen.run.sync" in imported
    assert sorted(imported & HEAVY) == []


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_only_the_command_line(project: Sandbox, option: str) -> None:
    ours = {name for name in _imported(project, option) if name.startswith("codegen")}
    assert ours <= {
        "codegen",
        "codegen.arguments",
        "codegen.cli",
        "codegen.console",
        "codegen.console.commands",
        "codegen.errors",
        "codegen.explain",
        "codegen.explain.options",
        "codegen.review",
        "codegen.review.command",
        "codegen.review.kinds",
        "codegen.store",
        "codegen.store.system",
    }


def test_torch_and_transformers_are_not_imported_by_an_expansion(checkout: Sandbox) -> None:
    imported = _imported(checkout, "sync")
    assert not imported & {"torch", "transformers", "numpy", "libcst", "black"}


def test_sync_traces_no_lines(project: Sandbox) -> None:
    """Where lines come from is found out when it is asked for: an expansion pays nothing for it."""
    loaded = {name for name in _imported(project, "sync") if name.startswith("codegen.explain")}
    assert loaded == {"codegen.explain", "codegen.explain.options"}


def test_passes_with_nothing_to_write_do_not_load_libcst() -> None:
    code = "import sys, codegen.rewrite; sys.exit('libcst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_formatter_is_not_started_when_nothing_is_to_be_formatted(checkout: Sandbox) -> None:
    assert checkout.run("sync").code == 0
    hook = "import subprocess\nsubprocess.Popen = None\nsubprocess.run = None"
    assert checkout.run_apart("check", hook=hook).code == 0
