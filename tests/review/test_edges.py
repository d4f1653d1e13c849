"""What is no ordinary edit: nothing, a broken definition, no tree, few commits; and the pager."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codegen.cli import main
from codegen.review.lineage import Lineage, Pool
from codegen.review.lost import lost_definitions
from codegen.review.model import Hunk, Line, Side
from codegen.review.said import replaced_word
from codegen.trees.tree import open_tree
from tests.review.copies import REPOSITORY, review_of
from tests.review.small import FAMILY, TABLE, make_project, replaced
from tests.review.test_command import commit, output


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The family, committed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    root = make_project(tmp_path / "tree")
    monkeypatch.chdir(root)
    commit(root, "init -q .")
    return root


def test_nothing_changed(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing differs" in output(capsys)
    report = json.loads(output(capsys, "--format", "json"))
    assert not report["changes"] and not report["risks"] and not report["unexplained"]


def test_a_broken_definition_is_one_change(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "definitions/alpha/modular_alpha.py"
    path.write_text(FAMILY["alpha"].replace("def widen(self, states)", "def widen(self, states"))
    text = output(capsys)
    assert "1 change: 0 hunks" in text and "'(' was never closed" in text
    assert "- def widen(self, states):" in text and "+ def widen(self, states:" in text


def test_files_that_cannot_be_read_are_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "definitions/alpha/constants.py"
    path.write_bytes(b'NAME = "caf\xe9"\n')
    shown = "definitions/alpha/constants.py"
    assert f"{shown}:1: " in output(capsys) and "0xe9" in output(capsys)
    commit(repository)
    path.write_text("NAME = 1\n")
    assert f"HEAD: {shown}: the file is not UTF-8" in output(capsys)


def test_what_cannot_be_compared_is_one_error(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert main(["review", "--root", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("error[no-tree]") == 1
    path = repository / "definitions/delta/modular_delta.py"
    path.write_text(FAMILY["delta"] + "# The end.\n", encoding="utf-8")
    commit(repository)
    clone = ["git", "clone", "-q", "--depth", "1", f"file://{repository}", str(tmp_path / "few")]
    subprocess.run(clone, check=True)
    assert main(["review", "HEAD~1", "--root", str(tmp_path / "few")]) == 2
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_a_repository_without_commits_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_project(tmp_path / "tree")
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    monkeypatch.chdir(root)
    assert main(["review"]) == 2
    assert "nothing is committed here yet" in capsys.readouterr().err


def test_a_long_review_goes_through_the_pager(repository: Path, tmp_path: Path) -> None:
    path = repository / "definitions/alpha/modular_alpha.py"
    path.write_text(FAMILY["alpha"].replace("self.up", "self.wide"), encoding="utf-8")
    seen = tmp_path / "seen.txt"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "LINES": "8", "COLUMNS": "80"}
    environment |= {"PAGER": f"tee {seen}", "TERM": "xterm"}
    command = [sys.executable, "-m", "codegen", "review", "--synced"]
    assert "CHANGES (1)" in on_terminal(command, environment)
    assert "CHANGES (1)" in seen.read_text(encoding="utf-8")
    seen.unlink()
    on_terminal([*command, "--no-pager"], environment)
    assert not seen.exists()


def on_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a command shows on a terminal; it has to end well."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while select.select([master], [], [], 60)[0]:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    assert process.wait(10) == 0
    os.close(master)
    return shown.decode()


def test_an_excluded_model_is_named_with_its_risk(tmp_path: Path) -> None:
    table = TABLE + 'exclude = ["beta"]\n'
    family = {name: FAMILY[name] for name in ("alpha", "beta")}
    before = make_project(tmp_path / "old", family, table)
    changed = replaced(
        "alpha",
        ("    def widen(self, states):\n        return self.up(states)\n\n", ""),
        ("self.widen(states)", "self.up(states)"),
    )
    after = make_project(
        tmp_path / "new", {"alpha": changed["alpha"], "beta": FAMILY["beta"]}, table
    )
    report = review_of(before, after)
    lost = [risk for risk in report.risks if risk.kind == "lost-override"]
    assert [risk.models for risk in lost] == [("beta",)]
    assert ("excluded", ("beta",)) in {(item.kind, item.models) for item in report.not_reached}
    harmless = replaced("alpha", ("self.up(states)", "self.up(states).clone()"))
    other = make_project(tmp_path / "twin", {**family, "alpha": harmless["alpha"]}, table)
    assert not [risk for risk in review_of(before, other).risks if risk.kind == "lost-override"]


def test_helpers_that_come_are_named(tmp_path: Path) -> None:
    table = TABLE + 'helpers = "tools"\n'
    helper = "from tools.sizes import half\n\n\nclass OneModel:\n    def run(self):\n        return half(4)\n"
    plain = "import math\n\n\nclass OneModel:\n    def run(self):\n        return math.floor(4)\n"

    def made(name: str, text: str) -> Path:
        tools = tmp_path / name / "tools"
        tools.mkdir(parents=True)
        (tools / "sizes.py").write_text("def half(x):\n    return x // 2\n", encoding="utf-8")
        return make_project(tmp_path / name, {"one": text}, table)

    before, after = made("old", plain), made("new", helper)
    told = [risk.message for risk in review_of(before, after).risks if risk.kind == "helper"]
    assert told == ["the generated file imports the helper half of tools.sizes"]
    twin = made("twin", helper.replace("half(4)", "half(5)"))
    assert not [risk for risk in review_of(after, twin).risks if risk.kind == "helper"]


EPSILON = '''\
"""Epsilon is made of two others."""

import math

from torch import nn

from ..alpha.modeling_alpha import AlphaMLP
from ..beta.modeling_beta import BetaBlock

EPSILON_SCALE = math.sqrt(2)


class EpsilonMLP(AlphaMLP):
    pass


class EpsilonBlock(BetaBlock):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.LayerNorm(config.width)


__all__ = ["EpsilonBlock", "EpsilonMLP"]
'''


def test_a_model_that_comes_or_goes_is_one_change(tmp_path: Path) -> None:
    small = make_project(tmp_path / "small")
    large = make_project(tmp_path / "large", {**FAMILY, "epsilon": EPSILON})
    for base, head, kind in ((small, large, "added"), (large, small, "gone")):
        report = review_of(base, head)
        assert [change.models for change in report.changes] == [("epsilon",)]
        edit = report.changes[0].edit
        assert edit is not None and {item.change.kind for item in edit.hunks} == {kind}
        assert not report.unexplained and not report.risks
        assert (report.summary.read_lines == 1) == (kind == "gone"), "nobody reads what is gone"
        assert report.summary.lines > 20


def test_a_new_model_does_not_make_one_edit_of_two(tmp_path: Path) -> None:
    base = make_project(tmp_path / "base")
    changed = FAMILY["alpha"].replace("scale=1.0", "scale=2.0").replace("widen", "broaden")
    beta = FAMILY["beta"].replace("widen", "broaden")
    models = {**FAMILY, "alpha": changed, "beta": beta}
    text = EPSILON.replace("math.sqrt(2)", "2.0").replace("import math\n\n", "")
    text = text.replace(
        "(config.width)", "(config.width)\n\n    def broaden(self, scale=2.0):\n        pass"
    )
    without = review_of(base, make_project(tmp_path / "two", models))
    added = review_of(base, make_project(tmp_path / "three", {**models, "epsilon": text}))
    assert len(without.changes) == 2 and len(added.changes) == 3


def test_a_page_that_cannot_be_written_is_one_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", "--html", str(repository / "none/page.html")]) == 2
    error = capsys.readouterr().err
    assert "error[no-page]" in error and "Traceback" not in error


def test_a_folder_that_is_none_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", str(repository), "elsewhere"]) == 2
    assert "'elsewhere' is neither a folder nor a commit" in capsys.readouterr().err


def test_a_word_replaced_everywhere_is_one_change(tmp_path: Path) -> None:
    """In code and in prose, where nothing else says that the hunks belong together."""
    models = {
        f"m{index}": f'''\
"""Model {index}."""

from somewhere import LongThing


class M{index}Head:
    """Turns a `LongThing` number {index} round.

    And back again.
    """

    def forward(self, states: LongThing):
        first = {index}
        second = first + 1
        return states[second]  # a LongThing of {index}
'''
        for index in range(9)
    }
    base = make_project(tmp_path / "base", models)
    changed = {name: text.replace("LongThing", "Thing") for name, text in models.items()}
    (change,) = review_of(base, make_project(tmp_path / "head", changed)).changes
    assert change.title == "LongThing becomes Thing in imports and 18 more"
    assert [variant.as_edit for variant in change.variants] == [True]


def test_a_function_that_becomes_an_import_is_one_change(tmp_path: Path) -> None:
    helper = "def halve(states):\n    states = states / 2\n    return states\n\n\n"
    alpha = FAMILY["alpha"].replace("class AlphaMLP", f"{helper}class AlphaMLP")
    alpha = alpha.replace("self.up(states)", "halve(self.up(states))")
    base = make_project(tmp_path / "base", {**FAMILY, "alpha": alpha})
    moved = alpha.replace(helper, "").replace(
        "from torch import nn", "from somewhere import halve\nfrom torch import nn"
    )
    report = review_of(base, make_project(tmp_path / "head", {**FAMILY, "alpha": moved}))
    assert len(report.changes) == 1 and not report.risks


@pytest.mark.parametrize(
    ("old", "new", "pair"),
    [
        ("a: Long | None,", "a: Short | None,", ("Long", "Short")),
        ("x = config.drop + config.drop", "x = config.p + config.p", ("drop", "p")),
        ("self.d = config.drop", 'self.d = config.p["drop"]', ("drop", 'p["drop"]')),
        ("x = a\ny = a", "x = b\ny = b", ("a", "b")),
        ("x = a\ny = c", "x = b\ny = d", None),
        ("scale=1.0", "scale=2.0", None),
        ("x = a", "x = a\ny = a", None),
    ],
)
def test_what_takes_the_place_of_what(old: str, new: str, pair: tuple[str, str] | None) -> None:
    sides = ([Line(text, 1, ()) for text in side.split("\n")] for side in (old, new))
    assert replaced_word(Hunk(*map(tuple, sides), 1, 1)) == pair


def test_a_header_renewed_everywhere_is_one_change(tmp_path: Path) -> None:
    models = {
        f"m{index}": f"# Copyright 20{10 + index} the people of m{index}\n\nimport math\n\nWIDTH = math.pi\n\n\n"
        f"class M{index}Head:\n    width = WIDTH\n"
        for index in range(9)
    }
    new = {name: re.sub(r"right 20\d\d", "right 2031", text) for name, text in models.items()}
    base = make_project(tmp_path / "base", models)
    report = review_of(base, make_project(tmp_path / "head", new))
    assert len(report.changes) == 1 and report.changes[0].edit is not None
    assert len(report.changes[0].files) == 9 and not report.unexplained
    assert report.summary.read_hunks == 1, "whatever year it was, the line is read once"


def test_a_function_that_gives_way_to_another_import_is_named(tmp_path: Path) -> None:
    """Two models have functions of one name; when that of the first is imported, the import takes the place of
    both in what is built from them, in a library, where a parent's import counts."""
    helper = "def halve(states):\n    return states / 2\n"
    base = lineages(tmp_path / "base", helper, "def halve(states):\n    return states // 2\n")
    head = lineages(tmp_path / "head", helper, "from elsewhere import halve\n")
    losses = [loss for _, loss in lost_definitions(base, head, ["m/modeling_m.py"])]
    assert [(loss.name, loss.place.path, loss.place.line) for loss in losses] == [
        ("halve", "d/modular_d.py", 1)
    ]
    assert not list(lost_definitions(head, base, ["m/modeling_m.py"]))


