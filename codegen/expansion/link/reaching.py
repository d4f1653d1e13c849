"""Code of a definition outside of a folded class that speaks of the class that is folded into it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from codegen.expansion.fold.denoted import dotted_name
from codegen.expansion.fold.sites import first_parameter, is_super
from codegen.expansion.link.units import ModuleUnits, Unit

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SETTERS = ("setattr", "delattr")


def changed_classes(unit: Unit, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """Where a statement changes a class of one of these names: the line, and the name."""
    plain = {*unit.mentions.changed, *unit.mentions.changed_later} & set(names)
    for node in (item for outer in unit.nodes for item in ast.walk(outer)):
        owner: ast.expr | None = None
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            owner = node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in _SETTERS and node.args:
            owner = node.args[0]
        elif isinstance(node, ast.Name) and node.id in plain:
            plain.discard(node.id)
            yield node.lineno, node.id
        name = dotted_name(owner) if owner is not None else ""
        if owner is not None and "." in name and name in names:
            yield owner.lineno, name


def reaching_past(
    folded: Unit, own: ModuleUnits, names: Collection[str], members: Collection[str]
) -> Iterator[tuple[int, str, str]]:
    """Where a class below the folded one means a member of the parent's own body.

    ``names`` are those of the parent, ``members`` what its body binds. Gives the line, the
    expression and the member; each with the method that it stands in given ``self``.
    """
    below = {folded.name}
    for unit in own.units:
        node = unit.nodes[0]
        if unit is folded or not isinstance(node, ast.ClassDef):
            continue
        if not below & {base.id for base in node.bases if isinstance(base, ast.Name)}:
            continue
        below.add(unit.name)
        for method in node.body:
            if isinstance(method, _FUNCTIONS):
                for line, spelled, member in _reached(method, names, folded.name):
                    if member in members:
                        yield line, spelled, member


def _reached(
    method: ast.FunctionDef | ast.AsyncFunctionDef, names: Collection[str], child: str
) -> Iterator[tuple[int, str, str]]:
    first = first_parameter(method)
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = node.args[0] if node.args else None
            ours = isinstance(given, ast.Name) and given.id == first
            if ours and dotted_name(node.func.value) in names:
                yield node.lineno, ast.unparse(node.func), node.func.attr
        if isinstance(node, ast.Attribute) and is_super(node.value):
            call = node.value
            assert isinstance(call, ast.Call)
            owner = dotted_name(call.args[0]) if call.args else ""
            if owner == child or owner in names:
                yield node.lineno, ast.unparse(node), node.attr
