"""Recognition of the longest segment, computed from boundaries for attention that asks for it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.nodes import glance, of_kind, target_of, walk
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.vocabulary import torch_name

_BOUNDS = ("max_length", "max_seqlen", "max_seq_len")
"""How keywords begin by which attention is told how long segments are at most."""


@dataclass(frozen=True)
class Measure:
    """``name = (boundaries[1:] - boundaries[:-1]).max()``, of boundaries that are a parameter."""

    statement: ast.Assign
    name: str
    boundaries: str


def find_measure(function: Function) -> Measure | Objection | None:
    """The statement that computes what attention is told; why it cannot be given; None without one."""
    seen = glance(function)
    if seen is not function and find_measure(seen) is None:
        return None
    found = None
    for statement in of_kind(function, ast.Assign):
        target = target_of(statement)
        if not isinstance(target, ast.Name):
            continue
        boundaries = _measured(statement.value)
        if not boundaries or not _is_told(function, target.id):
            continue
        if found is not None:
            return Objection(statement, "the method computes it twice")
        found = Measure(statement, target.id, boundaries)
    return _objection(function, found) if found is not None else None


def _objection(function: Function, found: Measure) -> Measure | Objection:
    stored = [n.id for n in walk(function) if isinstance(n, ast.Name) and _is_stored(n)]
    if found.boundaries not in parameters(function) or found.boundaries in stored:
        return Objection(found.statement, f"{found.boundaries} is made in the method")
    if stored.count(found.name) != 1 or len(found.statement.targets) != 1:
        return Objection(found.statement, f"{found.name} is assigned something else, too")
    told = {id(k.value) for k in walk(function) if isinstance(k, ast.keyword) and _is_bound(k)}
    for node in walk(function):
        is_read = isinstance(node, ast.Name) and node.id == found.name and not _is_stored(node)
        if is_read and id(node) not in told:
            return Objection(found.statement, f"{found.name} is used for something else, too")
    return found


def _measured(value: ast.expr) -> str:
    """The boundaries whose longest segment an expression gives, empty for any other expression."""
    if not isinstance(value, ast.Call):
        return ""
    if isinstance(value.func, ast.Attribute) and value.func.attr == "item" and not value.args:
        return _measured(value.func.value)
    if getattr(value.func, "id", "") == "int" and len(value.args) == 1:
        return _measured(value.args[0])
    if torch_name(value.func) == "torch.max" and len(value.args) == 1:
        return _differences(value.args[0])
    if isinstance(value.func, ast.Attribute) and value.func.attr in ("max", "amax"):
        return _differences(value.func.value) if not value.args and not value.keywords else ""
    return ""


def _differences(value: ast.expr) -> str:
    """The boundaries of whose neighbours these are the differences."""
    names = {n.id for n in walk(value) if isinstance(n, ast.Name)} - {"torch"}
    name = min(names, default="")
    known = (f"{name}[1:] - {name}[:-1]", f"torch.diff({name})", f"{name}.diff()")
    return name if len(names) == 1 and ast.unparse(value) in known else ""


def _is_told(function: Function, name: str) -> bool:
    """Tell whether attention is told a value of this name."""
    keywords = (k for k in walk(function) if isinstance(k, ast.keyword) and _is_bound(k))
    return any(getattr(keyword.value, "id", "") == name for keyword in keywords)


def _is_bound(keyword: ast.keyword) -> bool:
    return keyword.arg is not None and keyword.arg.startswith(_BOUNDS)


def _is_stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)
