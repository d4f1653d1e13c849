"""What commands print in every style, and what they return."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from codegen import __version__
from tests.cli.trees import DELTA, REPOSITORY, Sandbox


def test_version(project: Sandbox) -> None:
    result = project.run("--version")
    assert (result.code, result.out) == (0, f"codegen {__version__}\n")


@pytest.mark.parametrize("command", [(), ("sync",), ("check",), ("list",)])
def test_help(project: Sandbox, command: tuple[str, ...]) -> None:
    result = project.run(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert "python -m codegen" in result.out
    assert "example" in result.out
    if command:
        for option in ("--root", "--output", "--jobs", "--no-cache", "--format", "--quiet"):
            assert option in result.out


def test_run_as_a_module(project: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codegen", "check", "--root", str(project.root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "modeling_alpha.py: missing" in done.stdout


def test_exit_codes(project: Sandbox) -> None:
    assert project.run("check").code == 1
    assert project.run("list").code == 0
    assert project.run("sync").code == 0
    assert project.run("check").code == 0
    project.write({"delta": "class"})
    assert project.run("check").code == 2
    assert project.run("check", "alpha").code == 0, "only what was asked for counts"
    assert project.run("sync").code == 2
    assert project.run("list").code == 2


def test_errors_go_before_differences(project: Sandbox) -> None:
    project.run("sync")
    project.write({"delta": "class", "gamma": "class GammaModel:\n    pass\n"})
    result = project.run("check")
    assert result.code == 2
    assert "modeling_gamma.py: out of date" in result.out


def test_quiet(project: Sandbox) -> None:
    result = project.run("sync", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")
    result = project.run("check", "-q")
    assert (result.code, result.out, result.err) == (0, "", "")
    project.write({"delta": DELTA.replace("1", "2")})
    project.expect("quiet_check", project.run("check", "-q"))
    project.write({"delta": "class"})
    result = project.run("sync", "-q")
    assert (result.code, result.out) == (2, "")
    assert "error[syntax-error]" in result.err


def test_verbose(project: Sandbox) -> None:
    """Every file is named, also those that are as they should be."""
    project.run("sync", "delta")
    project.expect("verbose_sync", project.run("sync", "--verbose"))
    project.expect("verbose_check", project.run("check", "-v"))


def test_list(project: Sandbox) -> None:
    project.run("sync")
    project.write({"delta": DELTA.replace("1", "2"), "eps": "class"})
    project.expect("list", project.run("list"))


def test_json_of_every_command(project: Sandbox) -> None:
    for command in ("check", "list", "sync", "check", "list"):
        result = project.run(command, "--format", "json")
        assert result.err == ""
        report = result.json
        assert report["command"] == command
        assert report["root"] == str(project.root)
        assert report["problems"] == []
        assert {item["model"] for item in report["models"]} == {"alpha", "beta", "gamma", "delta"}
        for item in report["models"]:
            assert item["definition"].endswith(f"modular_{item['model']}.py")
            assert {file["state"] for file in item["files"]} <= {"in sync", "missing"}
            assert item["lines"]["definition"] > 0
            assert item["blocked_by"] is None
    beta = next(item for item in report["models"] if item["model"] == "beta")
    assert beta["parents"] == ["generated/alpha/modeling_alpha.py"]
    assert beta["state"] == "in sync"


def test_json_of_states(project: Sandbox) -> None:
    project.run("sync")
    project.generated("alpha").write_text(project.generated("alpha").read_text() + "# edited\n")
    project.generated("gamma").write_text("by_hand = True\n")
    project.generated("delta").unlink()
    report = project.run("check", "--format", "json")
    assert report.states() == {
        "alpha": "edited by hand",
        "beta": "in sync",
        "gamma": "not a generated file",
        "delta": "missing",
    }
    assert report.code == 1


@pytest.mark.parametrize("command", ["sync", "check", "list"])
def test_json_of_problems(project: Sandbox, command: str) -> None:
    project.write({"beta": "class"})
    result = project.run(command, "--format", "json")
    assert (result.code, result.err) == (2, "")
    assert result.json["problems"] == [
        {
            "code": "syntax-error",
            "message": "cannot parse the file: invalid syntax",
            "path": "definitions/beta/modular_beta.py",
            "line": 1,
            "hint": "fix the syntax error, then run the command again",
        }
    ]
    states = result.states()
    assert (states["beta"], states["gamma"]) == ("error", "skipped")
    assert {item["blocked_by"] for item in result.json["models"]} == {None, "beta"}


@pytest.mark.parametrize("command", ["sync", "check", "list"])
def test_json_when_nothing_could_be_done(project: Sandbox, command: str) -> None:
    """The same keys as always, so that tools need no second way to read it."""
    usual = project.run(command, "--format", "json").json.keys()
    result = project.run(command, "gama", "--format", "json")
    assert (result.code, result.err) == (2, "")
    assert result.json.keys() == usual
    assert result.json["models"] == []
    assert result.json["problems"][0]["code"] == "unknown-model"
    assert result.json["problems"][0]["hint"] == "did you mean gamma?"
    (project.root / "pyproject.toml").write_text("[tool.codegen]\nx = 1\n")
    assert project.run(command, "--format", "json").json["problems"][0]["code"] == "config"


def test_json_of_differences(project: Sandbox) -> None:
    """With ``--diff`` the report carries the differences."""
    project.run("sync")
    project.write({"delta": DELTA.replace("1", "2")})
    models = project.run("check", "delta", "--diff", "--format", "json").json["models"]
    assert "-    depth = 1\n+    depth = 2\n" in models[0]["files"][0]["diff"]


def test_failure_of_the_tool_itself_is_no_difference(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 means out of sync; a defect of ours must not look like that."""
    import codegen.run.examine

    def broken(*_: object) -> None:
        raise ZeroDivisionError("out of luck")

    monkeypatch.setattr(codegen.run.examine, "make_plan", broken)
    result = project.run("check")
    assert result.code == 2
    assert "error[internal]: ZeroDivisionError: out of luck" in result.err
    report = project.run("check", "--format", "json")
    assert report.code == 2
    assert report.json["problems"][0]["code"] == "internal"


