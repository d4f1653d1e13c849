"""Helper calls as extraction and people write them, read from assignments."""

from __future__ import annotations

import ast

from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.helpers import LIFTED
from codegen.rewrite.nodes import target_of
from codegen.rewrite.place.carry import HelperCall


def helper_call(statement: ast.stmt) -> HelperCall | None:
    """The helper call of ``a, b = helper(...)``, if its targets carry the canonical names."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return None
    function = statement.value.func
    if not isinstance(function, ast.Name) or function.id not in LIFTED:
        return None
    helper = LIFTED[function.id]
    rows = rows_given(statement.value, helper)
    if names_bound(statement) != helper.outputs or rows is None:
        return None
    arguments = tuple(ast.unparse(arg) for arg in statement.value.args)
    return HelperCall(helper, arguments, statement, rows=rows)


def names_bound(statement: ast.stmt) -> tuple[str, ...]:
    """The names that a plain assignment gives its value or its parts, "" for what is no name."""
    target = target_of(statement)
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    return tuple(getattr(part, "id", "") for part in parts)


def called_helper(statement: ast.stmt) -> Helper | None:
    """The helper that the value of an assignment is a call of, None if it is anything else."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    name = getattr(value.func, "id", "") if isinstance(value, ast.Call) else ""
    return LIFTED.get(name)


def rows_given(call: ast.Call, helper: Helper) -> str | None:
    """``x`` of ``total=while_tracing(x)``, as extraction writes it; empty without keywords, None for others."""
    if not call.keywords:
        return ""
    value = call.keywords[0].value
    known = len(call.keywords) == 1 and call.keywords[0].arg == helper.total
    if not known or not isinstance(value, ast.Call) or len(value.args) != 1:
        return None
    return ast.unparse(value.args[0]) if ast.unparse(value.func) == "while_tracing" else None
