"""Operators that decide about numbers: arithmetic, normalisation, precision, constants."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from codegen.review.syntax import dotted, inner

_SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.Mod: "%",
}
_CALLS = frozenset(
    [
        "softmax",
        "log_softmax",
        "matmul",
        "bmm",
        "baddbmm",
        "einsum",
        "scaled_dot_product_attention",
        "sqrt",
        "rsqrt",
        "exp",
        "log",
        "log1p",
        "expm1",
        "pow",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "relu",
        "softplus",
        "normalize",
        "layer_norm",
        "rms_norm",
        "group_norm",
        "batch_norm",
        "norm",
        "mean",
        "sum",
        "var",
        "std",
        "cumsum",
        "cumprod",
        "clamp",
        "clip",
        "dropout",
        "masked_fill",
        "where",
        "tril",
        "triu",
        "float",
        "half",
        "bfloat16",
        "double",
        "to",
        "type",
        "round",
        "floor",
        "ceil",
        "abs",
        "add",
        "sub",
        "mul",
        "div",
        "square",
        "cross_entropy",
        "sin",
        "cos",
        "outer",
        "interpolate",
        "conv1d",
        "conv2d",
        "conv3d",
        "linear",
        "argmax",
        "topk",
        "sort",
    ]
)
#: Keyword arguments that change what a call computes.
_KEYWORDS = frozenset(
    [
        "dtype",
        "eps",
        "p",
        "dropout",
        "scale",
        "scaling",
        "is_causal",
        "dim",
        "axis",
        "training",
        "attn_mask",
        "attention_mask",
        "sliding_window",
        "softcap",
        "keepdim",
    ]
)


def operators(body: Sequence[ast.stmt]) -> Counter[str]:
    """The operators in statements, each as often as it stands there.

    Arithmetic on the sizes of a module that is built is told with the state dict.
    """
    found: Counter[str] = Counter()
    pending: list[tuple[ast.AST, bool]] = [(part, False) for part in body]
    while pending:
        item, is_size = pending.pop()
        if isinstance(item, (ast.BinOp, ast.AugAssign)):
            sign = _SIGNS.get(type(item.op))
            if sign and not is_size and not _is_text(item):
                found[sign] += 1
        elif isinstance(item, ast.Call):
            _count_call(item, found)
            is_size = is_size or _builds(item)
        elif isinstance(item, ast.Constant) and isinstance(item.value, float):
            found[repr(item.value)] += 1
        pending += [(child, is_size) for child in inner(item)]
    return found


def _builds(call: ast.Call) -> bool:
    """Whether a call makes a module of torch."""
    func = call.func
    if not (isinstance(func, ast.Attribute) and func.attr[:1].isupper()):
        return False
    return dotted(func.value) in ("nn", "torch.nn")


def _count_call(call: ast.Call, found: Counter[str]) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    if name in _CALLS:
        found[f"{name}()"] += 1
    for keyword in call.keywords:
        value = keyword.value
        if isinstance(value, ast.Constant) and isinstance(value.value, float):
            continue  # counted as a constant, by position or by name
        if keyword.arg in _KEYWORDS and isinstance(value, _PLAIN):
            found[f"{keyword.arg}={_told(value)}"] += 1


_PLAIN = (ast.Constant, ast.Attribute, ast.Subscript, ast.UnaryOp)


def _told(value: ast.expr) -> str:
    """A value as it is written; what a configuration says of it is not known, wherever it stands there."""
    root = value
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
        if dotted(root) in ("config", "self.config"):
            return f"{dotted(root)}…"
    return ast.unparse(value)


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    sides = [node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )
