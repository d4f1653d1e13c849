"""What replaces a matched statement: its lines, its effect, and the statements it makes superfluous."""

from __future__ import annotations

import ast
import re

from codegen.passes.flow import Effect
from codegen.passes.helpers import POS_EMBED, TEMPORAL_PAIRS
from codegen.passes.recognise import Match


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


def helper_lines(match: Match, renames: dict[str, str]) -> list[str]:
    """Source lines that replace a matched statement."""
    call = f"{match.helper.name}({', '.join(match.arguments)})"
    if match.helper is POS_EMBED:
        table, (name,) = match.rows, match.names
        return [
            f"{', '.join(match.helper.outputs)} = {call}",
            f"{name} = {table}(embed_indices.to({table}.weight.device))",
            f"{name} = {name} * bilinear_weights.to({table}.weight)[:, :, None]",
            f"{name} = {name}[0] + {name}[1] + {name}[2] + {name}[3]",
        ]
    outputs = [renames.get(name, name) for name in match.names]
    return [f"{', '.join(outputs)} = {call}"]


def new_lines(match: Match, node: ast.stmt, renames: dict[str, str]) -> list[str]:
    """The helper call, and ``.to(x.device)`` where the statement had it for indices into ``x``."""
    lines = helper_lines(match, renames)
    value = getattr(node, "value", None)
    if match.helper is not TEMPORAL_PAIRS or not isinstance(value, ast.Call):
        return lines
    found = re.search(r"\.to\((\w+\.device)\)$", ast.unparse(value))
    names = [renames.get(name, name) for name in match.names]
    return lines + [f"{name} = {name}.to({found[1]})" for name in names if found]
