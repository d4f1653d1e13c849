"""Definitions and uses of local names per top-level statement, and what becomes dead."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import RESULT, assigned_names


@dataclass(frozen=True)
class Effect:
    """Names a statement reads, may change, and certainly sets anew.

    ``places`` are those of the names it reads of which it only asks where and of what kind they are.
    """

    uses: frozenset[str]
    changes: frozenset[str]
    sets: frozenset[str]
    places: frozenset[str] = frozenset()


def effect(node: ast.stmt) -> Effect:
    """Effect of one top-level statement."""
    uses = {n.id for n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    changes = assigned_names(node)
    sets: set[str] = set()
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
            sets |= {part.id for part in parts if isinstance(part, ast.Name)}
    if isinstance(node, ast.Return):
        changes, sets = changes | {RESULT}, {RESULT}
    # A partial change (x.append, x[i] = ...) also needs the old value.
    places = frozenset(uses) - _values(node) - (changes - sets)
    return Effect(frozenset(uses | (changes - sets)), frozenset(changes), frozenset(sets), places)


def _values(node: ast.stmt) -> frozenset[str]:
    """Names of which a statement reads more than device and dtype."""
    asked = {
        id(n.value)
        for n in walk(node)
        if isinstance(n, ast.Attribute) and n.attr in ("device", "dtype")
    }
    return frozenset(
        n.id
        for n in walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in asked
    )


def dead_statements(
    effects: Sequence[Effect], removable: Iterable[int], replaced: Mapping[int, Effect]
) -> frozenset[int]:
    """Removable statements whose results nobody reads once ``replaced`` statements are in place.

    Statements that were already dead before stay, and what they read with them: only consequences go.
    """
    known = set(removable)
    before = _dead(effects, known, {})
    after = _dead(effects, known - set(replaced) - before, replaced)
    return frozenset(after)


def _dead(
    effects: Sequence[Effect], removable: set[int], replaced: Mapping[int, Effect]
) -> set[int]:
    dead: set[int] = set()
    live: set[str] = set()
    for number in range(len(effects) - 1, -1, -1):
        current = replaced.get(number, effects[number])
        if number in removable and number not in replaced and not current.changes & live:
            dead.add(number)
            continue
        live = (live - current.sets) | current.uses
    return dead
