"""Signals, killed processes and two runs at once: every model is complete or untouched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.trees import ALPHA, DELTA, Result, Sandbox

#: Every expansion notes its process and waits while the file ``hold`` exists.
HOLD = """\
import os, pathlib, time
import codegen.run.job
expand = codegen.run.job.expand

def held(definition, *rest):
    pathlib.Path("..", f"pid-{os.getpid()}").touch()
    while pathlib.Path("../hold").exists():
        time.sleep(0.01)
    return expand(definition, *rest)

codegen.run.job.expand = held
"""
#: The second of two files of a model is put in place only when ``hold`` is gone.
HOLD_WRITING = """\
import os, pathlib, time
import codegen.store.workspace as workspace
put, calls = workspace.put, 0

def held(place, source):
    global calls
    calls += 1
    if calls == 2:
        pathlib.Path("..", f"pid-{os.getpid()}").touch()
        while pathlib.Path("../hold").exists():
            time.sleep(0.01)
    put(place, source)

workspace.put = held
"""


@pytest.fixture
def family(project: Sandbox) -> Sandbox:
    """More models than are expanded without worker processes."""
    for index in range(8):
        text = DELTA.replace("Delta", f"Child{index}")
        project.write({f"child{index}": text})
    return project


def _hold(sandbox: Sandbox) -> Path:
    place = sandbox.root.parent / "hold"
    place.touch()
    return place


def _wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)


def _noted(sandbox: Sandbox) -> list[int]:
    """Processes that the hooks noted."""
    return [int(path.name[4:]) for path in sandbox.root.parent.glob("pid-*")]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


def _start_held(sandbox: Sandbox, *arguments: str, hook: str = HOLD, processes: int = 2):  # type: ignore[no-untyped-def]
    _hold(sandbox)
    process = sandbox.start(*arguments, hook=hook)
    _wait(lambda: len(_noted(sandbox)) >= processes or process.poll() is not None, "the start")
    assert process.poll() is None, process.communicate()
    return process


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=30)
    return process.returncode, err


def _nothing_left(sandbox: Sandbox) -> None:
    _wait(lambda: not any(map(_alive, _noted(sandbox))), "the end of all workers")
    names = {path.name for path in sandbox.root.rglob("*")}
    assert not [name for name in names if "staging" in name or name.endswith((".tmp", ".new"))]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminate"]
)
@pytest.mark.parametrize("whole_group", [False, True], ids=["main", "group"])
def test_signal_while_expanding(
    family: Sandbox, number: signal.Signals, code: int, whole_group: bool
) -> None:
    """A terminal sends Ctrl-C to all processes of a group, ``kill`` to one."""
    process = _start_held(family, "sync", "--jobs", "2")
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    returned, err = _finish(process)
    assert returned == code
    assert err == "interrupted; models that were not complete are unchanged\n"
    assert family.outputs() == set()
    _nothing_left(family)
    (family.root.parent / "hold").unlink()
    assert family.run_apart("sync").code == 0


def _change_two_models(project: Sandbox) -> None:
    """Alpha, which has two files, and delta are out of date."""
    project.run("sync")
    changed = ALPHA.replace("self.width", "self.depth").replace('"alpha"', '"other"')
    project.write({"alpha": changed, "delta": DELTA.replace("1", "2")})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_while_writing(project: Sandbox, number: signal.Signals) -> None:
    """The signal comes between two files of a model and waits until all are in place."""
    _change_two_models(project)
    process = _start_held(project, "sync", hook=HOLD_WRITING, processes=1)
    process.send_signal(number)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    (project.root.parent / "hold").unlink()
    returned, _ = _finish(process)
    assert returned in (128 + number, -number, 130), "of two signals either may come first"
    assert "self.depth" in project.generated("alpha").read_text()
    assert '"other"' in project.generated("alpha", "configuration").read_text()
    assert "depth = 2" in project.generated("delta").read_text(), "all are put in place at once"
    _nothing_left(project)
    assert project.run("check", "--no-cache").code == 0


SLEEPING_RUFF = """\
import sys
sys.executable = "{folder}/python"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_formatting(
    checkout: Sandbox, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The formatter is ended, and its folder removed."""
    scratch = checkout.root.parent / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    ruff = checkout.root.parent / "ruff"
    ruff.write_text("#!/bin/sh\ntouch ../pid-$$\nexec sleep 60\n")
    ruff.chmod(0o755)
    hook = SLEEPING_RUFF.format(folder=ruff.parent)
    process = _start_held(checkout, "sync", hook=hook, processes=1)
    assert list(scratch.iterdir())
    process.send_signal(number)
    assert _finish(process)[0] in (130, 143)
    assert list(scratch.iterdir()) == []
    _nothing_left(checkout)


def test_killed_worker(family: Sandbox) -> None:
    process = _start_held(family, "sync", "--jobs", "2")
    os.kill(_noted(family)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    family.expect("worker_killed", Result(("sync", "--jobs", "2"), process.returncode, out, err))
    assert family.outputs() == set()
    _nothing_left(family)
    (family.root.parent / "hold").unlink()
    assert family.run_apart("sync", "--jobs", "2").code == 0
    assert family.run("check").code == 0


def test_killed_main_process_takes_its_workers_along(family: Sandbox) -> None:
    process = _start_held(family, "sync", "--jobs", "2")
    process.kill()
    (family.root.parent / "hold").unlink()
    _finish(process)
    _wait(lambda: not any(map(_alive, _noted(family))), "the end of all workers")
    assert family.outputs() == set()
    assert family.run_apart("sync", "--jobs", "2").code == 0
    _nothing_left(family)
    assert family.run("check").code == 0


def test_workers_do_not_outlive_the_main_process_by_their_work(family: Sandbox) -> None:
    """Not even when what they are doing never ends."""
    process = _start_held(family, "sync", "--jobs", "2")
    process.kill()
    _finish(process)
    _wait(lambda: not any(map(_alive, _noted(family))), "the end of all workers")
    (family.root.parent / "hold").unlink()


def test_killed_main_process_while_writing(project: Sandbox) -> None:
    """Nothing can undo half a model then: other commands say so, the next ``sync`` completes it."""
    _change_two_models(project)
    process = _start_held(project, "sync", hook=HOLD_WRITING, processes=1)
    process.kill()
    _finish(process)
    (project.root.parent / "hold").unlink()
    half = project.files()
    told = project.run("check")
    told = replace(told, err=re.sub(r"staging-\w+", "staging-0", told.err))
    project.expect("interrupted_write", told)
    assert (project.run("list").code, project.files()) == (2, half)
    project.expect("completed_write", project.run("sync"))
    _nothing_left(project)
    kept = project.files()
    assert project.run("check", "--no-cache").code == 0
    assert project.run("sync", "--no-cache").code == 0
    assert project.files() == kept


def test_two_runs_at_once(family: Sandbox) -> None:
    """The second waits for the first, then finds its work done."""
    first = _start_held(family, "sync", "--jobs", "2")
    second = family.start("sync", "--format", "json")
    time.sleep(0.5)
    assert second.poll() is None, "it waits"
    (family.root.parent / "hold").unlink()
    out, err = second.communicate(timeout=30)
    assert _finish(first) == (0, "")
    done = Result((), second.returncode, out, err)
    assert (done.code, done.err, done.expanded()) == (0, "", set())
    assert family.run("check", "--no-cache").code == 0
    _nothing_left(family)


def test_many_runs_at_once(family: Sandbox) -> None:
    runs = [family.start("sync", "--jobs", "2") for _ in range(4)]
    assert [_finish(run) for run in runs] == [(0, "")] * 4
    assert family.run("check", "--no-cache").code == 0
    _nothing_left(family)


def test_interrupted_while_waiting_for_another_run(family: Sandbox) -> None:
    first = _start_held(family, "sync", "--jobs", "2")
    second = family.start("sync")
    time.sleep(0.5)
    second.send_signal(signal.SIGINT)
    assert _finish(second)[0] == 130
    (family.root.parent / "hold").unlink()
    assert _finish(first) == (0, "")
    assert family.run("check").code == 0


def test_check_does_not_wait_for_a_run(family: Sandbox) -> None:
    first = _start_held(family, "sync", "--jobs", "2")
    assert family.run("check", "--jobs", "1").code == 1
    (family.root.parent / "hold").unlink()
    assert _finish(first) == (0, "")


def test_sources_that_keep_changing(project: Sandbox) -> None:
    """A definition that changes whenever it is read never comes to rest; the run ends anyway."""
    hook = """\
import codegen.run.job
real = codegen.run.job.expand
count = 0

def restless(definition, *rest):
    global count
    count += 1
    with open("definitions/delta/modular_delta.py", "a") as file:
        file.write(f"# {count}\\n")
    return real(definition, *rest)

codegen.run.job.expand = restless
"""
    project.expect("sources_keep_changing", project.run_apart("sync", "delta", hook=hook))
    assert project.outputs() == set()
