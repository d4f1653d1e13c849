"""Trials: start a run on a tree that is out of date, let something happen to it, look what is left.

As a program it runs a long sweep and prints what became of the runs:

    python -m tests.faults.trials --runs 300 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock  # noqa: F401
import jinja2  # noqa: F401
import platformdirs  # noqa: F401

import codegen.console.progress
import codegen.console.text
import codegen.output.render
import codegen.run.sync  # noqa: F401 (what is loaded here need not be loaded by each fork)
from codegen.cli import main
from tests.cli.trees import ALPHA, DELTA, PROJECT, REPOSITORY

#: Seconds in which a run must end after a signal or the death of a worker.
SOON = 1.0
_FATAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
Files = dict[str, bytes]


@dataclass(frozen=True)
class Trial:
    """What happens: ``what`` to ``whom`` (main, group or worker), ``after`` seconds."""

    what: int
    whom: str
    after: float


@dataclass(frozen=True)
class Ending:
    """How the run ended: its exit status, what it said, and how long after the event."""

    code: int
    err: str
    late: float
    hit: bool


def definitions(depth: int, models: int) -> Iterator[tuple[str, str]]:
    """A family of so many models; ``depth`` is in each of their files."""
    text = ALPHA.replace('"alpha"', f'"alpha{depth}"').replace(
        "self.width =", f"self.width = {depth} *"
    )
    yield "alpha", text
    for index in range(models - 1):
        name = f"Child{index}"
        yield (
            name.lower(),
            "from ..alpha.modeling_alpha import AlphaMLP\n\n\n"
            f"class {name}Config:\n    depth = {depth}\n\n\nclass {name}MLP(AlphaMLP):\n    pass\n\n\n"
            + DELTA.partition('"""\n\n\n')[2].replace("Delta", name).replace("= 1", f"= {depth}")
            + f"\n    table = [{'0, ' * 400}]\n",
        )


