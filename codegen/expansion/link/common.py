"""What a model and its parent's file go on having in common: state that both see changing,
exceptions that the definition catches, and classes that a registry is asked for.

    from ..stone.modeling_stone import TABLE, StoneBlock, StoneNorm

    TABLE["fine"] = 2

A model gets its own ``TABLE``. Where the definition goes on using the parent's file as it is (the
class ``StoneNorm``, ``TABLE`` under another name), that would see another one than before: there the
import stays, and everything of the model uses it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from codegen.errors import Diagnostic, Location
from codegen.expansion.fold.denoted import dotted_name
from codegen.expansion.link.namespace import Target
from codegen.expansion.link.registered import registered_classes
from codegen.expansion.link.spellings import spelled_out
from codegen.expansion.link.units import ModuleUnits, Unit
from codegen.expansion.model import ParentImport
from codegen.trees.conventions import Convention


@dataclass(frozen=True)
class Common:
    """The definition, what it imports from parents, and these."""

    own: ModuleUnits
    imported: Mapping[str, ParentImport]
    parents: Mapping[str, ModuleUnits]
    convention: Convention

    def kept(self) -> dict[Target, str]:
        """What stays an import, with the name that the definition has for it."""
        found: dict[Target, str] = {}
        caught = caught_names(self.own)
        for name, item in self.imported.items():
            units = self.parents[item.module]
            if name in caught and item.name in units.classes and _stands_alone(item.name, units):
                found.setdefault(Target("copy", item.module, item.name), name)
            if item.name not in units.binders or units.kind_of(item.name) != "variable":
                continue
            changes = self._changed(item) or item.name in _changing(units)
            if changes and (item.alias is not None or self._used_as_it_is(item.module)):
                found.setdefault(Target("copy", item.module, item.name), name)
        for module, units in self.parents.items():
            for name in sorted(registered_classes(units)):
                found.setdefault(Target("copy", module, name), name)
        return found

    def _changed(self, item: ParentImport) -> bool:
        """Whether the definition changes a variable, by any of its names."""
        names = {name for name, other in self.imported.items() if _same(other, item)}
        units = self.own.units
        return any(names & (u.mentions.changed | u.mentions.changed_later) for u in units)

    def _used_as_it_is(self, module: str) -> bool:
        """Whether the definition uses the module, or a class of it otherwise than to fold it."""
        if any(self.modules_named(module)):
            return True
        classes = {
            name
            for name, item in self.imported.items()
            if item.module == module and item.name in self.parents[module].classes
        }
        return any(classes & _used_by(unit) for unit in self.own.units)

    def modules_named(self, module: str) -> Iterator[str]:
        """The names under which the definition has the module itself."""
        for name in self.own.imported.keys() - self.own.binders.keys():
            statement, entry = self.own.imported[name]
            if module.rpartition(".")[2] in (entry.name, entry.name.rpartition(".")[2]):
                path = spelled_out(
                    name if statement.module or entry.alias else entry.name, self.own
                )
                if self.convention.parent_module(path) == module:
                    yield name if statement.module or entry.alias else entry.name

    def changed_through_modules(self, placed: Collection[Target]) -> Iterator[Diagnostic]:
        """Refusals of what changes a parent's variable through its module, or reads one that changes,
        where the model has its own."""
        path = self.own.source.path
        for module in self.parents:
            names = set(self.modules_named(module))
            places = _changed_places(self.own) if names else ()
            for node in sorted(places, key=lambda item: item.lineno):
                dotted, _, name = dotted_name(node).rpartition(".")
                if dotted in names and Target("copy", module, name) in placed:
                    yield Diagnostic(
                        "changed-parent",
                        f"this changes {dotted}.{name}, of which the model has its own",
                        Location(path, node.lineno),
                        f"import {name} by name and change that",
                    )
            for node in _reads(self.own) if names else ():
                name = node.attr
                changing = name in _changing(self.parents[module])
                if (
                    changing
                    and Target("copy", module, name) in placed
                    and dotted_name(node.value) in names
                ):
                    yield Diagnostic(
                        "changed-parent",
                        f"this reads {ast.unparse(node)}, which functions change, and of which the "
                        "model has its own",
                        Location(path, node.lineno),
                        f"import {name} by name and read that",
                    )


def _used_by(unit: Unit) -> set[str]:
    """Names that a statement uses, not counting the bases of a class."""
    node = unit.nodes[0]
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    plain = {base.id for base in bases if isinstance(base, ast.Name)}
    return {*unit.mentions.of("later"), *unit.mentions.of("now") - plain}


def caught_names(own: ModuleUnits) -> set[str]:
    """Names of the exceptions that the definition catches: what is raised has to be that very class."""
    nodes = (item for unit in own.units for outer in unit.nodes for item in ast.walk(outer))
    types = (node.type for node in nodes if isinstance(node, ast.ExceptHandler) and node.type)
    return {item.id for node in types for item in ast.walk(node) if isinstance(item, ast.Name)}


def _stands_alone(name: str, units: ModuleUnits) -> bool:
    """Whether a class of a parent inherits from no other class of its file."""
    node = units.binders[name][-1].nodes[0]
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return not any(isinstance(base, ast.Name) and base.id in units.classes for base in bases)


def _same(one: ParentImport, other: ParentImport) -> bool:
    return (one.module, one.name) == (other.module, other.name)


def _changing(units: ModuleUnits) -> set[str]:
    """Variables of a module that its functions change when they run."""
    return {name for unit in units.units for name in unit.mentions.changed_later}


def _reads(own: ModuleUnits) -> Iterator[ast.Attribute]:
    """What the definition reads with a dot."""
    for node in (item for unit in own.units for outer in unit.nodes for item in ast.walk(outer)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node


def _changed_places(own: ModuleUnits) -> Iterator[ast.expr]:
    """Expressions whose value the definition changes, or binds anew."""
    for node in (item for unit in own.units for outer in unit.nodes for item in ast.walk(outer)):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            yield node.value
            if isinstance(node, ast.Attribute):
                yield ast.copy_location(ast.Attribute(node.value, node.attr, ast.Load()), node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Attribute):
                yield function.value
