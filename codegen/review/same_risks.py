"""Risks that say the same of many members, told as one: a decorator replaced everywhere is read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from codegen.review.model import Risk

#: So many members are told one by one.
_FEW = 3
#: Each of these is put right in a place of its own.
_APART = frozenset({"dead-weight", "undefined", "lost-override", "lost-deletion"})


def folded(risks: Iterable[Risk]) -> list[Risk]:
    """The same risks in their order; of more than a few that one change brings to members in the same words, the
    one of most models, which names some of the others."""
    groups: dict[tuple[str, str, int], list[Risk]] = defaultdict(list)
    for risk in risks:
        shown, colon, said = risk.message.partition(": ")
        apart = not colon or not risk.change or risk.kind in _APART
        groups[risk.kind, risk.message if apart else said, risk.change].append(risk)
    found: list[Risk] = []
    for several in groups.values():
        found += [_one(several)] if len(several) > _FEW else several
    return found


def _one(risks: list[Risk]) -> Risk:
    ordered = sorted(risks, key=lambda risk: -len(risk.models))
    named = [risk.message.partition(": ") for risk in ordered]
    first, said = named[0][0], named[0][2]
    models = sorted({model for risk in risks for model in risk.models})
    message = f"{first}, {named[1][0]} and {len(risks) - 2} more: {said}"
    return Risk(risks[0].kind, message, ordered[0].place, tuple(models), risks[0].change)
