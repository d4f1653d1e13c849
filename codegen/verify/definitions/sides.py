"""Describe the two sides of a definition: itself, under plain inheritance, and its generated files."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from codegen.verify.definitions.load import (
    Sides,
    defined_names,
    load_definition,
    load_generated,
    project,
)
from codegen.verify.definitions.values import Describer


def describer_of(sides: Sides, side: str) -> Describer:
    """What turns values of one side (``plain`` or ``generated``) into data."""
    same: dict[str, str] = {}
    renames = dict(sides.renames) if side == "plain" else dict.fromkeys(sides.renames, same)
    own = (sides.definition, *sides.generated)
    return Describer({**renames, **dict.fromkeys(own, same)}, frozenset(own))


def load_side(sides: Sides, side: str) -> tuple[list[ModuleType], dict[str, Any]]:
    """Modules and described names of one side; call it inside :func:`project`."""
    if side == "plain":
        modules = [load_definition(sides)]
    else:
        modules = load_generated(sides)
    names = defined_names(sides.sources[sides.definition].text)
    return modules, describe_modules(modules, list(names), describer_of(sides, side))


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
        if isinstance(value, type) and describer.own(value):
            found[name] = ["class", describer.describe_class(value)]
        elif hasattr(value, "__code__"):
            found[name] = ["routine", describer.routine(value)]
        else:
            found[name] = ["value", describer.value(value)]
    exports = [getattr(module, "__all__", None) for module in modules]
    listed = sorted({name for entries in exports for name in entries or ()})
    return {"names": found, "exports": listed}


__all__ = ["describe_modules", "describer_of", "load_side", "project"]