def lineages(root: Path, source: str, made: str) -> Lineage:
    """One side of a project whose generated file has another text than its definition gives."""
    (root / "definitions").mkdir(parents=True)
    (root / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    side = Side(
        "side",
        {"d/modular_d.py": source, "m/modeling_m.py": made},
        {"m/modeling_m.py": "d/modular_d.py"},
        {"d/modular_d.py": "d"},
    )
    return Lineage(open_tree(root, None), side, Pool())


def test_a_model_or_a_file_of_another_name_is_one_change(tmp_path: Path) -> None:
    renamed = {
        **FAMILY,
        "omega": FAMILY["beta"].replace("Beta", "Omega").replace("Beta is", "It is"),
    }
    del renamed["beta"]
    renamed["gamma"] = FAMILY["gamma"].replace("Beta", "Omega").replace("beta", "omega")
    base = make_project(tmp_path / "base")
    report = review_of(base, make_project(tmp_path / "head", renamed))
    titles = [change.title for change in report.changes]
    beta, omega = (f"definitions/{name}/modular_{name}.py" for name in ("beta", "omega"))
    assert titles == [f"{beta} becomes {omega}"] and not report.unexplained
    two = {**renamed, "delta": FAMILY["delta"].replace("depth = 1", "depth = 2")}
    assert len(review_of(base, make_project(tmp_path / "two", two)).changes) == 2


def test_what_is_done_to_many_members_is_one_risk(tmp_path: Path) -> None:
    """Of a few each is named; classes that do not say the same stay apart."""

    def heads(count: int, decorator: str) -> dict[str, str]:
        head = "class {}Head:\n    @{}\n    def run(self, a=1):\n        return a\n"
        names = [chr(ord("A") + index) for index in range(count)]
        return {"one": "\n\n".join(head.format(name, decorator) for name in names)}

    for count, told in ((3, 3), (5, 1)):
        base = make_project(tmp_path / f"base{count}", heads(count, "staticmethod"))
        head = make_project(tmp_path / f"head{count}", heads(count, "classmethod"))
        risks = review_of(base, head).risks
        assert [risk.kind for risk in risks] == ["decorator"] * told
    assert risks[0].message == (
        "AHead.run, BHead.run and 3 more: @staticmethod is gone, @classmethod is new"
    )


def test_a_collection_of_another_kind_everywhere_is_one_change(tmp_path: Path) -> None:
    """Read once where nothing is lost, as a dictionary that becomes the list of its keys; what is new is read."""

    def models(shape: Callable[[int], str]) -> dict[str, str]:
        return {f"m{n}": f"class M{n}Head:\n    tied = {shape(n)}\n" for n in range(10)}

    shapes: tuple[Callable[[int], str], ...] = (
        lambda n: f'{{"head{n}": "embed{n}", "other": "more"}}',
        lambda n: f'["head{n}", "other"]',
        lambda n: f'("head{n}", "{"another" if n == 4 else "other"}")',
    )
    made = [make_project(tmp_path / str(n), models(shape)) for n, shape in enumerate(shapes)]
    for base, head, read in ((0, 1, 1), (1, 2, 2), (1, 0, 10)):
        report = review_of(made[base], made[head])
        assert len(report.changes) == 1, [change.title for change in report.changes]
        assert report.summary.read_hunks == read and not report.unexplained
