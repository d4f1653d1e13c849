"""Host-side loops of audio encoders: a mask filled per segment, splits of a fixed size, pooling per audio.

Each gets a form without data-dependent sizes that is used while tracing. The dense mask and the unsplit convolution give equal values; pooled pairs are averaged as
the pooling layer does.
"""

from __future__ import annotations

import ast

from codegen.rewrite.emit.edits import (
    AddParameters,
    Branch,
    Describe,
    Edit,
    Insert,
    Substitute,
)
from codegen.rewrite.helpers import POOL_INDICES
from codegen.rewrite.library import ClassInfo, Function, Index, parameters, self_attribute
from codegen.rewrite.nodes import walk

Found = tuple[list[Edit], tuple[str, ...], str]


def mask_edits(index: Index, cls: ClassInfo, function: Function) -> Found | None:
    """``mask[..., c[i-1]:c[i], c[i-1]:c[i]] = 0`` in a loop: compare segment ids while tracing."""
    for number, node in enumerate(function.body):
        if not isinstance(node, ast.For) or len(node.body) != 1 or number == 0:
            continue
        boundaries, mask = _filled(node)
        made = function.body[number - 1]
        size = _mask_size(made, mask) if mask else None
        if not boundaries or size is None or not isinstance(function.body[-1], ast.Return):
            continue
        ids = f"get_segment_ids({boundaries}.to({size[1]}.device), {size[0]})"
        lines = ("if is_tracing():", f"    return get_segment_mask({ids}, {size[1]}.dtype)")
        edit = Insert(made, lines)
        needs = ("get_segment_ids", "get_segment_mask", "is_tracing")
        return [edit], needs, "dense mask filled per segment: compared segment ids while tracing"
    return None


def _filled(node: ast.For) -> tuple[str, str]:
    """(boundaries, mask) of a loop that zeroes diagonal blocks."""
    counter, body = ast.unparse(node.target), node.body[0]
    if not isinstance(body, ast.Assign) or ast.unparse(body.value) != "0":
        return "", ""
    target = body.targets[0]
    if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
        return "", ""
    for name in {n.id for n in walk(target.slice) if isinstance(n, ast.Name)} - {counter}:
        span = f"{name}[{counter} - 1]:{name}[{counter}]"
        loop = f"range(1, len({name}))"
        if (
            ast.unparse(target.slice).strip("()") == f"..., {span}, {span}"
            and ast.unparse(node.iter) == loop
        ):
            return name, target.value.id
    return "", ""


def _mask_size(made: ast.stmt, mask: str) -> tuple[str, str] | None:
    """(size, tensor that gives dtype and device) of ``mask = torch.full([1, 1, n, n], finfo(x.dtype).min, ...)``."""
    if not isinstance(made, ast.Assign) or ast.unparse(made.targets[0]) != mask:
        return None
    value = made.value
    if (
        not isinstance(value, ast.Call)
        or ast.unparse(value.func) != "torch.full"
        or len(value.args) < 2
    ):
        return None
    fill = ast.unparse(value.args[1])
    if not (fill.startswith("torch.finfo(") and fill.endswith(".dtype).min")):
        return None
    shape = value.args[0]
    if not isinstance(shape, (ast.List, ast.Tuple)) or len(shape.elts) != 4:
        return None
    sides = [ast.unparse(e) for e in shape.elts]
    tensor = fill[len("torch.finfo(") : -len(".dtype).min")]
    return (sides[2], tensor) if sides[:2] == ["1", "1"] and sides[2] == sides[3] else None


def fixed_split_edits(index: Index, cls: ClassInfo, function: Function) -> Found | None:
    """``for part in x.split(self.size, dim=0)`` whose results are joined again: one part while tracing."""
    edits: list[Edit] = []
    for node in walk(function):
        if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
            continue
        call = node.iter
        if not (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "split"
            and len(call.args) == 1
        ):
            continue
        axis = [ast.unparse(k.value) for k in call.keywords]
        appended = [n for n in walk(node) if isinstance(n, ast.Attribute) and n.attr == "append"]
        if not self_attribute(call.args[0]) or axis not in ([], ["0"]) or len(appended) != 1:
            continue
        text = cls.module.text
        whole = text.source(call.func.value)
        edits.append(Substitute(call, f"[{whole}] if is_tracing() else {text.source(call)}"))
    return (
        (edits, ("is_tracing",), "work in parts of a fixed size: in one part while tracing")
        if edits
        else None
    )


