"""Describe the two sides of a definition: itself, under plain inheritance, and its generated files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from codegen.verify.definitions.bindings import defined_names, imported_names
from codegen.verify.definitions.load import Sides, load_generated
from codegen.verify.definitions.values import Describer


@dataclass(frozen=True)
class Side:
    """One side as imported: its modules, what they are described by, and the description."""

    modules: tuple[ModuleType, ...]
    describer: Describer
    described: dict[str, Any]


def load_side(sides: Sides, side: str, roles: Mapping[type, type], alone: str = "") -> Side:
    """Import one side (``plain`` or ``generated``) and describe it; call it inside :func:`project`,
    which gives the ``roles``.

    ``alone`` names the one generated module to look at, all of them by default.
    """
    if side == "plain":
        modules = [importlib.import_module(sides.definition)]
    else:
        modules = load_generated(sides) if not alone else [importlib.import_module(alone)]
    same: dict[str, str] = {}
    renames = dict(sides.renames) if side == "plain" else dict.fromkeys(sides.renames, same)
    own = (sides.definition, *sides.generated)
    describer = Describer(
        {**renames, **dict.fromkeys(own, same)},
        frozenset(own),
        roles,
        sides.kept,
        sides.children if side == "plain" else {},
    )
    text = sides.sources[sides.definition].text
    names = [name for name in defined_names(text) if name not in imported_names(text)]
    return Side(tuple(modules), describer, describe_modules(modules, names, describer))


def describe_modules(
    modules: Sequence[ModuleType], names: Sequence[str], describer: Describer
) -> dict[str, Any]:
    """The named contents of some modules, and what these export."""
    found: dict[str, Any] = {}
    for name in names:
        home = next((module for module in modules if name in vars(module)), None)
        if home is None or name == "__all__":
            continue
        value = vars(home)[name]
        own = isinstance(value, type) and value.__module__ in describer.files
        if own and value.__name__ == name:
            found[name] = ["class", describer.describe_class(value)]
        elif hasattr(value, "__code__"):
            found[name] = ["routine", describer.routine(value)]
        else:
            found[name] = ["value", describer.value(value)]
    exports = [getattr(module, "__all__", None) for module in modules]
    listed = sorted({name for entries in exports for name in entries or ()})
    return {"names": found, "exports": listed}
