"""Classes that code of their own file gets from a registry, by the type they are registered under.

    class StoneEncoderConfig(Config):
        model_type = "stone_encoder"

    class StoneConfig(Config):
        encoder: StoneEncoderConfig

        def setup(self):
            self.encoder = CONFIG_MAPPING["stone_encoder"]()

Whatever the registry is, it knows the parent's class, under inheritance as in a copy. So that class
stays an import, or what is compared with it by name would be another one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.expansion.link.units import ModuleUnits, Unit


def registered_classes(units: ModuleUnits) -> frozenset[str]:
    """The classes of a module that other classes of it ask a registry for."""
    types = {kind: name for name in units.classes for kind in _types_of(name, units)}
    if not types:
        return frozenset()
    return frozenset(
        types[kind]
        for unit in units.units
        if unit.kind == "class"
        for kind in asked_types(unit.nodes[0], units)
        if types.get(kind, unit.name) != unit.name
    )


def _types_of(name: str, units: ModuleUnits) -> Iterator[str]:
    node = units.binders[name][-1].nodes[0]
    for item in node.body if isinstance(node, ast.ClassDef) else ():
        target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
        value = getattr(item, "value", None)
        named = isinstance(target, ast.Name) and target.id == "model_type"
        if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def asked_types(node: ast.AST, units: ModuleUnits) -> set[str]:
    """The strings of a class that looks things up in something imported: types it may ask for."""
    asks = any(
        isinstance(each, ast.Subscript)
        and isinstance(each.value, ast.Name)
        and isinstance(each.ctx, ast.Load)
        and each.value.id in units.imported
        and each.value.id.isupper()
        for each in ast.walk(node)
    )
    constants = (each for each in ast.walk(node) if asks and isinstance(each, ast.Constant))
    return {each.value for each in constants if isinstance(each.value, str)}


def asked_for_a_field(unit: Unit, units: ModuleUnits, name: str) -> set[str]:
    """The types by which a class asks a registry for another one that it has a field of."""
    node = unit.nodes[0]
    notes = [item.annotation for item in ast.walk(node) if isinstance(item, ast.AnnAssign)]
    named = {i.id for note in notes for i in ast.walk(note) if isinstance(i, ast.Name)}
    return asked_types(node, units) & set(_types_of(name, units)) if name in named else set()
