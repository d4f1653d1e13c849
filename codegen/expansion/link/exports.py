"""The ``__all__`` of a definition, and which generated file each of its entries belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.errors import fail
from codegen.expansion.link.linker import Linker, Plan
from codegen.expansion.link.units import ModuleUnits


@dataclass(frozen=True, slots=True)
class Export:
    """One entry of ``__all__``: the name, and how it is quoted in the source."""

    name: str
    text: str


def read_exports(own: ModuleUnits, linker: Linker) -> dict[str, list[Export]]:
    """The exports of each kind of file; what only the expansion gives is placed for them.

    Raises CodegenError for lists that are computed.
    """
    exports: dict[str, list[Export]] = {}
    for node in _entries(own):
        name = str(node.value)
        target = linker.space.resolve(name)
        plan = _home(name, linker)
        if target is not None and target.kind == "copy":
            linker.need([name], plan, target.module)
        exports.setdefault(plan.kind, []).append(Export(name, own.lines.source(node)))
    return exports


def _home(name: str, linker: Linker) -> Plan:
    """The file that an exported name is defined in, or would be."""
    for plan in linker.plans.values():
        if any(name in item.binds for item in plan.items):
            return plan
    kind = linker.file_type(name)
    return linker.plans[kind] if kind in linker.plans else linker.default_plan()


def _entries(own: ModuleUnits) -> Iterator[ast.Constant]:
    path = own.source.path
    found: list[ast.expr] = []
    for unit in own.units:
        if unit.kind != "exports":
            continue
        for node in unit.nodes:
            values = _listed(node)
            if values is None:
                raise fail(
                    "computed-exports",
                    "__all__ is not a list of names",
                    path,
                    node.lineno,
                    "write the names out: each goes to the file that defines it",
                )
            found = values if isinstance(node, (ast.Assign, ast.AnnAssign)) else [*found, *values]
    for item in found:
        if not isinstance(item, ast.Constant) or not isinstance(item.value, str):
            raise fail(
                "computed-exports",
                f"__all__ holds {ast.unparse(item)}, which is no plain string",
                path,
                item.lineno,
                "write the name out",
            )
        yield item


def _listed(node: ast.stmt) -> list[ast.expr] | None:
    """Entries that a statement gives ``__all__``; None if they cannot be told."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return _elements(node.value)
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and len(call.args) == 1:
        if call.func.attr == "append":
            return list(call.args)
        if call.func.attr == "extend":
            return _elements(call.args[0])
    return None


def _elements(node: ast.expr | None) -> list[ast.expr] | None:
    if isinstance(node, (ast.List, ast.Tuple)):
        return list(node.elts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _elements(node.left), _elements(node.right)
        return None if left is None or right is None else [*left, *right]
    return None
