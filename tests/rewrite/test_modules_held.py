"""Which modules of a class an attribute holds and an expression gives: one, many, or none of the wanted classes."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.place.holders import Giving, Held, holders, key_of
from tests.rewrite.test_rules import DictLibrary

HEAD = """
from .modeling_other import Away, Tower as Renamed


class Tower(nn.Module): pass
class Other(nn.Module): pass


class Inner(nn.Module):
    def __init__(self):
        self.deep = Tower()


class Base(nn.Module):
    def __init__(self):
        self.based = Tower()


class A(Base):
    def __init__(self, config):
        self.one = Tower()
        self.plain = nn.Linear(4, 4)
        self.inner = Inner()
        self.towers = nn.ModuleList([Tower(), Tower()])
        self.named = nn.ModuleDict({"a": Tower()})
"""
METHODS = """
    def first(self):
        return self.towers[0]

    def both(self):
        return self.one if self.flag else self.first()

    def made(self):
        return Tower()

    @property
    def last(self):
        return self.towers[-1]

    @cached
    def kept(self):
        return self.one

    def no_module(self):
        return self.plain

    def f(self, x, key):
"""


def class_of(text: str) -> tuple[Index, ClassInfo, frozenset[str]]:
    other = "class Away(nn.Module): pass\nclass Tower(nn.Module): pass\n"
    files = {"models/tiny/modeling_tiny.py": text, "models/tiny/modeling_other.py": other}
    index = Index(DictLibrary(files), lambda _: True)
    cls, tower, away = (
        index.resolve("models.tiny.modeling_tiny", name) for name in ("A", "Tower", "Away")
    )
    assert cls is not None and tower is not None and away is not None
    return index, cls, frozenset((key_of(tower), key_of(away)))


def said(held: Held | None) -> str:
    """``one``, ``many`` or ``none``; with the names of classes where it is not Tower."""
    if held is None:
        return "none"
    names = sorted(key.rpartition(":")[2] for key in held.classes)
    amount = "many" if held.many else "one"
    return amount if names == ["Tower"] else f"{amount} of {' and '.join(names)}"


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("self.x = Tower()", {"x": "one"}),
        ("self.x: Tower = Tower()", {"x": "one"}),
        ("self.x = self.y = Tower()", {"x": "one", "y": "one"}),
        ("self.x = Away()", {"x": "one of Away"}),
        ("self.x = Renamed()", {}),  # a class of that name in another file
        ("self.x = Other()", {}),
        ("self.x = Tower._from_config(config)", {"x": "one"}),
        ("self.x = Tower.from_config(config)", {"x": "one"}),
        ("self.x = Tower.build(config)", {"x": "many"}),
        ("self.x = Tower() if config.y else None", {"x": "one"}),
        ("self.x = None if config.y else Tower()", {"x": "one"}),
        ("self.x = [Tower()] if config.y else []", {"x": "many"}),
        ("self.x = wrapped(Tower())", {"x": "many"}),
        ("self.x = [Tower(), Away()]", {"x": "many of Away and Tower"}),
        ("self.x = Tower()\n        self.x = Away()", {"x": "one of Away and Tower"}),
        ("self.x = Tower()\n        self.x = [Tower()]", {"x": "many"}),
        ("self.x['a'] = Tower()", {"x": "many"}),
        ("y = Tower()\n        self.x = y", {"x": "many"}),
        ("y = {}\n        y['a'] = Tower()\n        self.x = y", {"x": "many"}),
        ("y = []\n        y.append(Tower())\n        self.x = y", {"x": "many"}),
        ("y = []\n        y.other(Tower())\n        self.x = y", {}),
        ("self.x.append(Tower())", {"x": "many"}),
        ("self.x.update(a=1)", {}),
        ("self.x.other(Tower())", {}),
        ("self.add_module('x', Tower())", {"x": "one"}),
        ("self.add_module(config.y, Tower())", {"": "one"}),
        ("self.register_module('x', Tower())", {"x": "one"}),
        ("setattr(self, 'x', Tower())", {"x": "one"}),
        ("setattr(self, config.y, Tower())", {"": "one"}),
        ("getattr(self, 'x', Tower())", {}),
        ("other.x = Tower()", {}),
        ("self.x = 1", {}),
        ("self.x: Tower", {}),
    ],
)
def test_what_attributes_hold(line: str, held: dict[str, str]) -> None:
    text = HEAD.partition("        self.one")[0].replace("self.based = Tower()", "pass")
    index, cls, wanted = class_of(f"{text}        {line}\n")
    assert {name: said(each) for name, each in holders(index, cls, wanted).items()} == held


@pytest.mark.parametrize(
    ("line", "expression", "held"),
    [
        ("pass", "self.one", "one"),
        ("pass", "self.based", "one"),
        ("pass", "self.plain", "none"),
        ("pass", "self.towers", "many"),
        ("pass", "self.towers[0]", "one"),
        ("pass", "self.towers[0][1]", "none"),
        ("pass", "self.one[0]", "none"),
        ("pass", "self.one.forward", "one"),
        ("pass", "self.one.__call__", "one"),
        ("pass", "self.one.other", "none"),
        ("pass", "self.towers.forward", "none"),
        ("pass", "self.inner.deep", "one"),
        ("pass", "self.inner.other", "none"),
        ("pass", "self.gone.deep", "none"),
        ("pass", "x.one", "none"),
        ("pass", "self._modules", "many"),
        ("pass", "self._modules[key]", "one"),
        ("pass", "self.last", "one"),
        ("pass", "self.first", "none"),
        ("pass", "self.first()", "one"),
        ("pass", "self.last()", "none"),
        ("pass", "self.both()", "one"),
        ("pass", "self.kept()", "one"),
        ("pass", "self.made()", "none"),
        ("pass", "self.no_module()", "none"),
        ("pass", "self.gone()", "none"),
        ("pass", "self.named.get(key)", "one"),
        ("pass", "self.named.pop(key)", "one"),
        ("pass", "self.named.values()", "many"),
        ("pass", "self.named.items()", "many"),
        ("pass", "self.named.keys()", "none"),
        ("pass", "self.one.get(key)", "none"),
        ("pass", "getattr(self, key)", "one"),
        ("pass", "getattr(self, 'one')", "one"),
        ("pass", "getattr(self, 'towers')", "many"),
        ("pass", "getattr(self, 'plain')", "none"),
        ("pass", "getattr(x, 'one')", "none"),
        ("pass", "getattr(self)", "none"),
        ("pass", "self.get_submodule('one')", "one"),
        ("pass", "x.get_submodule('one')", "none"),
        ("pass", "self.children()", "many"),
        ("pass", "self.parameters()", "none"),
        ("pass", "list(self.towers)", "many"),
        ("pass", "next(iter(self.towers))", "one"),
        ("pass", "sum(self.towers)", "none"),
        ("pass", "list(x)", "none"),
        ("pass", "partial(self.one, 1)", "one"),
        ("pass", "functools.partial(self.one)", "one"),
        ("pass", "partial()", "none"),
        ("pass", "wrapped(self.one)", "none"),
        ("pass", "self.one if x else None", "one"),
        ("pass", "self.one and x", "one"),
        ("pass", "x or y", "none"),
        ("pass", "(self.one, x)", "many"),
        ("pass", "[x]", "none"),
        ("pass", "{'a': self.one}", "many"),
        ("pass", "{'a': x}", "none"),
        ("pass", "(y := self.one)", "one"),
        ("pass", "x + 1", "none"),
        ("pass", "y", "none"),
        ("y = self.one", "y", "one"),
        ("y = z = self.one", "z", "one"),
        ("y = self.one\n        z = y", "z", "one"),
        ("z = y\n        y = self.one", "z", "one"),
        ("y: object = self.one", "y", "one"),
        ("y: object", "y", "none"),
        ("if (y := self.one): pass", "y", "one"),
        ("y = self.towers", "y", "many"),
        ("for y in self.towers: pass", "y", "one"),
        ("for y in self.one: pass", "y", "none"),
        ("for i, y in enumerate(self.towers): pass", "y", "one"),
        ("for i, y in enumerate(self.towers): pass", "i", "none"),
        ("for i, y in zip(x, self.towers): pass", "y", "one"),
        ("for i, y in zip(x, self.towers): pass", "i", "none"),
        ("for i, y in self.named.items(): pass", "y", "one"),
        ("for i, y in self.named.items(): pass", "i", "none"),
        ("for i, y in self.named_children(): pass", "y", "one"),
        ("for i, y in self.named_children(): pass", "i", "none"),
        ("for i, (j, y) in enumerate(zip(x, self.towers)): pass", "y", "one"),
        ("for i, (j, y) in enumerate(zip(x, self.towers)): pass", "j", "none"),
        ("for a, b, c in zip(x, self.towers): pass", "c", "one"),
        ("for i, y in x.pairs(self.towers): pass", "y", "none"),
        ("z = [y for y in self.towers]", "y", "one"),
    ],
)
def test_what_expressions_give(line: str, expression: str, held: str) -> None:
    index, cls, wanted = class_of(f"{HEAD}{METHODS}        {line}\n")
    giving = Giving(index, cls, wanted)
    giving.read(cls.methods["f"])
    assert said(giving.of(ast.parse(expression, mode="eval").body)) == held


def test_names_that_give_a_module() -> None:
    index, cls, wanted = class_of(f"{HEAD}{METHODS}        pass\n")
    words = Giving(index, cls, wanted).words()
    assert words == {"one", "based", "towers", "named", "first", "last", "kept", "both"}
