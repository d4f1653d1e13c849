"""How a loop over texts ends: which marks come back, where its results are, and what stands behind it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.rewrite.nodes import target_of, target_text
from codegen.rewrite.tokens.replacing import replace_call


@dataclass(frozen=True, eq=False)
class Ending:
    """The loop, with the statement behind it where that belongs to it, and the list of the results.

    ``sentinels`` are the marks that stand for placeholders, ``unit`` is what they become. ``returned`` is
    what a statement behind the loop returns that brings marks back; ``is_behind`` tells whether one does.
    """

    statements: tuple[ast.stmt, ...]
    result: str
    sentinels: tuple[str, ...]
    unit: str
    returned: ast.expr | None = None
    is_behind: bool = False


def ending(
    block: Sequence[ast.stmt], number: int, result: str, sentinels: Sequence[str], unit: str
) -> Ending:
    """How the loop at a place of a block ends, from what was read in the loop itself."""
    loop = block[number]
    following = block[number + 1] if number + 1 < len(block) else None
    last = restored(following, result)
    if last is None:
        return Ending((loop,), result, tuple(sentinels), unit)
    marks = (*sentinels, last[0])
    if isinstance(following, ast.Assign):
        return Ending((loop, following), target_text(following), marks, last[1], None, True)
    returned = following.value if isinstance(following, ast.Return) else None
    return Ending((loop,), result, marks, last[1], returned, True)


def restored(node: ast.stmt | None, texts: str) -> tuple[str, str] | None:
    """Sentinel and unit of ``[text.replace(S, unit) for text in texts]`` behind the loop."""
    made = node.value if isinstance(node, (ast.Assign, ast.Return)) else None
    if isinstance(node, ast.Assign) and target_of(node) is None:
        return None
    if not isinstance(made, ast.ListComp) or len(made.generators) != 1:
        return None
    generator = made.generators[0]
    call = replace_call(made.elt, ast.unparse(generator.target), False)
    if call is None or generator.ifs or ast.unparse(generator.iter) != texts:
        return None
    if not isinstance(call.args[0], ast.Constant):
        return None
    return str(call.args[0].value), ast.unparse(call.args[1])
