"""The rules of a library's tree are those that its own files show."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from codegen.trees.dialect import NEWEST_RELEASE, RULES, dialect_of
from tests.cli.trees import Sandbox

STONE = '''\
"""Stone, written by hand."""

from ...tools import first


class StoneBlock:
    width = 4

    def __init__(self, size):
        self.size = size
        self.count = 0

    @first
    def run(self, value):
        return value + self.size

    def setup(self):
        return self.count
'''
#: Definitions by what they show: an attribute displaces a method (5.21), an annotated target counts
#: (5.22), a deprecation joins the parent's decorators (5.24).
DISPLACES = "    setup = None\n"
ANNOTATES = (
    "    def __init__(self, size):\n        super().__init__(size)\n        self.count: int = 5\n"
)
DEPRECATES = '    @deprecate_kwarg("old")\n    def run(self, value):\n        return 2 * value\n'


def _definition(model: str, members: str) -> str:
    name = model.title()
    parent = "from ...tools import deprecate_kwarg\n"
    parent += "from ..stone.modeling_stone import StoneBlock\n\n\n"
    return f"{parent}class {name}Block(StoneBlock):\n{members}"


def _label(sandbox: Sandbox, version: str) -> None:
    init = sandbox.root / "src/transformers/__init__.py"
    init.parent.mkdir(parents=True, exist_ok=True)
    init.write_text(f'__version__ = "{version}"\n')


def _library(sandbox: Sandbox, models: dict[str, str]) -> None:
    sandbox.definitions = sandbox.output = "src/transformers/models"
    stone = sandbox.root / sandbox.output / "stone/modeling_stone.py"
    stone.parent.mkdir(parents=True)
    stone.write_text(STONE)
    sandbox.write({name: _definition(name, members) for name, members in models.items()})


def _texts(sandbox: Sandbox) -> dict[str, str]:
    return {path.name: path.read_text() for path in sandbox.root.rglob("src/**/modeling_[a-r]*.py")}


def _make(sandbox: Sandbox, version: str, *arguments: str) -> dict[str, str]:
    """Generate the files by the rules of a release, whatever was there."""
    for place in sandbox.root.rglob("src/**/modeling_[a-r]*.py"):
        place.unlink()
    _label(sandbox, version)
    result = sandbox.run("sync", "--no-cache", "--force", *arguments)
    assert result.code == 0, result.err
    return _texts(sandbox)


def _commit(root: Path) -> None:
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "all"),
    ):
        subprocess.run(("git", *command), cwd=root, check=True, env=_plain_environment())


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


@pytest.fixture(autouse=True)
def no_outer_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that runs these tests has variables of its own repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("made", "shown"),
    [("5.20.0", "5.24.0"), ("5.24.0", "5.14.0.dev0"), ("5.22.0", "5.21.0"), ("5.21.0", "5.23.0")],
)
def test_files_decide_against_the_version(sandbox: Sandbox, made: str, shown: str) -> None:
    kinds = {"a": DISPLACES, "b": ANNOTATES, "c": DEPRECATES}
    models = {f"{kind}{twin}": members for kind, members in kinds.items() for twin in "xy"}
    _library(sandbox, models)
    before = _make(sandbox, made)
    _label(sandbox, shown)
    result = sandbox.run("sync", "--format", "json")
    assert _texts(sandbox) == before
    wanted = dialect_of(_release(made))
    found = {item["rule"]: item for item in result.json["rules"]["shown"]}
    for rule in ("attribute_displaces_method", "annotated_targets", "deprecations_join"):
        differs = getattr(wanted, rule) != getattr(dialect_of(_release(shown)), rule)
        assert (rule in found) == differs
        if differs:
            assert found[rule]["value"] == getattr(wanted, rule)
            assert found[rule]["files"] == 2


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removesuffix(".dev0").split(".")))


def test_file_that_needs_two_rules_at_once(sandbox: Sandbox) -> None:
    _library(sandbox, {name: DISPLACES.replace("setup", "run") + ANNOTATES for name in "abc"})
    before = _make(sandbox, "5.22.0")
    _label(sandbox, "5.14.0")
    assert sandbox.run("sync").code == 0
    assert _texts(sandbox) == before


def test_one_file_shows_nothing(sandbox: Sandbox) -> None:
    """It may be an edit that happens to look like a rule."""
    _library(sandbox, {"a": DISPLACES, "b": "    width = 5\n"})
    _make(sandbox, "5.20.0")
    _label(sandbox, "5.23.0")
    result = sandbox.run("check", "--format", "json")
    assert result.json["rules"]["shown"] == []
    assert result.states() == {"a": "out of date", "b": "in sync"}


def test_mixture_keeps_the_rules_of_the_release(sandbox: Sandbox) -> None:
    """What would make other files worse counts for nothing."""
    _library(sandbox, dict.fromkeys("abcd", DISPLACES))
    new = _make(sandbox, "5.23.0")
    old = _make(sandbox, "5.20.0")
    assert new != old
    for name in ("c", "d"):
        sandbox.generated(name).write_text(new[f"modeling_{name}.py"])
    _label(sandbox, "5.23.0")
    result = sandbox.run("check", "--no-cache", "--format", "json")
    assert result.json["rules"]["shown"] == []
    assert result.states() == dict.fromkeys("ab", "out of date") | dict.fromkeys("cd", "in sync")


def test_edit_of_a_definition_changes_that_file_only(sandbox: Sandbox) -> None:
    _library(sandbox, dict.fromkeys("abcde", DISPLACES))
    before = _make(sandbox, "5.20.0")
    _label(sandbox, "5.23.0")
    place = sandbox.definition("a")
    place.write_text(place.read_text() + "    depth = None\n")
    assert sandbox.run("sync", "--no-cache").code == 0
    after = _texts(sandbox)
    assert {name for name in before if before[name] != after[name]} == {"modeling_a.py"}
    assert "def setup" in after["modeling_a.py"], "by the rules of the other files"


@pytest.mark.parametrize("known_by", ["git", "cache"])
def test_edits_show_no_rules(sandbox: Sandbox, known_by: str) -> None:
    """Two edits that an older rule would not notice: they are edits, and no rule."""
    overriding = "    def setup(self):\n        kept = 1\n        return kept\n"
    _library(sandbox, dict.fromkeys("abc", overriding))
    _label(sandbox, "5.23.0")
    sandbox.run("sync")
    if known_by == "git":
        _commit(sandbox.root)
    for name in "ab":  # before 4.56 such a statement vanished
        place = sandbox.definition(name)
        place.write_text(
            place.read_text().replace("        return", "        del kept\n        return")
        )
    cache = ("--no-cache",) if known_by == "git" else ()
    result = sandbox.run("check", "--format", "json", *cache)
    assert result.json["rules"]["shown"] == []
    assert result.states() == {"a": "out of date", "b": "out of date", "c": "in sync"}


def test_rules_are_remembered_and_listed(sandbox: Sandbox) -> None:
    _library(sandbox, dict.fromkeys("abc", DISPLACES))
    _make(sandbox, "5.20.0")
    _label(sandbox, "5.23.0")
    sandbox.run("sync")
    place = sandbox.definition("a")
    place.write_text(place.read_text() + "    depth = None\n")
    assert sandbox.run("sync", "a").code == 0
    assert "def setup" in sandbox.generated("a").read_text()
    sandbox.expect("rules/listed", sandbox.run("list", "--verbose"))


def test_one_model_follows_the_rules_of_the_whole_tree(sandbox: Sandbox) -> None:
    _library(sandbox, dict.fromkeys("abc", DISPLACES))
    before = _make(sandbox, "5.20.0")
    _label(sandbox, "5.23.0")
    assert sandbox.run("sync", "a", "--no-cache").code == 0
    assert _texts(sandbox) == before


def _unknown(sandbox: Sandbox, count: int) -> None:
    """A tree of a release to come, whose files hold what no known rule gives."""
    names = [f"a{chr(97 + index)}" for index in range(count)]
    _library(sandbox, dict.fromkeys(names, "    width = 5\n"))
    _make(sandbox, ".".join(map(str, NEWEST_RELEASE)) + ".0")
    _label(sandbox, "6.2.0")
    for name in names:
        place = sandbox.generated(name)
        place.write_text(place.read_text().replace("    def setup", "    @first\n    def setup"))


@pytest.mark.parametrize("known", ["git", "nothing"])
def test_unknown_rules_are_told_and_nothing_is_written(sandbox: Sandbox, known: str) -> None:
    _unknown(sandbox, 8)
    if known == "git":
        _commit(sandbox.root)
    before = sandbox.files()
    checked, result = sandbox.run("check", "--no-cache"), sandbox.run("sync", "--no-cache")
    assert sandbox.files() == before
    if known == "nothing":
        sandbox.expect("rules/unknown_checked", checked)
        sandbox.expect("rules/unknown_refused", result)
    assert (checked.code, result.code) == (1, 2)
    assert sandbox.run("sync", "--no-cache", "--force").code == 0
    assert sandbox.run("check", "--no-cache").code == 0


@pytest.mark.parametrize("known", ["git", "nothing"])
@pytest.mark.parametrize("edited", ["stone", "definition"])
def test_edit_of_what_ninety_inherit_is_no_unknown_rule(
    sandbox: Sandbox, known: str, edited: str
) -> None:
    leaf = "from ..a.modeling_a import ABlock\n\n\nclass {}Block(ABlock):\n    pass\n"
    names = [f"b{first}{second}" for first in "abcdefghi" for second in "abcdefghij"]
    _library(sandbox, {"a": "    width = 5\n"})
    sandbox.write({name: leaf.format(name.title()) for name in names})
    _make(sandbox, ".".join(map(str, NEWEST_RELEASE)) + ".0")
    _label(sandbox, "6.2.0")
    if known == "git":
        _commit(sandbox.root)
    place = sandbox.root / sandbox.output / "stone/modeling_stone.py"
    place = place if edited == "stone" else sandbox.definition("a")
    text = place.read_text()
    place.write_text(text.replace("width", "breadth") + "    depth = 1\n" * (edited != "stone"))
    result = sandbox.run("sync", "--no-cache", "--format", "json")
    assert result.code == 0
    assert result.json["rules"]["unexplained"] == []
    assert "breadth" in sandbox.generated("bij").read_text()


def test_few_differences_in_a_new_release_are_no_unknown_rules(sandbox: Sandbox) -> None:
    _unknown(sandbox, 12)
    for name in ("aa", "ab", "ac", "ad", "ae", "af", "ag"):
        place = sandbox.generated(name)
        place.write_text(place.read_text().replace("    @first\n    def setup", "    def setup"))
    assert sandbox.run("sync", "--no-cache").code == 0


def test_release_that_is_too_old(sandbox: Sandbox) -> None:
    _library(sandbox, {"a": "    width = 5\n"})
    _label(sandbox, "4.31.0")
    sandbox.expect("rules/older", sandbox.run("sync", "--no-cache"))


def test_every_rule_has_two_values_and_a_mark() -> None:
    for rule in RULES:
        assert len(set(rule.values)) == len(rule.values) >= 2
        assert rule.mark
        assert rule.value(NEWEST_RELEASE) == rule.values[0]


def test_smallest_difference_is_explained(sandbox: Sandbox) -> None:
    """What a contributor begins with who adds the rules of a new release."""
    from benchmarks.explain import main

    _unknown(sandbox, 3)
    place = sandbox.generated("ab")
    place.write_text(place.read_text().replace("    def setup", "    @also\n    def setup"))
    sandbox.capture.readouterr()
    assert main(["--root", str(sandbox.root)]) == 1
    said = sandbox.capture.readouterr().out
    assert "3 definitions give other files" in said
    assert "-    @first" in said and "-    @also" not in said
    assert f"definition: {sandbox.definition('aa')}" in said
    sandbox.run("sync", "--force")
    sandbox.capture.readouterr()
    assert main(["--root", str(sandbox.root)]) == 0
