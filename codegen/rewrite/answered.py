"""Classes that answer themselves what their attributes are: nothing may be concluded from what ``__init__`` assigns.

    def __getattribute__(self, name): ...        class Patched(Answering, nn.Module): ...
    __getattr__ = _look_up                       TinyEncoder.__getattr__ = _look_up

``nn.Module`` finds modules, parameters and buffers by ``__getattr__``, so that one of these is as good as the
other. What inherits such a method is left, and what it inherits from: all of them share the methods.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from codegen.rewrite.keep import Kept
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.report import Place

_WORDS = "__getattr"
_ANSWERING = ("__getattribute__", "__getattr__")
_DEFINED = re.compile(r"def __getattr|__getattr(?:ibute)?__(?:\"|')?\s*[=,:]")
"""A method of that name, or something else that is given the name."""


def find_answered(index: Index, inheriting: Callable[[], Iterable[ClassInfo]]) -> Kept:
    """What keeps the passes from classes: that they, or classes in line with them, answer for attributes.

    Args:
        index: the modules; those that hold such a method are opened, whatever else they hold.
        inheriting: gives the classes that may be changed, and those that inherit from them.
    """
    answering: dict[Place, str] = {}
    for module in index.mentioning(_WORDS):
        source = index.library.read(module)
        info = index.open(module) if source and _DEFINED.search(source.text) else None
        if info is not None:
            answering |= dict(_answering(index, info))
    if not answering:
        return Kept()
    places: dict[Place, str] = {}
    classes = list(inheriting())
    for cls in classes:
        index.open_ancestors(cls)
    for cls in classes:
        line = index.mro(cls)
        told = [_told(owner, answering) for owner in line if _place(owner) in answering]
        for member in line if told else ():
            places.setdefault(_place(member), told[0])
    return Kept(places)


def _answering(index: Index, info: ModuleInfo) -> Iterator[tuple[Place, str]]:
    """The classes of a file, or that it changes, that answer for attributes, with the name of their method."""
    for node in walk(info.tree):
        if isinstance(node, ast.ClassDef):
            method = next(filter(None, map(_named, node.body)), "")
            if method:
                yield (info.source.module, node.name, ""), method
            continue
        for cls, method in _given_to(node):
            found = index.resolve(info.source.module, cls)
            if found is not None:
                yield _place(found), method


def _named(statement: ast.stmt) -> str:
    """The method that a statement of a class body defines, or one under a condition in it, if it is such a one."""
    for node in walk(statement):
        name = getattr(node, "name", "") if isinstance(node, ast.FunctionDef) else ""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        if name in _ANSWERING:
            return name
    return ""


def _given_to(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The class that is given such a method from outside: ``Tiny.__getattr__ = f``, ``setattr(Tiny, "__getattr__", f)``."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        if node.attr in _ANSWERING and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr":
        cls, name = [*node.args, None, None][:2]
        if isinstance(cls, ast.Name) and getattr(name, "value", "") in _ANSWERING:
            yield cls.id, str(getattr(name, "value", ""))


def _place(cls: ClassInfo) -> Place:
    return (cls.module.source.module, cls.name, "")


def _told(owner: ClassInfo, answering: dict[Place, str]) -> str:
    return f"{answering[_place(owner)]} of {owner.name} says what attributes are: kept"
