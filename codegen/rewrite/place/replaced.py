"""Attributes in whose place a class may put another module than the one that ``__init__`` builds.

    def set_visual(self, visual):
        self.visual = visual

Such a module may take none of the keywords that the known one was given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk


def replacing(index: Index, cls: ClassInfo, name: str) -> str:
    """The method that may put another module into ``self.<name>``, as far as the class and its ancestors show.

    Empty where none does, or where ``__init__`` builds no module there.
    """
    found = index.attribute(cls, name)
    if found is None or not isinstance(found[2], ast.Call):
        return ""
    for owner in index.mro(cls):
        text = owner.module.source.text
        if not (owner.replaces(name) or f'"{name}"' in text or f"'{name}'" in text):
            continue
        for function in owner.methods.values():
            if function.name != "__init__" and _puts_another(function, name, found[2]):
                return function.name
    return ""


def _puts_another(function: Function, name: str, built: ast.Call) -> bool:
    """Tell whether a method assigns anything but a new module of the class that ``built`` makes."""
    again = {id(target) for target in _built_again(function, built)}
    for node in walk(function):
        if self_attribute(node) == name and isinstance(getattr(node, "ctx", None), ast.Store):
            if id(node) not in again:
                return True
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr":
            this, *rest = node.args or [node.func]
            key = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
            if getattr(this, "id", "") == "self" and key == name:
                return True
    return False


def _built_again(function: Function, built: ast.Call) -> Iterator[ast.expr]:
    """Targets of assignments of what one call of the same class makes."""
    for node in walk(function):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or not isinstance(
            node.value, ast.Call
        ):
            continue
        if ast.dump(node.value.func) == ast.dump(built.func):
            yield from node.targets if isinstance(node, ast.Assign) else [node.target]