def test_reader_that_goes_away(project: Sandbox) -> None:
    """As in ``python -m codegen check --diff | head -1``."""
    project.write({"delta": DELTA + "\n".join(f"x{index} = {index}" for index in range(8_000))})
    process = project.start("check", "--diff")
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)
    assert err == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminal_that_cannot_show_a_character(
    checkout: Sandbox, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    result = checkout.run_apart("check", "delta", "--diff")
    assert result.code == 1
    assert "modular_delta.py" in result.out
    assert result.err == ""


def test_no_colour_in_a_pipe(project: Sandbox) -> None:
    assert "\033" not in project.run("check").out


def _on_a_terminal(sandbox: Sandbox, *arguments: str) -> str:
    """What a command prints when both of its outputs are a terminal."""
    main, terminal = os.openpty()
    code = "import sys\nfrom codegen.cli import main\nsys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=sandbox.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=terminal,
        stderr=terminal,
    ):
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other side is closed
            while data := os.read(main, 4096):
                shown += data
    os.close(main)
    return shown.decode()


def test_colour_and_progress_on_a_terminal(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = _on_a_terminal(project, "sync")
    counts = re.findall(r"expanding \S+ (\d+)/(\d+)", shown)
    assert counts == sorted(counts) and counts[-1] == ("4", "4"), "all rounds are one bar"
    assert "\r\033[K" in shown, "the bar is removed"
    assert "\033[32mcreated\033[0m generated/alpha/modeling_alpha.py" in shown
    assert "expanding" not in _on_a_terminal(project, "check", "--no-cache", "--quiet")
    monkeypatch.setenv("NO_COLOR", "1")
    project.generated("delta").unlink()
    assert "\033[32m" not in _on_a_terminal(project, "sync")


def test_command_to_run_can_be_pasted(project: Sandbox) -> None:
    """With the same options, and quoted for a shell."""
    folder = project.root.parent / "with space"
    project.root.rename(folder)
    (project.root).mkdir()
    checked = project.run("check", "--root", "../with space", "--rewrite", "alpha")
    assert "run `python -m codegen sync --root '../with space' --rewrite alpha`" in checked.out


def test_warnings_of_definitions_do_not_spill(project: Sandbox) -> None:
    """Python itself warns of odd escapes while it parses; that is not for our users."""
    project.write({"delta": DELTA.replace("1", '"\\d"')})
    result = project.run_apart("sync", options=["-W", "always"])
    assert (result.code, result.err) == (0, "")


def test_json_is_one_document_on_standard_output(project: Sandbox) -> None:
    result = project.run_apart("sync", "--format", "json", "--verbose")
    assert json.loads(result.out)["command"] == "sync"
