"""Several runs at once while the definitions are edited: in the end all is right."""

from __future__ import annotations

import random
import time

import pytest

from tests.cli.trees import ALPHA, DELTA, Sandbox


@pytest.mark.parametrize("seconds", [1.5, pytest.param(20, marks=pytest.mark.slow)])
def test_edits_while_several_runs_write(project: Sandbox, seconds: float) -> None:
    """Every 10 ms an edit, in place or by a new file; a run may give up, but never writes nonsense."""
    chance = random.Random(1)
    until = time.monotonic() + seconds
    runs = [project.start("sync", "--jobs", "2") for _ in range(3)]
    ended = []
    while time.monotonic() < until or any(run.poll() is None for run in runs):
        if time.monotonic() < until:
            number = chance.randrange(100)
            model, text = chance.choice((("alpha", ALPHA), ("delta", DELTA)))
            text = text.replace("= 1", f"= {number}").replace(
                "config.width", f"config.width_{number}"
            )
            place = project.definition(model)
            if chance.random() < 0.5:
                place.write_text(text)
            else:
                draft = place.with_suffix(".new")
                draft.write_text(text)
                draft.replace(place)
        for index, run in enumerate(runs):
            if run.poll() is not None:
                _, err = run.communicate()
                ended.append((run.returncode, err))
                if time.monotonic() < until:
                    runs[index] = project.start("sync", "--jobs", "2")
        runs = [run for run in runs if run.poll() is None] or runs[:1]
        time.sleep(0.01)
    for code, err in ended:
        assert code == 0 or (code == 2 and "error[" in err), err
        assert "Traceback" not in err
    assert project.run("sync").code == 0
    assert project.run("check", "--no-cache").code == 0
    names = [path.name for path in project.root.rglob("*")]
    assert not [name for name in names if "staging" in name or name.endswith(".tmp")]
