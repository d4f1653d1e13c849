"""Caches that say what is not so, under the right seal: what they claim is believed as far as it is checked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from codegen.store.seal import seal
from tests.cli.trees import ALPHA, Sandbox

Forge = Callable[[dict[str, Any]], Any]


def read(sandbox: Sandbox) -> dict[str, Any]:
    """The content of the cache, which is a JSON value behind the seal."""
    text = (sandbox.root / ".codegen_cache/cache.jsonl").read_text()
    return dict(json.loads(text.partition("\n")[2]))


def forge(sandbox: Sandbox, data: Any) -> None:
    """Replace the cache by one of other content, with the seal of this user."""
    body = data if isinstance(data, str) else json.dumps(data)
    place = sandbox.root / ".codegen_cache/cache.jsonl"
    place.write_text(f"{json.dumps(seal(body))}\n{body}\n")


def _record(data: dict[str, Any], model: str = "alpha") -> dict[str, Any]:
    return dict(data["records"][model])


def change(path: str, value: Any) -> Forge:
    """Set one value of the cache, by the keys that lead to it."""

    def forged(data: dict[str, Any]) -> Any:
        *above, last = path.split("/")
        target: Any = data
        for key in above:
            target = (
                next(iter(target.values()))
                if key == "*"
                else target[int(key) if key.isdigit() else key]
            )
        target[int(last) if last.isdigit() else last] = value
        return data

    return forged


DAMAGE: dict[str, Forge] = {
    "a huge number": lambda data: json.dumps(data).replace(
        '"lines": [', '"lines": [1' + "0" * 400 + ", ", 1
    ),
    "a number that is endless": lambda data: json.dumps(data).replace(
        '"format": ', '"x": 1e999, "format": '
    ),
    "a number too long to read": lambda data: '{"format": ' + "9" * 100_000 + "}",
    "not a number": change("records/alpha/lines", [float("nan"), 2]),
    "true for a number": change("records/alpha/lines", [True, 2]),
    "three numbers": change("records/alpha/lines", [1, 2, 3]),
    "nested deeply": lambda data: "[" * 100_000 + "]" * 100_000,
    "nested deeply inside": lambda data: '{"format": 4, "records": '
    + '{"a": ' * 50_000
    + "1"
    + "}" * 50_000
    + "}",
    "a list for a table": change("records", []),
    "a table for a text": change("records/alpha/inputs", {"a": {}}),
    "a text for a table": change("stats", "none"),
    "a lone surrogate": change("records/alpha/inputs", {"\ud800": "\udfff"}),
    "a stat too short": change("stats/*", [1, 2]),
    "a stat of texts": change("stats", {"a": ["1", "2", "3", "4", "5"]}),
    "a stat with huge times": change("stats", {"a": [10**30, 1, 1, "", True]}),
    "passes of numbers": change("rewrite", 7),
    "passes without a report": change("rewrite", {"reads": {}, "edits": {}, "files": {}}),
    "a report of odd lines": change(
        "rewrite", {"reads": {}, "edits": {}, "files": {}, "report": [{"model": 1}]}
    ),
    "helpers without digests": change("helpers", {"a": None}),
    "no records": lambda data: {key: value for key, value in data.items() if key != "records"},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_odd_values_are_damage(project: Sandbox, damage: str) -> None:
    project.run("sync")
    expected = project.files()
    forge(project, DAMAGE[damage](read(project)))
    for command in (("check",), ("list",), ("sync",), ("check",)):
        result = project.run(*command)
        assert (result.code, result.err) == (0, "")
    assert project.files() == expected
    assert project.run("sync", "--format", "json").expanded() == set(), "and it is valid again"


FALSE: dict[str, Forge] = {
    "no outputs": change("records/alpha/outputs", {}),
    "no inputs": change("records/alpha/inputs", {}),
    "outputs of another model": lambda data: change(
        "records/alpha/outputs", _record(data, "delta")["outputs"]
    )(data),
    "an output left out": lambda data: change(
        "records/alpha/outputs", dict(list(_record(data)["outputs"].items())[:1])
    )(data),
    "outputs outside": change("records/alpha/outputs", {"../../etc/passwd": "0" * 32}),
    "a model that is not there": lambda data: change("records/ghost", _record(data, "delta"))(data),
    "other digests of inputs": change(
        "records/alpha/inputs", {"definitions/alpha/modular_alpha.py": "0" * 32}
    ),
    "files that were never read": lambda data: {
        **data,
        "stats": {path: [*stat[:3], "0" * 32, True] for path, stat in data["stats"].items()},
    },
}


@pytest.mark.parametrize("claim", FALSE)
def test_false_claims_remove_nothing_and_never_keep_a_run_from_its_end(
    project: Sandbox, claim: str
) -> None:
    project.run("sync")
    expected = project.files()
    forge(project, FALSE[claim](read(project)))
    for command in (("check",), ("sync",), ("check", "--no-cache"), ("sync",)):
        result = project.run(*command)
        assert (result.code, result.err) == (0, ""), command
        assert project.files() == expected, command
    project.write({"alpha": ALPHA.replace("* self", "+ self")})
    assert project.run("sync").code == 0
    assert "states + self.width" in project.generated("gamma").read_text()


@pytest.mark.parametrize("key", ["foreign", "missing", "short"])
def test_a_cache_of_somebody_else_is_none(project: Sandbox, key: str) -> None:
    """It comes with a tree and says that an edited file is in order."""
    project.run("sync")
    place = project.root.parent / "caches/codegen/key"
    if key == "missing":
        place.unlink()
    else:
        place.write_bytes(b"x" * (32 if key == "foreign" else 5))
    assert project.run("check", "--format", "json").expanded() == {
        "alpha",
        "beta",
        "gamma",
        "delta",
    }
    assert project.run("sync").code == 0
    repaired = project.run("sync", "--format", "json").expanded()
    assert repaired == (set() if key != "short" else {"alpha", "beta", "gamma", "delta"})


@pytest.mark.parametrize("skew", [-86_400, -1, 1, 86_400])
def test_clocks_that_disagree(project: Sandbox, monkeypatch: pytest.MonkeyPatch, skew: int) -> None:
    """The clock of this machine against that of the file system: no edit goes unnoticed."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + skew * 1_000_000_000)
    for round_ in range(6):
        for sign in "+-":
            place = project.definition("alpha")
            project.write({"alpha": ALPHA.replace("* self", f"{sign} self")})
            if round_ % 2:  # as a file system that counts seconds
                now = real() // 1_000_000_000
                os.utime(place, (now, now))
            assert project.run("sync").code == 0
            assert f"states {sign} self.width" in project.generated("gamma").read_text()


def test_times_far_from_now(project: Sandbox) -> None:
    for when in (0, 1, 2**31 + 5, 2**33):
        project.write({"alpha": ALPHA.replace("config.width", f"config.width_{when}")})
        os.utime(project.definition("alpha"), (when, when))
        assert project.run("sync").code == 0
        assert f"config.width_{when}" in project.generated("gamma").read_text()
    assert project.run("sync", "--format", "json").expanded() == set()
