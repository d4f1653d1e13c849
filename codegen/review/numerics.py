"""Operators that decide about numbers: arithmetic, normalisation, precision, constants."""

from __future__ import annotations

import ast
from collections import Counter

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
        "bias",
        "attn_mask",
        "attention_mask",
        "sliding_window",
        "softcap",
        "keepdim",
    ]
)


def operators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Counter[str]:
    """The operators in the body of a function, each as often as it stands there."""
    found: Counter[str] = Counter()
    for item in (each for part in node.body for each in ast.walk(part)):
        if isinstance(item, (ast.BinOp, ast.AugAssign)):
            sign = _SIGNS.get(type(item.op))
            if sign and not _is_text(item):
                found[sign] += 1
        elif isinstance(item, ast.Call):
            _count_call(item, found)
        elif isinstance(item, ast.Constant) and isinstance(item.value, float):
            found[repr(item.value)] += 1
    return found


def _count_call(call: ast.Call, found: Counter[str]) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    if name in _CALLS:
        found[f"{name}()"] += 1
    for keyword in call.keywords:
        if keyword.arg in _KEYWORDS and isinstance(
            keyword.value, (ast.Constant, ast.Attribute, ast.UnaryOp)
        ):
            found[f"{keyword.arg}={ast.unparse(keyword.value)}"] += 1


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    sides = [node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )
