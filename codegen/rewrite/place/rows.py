"""How many packed rows an encoder works on, as an expression that its ``forward`` can write.

A step of lift: with the number of rows, the shapes of a helper's results follow from shapes, and a given
result of another size can be refused. The rows are those of what the layers are given together with the
boundaries, as far back as nothing changes their number: modules are taken to keep it, reshaping is not.
Where that has a batch axis as well, the rows are what an inner encoder is called with.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import target_of, walk
from codegen.rewrite.place.calls import bind_arguments
from codegen.rewrite.vocabulary import torch_name

BOUNDARIES = "cu_seqlens"
KEEPING = frozenset(
    ("to", "type", "type_as", "float", "half", "bfloat16", "double", "contiguous", "clone")
    + ("detach", "cpu", "cuda", "add", "add_", "mul", "mul_", "sub", "sub_", "div", "div_")
)
"""Methods of a tensor whose result has as many rows."""


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
    if not reaches(function, first, before, calls):
        return ""
    reshaped = any(
        isinstance(n, ast.Attribute) and n.attr in ("unsqueeze", "squeeze") for n in walk(function)
    )
    batched = reshaped or _has_batch_axis(index, cls, function, first)
    return "" if batched else f"{first}.shape[0]"


def go_to_layers(
    index: Index, cls: ClassInfo, function: Function, name: str, before: ast.stmt, boundaries: str
) -> bool:
    """Tell whether what a name holds in front of a statement are the rows that layers get with boundaries."""
    calls = _boundary_calls(function, boundaries)
    if not calls or not reaches(function, name, before, calls):
        return False
    return not _has_batch_axis(index, cls, function, name)


def rows_are_lost(function: Function, boundaries: str = BOUNDARIES) -> bool:
    """Tell whether a ``forward`` hands rows to its layers whose number is not that of its first input."""
    calls = _boundary_calls(function, boundaries) if function.name == "forward" else []
    names = parameters(function)
    return bool(calls) and len(names) > 1 and not reaches(function, names[1], None, calls)


def reaches(
    function: Function, name: str, before: ast.stmt | None, calls: Collection[ast.Call]
) -> bool:
    """Tell whether the rows of a name are handed to some calls, their number unchanged.

    ``before`` is the statement in front of which the name is looked at, the first one without it.
    """
    flow = RowFlow({name})
    seen = before is None
    for statement in function.body:
        if statement is before and name not in flow.rows:
            flow = RowFlow({name})
        seen = seen or statement is before
        inside = {id(node) for node in walk(statement)} if seen else set()
        if any(id(call) in inside for call in calls):
            return any(flow.is_given(call) for call in calls if id(call) in inside)
        flow.pass_by(statement)
    return False


class RowFlow:
    """Names that hold the rows of an input, their number unchanged, and names of that number."""

    def __init__(self, rows: set[str]) -> None:
        self.rows = rows
        self.counts: set[str] = set()

    def is_given(self, call: ast.Call) -> bool:
        """Tell whether a call is handed such rows."""
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        return any(self.keeps(value) for value in values)

    def pass_by(self, statement: ast.stmt) -> None:
        """Follow the assignments of a statement."""
        for node in walk(statement):
            target = target_of(node)
            if isinstance(node, ast.Assign) and target is not None:
                self._assign(target, node.value)
            elif isinstance(node, (ast.For, ast.comprehension, ast.With, ast.NamedExpr)):
                bound = {n.id for n in walk(node) if isinstance(n, ast.Name) and _is_bound(n)}
                self.rows -= bound - _assigned_in(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            names = [part.id for part in target.elts if isinstance(part, ast.Name)]
            sized = self._shape_of(value) and isinstance(target.elts[0], ast.Name)
            self.rows -= {*names}
            self.counts = (self.counts - {*names}) | ({names[0]} if sized else set())
        elif isinstance(target, ast.Name):
            keeps, counts = self.keeps(value), self._is_count(value)
            self.rows = self.rows | {target.id} if keeps else self.rows - {target.id}
            self.counts = self.counts | {target.id} if counts else self.counts - {target.id}

    def keeps(self, value: ast.expr) -> bool:
        """Tell whether an expression has as many rows as the input."""
        if isinstance(value, ast.Name):
            return value.id in self.rows
        if isinstance(value, ast.BinOp):
            return self.keeps(value.left) or self.keeps(value.right)
        if not isinstance(value, ast.Call):
            return False
        if self_attribute(value.func):
            return any(self.keeps(argument) for argument in value.args)
        if not isinstance(value.func, ast.Attribute):
            return False
        if value.func.attr in ("reshape", "view") and value.args:
            return self._is_count(value.args[0])
        return value.func.attr in KEEPING and self.keeps(value.func.value)

    def _shape_of(self, value: ast.expr) -> bool:
        """``x.shape`` or ``x.size()`` of rows."""
        if isinstance(value, ast.Call) and not value.args:
            function = value.func
            return isinstance(function, ast.Attribute) and self._is_size(function, "size")
        return isinstance(value, ast.Attribute) and self._is_size(value, "shape")

    def _is_size(self, node: ast.Attribute, name: str) -> bool:
        return node.attr == name and self.keeps(node.value)

    def _is_count(self, value: ast.expr) -> bool:
        """The number of rows: ``x.shape[0]``, ``x.size(0)``, ``len(x)`` or a name for it."""
        if isinstance(value, ast.Name):
            return value.id in self.counts
        if isinstance(value, ast.Subscript):
            return self._shape_of(value.value) and _is_zero(value.slice)
        if not isinstance(value, ast.Call) or len(value.args) != 1:
            return False
        if isinstance(value.func, ast.Name):
            return value.func.id == "len" and self.keeps(value.args[0])
        function = value.func
        sized = isinstance(function, ast.Attribute) and self._is_size(function, "size")
        return sized and _is_zero(value.args[0])


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _is_bound(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _assigned_in(tree: ast.AST) -> set[str]:
    """Names that plain assignments in a statement bind, which are followed one by one."""
    targets = (t for n in walk(tree) if isinstance(n, ast.Assign) for t in n.targets)
    return {n.id for target in targets for n in walk(target) if isinstance(n, ast.Name)}


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
        if not isinstance(node, ast.Assign):
            continue
        sizes = max(len(getattr(target, "elts", ())) for target in node.targets)
        if sizes > 2 and ast.unparse(node.value) in (f"{name}.shape", f"{name}.size()"):
            return True
    return False
