"""A dense mask filled segment by segment: compared segment ids while tracing.

mask = torch.full([1, 1, n, n], torch.finfo(x.dtype).min, dtype=x.dtype)     if is_tracing():
for i in range(1, len(c)):                                               ->      return get_segment_mask(...)
    mask[..., c[i - 1] : c[i], c[i - 1] : c[i]] = 0
return mask
"""

from __future__ import annotations

import ast

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Edit, Insert
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import is_written, target_of, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.vocabulary import torch_name

Found = tuple[list[Edit], tuple[str, ...], str]


def mask_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Return compared segment ids in front of a mask that is filled in a loop, while tracing."""
    for number, node in enumerate(function.body):
        if not isinstance(node, ast.For) or number == 0:
            continue
        near = _slices(node)
        if not near:
            continue
        boundaries, mask = _filled(node)
        made, behind = function.body[number - 1], function.body[number + 1 :]
        size = _mask_size(made, mask) if mask else None
        if not boundaries:
            return Left(node, f"a mask filled per segment: {near} is no diagonal block of zeros")
        if size is None:
            return Left(
                made,
                "a mask filled per segment: it does not begin with the lowest value of a dtype",
            )
        if [ast.unparse(statement) for statement in behind] != [f"return {mask}"]:
            return Left(
                node, "a mask filled per segment: more is done with it before it is returned"
            )
        ids = f"get_segment_ids({boundaries}.to({size[1]}.device), {size[0]})"
        # What else may be the side of a mask need not be where the boundaries end.
        held = _counts_rows(function, number, *size)
        within = "" if held else f", within={boundaries}"
        lines = ("if is_tracing():", f"    return get_segment_mask({ids}, {size[1]}.dtype{within})")
        needs = ("get_segment_ids", "get_segment_mask", "is_tracing")
        reason = "dense mask filled per segment: compared segment ids while tracing"
        return [Insert(made, lines)], needs, reason
    return None


def _counts_rows(function: Function, number: int, side: str, tensor: str) -> bool:
    """Tell whether the side of a mask is the number of rows of the tensor that gives its dtype, by its text."""
    counted = (f"{tensor}.shape[0]", f"{tensor}.size(0)", f"len({tensor})")
    if any(tensor in assigned_names(statement) for statement in function.body[:number]):
        return False
    if side in counted:
        return True
    made = [s for s in function.body[:number] if side in assigned_names(s)]
    values = [s.value for s in made if isinstance(s, ast.Assign) and is_written(target_of(s), side)]
    return len(made) == len(values) == 1 and ast.unparse(values[0]) in counted


def _slices(node: ast.For) -> str:
    """What a loop over the numbers of boundaries assigns to slices between two of them."""
    counter = ast.unparse(node.target)
    for statement in node.body:
        target = target_of(statement)
        spans = [n for n in walk(target) if isinstance(n, ast.Slice)] if target is not None else []
        bounds = [b for span in spans for b in (span.lower, span.upper) if b is not None]
        between = [b for b in bounds if isinstance(b, ast.Subscript) and counter in ast.unparse(b)]
        if target is not None and len(between) >= 2:
            return ast.unparse(target)
    return ""


def _filled(node: ast.For) -> tuple[str, str]:
    """(boundaries, mask) of a loop that zeroes diagonal blocks."""
    counter, body = ast.unparse(node.target), node.body[0]
    if (
        len(node.body) > 1
        or node.orelse
        or not isinstance(body, ast.Assign)
        or ast.unparse(body.value) != "0"
    ):
        return "", ""
    target = target_of(body)
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
    if not isinstance(made, ast.Assign) or not is_written(target_of(made), mask):
        return None
    value = made.value
    if (
        not isinstance(value, ast.Call)
        or torch_name(value.func) != "torch.full"
        or len(value.args) != 2
        or not {keyword.arg for keyword in value.keywords} <= {"dtype", "device"}
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
    dtypes = [ast.unparse(k.value) for k in value.keywords if k.arg == "dtype"]
    right = sides[:2] == ["1", "1"] and sides[2] == sides[3] and dtypes == [f"{tensor}.dtype"]
    return (sides[2], tensor) if right else None
