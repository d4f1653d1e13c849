"""Rows of a table that are used with all their axes after the first as one: ``table[ids].flatten(1)``.

The product of position ids and frequencies comes like this; where rows keep their axes it is something else.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk


def flattened_rows(function: Function) -> Iterator[ast.expr]:
    """Expressions whose value is used by ``.flatten(1)`` only, at once or by a name."""
    bases = [base for node in walk(function) if (base := _flattened(node)) is not None]
    yield from bases
    known = set(map(id, bases))
    for number, statement in enumerate(function.body):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, rest = statement.targets[0].id, function.body[number + 1 :]
            if len(statement.targets) == 1 and _is_only_flattened(name, rest, known):
                yield statement.value


def _flattened(node: ast.AST) -> ast.expr | None:
    """What ``.flatten(1)`` is called of."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    given = [*node.args, *(k.value for k in node.keywords if k.arg == "start_dim")]
    axes = [value.value for value in given if isinstance(value, ast.Constant)]
    alone = len(node.args) + len(node.keywords) == 1
    is_flat = node.func.attr == "flatten" and alone and axes == [1]
    return node.func.value if is_flat else None


def _is_only_flattened(name: str, rest: Sequence[ast.stmt], bases: Collection[int]) -> bool:
    """Whether every use of a name in some statements, until it is bound again, is one of the bases."""
    for statement in rest:
        uses = [node for node in walk(statement) if isinstance(node, ast.Name) and node.id == name]
        if any(id(use) not in bases for use in uses if isinstance(use.ctx, ast.Load)):
            return False
        if isinstance(statement, ast.Assign) and any(use in statement.targets for use in uses):
            return True
    return True
