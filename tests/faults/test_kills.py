"""Kills of the main process and of workers: at each step of a write, and at random moments."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable

import pytest

from codegen.cli import main
from tests.faults.trials import Tree, Trial, judge, random_trial, undergo

#: What Python tells an audit hook before it does it: every touch of a file system is among these.
STEPS = ("open", "os.", "tempfile.", "shutil.")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("steps"), models=2)


def _killed_at(step: int, number: int) -> Callable[[], int]:
    """A run that gets a signal before its ``step``-th touch of a file once it has begun to write."""

    def run() -> int:
        count = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event.startswith(STEPS) and (count or "codegen-staging" in str(arguments)):
                count += 1
                if count == step:
                    os.kill(os.getpid(), number)

        sys.addaudithook(hook)
        return main(["sync", "--jobs", "1"])

    return run


#: Every so many steps from a first one, or all of them.
STRIDES = [(11, 1), *(pytest.param((1, n), marks=pytest.mark.slow) for n in (0,))]


@pytest.mark.parametrize("stride", STRIDES, ids=["sample", "all"])
def test_killed_at_each_step_of_a_write(small: Tree, stride: tuple[int, int]) -> None:
    """Before every single touch of a file from the first staged text to the end of the run."""
    (by, step), half, done = stride, 0, []
    while True:
        small.reset()
        step += by
        status, _ = small.fork(_killed_at(step, signal.SIGKILL))
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        half += bool(small.mixed())
        done.append(small.recover())
    assert step > 30
    assert half >= (2 if by == 1 else 0), "both models have two files"
    assert by > 1 or any("completed" in said for said in done)
    assert small.files() == small.new


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["handled", "default"])
@pytest.mark.parametrize("stride", STRIDES, ids=["sample", "all"])
def test_signal_at_each_step_of_a_write(small: Tree, number: int, stride: tuple[int, int]) -> None:
    """Old or new: what can be postponed leaves nothing half written."""
    by, step = stride
    while True:
        small.reset()
        step += by
        status, _ = small.fork(_killed_at(step, number))
        assert small.mixed() == set()
        assert small.files() in (small.old, small.new), "all models are put in place at once"
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            break
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status) - 128
        assert ended == number
        if number == signal.SIGTERM:
            assert small.leftovers() == []
    assert step > 30


@pytest.fixture(scope="module")
def half_way(small: Tree) -> int:
    """A step at which a kill leaves a model half written."""
    step = 0
    while True:
        small.reset()
        step += 1
        small.fork(_killed_at(step, signal.SIGKILL))
        if small.mixed():
            return step


@pytest.mark.parametrize("damage", ["draft", "backup", "journal", "edited", "moved away"])
def test_what_a_killed_run_left_is_not_trusted_blindly(
    small: Tree, half_way: int, damage: str
) -> None:
    """Staged texts that are not what the journal says are not put in place."""
    small.reset()
    small.fork(_killed_at(half_way, signal.SIGKILL))
    folder = next(small.root.glob(".codegen-staging-*"))
    model = next(iter(small.mixed()))
    if damage == "journal":
        (folder / "journal.json").write_text("{")
    elif damage in ("draft", "backup"):
        for file in folder.glob("*.new"):
            file.write_text("# not what was staged\n")
        for file in folder.glob("*.old") if damage == "backup" else ():
            file.unlink()
            file.write_text("# not what was there\n")
    elif damage == "moved away":
        for file in folder.glob("*.new"):
            file.unlink()
    else:
        (small.root / f"generated/{model}/modeling_{model}.py").write_text("# edited since\n")
    for command in (("check",), ("list",), ("verify", "--root", str(small.root))):
        code, err = small.call(*command)
        assert (code, "error[interrupted-write]" in err) == (2, True)
    code, said = small.call("sync", *(["--force"] if damage == "edited" else []))
    assert code == 0, said
    word = {"draft": "restored", "moved away": "restored", "edited": "left as it is"}
    assert (
        word.get(damage, {"journal": "damaged", "backup": "half written"}.get(damage, "")) in said
    )
    assert small.files() == small.new
    assert small.leftovers() == []
    small.check_call("check", "--no-cache")


def test_a_journal_from_elsewhere_reaches_nothing_but_visible_files(
    small: Tree, half_way: int
) -> None:
    """It comes with a tree, and would move a file of that tree to where programs are started from."""
    small.reset()
    small.fork(_killed_at(half_way, signal.SIGKILL))
    journal = next(small.root.glob(".codegen-staging-*/journal.json"))
    text = journal.read_text()
    outside = small.root.parent / "outside.py"
    path = "generated/child0/modeling_child0.py"
    for place in (".git/hooks/pre-commit", "../outside.py", str(outside), "a/../../outside.py", ""):
        forged = text.replace(f'"place": "{path}"', f'"place": "{place}"')
        assert forged != text
        journal.parent.mkdir(exist_ok=True)
        journal.write_text(forged)
        said = small.call("sync")[1]
        assert "is damaged" in said
        assert not (small.root / ".git").exists() and not outside.exists()


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 200))]
)
def test_random_moment(tree: Tree, seed: int) -> None:
    """Seeded, so that what fails can be repeated; a busy machine is given time."""
    tree.reset()
    trial = random_trial(random.Random(seed), 1.0)
    judge(tree, trial, undergo(tree, trial), soon=5.0)
    tree.recover()


@pytest.mark.parametrize("whom", ["main", "group"])
@pytest.mark.parametrize(
    "after",
    [0.0, 0.02, 0.1, *(pytest.param(n / 100, marks=pytest.mark.slow) for n in range(0, 60, 2))],
)
def test_interrupted_while_it_starts(tree: Tree, whom: str, after: float) -> None:
    """Neither a traceback nor exit code 1, which means "out of sync"."""
    tree.reset()
    ending = undergo(tree, Trial(signal.SIGINT, whom, after))
    assert ending.code in (0, 130, -signal.SIGINT), ending
    assert "Traceback" not in ending.err, ending
    assert tree.files() in (tree.old, tree.new)
