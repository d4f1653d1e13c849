"""Average pooling by 2 per audio: pairs by index while tracing, or where no lengths per audio are given.

    for piece in rows.split(lengths.tolist(), dim=0):        pairs = (rows[pool_indices] + rows[pool_indices + 1]) / 2
        piece = self.pool(piece.transpose(0, 1)).transpose(0, 1)
        pooled.append(self.norm(piece))                  ->  tokens = self.norm(pairs)
    tokens = torch.cat(pooled, dim=0)

What follows the pooling has to be a function of one row, and the lengths those that the indices count.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.rewrite.audio_helpers import AUDIO_CU_SEQLENS, POOL_INDICES
from codegen.rewrite.capture.audio_lengths import length_problem
from codegen.rewrite.capture.parts import JOINS, appended, list_problem, starts_list
from codegen.rewrite.capture.pieces import Left, integer, is_read, splits_in
from codegen.rewrite.capture.rowwise import Rows
from codegen.rewrite.emit.edits import AddParameters, Branch, Describe, Edit
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import is_written, target_of, walk
from codegen.rewrite.vocabulary import torch_name

Found = tuple[list[Edit], tuple[str, ...], str]


def pooling_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Put pairs by index in front of pooling per audio."""
    lens = index.vocabulary.lengths_of(parameters(function))
    called = {
        n.func.id
        for n in walk(function)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    if not lens or AUDIO_CU_SEQLENS.name not in called or POOL_INDICES.name in called:
        return None
    for number, node in enumerate(function.body):
        pooled = _pooled(index, cls, node) if isinstance(node, ast.For) else ""
        if not isinstance(node, ast.For) or not pooled:
            continue
        around = function.body[max(number - 2, 0) : number + 2]
        found = _recognise(index, cls, function, around, node)
        if isinstance(found, str):
            return Left(node, f"pooling per audio: {found}")
        rows, lengths, steps, result = found
        problem = length_problem(index, cls, function, lens, lengths)
        if problem:
            return Left(node, f"pooling per audio: {problem}")
        return _branch(around, rows, lengths, steps, result, lens)
    return None


def _pooled(index: Index, cls: ClassInfo, node: ast.For) -> str:
    """The attribute that pools pairs in the body of a loop."""
    for call in walk(node):
        name = self_attribute(call.func) if isinstance(call, ast.Call) else ""
        found = index.attribute(cls, name) if name else None
        if found is not None and _is_pair_pool(found[2]):
            return name
    return ""


def _is_pair_pool(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or torch_name(node.func) != "torch.nn.AvgPool1d":
        return False
    values = [integer(a) for a in node.args] + [
        integer(k.value) if k.arg in ("kernel_size", "stride") else None for k in node.keywords
    ]
    return values in ([2], [2, 2])


def _recognise(
    index: Index, cls: ClassInfo, function: Function, around: Sequence[ast.stmt], node: ast.For
) -> tuple[str, str, list[str], str] | str:
    """(rows, lengths, steps behind the pooling, result), or which condition is not met."""
    if len(around) != 4 or around[2] is not node:
        return "no split and empty list in front of the loop, or nothing behind it"
    split, made, _, joined = around
    target = target_of(split)
    value = getattr(split, "value", None)
    pieces = next((s for s in splits_in(split) if s.node is value), None)
    if pieces is None or ast.unparse(node.iter) != getattr(target, "id", ""):
        return "the loop does not go through a split in front of it"
    if not is_read(pieces.sizes) or (pieces.axis is not None and integer(pieces.axis) != 0):
        return "the rows are not split along dim=0 by lengths"
    if not isinstance(node.target, ast.Name):
        return "the loop has no plain name"
    *body, last = node.body
    collected = appended(last)
    if collected is None or ast.unparse(collected[1]) != node.target.id:
        return "the loop does not end with collecting what it made"
    steps = _steps(index, cls, function, node.target.id, body)
    if isinstance(steps, str):
        return steps
    problem = list_problem(function, function.body, node, collected[0])
    if problem or not starts_list(made, {collected[0]}):
        return problem or f"{collected[0]} does not begin directly in front of the loop"
    call = getattr(joined, "value", None)
    result = target_of(joined)
    if not isinstance(result, ast.Name) or not isinstance(call, ast.Call):
        return "the pieces are not joined directly behind the loop"
    if torch_name(call.func) not in JOINS or ast.unparse(call.args[0]) != collected[0]:
        return "the pieces are not joined directly behind the loop"
    assert isinstance(pieces.sizes, ast.Call) and isinstance(pieces.sizes.func, ast.Attribute)
    return (
        ast.unparse(pieces.state),
        ast.unparse(pieces.sizes.func.value),
        steps,
        result.id,
    )


def _steps(
    index: Index, cls: ClassInfo, function: Function, name: str, body: Sequence[ast.stmt]
) -> list[str] | str:
    """Modules behind the pooling, in order."""
    steps: list[str] = []
    rows = Rows(index, cls, function)
    for number, statement in enumerate(body):
        if not isinstance(statement, ast.Assign) or not is_written(target_of(statement), name):
            return f"{ast.unparse(statement)} is no step of one name"
        if number == 0:
            pooler = _pooled_first(statement.value, name)
            found = index.attribute(cls, pooler) if pooler else None
            if found is None or not _is_pair_pool(found[2]):
                return f"{ast.unparse(statement.value)} is not the pooling of transposed rows"
            continue
        value = statement.value
        if (
            not isinstance(value, ast.Call)
            or ast.unparse(value) != f"{ast.unparse(value.func)}({name})"
        ):
            return f"{ast.unparse(value)} is no module of the rows alone"
        problem = rows.problem(value, frozenset({name}))
        if problem:
            return problem
        steps.append(ast.unparse(value.func))
    return steps if body else "nothing is pooled in the loop"


def _pooled_first(value: ast.expr, name: str) -> str:
    """``pool`` of ``self.pool(x.transpose(0, 1)).transpose(0, 1)``, in place or not."""
    text = ast.unparse(value)
    for turn in ("transpose", "transpose_"):
        start, end = "self.", f"({name}.transpose(0, 1)).{turn}(0, 1)"
        if text.startswith(start) and text.endswith(end):
            return text[len(start) : -len(end)]
    return ""


def _branch(
    statements: Sequence[ast.stmt],
    rows: str,
    lengths: str,
    steps: Sequence[str],
    result: str,
    lens: str,
) -> Found:
    indices = POOL_INDICES.outputs[0]
    lines = (
        f"if {indices} is None:",
        f"    {indices} = {POOL_INDICES.name}({lens})",
        f"{result} = ({rows}[{indices}] + {rows}[{indices} + 1]) / 2",
        *[f"{result} = {step}({result})" for step in steps],
    )
    edits: list[Edit] = [
        Branch(tuple(statements), f"is_tracing() or {lengths} is None", lines),
        AddParameters((indices,)),
        Describe((indices,)),
    ]
    reason = "pooling per audio: pairs by index while tracing"
    return edits, (POOL_INDICES.name, "is_tracing"), reason
