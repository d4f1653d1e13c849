"""Per-image values repeated per token: a gather by segment instead of a list of repeats.

    torch.cat([shapes[i, 1].repeat(lengths[i]) for i in range(len(lengths))])
        ->  shapes[get_segment_ids(<boundaries of lengths>, rows), 1]

and, in callers of a method that accepts lengths as a tensor too, ``(c[1:] - c[:-1]).tolist()`` stays a
tensor. Both forms give the same integers.
"""

from __future__ import annotations

import ast

from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.library import (
    ClassInfo,
    Function,
    Index,
    parameters,
    self_attribute,
)
from codegen.rewrite.nodes import walk


def repeat_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | None:
    """Replace repeats in a method by a gather."""
    edits: list[Edit] = []
    for node in walk(function):
        parts = _repeat(node)
        if parts is not None and len(parameters(function)) > 1:
            values, lengths, column = parts
            rows = f"{parameters(function)[1]}.shape[0]"
            boundaries = f"torch.nn.functional.pad({lengths}.cumsum(0), (1, 0)).to({values}.device)"
            assert isinstance(node, ast.Call)
            new = f"{values}[get_segment_ids({boundaries}, {rows}), {column}]"
            edits.append(Substitute(node, new))
    return (
        (edits, ("get_segment_ids",), "per-image values repeated per token: gather by segment")
        if edits
        else None
    )


def lengths_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | None:
    """Keep lengths on the device where the receiver accepts them so."""
    edits = _lengths_edits(index, cls, function)
    return (edits, (), "host-side lengths stay a tensor") if edits else None


def _repeat(node: ast.AST) -> tuple[str, str, str] | None:
    """(values, lengths, column) of ``cat([values[i, column].repeat(lengths[i]) for i in range(len(lengths))])``."""
    if not (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("torch.cat", "torch.concat")
        and node.args
    ):
        return None
    made = node.args[0]
    if not isinstance(made, ast.ListComp) or not isinstance(made.elt, ast.Call):
        return None
    function, loop = made.elt.func, made.generators[0]
    if not (
        isinstance(function, ast.Attribute)
        and function.attr == "repeat"
        and len(made.elt.args) == 1
    ):
        return None
    index, source, amount = ast.unparse(loop.target), function.value, made.elt.args[0]
    if not (isinstance(source, ast.Subscript) and isinstance(source.slice, ast.Tuple)):
        return None
    if not (isinstance(amount, ast.Subscript) and ast.unparse(amount.slice) == index):
        return None
    values, lengths = ast.unparse(source.value), ast.unparse(amount.value)
    first, column = (ast.unparse(e) for e in source.slice.elts[:2])
    if first != index or ast.unparse(loop.iter) != f"range(len({lengths}))":
        return None
    return values, lengths, column


def _lengths_edits(index: Index, cls: ClassInfo, function: Function) -> list[Edit]:
    """Drop ``.tolist()`` of differences that only a tolerant submodule receives."""
    edits: list[Edit] = []
    for statement in function.body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
            continue
        callee, target = statement.value.func, statement.targets[0]
        if not (
            isinstance(callee, ast.Attribute)
            and callee.attr == "tolist"
            and isinstance(target, ast.Name)
        ):
            continue
        if isinstance(callee.value, ast.BinOp) and _only_tolerant_uses(
            index, cls, function, target.id
        ):
            difference = cls.module.text.source(callee.value)
            edits.append(Substitute(statement.value, difference))
    return edits


def _only_tolerant_uses(index: Index, cls: ClassInfo, function: Function, name: str) -> bool:
    """Tell whether a local is only handed to submodules that turn a list into a tensor themselves."""
    uses = [
        n
        for n in walk(function)
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    accepted = 0
    for call in walk(function):
        if not isinstance(call, ast.Call) or not self_attribute(call.func):
            continue
        target = index.submodule(cls, self_attribute(call.func))
        found = index.method(target, "forward") if target is not None else None
        if found is None:
            continue
        bound = dict(zip(parameters(found[1])[1:], call.args))
        bound.update({k.arg: k.value for k in call.keywords if k.arg})
        for parameter, value in bound.items():
            if isinstance(value, ast.Name) and value.id == name:
                accepted += f"isinstance({parameter}, list)" in ast.unparse(found[1])
    return bool(uses) and accepted == len(uses)
