"""The comparison finds what it is there to find: each kind of change to a generated file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.harness import judge

PARENT = '''\
GRAIN = 3


def traced(function):
    def inner(*args):
        return ["traced", function(*args)]

    return inner


class StoneBase:
    rank = 1


class StoneNorm(StoneBase):
    pass


class StoneBlock(StoneBase):
    kinds = ("plain",)
    label = "StoneBlock"
    limit: int = 5
    model_type = "stone"

    def __init__(self, size, scale=2):
        self.size = size
        self.scale = scale
        self.norm = StoneNorm()

    def run(self, value, *, deep: bool = False):
        """Runs a StoneBlock."""
        return value + self.size

    def items(self):
        yield self.size

    @property
    def depth(self):
        return self.size

    @depth.setter
    def depth(self, value):
        self.size = value

    @classmethod
    def make(cls, size):
        return cls(size)

    @traced
    def marked(self, value):
        return value
'''
CHILD = """\
from ..stone.modeling_stone import GRAIN, StoneBlock, StoneNorm

LIMIT = 4


def helper(value, by=2):
    return value * by + GRAIN


class PebbleNorm(StoneNorm):
    pass


class PebbleBlock(StoneBlock):
    def run(self, value, *, deep: bool = False):
        return super().run(value)


__all__ = ["PebbleBlock"]
"""
FILES = {
    "generated/stone/modeling_stone.py": PARENT,
    "definitions/pebble/modular_pebble.py": CHILD,
}


def test_what_means_the_same_is_equal(tmp_path: Path) -> None:
    verdict = judge(FILES, tmp_path)
    assert verdict.kind == "listed", verdict.detail
    assert {finding.listed for finding in verdict.findings} == {1}
    places = {finding.place for finding in verdict.findings}
    assert {"PebbleBlock.label", "PebbleBlock.model_type"} <= places


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("kinds = ('plain',)", "kinds = ()", "PebbleBlock.kinds"),
        ("label = 'PebbleBlock'", "label = 'Pebble'", "PebbleBlock.label"),
        ("model_type = 'pebble'", "model_type = 'other'", "PebbleBlock.model_type"),
        ("limit: int = 5", "limit: float = 5", "PebbleBlock.__annotations__"),
        ("limit: int = 5", "limit: int = 6", "PebbleBlock.limit"),
        (
            "def __init__(self, size, scale=2)",
            "def __init__(self, size, scale=3)",
            "PebbleBlock.__init__",
        ),
        ("deep: bool=False", "deep: int=False", "PebbleBlock.run"),
        ("Runs a PebbleBlock.", "Runs a block.", "PebbleBlock.run.__doc__"),
        ("yield self.size", "return [self.size]", "PebbleBlock.items"),
        ("@depth.setter", "@property", "PebbleBlock.depth"),
        ("@classmethod", "@staticmethod", "PebbleBlock.make"),
        ("@traced", "", "PebbleBlock.marked"),
        ("class PebbleBlock(PebbleBase)", "class PebbleBlock", "PebbleBlock.mro"),
        (
            "class PebbleBlock(PebbleBase)",
            "class PebbleBlock(PebbleBase, metaclass=__import__('abc').ABCMeta)",
            "PebbleBlock.metaclass",
        ),
        ("self.norm = PebbleNorm()", "self.norm = PebbleBase()", "PebbleBlock(3)"),
        ("self.scale = scale", "self.scale = size", "PebbleBlock(3)"),
        ("value * by + GRAIN", "value * by", "helper(3)"),
        ("by=2", "by=3", "helper"),
        ("LIMIT = 4", "LIMIT = 5", "LIMIT"),
        ("LIMIT = 4", "", "LIMIT"),
        ("__all__ = ['PebbleBlock']", "__all__ = []", "__all__"),
    ],
)
def test_a_change_is_found(old: str, new: str, place: str, tmp_path: Path) -> None:
    def change(text: str) -> str:
        import ast

        plain = ast.unparse(ast.parse(text))  # quotes and spaces in one way
        assert old in plain, f"{old} is not in\n{plain}"
        return plain.replace(old, new, 1)

    verdict = judge(FILES, tmp_path, change=change)
    assert verdict.kind == "different", verdict
    assert place in {finding.place for finding in verdict.findings if not finding.listed}


def test_what_cannot_be_imported_is_broken(tmp_path: Path) -> None:
    verdict = judge(FILES, tmp_path, change=lambda text: f"{text}\nmissing_name\n")
    assert verdict.kind == "broken" and "missing_name" in verdict.detail


def test_what_python_does_not_run_is_invalid(tmp_path: Path) -> None:
    path = "definitions/pebble/modular_pebble.py"
    files = {**FILES, path: CHILD + "\nPebbleBlock.nothing()\n"}
    assert judge(files, tmp_path).kind in ("invalid", "refused")


CHILD_OF_SEVERAL = """\
from ..stone.modeling_stone import StoneBlock


class Quiet:
    def run(self):
        return "quiet"


class PebbleBlock(StoneBlock, Quiet):
    rank = AttributeError()

    def run(self):
        raise AttributeError("not needed")

    def asks(self):
        return isinstance(self, StoneBlock)


class PebbleStack(PebbleBlock):
    pass
"""


def test_what_the_list_explains_is_explained_further_down(tmp_path: Path) -> None:
    """A deleted member that another class above has is found there; below, questions are inherited."""
    parent = PARENT.replace("    kinds =", "    rank = 2\n    kinds =")
    files = {
        "generated/stone/modeling_stone.py": parent,
        "definitions/pebble/modular_pebble.py": CHILD_OF_SEVERAL,
    }
    verdict = judge(files, tmp_path)
    assert verdict.kind == "listed", verdict.detail
    entries = {finding.place: finding.listed for finding in verdict.findings}
    assert entries["PebbleBlock.rank"] == entries["PebbleBlock.run"] == 2
    assert entries["PebbleStack(3).asks()"] == 1
