"""Checks whose message holds values: counted without selecting, with a fixed message, while tracing.

    torch_compilable_check(                         if is_tracing():
        embeds[mask].numel() == rows.numel(),           torch_compilable_check(
        f"{mask.sum()} tokens do not match",      ->        count_selected(embeds, mask) == rows.numel(),
    )                                                       "mask.sum() tokens do not match",
                                                        )
                                                    else: ...

A graph can check, but it can format no values: the message names them instead.
"""

from __future__ import annotations

import ast
import json

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Branch, Edit
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk

Found = tuple[list[Edit], tuple[str, ...], str]
CHECK = "torch_compilable_check"
COUNT = "count_selected"


def checks_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Give every such check of a method a second form."""
    edits: list[Edit] = []
    helpers = {"is_tracing": None}
    for node in walk(function):
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(node, ast.Expr) or not isinstance(call, ast.Call) or not _is_check(call):
            continue
        condition, message = call.args[:2]
        if not isinstance(message, ast.JoinedStr):
            continue
        if any(isinstance(inner, (ast.NamedExpr, ast.Await)) for inner in walk(node)):
            return Left(node, "a check whose message holds values: it assigns a name")
        counted = _counted(cls, condition)
        if COUNT in counted:
            helpers[COUNT] = None
        rest = [cls.module.text.source(a) for a in call.args[2:]]
        rest += [cls.module.text.source(k) for k in call.keywords]
        values = [counted, fixed_message(message) or "", *rest]
        lines = (f"{CHECK}(", *(f"    {value}," for value in values), ")")
        edits.append(Branch((node,), "is_tracing()", lines))
    reason = "check whose message holds values: without them while tracing"
    return (edits, tuple(helpers), reason) if edits else None


def _is_check(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name == CHECK and len(call.args) >= 2


def _counted(cls: ClassInfo, condition: ast.expr) -> str:
    """A condition in which the numbers of selected elements are counted."""
    replaced = _Count().visit(ast.parse(cls.module.text.source(condition), mode="eval").body)
    return ast.unparse(replaced)


class _Count(ast.NodeTransformer):
    """``values[mask].numel()`` as ``count_selected(values, mask)``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        func = node.func
        if (
            isinstance(func, ast.Attribute)
            and func.attr == "numel"
            and isinstance(func.value, ast.Subscript)
            and isinstance(func.value.slice, ast.Name)
        ):
            selection = [func.value.value, func.value.slice]
            return ast.Call(ast.Name(COUNT), selection, [])
        return node


def fixed_message(message: ast.expr) -> str | None:
    """A literal with the expressions of a message in the place of their values; None for other messages."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return json.dumps(message.value, ensure_ascii=False)
    if not isinstance(message, ast.JoinedStr):
        return None
    parts = []
    for part in message.values:
        if isinstance(part, ast.FormattedValue):
            parts.append(ast.unparse(part.value))
        elif isinstance(part, ast.Constant):
            parts.append(str(part.value))
    return json.dumps("".join(parts), ensure_ascii=False)
