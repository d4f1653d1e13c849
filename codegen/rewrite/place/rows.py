"""How many packed rows an encoder works on, as an expression that its ``forward`` can write.

A step of lift: with the number of rows, the shapes of a helper's results follow from shapes, and a given
result of another size can be refused. The first input usually has one row per patch; where it has a
batch axis as well, the rows are what an inner encoder is called with.
"""

from __future__ import annotations

import ast

from codegen.rewrite.helpers import HELPER_MODULES
from codegen.rewrite.library import ClassInfo, Function, Index, parameters, self_attribute
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.calls import bind_arguments
from codegen.rewrite.vocabulary import torch_name

BOUNDARIES = "cu_seqlens"


def rows_expression(
    index: Index,
    cls: ClassInfo,
    function: Function,
    before: ast.stmt | None = None,
    boundaries: str = BOUNDARIES,
) -> str:
    """``x.shape[0]`` for the rows of an encoder's ``forward``; empty where that is not known.

    The expression can be used in front of the statement ``before``, or at the top without one.
    ``boundaries`` is what the method calls the boundaries of its segments.
    """
    calls = _boundary_calls(function, boundaries) if function.name == "forward" else []
    if not calls:
        return ""
    inner = _inner_rows(index, cls, function, before, calls, boundaries)
    if inner:
        return inner
    first = parameters(function)[1]
    reshaped = any(
        isinstance(n, ast.Attribute) and n.attr in ("unsqueeze", "squeeze") for n in walk(function)
    )
    batched = reshaped or _has_batch_axis(index, cls, function, first)
    return "" if batched else f"{first}.shape[0]"


def _boundary_calls(function: Function, boundaries: str) -> list[ast.Call]:
    """Calls of modules that segment boundaries are handed to, under whatever name or place."""
    found = []
    for node in walk(function):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") in HELPER_MODULES:
            continue
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        handed = any(getattr(value, "id", "") == boundaries for value in given)
        named = any(keyword.arg == BOUNDARIES for keyword in node.keywords)
        if named or (handed and not torch_name(node.func)):
            found.append(node)
    return found


def _inner_rows(
    index: Index,
    cls: ClassInfo,
    function: Function,
    before: ast.stmt | None,
    calls: list[ast.Call],
    boundaries: str,
) -> str:
    """Rows of the value that an inner encoder gets, if it exists in front of ``before``."""
    available = set(parameters(function)) | _assigned_before(function, before)
    for call in calls:
        submodule = index.submodule(cls, self_attribute(call.func))
        found = index.method(submodule, "forward") if submodule is not None else None
        if submodule is None or found is None:
            continue
        bound = bind_arguments(call, found[1], cls.module.text)
        inner = next((name for name, value in bound.items() if value == boundaries), BOUNDARIES)
        rows = rows_expression(index, submodule, found[1], None, inner)
        name = rows.removesuffix(".shape[0]")
        value = bound.get(name, "") if name else ""
        if value in available:
            return f"{value}.shape[0]"
    return ""


def _assigned_before(function: Function, before: ast.stmt | None) -> set[str]:
    names: set[str] = set()
    if before is None:
        return names
    for statement in function.body:
        if statement is before:
            return names
        if isinstance(statement, ast.Assign):
            names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()


def _has_batch_axis(
    index: Index, cls: ClassInfo, function: Function, name: str, depth: int = 4
) -> bool:
    """Tell whether an input, or what it is first given to, is seen to have an axis before the rows."""
    nodes = list(walk(function))
    if _is_unpacked(function, name):
        return True
    if depth == 0:
        return False
    for call in nodes:
        if not isinstance(call, ast.Call) or not self_attribute(call.func):
            continue
        submodule = index.submodule(cls, self_attribute(call.func))
        found = index.method(submodule, "forward") if submodule is not None else None
        if submodule is None or found is None:
            continue
        for parameter, value in bind_arguments(call, found[1], cls.module.text).items():
            same = value.partition(".")[0] == name
            if same and _has_batch_axis(index, submodule, found[1], parameter, depth - 1):
                return True
    return False


def _is_unpacked(function: Function, name: str) -> bool:
    """Tell whether ``a, b, c, ... = name.shape`` names three sizes or more."""
    for node in walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            sizes = node.targets[0].elts
            if len(sizes) > 2 and ast.unparse(node.value) in (f"{name}.shape", f"{name}.size()"):
                return True
    return False
