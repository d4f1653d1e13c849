"""What the report says of a computation that a helper gives with other bits."""

from __future__ import annotations

import ast

from codegen.rewrite.nodes import walk
from codegen.rewrite.recognise.grids import Match
from codegen.rewrite.recognise.study import Study
from codegen.rewrite.vision_helpers import POS_EMBED


def rounding_note(study: Study, match: Match) -> str:
    """What is not bit for bit what it was; empty if everything is."""
    if match.helper is not POS_EMBED:
        return ""
    if any(_adds_four_in_order(node) for node in walk(study.function)):
        return ""
    return "the four weighted rows are added from left to right: equal within rounding"


def _adds_four_in_order(node: ast.AST) -> bool:
    """``x[0] + x[1] + x[2] + x[3]``."""
    terms: list[ast.AST] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        terms.insert(0, node.right)
        node = node.left
    terms.insert(0, node)
    base = ast.unparse(node.value) if isinstance(node, ast.Subscript) else ""
    return [ast.unparse(term) for term in terms] == [f"{base}[{n}]" for n in range(4)]
