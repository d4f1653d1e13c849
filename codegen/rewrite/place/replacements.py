"""What replaces a matched statement: its lines and effect, names and lookups that change with it, what it makes superfluous."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.rewrite.flow import Effect, effect
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.flattened import flattened_rows
from codegen.rewrite.probe.trace import RESULT, assigned_names
from codegen.rewrite.recognise.grids import Match
from codegen.rewrite.recognise.study import Study
from codegen.rewrite.vision_helpers import (
    BLOCK_ORDER,
    IMAGE_POS_IDS,
    POS_EMBED,
    ROTARY_POS_IDS,
    TEMPORAL_PAIRS,
    WINDOW_INDEX,
)

JOINT = (WINDOW_INDEX, TEMPORAL_PAIRS)


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
    if match.names == (RESULT,):
        cast = "".join(f".{cast}()" for cast in match.casts if cast)
        return [f"{outputs[0]} = {call}", f"return {outputs[0]}{cast}"]
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


def refusal_lines(info: ModuleInfo, guards: Sequence[ast.stmt]) -> tuple[str, ...]:
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


def joined_halves(matches: list[Match]) -> list[Match]:
    """Make one match of the two results of a joint helper; one alone is not enough."""
    whole = [m for m in matches if m.helper not in JOINT]
    halves = [m for m in matches if m.helper in JOINT]
    for left in halves:
        for right in halves:
            same = left.helper is right.helper and left.arguments == right.arguments
            if same and left.names[0] and right.names[1]:
                names = (left.names[0], right.names[1])
                first, last = sorted((left.statement, right.statement))
                whole.append(Match(first, left.helper, names, left.arguments, last=last))
    return whole


def table_lookups(studied: Study, matches: list[Match]) -> list[tuple[ast.Subscript, str, str]]:
    """Rotary table lookups whose index is a matched name: (subscript, table module, name).

    Only those that are flattened as the product is: others keep their table.
    """
    names = {m.names[0] for m in matches if m.helper in (ROTARY_POS_IDS, IMAGE_POS_IDS)}
    flat = set(map(id, flattened_rows(studied.function)))
    found = {}
    for node, origin in studied.traces[0].lookups:
        if isinstance(node.slice, ast.Name) and node.slice.id in names and id(node) in flat:
            found[node] = (node, origin, node.slice.id)
    return list(found.values())


def effect_without(statement: ast.stmt, lookups: list[tuple[ast.Subscript, str, str]]) -> Effect:
    """Effect of a statement after its table lookups are gone."""
    whole = effect(statement)
    gone = {n for n, _, _ in lookups if any(child is n for child in walk(statement))}
    if not gone:
        return whole
    tables = [node for lookup in gone for node in walk(lookup.value)]
    names = [n for n in walk(statement) if isinstance(n, ast.Name)]
    kept = {n.id for n in names if n not in tables}
    uses = {n.id for n in names if n in tables} - kept
    return Effect(whole.uses - uses, whole.changes, whole.sets)


def canonical_names(match: Match, studied: Study, dead: frozenset[int]) -> dict[str, str]:
    """Local names that can take the canonical name in the rest of the method."""
    taken = {n.id for n in walk(studied.function) if isinstance(n, ast.Name)}
    taken |= set(parameters(studied.function))
    later = studied.function.body[match.statement + 1 :]
    changed = {
        name
        for number, node in enumerate(later, match.statement + 1)
        if number not in dead
        for name in assigned_names(node)
    }
    return {
        local: canonical
        for local, canonical in zip(match.names, match.helper.outputs)
        if local != canonical and local not in changed and canonical not in taken
    }