class Tree:
    """A project whose generated files are all out of date, as often as one wants."""

    def __init__(self, folder: Path, formatter: str = "none", models: int = 9) -> None:
        self.root, self._kept, self._models = folder / "tree", folder / "kept", models
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "XDG_CACHE_HOME": str(folder / "caches"),
            "TMPDIR": str(folder / "temporary"),
        }
        self.environment.pop("CODEGEN_CACHE_DIR", None)
        (folder / "temporary").mkdir(parents=True)
        self.root.mkdir()
        (self.root / "pyproject.toml").write_text(PROJECT.replace("none", formatter))
        self._define(2)
        self.check_call("sync")
        self.new = self.files()
        self._define(1)
        self.check_call("sync")
        self.old = self.files()
        assert self.old.keys() == self.new.keys() and not self.old.items() & self.new.items()
        self._define(2)
        shutil.copytree(self.root, self._kept, symlinks=True)

    def _define(self, depth: int) -> None:
        for model, text in definitions(depth, self._models):
            place = self.root / "definitions" / model / f"modular_{model}.py"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def reset(self) -> None:
        """Everything out of date again, at the same place."""
        shutil.rmtree(self.root)
        shutil.copytree(self._kept, self.root, symlinks=True)

    def files(self) -> Files:
        """The generated files by path."""
        return {
            place.relative_to(self.root).as_posix(): place.read_bytes()
            for place in sorted((self.root / "generated").rglob("*.py"))
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "codegen", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; exit status and what it said of problems."""
        status, err = self.fork(lambda: main([*arguments, "--jobs", "1"]))
        return os.waitstatus_to_exitcode(status), err

    def fork(self, action: Callable[[], int]) -> tuple[int, str]:
        """Call a function in a forked process, which saves its start; wait status, what it said."""
        said = self.root.parent / "said"
        pid = os.fork()
        if not pid:
            code = 99
            try:
                os.chdir(self.root)
                os.environ.clear()
                os.environ.update(self.environment)
                tempfile.tempdir = None
                for number, name in ((1, os.devnull), (2, said)):
                    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
                # Not those of pytest, which keeps what is written to them.
                sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
                sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
                code = action()
                sys.stderr.flush()
            finally:
                os._exit(code)
        return os.waitpid(pid, 0)[1], said.read_text()

    def check_call(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        code, err = self.call(*arguments)
        assert code == 0, err

    def mixed(self) -> set[str]:
        """Models of which some files are old and others new, or something else altogether."""
        found = self.files()
        states: dict[str, set[str]] = collections.defaultdict(set)
        for path in self.old:
            is_old, is_new = (found.get(path) == known[path] for known in (self.old, self.new))
            states[Path(path).parent.name].add("old" if is_old else "new" if is_new else "other")
        assert "other" not in set().union(*states.values()), "a file is incomplete"
        assert found.keys() == self.old.keys()
        return {model for model, found_states in states.items() if len(found_states) > 1}

    def leftovers(self) -> list[str]:
        """Files that a run should not leave behind."""
        names = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*")]
        odd = (".codegen-staging", ".tmp", ".new", ".old")
        return [name for name in names if any(part in name for part in odd)]

    def recover(self) -> str:
        """Check what a killed run has left, have it put in order, and check that it is.

        Returns what ``sync`` said about it.
        """
        half = self.mixed()
        code, err = self.call("check")
        assert code in ((2,) if half else (0, 1, 2)), err
        assert ("error[interrupted-write]" in err) is (code == 2), err
        assert self.mixed() == half, "only `sync` may write"
        code, said = self.call("sync")
        assert code == 0, said
        assert not half or "a run was killed while it was writing" in said
        assert self.files() == self.new
        assert self.leftovers() == []
        self.check_call("check", "--no-cache")
        return said


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The child processes of a run."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in children.split()]


def undergo(tree: Tree, trial: Trial, *arguments: str) -> Ending:
    """Start a run, let it happen, and wait for the end."""
    process = tree.start("sync", "--jobs", "2", *arguments)
    _wait_for_first_line(process)
    if trial.whom == "worker":  # they live for a small part of the run
        while not workers_of(process) and process.poll() is None:
            time.sleep(0.001)
    time.sleep(trial.after)
    hit = process.poll() is None
    family = workers_of(process)
    if trial.whom == "worker":
        hit = bool(family)
        for pid in family[:1]:
            os.kill(pid, trial.what)
    elif hit and trial.whom == "group":
        os.killpg(process.pid, trial.what)
    elif hit:
        process.send_signal(trial.what)
    happened = time.monotonic()
    try:
        _, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise AssertionError(f"{trial} hangs") from None
    late = time.monotonic() - happened
    for pid in family:
        _wait_for_end(pid)
    return Ending(process.returncode, err, late, hit)


def _wait_for_first_line(process: subprocess.Popen[str]) -> None:
    """Until the first line of ours has run, which lets Ctrl-C end the process; before, Python rules."""
    bit, caught = 1 << (signal.SIGINT - 1), False
    place = Path(f"/proc/{process.pid}/status")
    until = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < until:
        lines = place.read_text().split("\n")
        mask = int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16)
        if caught and not mask & bit:
            return
        caught = caught or bool(mask & bit)
        time.sleep(0.001)


def _wait_for_end(pid: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} outlives the run")


def judge(tree: Tree, trial: Trial, ending: Ending, soon: float = SOON) -> str:
    """Check that a run ended as it must; returns a word for the summary."""
    assert "Traceback" not in ending.err, ending
    if ending.code == 0:  # it was over before, or nothing depended on it any more
        assert tree.files() == tree.new
        return "completed"
    if trial.whom == "worker":
        assert ending.code == 2, (trial, ending)
        assert ending.err.count("error[") == 1 and "error[worker-died]" in ending.err, ending
        assert tree.files() == tree.old
    elif trial.what == signal.SIGKILL:
        assert ending.code == -signal.SIGKILL
        return "half written" if tree.mixed() else "killed"
    else:
        assert ending.code in (-trial.what, 128 + trial.what), (trial, ending)
        assert tree.mixed() == set(), (trial, ending)
    assert ending.late < soon, (trial, ending)
    return "stopped"


def random_trial(chance: random.Random, longest: float) -> Trial:
    """A kill or signal at a random moment of a run that takes ``longest`` seconds."""
    whom = chance.choice(("main", "main", "group", "worker"))
    if whom == "worker" or chance.random() < 0.4:
        what = int(signal.SIGKILL)
    else:
        what = int(chance.choice(_FATAL))
    return Trial(what, whom, chance.uniform(0, longest / (10 if whom == "worker" else 1)))


def sweep() -> int:
    """Run a sweep and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.trials")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formatter", default="black")
    parser.add_argument("--soon", type=float, default=SOON)
    parser.add_argument("--rewrite", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    late: list[float] = []
    extra = ["--rewrite"] if options.rewrite else []
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder), options.formatter)
        started = time.monotonic()
        tree.check_call("sync", "--jobs", "2", *extra)
        longest = time.monotonic() - started
        for _ in range(options.runs):
            tree.reset()
            trial = random_trial(chance, longest)
            ending = undergo(tree, trial, *extra)
            word = judge(tree, trial, ending, options.soon)
            tree.recover()
            counts[trial.whom, word] += 1
            if word == "stopped":
                late.append(ending.late)
    for (whom, word), count in sorted(counts.items()):
        print(f"{whom:8}{word:14}{count:5}")
    late.sort()
    if late:
        print(f"seconds to the end: median {late[len(late) // 2]:.2f}, longest {late[-1]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(sweep())
