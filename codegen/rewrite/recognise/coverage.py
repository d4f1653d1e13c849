"""Which statements, conditions and bounds no run shows: what lies there has not been compared with anything."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from codegen.rewrite.nodes import walk
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.guards import refuses


def uncovered(
    tree: ast.stmt, ran: set[ast.AST], outcomes: Mapping[ast.AST, set[bool]]
) -> Objection | None:
    """What of a statement is not shown by any run."""
    skipped = {node for guard in walk(tree) if refuses(guard) for node in walk(guard)}
    for node in walk(tree):
        if node in skipped or isinstance(node, ast.Raise) or _is_docstring(node):
            continue
        if isinstance(node, ast.stmt) and node not in ran:
            return Objection(node, "no probe runs it")
        for condition in _conditions(node):
            seen = outcomes.get(condition, set())
            if len(seen) < 2:
                what = "true" if False in seen else "false"
                return Objection(condition, f"no probe makes its condition {what}")
        if node not in outcomes:
            continue
        if isinstance(node, (ast.BinOp, ast.AugAssign, ast.Subscript)):
            if True not in outcomes[node]:
                return Objection(node, "no probe is large enough to show what it does")
        elif len(outcomes[node]) < 2:
            return Objection(node, "no probe shows both sides of it")
    return None


def _conditions(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, (ast.If, ast.IfExp)):
        return [node.test]
    if isinstance(node, ast.comprehension):
        return node.ifs
    return node.values if isinstance(node, ast.BoolOp) else []


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
