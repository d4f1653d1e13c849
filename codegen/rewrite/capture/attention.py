"""Attention over segments: one masked call while tracing instead of a split by host-side lengths.

    else:                                             elif is_tracing() and ...:
        lengths = cu_seqlens[1:] - cu_seqlens[:-1]        mask = get_segment_mask(get_segment_ids(...), ...)
        splits = [torch.split(t, lengths.tolist(), ..)  ->     out, weights = attention(..., attention_mask=mask, ...)
        outputs = [attention(q, k, v) for ...]        else:
        out = torch.cat(outputs, dim=1)                   (unchanged)

The mask compares segment ids, so its shape depends on the number of tokens only. Eager attention adds
it, sdpa takes it as booleans; other implementations keep the split.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codegen.rewrite.emit.edits import Edit, ElseIf
from codegen.rewrite.library import ClassInfo, Function, Index
from codegen.rewrite.nodes import walk
from codegen.text.lines import LineMap

IMPLEMENTATION = "self.config._attn_implementation"
TEST = f'is_tracing() and {IMPLEMENTATION} in (None, "eager", "sdpa")'


@dataclass(frozen=True)
class SplitAttention:
    """The parts of a split: boundaries, the split tensors, their loop names, the call, its results."""

    boundaries: str
    states: tuple[str, ...]
    pieces: tuple[str, ...]
    call: ast.Call
    output: str
    weights: str


def attention_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | None:
    """Insert the masked branch in front of the branch that splits."""
    for node in walk(function):
        if isinstance(node, ast.If) and node.orelse and "is_tracing" not in ast.dump(node.test):
            split = find_split(node.orelse)
            if split is not None:
                edit = ElseIf(node, TEST, _branch(cls.module.text, split))
                needs = ("get_segment_ids", "get_segment_mask", "is_tracing")
                return (
                    [edit],
                    needs,
                    "attention split by lengths: one call with a segment mask while tracing",
                )
    return None


def find_split(body: list[ast.stmt]) -> SplitAttention | None:
    """Recognise the split-and-loop form in a block."""
    boundaries = _boundaries(body)
    states = _states(body)
    loop = _loop(body)
    if not boundaries or not states or loop is None or len(states) != len(loop[0]):
        return None
    last = body[-1]
    if not (isinstance(last, ast.Assign) and _is_torch(last.value, ("cat", "concat"))):
        return None
    target = last.targets[0]
    if not isinstance(target, ast.Name):
        return None
    return SplitAttention(boundaries, states, loop[0], loop[1], target.id, _weights(body, loop[1]))


def _boundaries(body: list[ast.stmt]) -> str:
    """Name ``c`` of a difference ``c[1:] - c[:-1]``."""
    for statement in body:
        for node in walk(statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                left, right = ast.unparse(node.left), ast.unparse(node.right)
                name = left.split("[")[0]
                if (left, right) == (f"{name}[1:]", f"{name}[:-1]") and name.isidentifier():
                    return name
    return ""


def _states(body: list[ast.stmt]) -> tuple[str, ...]:
    """The tensors that ``[torch.split(t, ...tolist(), dim=2) for t in (q, k, v)]`` splits."""
    for statement in body:
        value = getattr(statement, "value", None)
        if not isinstance(value, (ast.ListComp, ast.GeneratorExp)) or not _is_torch(
            value.elt, ("split",)
        ):
            continue
        items = value.generators[0].iter
        if ".tolist()" in ast.unparse(value.elt) and isinstance(items, (ast.Tuple, ast.List)):
            names = tuple(item.id for item in items.elts if isinstance(item, ast.Name))
            return names if len(names) == len(items.elts) == 3 else ()
    return ()


def _loop(body: list[ast.stmt]) -> tuple[tuple[str, ...], ast.Call] | None:
    """Loop names over ``zip(*splits)`` and the attention call inside."""
    for statement in body:
        target: ast.expr | None = None
        if isinstance(statement, ast.For) and "zip(*" in ast.unparse(statement.iter):
            target = statement.target
        value = getattr(statement, "value", None)
        if isinstance(value, ast.ListComp) and "zip(*" in ast.unparse(value.generators[0].iter):
            target = value.generators[0].target
        if not isinstance(target, ast.Tuple):
            continue
        names = tuple(getattr(element, "id", "") for element in target.elts)
        for node in walk(statement):
            if isinstance(node, ast.Call) and [
                getattr(a, "id", "") for a in node.args[1:4]
            ] == list(names):
                return names, node
    return None


def _weights(body: list[ast.stmt], call: ast.Call) -> str:
    """Name of the list that collects the second result of the call, ``_`` where nobody does."""
    for statement in body:
        for node in walk(statement):
            if not isinstance(node, ast.Assign) or node.value is not call:
                continue
            target = node.targets[0]
            second = (
                target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
            )
            for other in walk(statement):
                if (
                    isinstance(other, ast.Call)
                    and isinstance(other.func, ast.Attribute)
                    and other.func.attr == "append"
                    and second is not None
                    and ast.unparse(other.args[0]) == ast.unparse(second)
                ):
                    return ast.unparse(other.func.value)
    return "_"


def _is_torch(node: ast.expr, names: tuple[str, ...]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and getattr(node.func.value, "id", "") == "torch"
    )


def _branch(text: LineMap, split: SplitAttention) -> tuple[str, ...]:
    query = split.states[0]
    rest = [text.source(k) for k in split.call.keywords if k.arg not in (None, "attention_mask")]
    rest += [f"**{text.source(k.value)}" for k in split.call.keywords if k.arg is None]
    return (
        "# A graph has no lengths to split by: all segments in one call, separated by a mask",
        f"segment_ids = get_segment_ids({split.boundaries}.to({query}.device), {query}.shape[2])",
        f'mask_dtype = None if {IMPLEMENTATION} == "sdpa" else {query}.dtype',
        f"{split.output}, {split.weights} = {text.source(split.call.func)}(",
        "    self,",
        *[f"    {kept}," for kept in split.states],
        "    attention_mask=get_segment_mask(segment_ids, mask_dtype),",
        *[f"    {item}," for item in rest],
        ")",
    )
