"""Names that share their numbers with another one: what is changed through one of them changes both."""

from __future__ import annotations

import ast

from codegen.rewrite.functions import Function
from codegen.rewrite.place.written import shares_memory, written_in_place
from codegen.rewrite.probe.trace import assigned_names, root_name
from codegen.rewrite.reach import Reaching
from codegen.rewrite.recognise.grids import Match


def change_through_view(function: Function, match: Match) -> ast.stmt | None:
    """Where a name that is a part or a view of another is changed in place behind a match, or that other is."""
    number = max(match.statement, match.last)
    statement = function.body[number]
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.expr):
        return None
    root = root_name(value)
    if not root or not shares_memory(value, (root,)):
        return None
    reaching = Reaching(function)
    made = [node for node in function.body[:number] if root in assigned_names(node)]
    for node, names in ((statement, match.names), *((node, (root,)) for node in made)):
        written = written_in_place(function, reaching, node, names)
        if written is not None and written.statement.lineno > statement.lineno:
            return written.statement
    return None
