"""Refusals in what a helper replaces: an ``assert``, or a condition under which it only raises.

    for t, h, w in grid_thw.tolist():
        assert self.merge_size > 1, "blocks"      ->  assert self.merge_size > 1, "blocks"
        ...                                           ids = get_rotary_pos_ids(grid_thw, self.merge_size)

One that says the same in every round is kept in front of the helper. One that reads what only the loop has
is not: then the computation is left.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import read_names


@dataclass(frozen=True)
class Guards:
    """``kept`` are the refusals that stay, by the number of the statement that goes; ``why`` says of
    others why they cannot."""

    kept: Mapping[int, tuple[ast.stmt, ...]] = field(default_factory=dict)
    why: Mapping[ast.AST, str] = field(default_factory=dict)

    def names(self, number: int) -> frozenset[str]:
        """Names that the refusals of a statement read."""
        return frozenset(name for node in self.kept.get(number, ()) for name in read_names(node))

    @property
    def spared(self) -> frozenset[ast.AST]:
        """Nodes that do not vanish. The condition itself is read once instead of in every round."""
        found: set[ast.AST] = set()
        for node in (node for group in self.kept.values() for node in group):
            assert isinstance(node, (ast.Assert, ast.If))
            found |= {*walk(node)} - {*walk(node.test)}
        return frozenset(found)


def guards_of(function: Function, removed: Collection[int], gone: Collection[str] = ()) -> Guards:
    """The refusals in the loops of a function of which some statements are removed.

    ``gone`` are names that are known to go, besides those that the loop of a refusal assigns.
    """
    kept: dict[int, tuple[ast.stmt, ...]] = {}
    why: dict[ast.AST, str] = {}
    for number in sorted(removed):
        own = assigned_names(function.body[number]).union(gone)
        for guard in _in_rounds([function.body[number]]):
            local = read_names(guard) & own
            if local:
                names = ", ".join(sorted(local))
                why |= dict.fromkeys(
                    _refusals(guard), f"it reads {names}, which goes with the loop"
                )
            else:
                kept[number] = (*kept.get(number, ()), guard)
    return Guards(kept, why)


def _in_rounds(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Refusals that every round of loops meets, those of loops in them included."""
    for statement in block:
        if not isinstance(statement, ast.For) or statement.orelse:
            continue
        for inner in statement.body:
            if refuses(inner):
                yield inner
            elif any(isinstance(n, (ast.Break, ast.Continue, ast.Return)) for n in walk(inner)):
                break
            else:
                yield from _in_rounds([inner])


def refuses(node: ast.AST) -> bool:
    """Tell whether a statement does nothing but refuse: an assertion, or a condition under which it raises."""
    if isinstance(node, ast.If):
        return isinstance(node.body[-1], ast.Raise) and not node.orelse
    return isinstance(node, ast.Assert)


def _refusals(guard: ast.stmt) -> list[ast.AST]:
    return [node for node in walk(guard) if isinstance(node, (ast.Assert, ast.Raise))]
