"""What replaces a matched statement: its lines, its effect, and the statements it makes superfluous."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.rewrite.flow import Effect
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.helpers import BLOCK_ORDER, POS_EMBED, TEMPORAL_PAIRS
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.recognise.grids import Match


def superseded(effects: list[Effect], matches: list[Match]) -> frozenset[int]:
    """Statements that only go on computing a result that a joint helper call has already given."""
    gone: set[int] = set()
    for match in matches:
        names = {name for name in match.names if name}
        for number in range(match.statement + 1, match.last + 1):
            if effects[number].changes and effects[number].changes <= names:
                gone.add(number)
    return frozenset(gone)


def replaced_effect(match: Match) -> Effect:
    """Effect of the statements that a match is replaced by."""
    uses = {part.split(".")[0] for part in match.arguments}
    names = frozenset(name for name in match.names if name)
    return Effect(frozenset(uses), names, names)


def helper_lines(match: Match, function: Function, renames: dict[str, str]) -> list[str]:
    """Source lines that replace a matched statement."""
    total = ordered_rows(match, function)
    arguments = [
        *match.arguments,
        *([f"{match.helper.total}=while_tracing({total})"] if total else []),
    ]
    call = f"{match.helper.name}({', '.join(arguments)})"
    if match.helper is POS_EMBED:
        table, (name,) = match.rows, match.names
        return [
            f"{', '.join(match.helper.outputs)} = {call}",
            f"{name} = {table}(embed_indices.to({table}.weight.device))",
            f"{name} = {name} * bilinear_weights.to({table}.weight)[:, :, None]",
            f"{name} = {name}[0] + {name}[1] + {name}[2] + {name}[3]",
        ]
    outputs = [renames.get(name, name) for name in match.names]
    casts = zip(match.names, outputs, match.casts)
    return [
        f"{', '.join(outputs)} = {call}",
        *(f"{name} = {output}.{cast}()" for name, output, cast in casts if cast),
    ]


def ordered_rows(match: Match, function: Function) -> str:
    """The number of rows that an order is applied to, in a method that takes these rows.

    Empty unless all that the order is an index of is ``rows`` or ``self.module(rows)``, with one
    parameter as rows. The helper compares this number with the grid where it can read it.
    """
    if match.helper is not BLOCK_ORDER:
        return ""
    name, found = match.names[0], set()
    for statement in function.body[match.statement + 1 :]:
        for node in walk(statement):
            if isinstance(node, ast.Subscript) and _mentions(node.slice, name):
                found |= {n.id for n in walk(node.value) if isinstance(n, ast.Name)} - {"self"}
    changed = {n for statement in function.body for n in assigned_names(statement)}
    known = found & set(parameters(function)[1:]) - changed
    return f"{found.pop()}.shape[0]" if len(found) == 1 and known == found else ""


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in walk(node))


def guard_lines(info: ModuleInfo, guards: Sequence[ast.stmt]) -> tuple[str, ...]:
    """Refusals as the file writes them, at the margin; their comments stay with those of the loop."""
    lines: list[str] = []
    for guard in guards:
        source = info.text.source(guard)
        strings = (n for n in walk(guard) if isinstance(n, (ast.Constant, ast.JoinedStr)))
        if "#" in source or any(n.end_lineno != n.lineno for n in strings):
            source = ast.unparse(guard)
        first, *rest = source.split("\n")
        lines += [first, *(line.removeprefix(" " * guard.col_offset) for line in rest)]
    return tuple(lines)


def new_lines(
    match: Match, function: Function, node: ast.stmt, renames: dict[str, str]
) -> list[str]:
    """The helper call, and ``.to(x.device)`` where the statement had it for indices into ``x``."""
    lines = helper_lines(match, function, renames)
    value = getattr(node, "value", None)
    if match.helper is not TEMPORAL_PAIRS or not isinstance(value, ast.Call):
        return lines
    called, given = value.func, value.args[0] if len(value.args) == 1 else None
    moved = isinstance(called, ast.Attribute) and called.attr == "to" and not value.keywords
    if not moved or not isinstance(given, ast.Attribute) or given.attr != "device":
        return lines
    if not isinstance(given.value, ast.Name):
        return lines
    names = [renames.get(name, name) for name in match.names]
    return lines + [f"{name} = {name}.to({ast.unparse(given)})" for name in names]