def pool_edits(index: Index, cls: ClassInfo, function: Function) -> Found | None:
    """Average pooling by 2 per audio: pairs by index while tracing or without lengths per audio."""
    lens = index.vocabulary.lengths_of(parameters(function))
    calls = {
        n.func.id
        for n in walk(function)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    if not lens or "get_audio_cu_seqlens" not in calls or POOL_INDICES.name in calls:
        return None
    for number, node in enumerate(function.body):
        if not isinstance(node, ast.For) or number < 2:
            continue
        steps = _pool_steps(index, cls, node)
        split = function.body[number - 2]
        joined = function.body[number + 1] if number + 1 < len(function.body) else None
        rows, result = _split_rows(split), _joined(joined)
        if steps is None or not rows or not result or joined is None:
            continue
        statements = (split, function.body[number - 1], node, joined)
        return _pool_branch(statements, rows, result, steps, lens)
    return None


def _pool_steps(index: Index, cls: ClassInfo, node: ast.For) -> list[str] | None:
    """Texts of the row-wise calls behind the pooling in the loop body, ``{}`` for the rows."""
    name = ast.unparse(node.target)
    steps: list[str] = []
    for number, statement in enumerate(node.body[:-1]):
        if not isinstance(statement, ast.Assign) or ast.unparse(statement.targets[0]) != name:
            return None
        value = ast.unparse(statement.value)
        if number == 0:
            pooler = value.removeprefix("self.").split("(")[0]
            found = index.attribute(cls, pooler)
            shape = f"self.{pooler}({name}.transpose(0, 1)).transpose"
            if found is None or not value.startswith(shape) or not _is_pair_pool(found[2]):
                return None
        elif isinstance(statement.value, ast.Call) and value.endswith(f"({name})"):
            steps.append(value[: -len(f"({name})")])
        else:
            return None
    last = node.body[-1]
    return steps if isinstance(last, ast.Expr) and ".append(" in ast.unparse(last) else None


def _is_pair_pool(node: ast.expr) -> bool:
    return ast.unparse(node) in (
        "nn.AvgPool1d(2, stride=2)",
        "nn.AvgPool1d(2)",
        "torch.nn.AvgPool1d(2, stride=2)",
    )


def _split_rows(node: ast.stmt) -> str:
    """``rows`` of ``pieces = rows.split(lengths.tolist(), dim=0)``."""
    value = getattr(node, "value", None)
    if (
        (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr == "split"
        )
        and value.args
        and ast.unparse(value.args[0]).endswith(".tolist()")
    ):
        return ast.unparse(value.func.value)
    return ""


def _joined(node: ast.stmt | None) -> str:
    """``name`` of ``name = torch.cat(pieces, dim=0)``."""
    if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("torch.cat("):
        return ast.unparse(node.targets[0])
    return ""


def _pool_branch(
    statements: tuple[ast.stmt, ...], rows: str, result: str, steps: list[str], lens: str
) -> Found:
    indices = POOL_INDICES.outputs[0]
    value = getattr(statements[0], "value", None)
    assert isinstance(value, ast.Call)
    lengths = ast.unparse(value.args[0]).removesuffix(".tolist()")
    lines = (
        f"if {indices} is None:",
        f"    {indices} = {POOL_INDICES.name}({lens})",
        f"{result} = ({rows}[{indices}] + {rows}[{indices} + 1]) / 2",
        *[f"{result} = {step}({result})" for step in steps],
    )
    edits: list[Edit] = [
        Branch(statements, f"is_tracing() or {lengths} is None", lines),
        AddParameters((indices,)),
        Describe((indices,)),
    ]
    return (
        edits,
        (POOL_INDICES.name, "is_tracing"),
        "pooling per audio: pairs by index while tracing",
    )
