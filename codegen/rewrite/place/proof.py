"""Which matches of a method hold when they are looked at more closely, and why the others do not.

A match says that a helper gives what some statements compute on small grids. Here it is asked for the
evidence that carries (:mod:`codegen.rewrite.recognise.evidence`), and whether the original can go at
all once the helper is called.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from codegen.rewrite.flow import Effect, effect
from codegen.rewrite.library import Index
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.replacements import superseded
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import Claim, Run, Trial, participants
from codegen.rewrite.recognise.grids import Match, agrees, first_difference, without_entries
from codegen.rewrite.recognise.guards import Guards
from codegen.rewrite.recognise.study import Study, is_unknown, understood

Unproven = tuple[Match, Objection]
Lookup = tuple[ast.Subscript, str, str]
"""A lookup in a rotary table: the node, the text of the module that builds the table, the index."""


def unproven(
    index: Index,
    study: Study,
    matches: Sequence[Match],
    dead: Collection[int],
    lookups: Collection[Lookup],
    guards: Guards,
) -> list[Unproven]:
    """The matches that do not hold, if their statements are replaced and the dead ones removed.

    ``lookups`` of rotary tables by a matched name are replaced, too; ``guards`` are kept.
    """
    effects = [effect(statement) for statement in study.function.body]
    removed = {*dead, *superseded(effects, list(matches)), *(m.statement for m in matches)}
    used = [[node for node, _, name in lookups if name in match.names] for match in matches]
    parts = [
        parts_of(effects, match) | _tables(study, effects, nodes)
        for match, nodes in zip(matches, used)
    ]
    everything = frozenset().union(*parts)
    places = {_statement_of(study, node) for node, _, _ in lookups}
    trial = Trial(index, study, everything | places, guards=guards)
    beside = trial.effects(removed - everything)
    if beside is not None:
        return [(match, beside) for match in matches]
    found = []
    for match, nodes, taking_part in zip(matches, used, parts):
        claim = Claim(
            partial(_agrees, study, match, nodes),
            taking_part,
            removed & taking_part,
            partial(without_entries, study, match),
            partial(first_difference, study, match),
        )
        objection = trial.objection(claim)
        if objection is not None:
            found.append((match, objection))
    return found


def costly(index: Index, study: Study, match: Match) -> Objection | None:
    """Where larger sizes would make what a match replaces cost too much, whatever else it needs."""
    parts = parts_of([effect(statement) for statement in study.function.body], match)
    claim = Claim(partial(_agrees, study, match, ()), parts, ())
    return Trial(index, study, parts).cost(claim)


def _agrees(study: Study, match: Match, nodes: Sequence[ast.Subscript], run: Run) -> bool:
    """Whether a match holds on a run, and what is looked up by it are whole rotary tables."""
    known = {node for node, _ in run.trace.lookups}
    return agrees(study, match, run) and known.issuperset(nodes)


def _tables(
    study: Study, effects: Sequence[Effect], nodes: Iterable[ast.Subscript]
) -> frozenset[int]:
    """Statements that make the tables of lookups."""
    found: frozenset[int] = frozenset()
    for node in nodes:
        names = {n.id for n in walk(node.value) if isinstance(n, ast.Name)} - {"self"}
        found |= participants(effects, _statement_of(study, node) - 1, names)
    return found


def _statement_of(study: Study, node: ast.AST) -> int:
    body = study.function.body
    return next(number for number, statement in enumerate(body) if node in walk(statement))


def parts_of(effects: Sequence[Effect], match: Match) -> frozenset[int]:
    """Numbers of the statements that take part in what a match replaces."""
    names = [name for name in match.names if name]
    return participants(effects, max(match.statement, match.last), names)


def incomplete(
    study: Study, match: Match, dead: Collection[int], replaced: Collection[int]
) -> Objection | None:
    """Why the original loop of a match would have to stay for other results, None if it can go."""
    body = study.function.body
    effects = [effect(statement) for statement in body]
    wanted = set(effects[match.statement].uses) | set(match.names)
    for number in range(match.statement - 1, -1, -1):
        if not effects[number].changes & wanted:
            continue
        wanted |= effects[number].uses
        is_loop = isinstance(body[number], (ast.For, ast.While))
        if is_loop and number not in dead and number not in replaced:
            return _stays(study, number, match.statement, effects)
    if isinstance(body[match.statement], (ast.If, ast.While)):
        return Objection(body[match.statement], "a condition decides what it holds")
    return None


def _stays(study: Study, number: int, matched: int, effects: Sequence[Effect]) -> Objection:
    loop = study.function.body[number]
    if "self" in effects[number].changes:
        return Objection(loop, "the loop writes to self, too")
    if not understood(study, number):
        held = study.traces[0].snapshots.get(number, {})
        others = sorted(name for name, value in held.items() if is_unknown(value))
        why = study.traces[0].reasons.get(number) or f"it changes {', '.join(others)}, too"
        return Objection(loop, f"the loop is not understood: {why}")
    rest = [e for n, e in enumerate(effects) if n > number and n != matched]
    later = {name for other in rest for name in other.uses}
    others = sorted(effects[number].changes & later)
    return Objection(loop, f"the loop is needed for what it leaves in {', '.join(others)}")


def missed(
    glance: Study, glimpsed: Iterable[Match], study: Study, matches: Collection[Match]
) -> Iterator[Unproven]:
    """What looked like a helper on the first probe, and does not on the other small ones."""
    known = {match.helper for match in matches}
    for match in glimpsed:
        if match.helper in known:
            continue
        for probe, trace in zip(study.probes, study.traces):
            if trace.refused and trace.stopped >= 0:
                place = study.function.body[trace.stopped]
                yield match, Objection(place, f"it refuses {probe}: {trace.refused}")
                break
        else:
            place = study.function.body[max(match.statement, match.last)]
            yield match, Objection(place, f"it gives something else on {_told(study, match)}")


def _told(study: Study, match: Match) -> str:
    """The first small grid on which a match does not hold, and what differs first there."""
    for probe, trace, hidden in zip(study.probes, study.traces, study.hidden):
        what = first_difference(study, match, Run(probe, trace, hidden))
        if what:
            return f"{probe}: {what}"
    return "other small grids"
