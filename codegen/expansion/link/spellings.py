"""Under which names a definition knows a class of a parent: one class may have several.

from ..stone.modeling_stone import StoneBlock, StoneBlock as Block
from ..stone import modeling_stone
Base = StoneBlock
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codegen.expansion.fold.denoted import dotted_name
from codegen.expansion.fold.model import Spellings
from codegen.expansion.link.units import ModuleUnits
from codegen.trees.conventions import Convention
from codegen.trees.reexports import Home


def spellings_of(
    module: str, name: str, base: str, own: ModuleUnits, convention: Convention
) -> Spellings:
    """The names of the class ``name`` of a parent ``module``; a class inherits from it as ``base``."""

    def denotes(spelled: str, given: str) -> bool:
        if (convention.parent_module(spelled), given) == (module, name):
            return True
        home = convention.base_home(spelled, given)
        return isinstance(home, Home) and (home.module, home.name) == (module, name)

    found = {base}
    for dotted in {*_imports(name, own), *_through_modules(name, own)} - found:
        spelled, _, given = spelled_out(dotted, own).rpartition(".")
        if spelled and denotes(spelled, given):
            found.add(dotted)
    return Spellings(frozenset(_with_variables(found, own)), denotes)


def _imports(name: str, own: ModuleUnits) -> Iterator[str]:
    for bound, (statement, entry) in own.imported.items():
        if statement.module is not None and entry.name == name and bound not in own.binders:
            yield bound


def _through_modules(name: str, own: ModuleUnits) -> Iterator[str]:
    for match in re.finditer(rf"(?<![\w.])(?:[^\W\d]\w*\.)+{name}\b", own.lexed.code):
        root = match[0].partition(".")[0]
        if root in own.imported and root not in own.binders:
            yield match[0]


def _with_variables(found: set[str], own: ModuleUnits) -> set[str]:
    """With the variables of the module that only ever hold the class: ``Block = StoneBlock``."""
    while True:
        more = {
            name
            for name, units in own.binders.items()
            if name not in found and len(units) == 1 and _is_alias(units[0].nodes, name, found)
        }
        if not more:
            return found
        found = found | more


def _is_alias(nodes: tuple[ast.stmt, ...], name: str, found: set[str]) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        and dotted_name(node.value) in found
        for node in nodes
    )


def spelled_out(dotted: str, own: ModuleUnits) -> str:
    """A dotted name with the module that its first part is imported from; as it is otherwise."""
    root, _, rest = dotted.partition(".")
    if root not in own.imported or root in own.binders:
        return dotted
    statement, entry = own.imported[root]
    if statement.module is None:
        joined = entry.name if entry.alias else root
    else:
        joint = "" if statement.module.endswith(".") else "."
        joined = f"{statement.module}{joint}{entry.name}"
    return f"{joined}.{rest}" if rest else joined
