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
from codegen.rewrite.place.replacements import superseded
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.evidence import Claim, Trial, participants
from codegen.rewrite.recognise.grids import Match, agrees
from codegen.rewrite.recognise.study import Study, is_unknown, understood

Unproven = tuple[Match, Objection]


def unproven(
    index: Index, study: Study, matches: Sequence[Match], dead: Collection[int]
) -> list[Unproven]:
    """The matches that do not hold, if their statements are replaced and the dead ones removed."""
    effects = [effect(statement) for statement in study.function.body]
    removed = {*dead, *superseded(effects, list(matches)), *(m.statement for m in matches)}
    parts = [_parts(effects, match) for match in matches]
    everything = frozenset().union(*parts)
    trial = Trial(index, study, everything)
    beside = trial.effects(removed - everything)
    if beside is not None:
        return [(match, beside) for match in matches]
    found = []
    for match, taking_part in zip(matches, parts):
        claim = Claim(partial(agrees, study, match), taking_part, removed & taking_part)
        objection = trial.objection(claim)
        if objection is not None:
            found.append((match, objection))
    return found


def _parts(effects: Sequence[Effect], match: Match) -> frozenset[int]:
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
            yield match, Objection(place, "it gives something else on other small grids")
