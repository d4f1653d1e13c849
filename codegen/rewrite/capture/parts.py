"""Work in parts of a fixed size: in one part while tracing.

    for part in rows.split(self.size, dim=0):      for part in [rows] if is_tracing() else rows.split(...):
        done.append(self.conv(part))          ->       done.append(self.conv(part))
    return torch.cat(done, dim=0)                  return torch.cat(done, dim=0)

Right only where every step is a function of one row, and the results are joined as they come.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.capture.pieces import Left, Split, integer, splits_in
from codegen.rewrite.capture.rowwise import Rows
from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import only, walk
from codegen.rewrite.reach import Reaching, changed_names, read_names
from codegen.rewrite.vocabulary import torch_name

Found = tuple[list[Edit], tuple[str, ...], str]
JOINS = ("torch.cat", "torch.concat", "torch.concatenate")


def parts_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Let a loop over parts of a fixed size have one part while tracing."""
    edits: list[Edit] = []
    near: Left | None = None
    for block, node in _loops(function):
        split = _fixed_split(node)
        if split is None:
            continue
        reason = problem_of(index, cls, function, block, node, split)
        if reason:
            near = near or Left(node, f"a loop over parts of a fixed size: {reason}")
            continue
        text = cls.module.text
        whole, old = text.source(split.state), text.source(node.iter)
        edits.append(Substitute(node.iter, f"[{whole}] if is_tracing() else {old}"))
    reason = "work in parts of a fixed size: in one part while tracing"
    return (edits, ("is_tracing",), reason) if edits else near


def _loops(function: Function) -> Iterator[tuple[Sequence[ast.stmt], ast.For]]:
    for node in walk(function):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield from ((block, inner) for inner in block if isinstance(inner, ast.For))


def _fixed_split(node: ast.For) -> Split | None:
    """The split that a loop goes through, if its size is an attribute or a number."""
    for split in splits_in(node.iter):
        fixed = self_attribute(split.sizes) or isinstance(split.sizes, ast.Constant)
        if split.node is node.iter and fixed:
            return split
    return None


def problem_of(
    index: Index,
    cls: ClassInfo,
    function: Function,
    block: Sequence[ast.stmt],
    node: ast.For,
    split: Split,
) -> str:
    """Why it may matter how many rows a part has; empty where it does not."""
    axis = 0 if split.axis is None else integer(split.axis)
    if axis != 0:
        return f"it splits along {'an unknown axis' if axis is None else f'dim={axis}'}"
    if not isinstance(node.target, ast.Name):
        return "the part has no plain name"
    rows = Rows(index, cls, function, batched=True)
    names, lists = frozenset({node.target.id}), []
    for statement in node.body:
        collected = appended(statement)
        if collected is None:
            names, problem = rows.through([statement], names)
        else:
            lists.append(collected[0])
            problem = rows.problem(collected[1], names)
        if problem:
            return problem
    if not lists or len(set(lists)) < len(lists):
        return "it collects no results, or several in one list"
    reaching = Reaching(function)
    for name in lists:
        problem = list_problem(function, block, node, name)
        if problem:
            return problem
    inside = {id(child) for child in walk(node)}
    kept = {n for s in node.body for n in changed_names(s)} | {node.target.id}
    for other in walk(function):
        if isinstance(other, ast.stmt) and id(other) not in inside and other is not function:
            for name in sorted(read_names(other) & kept - set(lists)):
                if reaching.definitions(other, name) & inside:
                    return f"{name} of the last part is used behind it"
    return ""


def appended(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """List and value of ``list.append(value)`` or ``list += [value]``."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        value = statement.value
        if isinstance(value, (ast.List, ast.Tuple)) and len(value.elts) == 1:
            return ast.unparse(statement.target), value.elts[0]
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr != "append" or len(call.args) != 1 or call.keywords:
        return None
    return ast.unparse(call.func.value), call.args[0]


def list_problem(function: Function, block: Sequence[ast.stmt], node: ast.stmt, name: str) -> str:
    """Why a list may be more than what a loop collects and joins along the first axis."""
    earlier = list(block[: list(block).index(node)])
    made = [s for s in earlier if name in changed_names(s)]
    empty = only(made)
    if empty is None or not starts_list(empty, {name}):
        return f"{name} is not seen to be empty in front of it"
    known = {id(child) for statement in (empty, node) for child in walk(statement)}
    joins = {
        id(call.args[0]): call
        for call in walk(function)
        if isinstance(call, ast.Call) and torch_name(call.func) in JOINS and call.args
    }
    for use in walk(function):
        if not isinstance(use, ast.Name) or use.id != name or id(use) in known:
            continue
        call = joins.get(id(use))
        if call is None or any(k.arg not in ("dim", "axis") for k in call.keywords):
            return f"{name} is used otherwise than joined"
        given = [*call.args[1:], *(k.value for k in call.keywords)]
        axis = integer(given[0]) if given else 0
        if axis != 0:
            return f"{name} is joined along dim={axis}"
    return ""


def starts_list(statement: ast.stmt, names: set[str]) -> bool:
    """Tell whether a statement makes empty lists of some names, and nothing else."""
    if not isinstance(statement, ast.Assign) or not names & changed_names(statement):
        return False
    values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
    return all(isinstance(value, ast.List) and not value.elts for value in values)
