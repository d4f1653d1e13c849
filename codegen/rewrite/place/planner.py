"""Which statements of a method helpers replace, and what goes and stays with them: the plan of a method."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from codegen.rewrite.flow import Effect, dead_statements, effect
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.overridden import otherwise
from codegen.rewrite.place.proof import Unproven, costly, incomplete, missed, parts_of, unproven
from codegen.rewrite.place.replacements import (
    canonical_names,
    effect_without,
    joined_halves,
    replaced_effect,
    superseded,
    table_lookups,
)
from codegen.rewrite.place.rotary import near_tables
from codegen.rewrite.place.views import change_through_view
from codegen.rewrite.probe.probes import small_numbers
from codegen.rewrite.probe.trace import RESULT, assigned_names, iter_statements
from codegen.rewrite.recognise.effects import NO_GUARDS, Objection
from codegen.rewrite.recognise.grids import Match, is_whole, match_statement, typed
from codegen.rewrite.recognise.guards import Guards, guards_of
from codegen.rewrite.recognise.study import Study, study, understood, worth_a_look
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vision_helpers import (
    BLOCK_ORDER,
    CU_SEQLENS,
    IMAGE_POS_IDS,
    POS_EMBED,
    ROTARY_POS_IDS,
)

NOTHING = Effect(frozenset(), frozenset(), frozenset())
RETURNED = (CU_SEQLENS, ROTARY_POS_IDS, BLOCK_ORDER)
"""Helpers whose results a method may return without a name."""
GUESSES = 4
"""Unknown fields of configurations that are tried for a method."""


@dataclass(frozen=True)
class MethodPlan:
    """What extraction does to one method."""

    study: Study
    matches: tuple[Match, ...]
    dead: frozenset[int]
    lookups: tuple[tuple[ast.Subscript, str, str], ...]
    renames: dict[str, str] = field(default_factory=dict)
    guards: Guards = NO_GUARDS
    casts: frozenset[str] = frozenset()
    """Names that get another dtype than the canonical name has."""

    @property
    def handled(self) -> frozenset[int]:
        """Numbers of the statements that it replaces or removes."""
        return self.dead | {m.statement for m in self.matches} | {m.last for m in self.matches}


class Planner:
    """Plans of methods, each computed once."""

    def __init__(self, state: RewriteState) -> None:
        self.state = state
        self.index = state.index
        self._plans: dict[int, MethodPlan | None] = {}
        self.heirs = Heirs(state.index, state.inheriting())

    def plan(self, cls: ClassInfo, name: str) -> MethodPlan | None:
        """The plan of a method defined in the class itself, None where nothing is recognised."""
        function = cls.methods[name]
        if id(function) not in self._plans:
            self._plans[id(function)] = None
            with self.state.attempt("extract", cls, function):
                self._plans[id(function)] = self._make(cls, function)
        return self._plans[id(function)]

    def _make(self, cls: ClassInfo, function: Function) -> MethodPlan | None:
        if not worth_a_look(self.index, cls.module, function):
            return None
        return self._guessed(cls, function) or self._looked_at(self.index, cls, function)

    def _guessed(self, cls: ClassInfo, function: Function) -> MethodPlan | None:
        """A plan under the guess that a field which no vocabulary knows is the side of a merge block.

        The name of a field only says which values to try: that the helper gives the same for these, with
        the field as its argument, is as good a reason as for a field that is known.
        """
        glance = study(self.index, cls, cls, function, 1)
        unknown = [] if glance is None or glance.cost else sorted(glance.traces[0].unknown)
        for name in unknown[:GUESSES]:
            view = self.index.guessing(name)
            trial = study(view, cls, cls, function, 1)
            found = [] if trial is None else self._matches(cls, trial)
            if found and trial is not None and glance is not None:
                known = {(m.helper.name, m.names) for m in self._matches(cls, glance)}
                if any((m.helper.name, m.names) not in known for m in found):
                    return self._looked_at(view, cls, function)
        return None

    def _looked_at(self, index: Index, cls: ClassInfo, function: Function) -> MethodPlan | None:
        glance = study(index, cls, cls, function, 1)
        glimpsed = [] if glance is None else self._matches(cls, glance)
        if glance is None or not (glance.cost or glimpsed):
            return None
        studied = study(index, cls, cls, function)
        assert studied is not None
        if studied.cost is not None:
            statement, cost = studied.cost
            self._leave(cls, function, statement, f"not looked at: it would take {cost}")
            return None
        matches = self._matches(cls, studied)
        self._leave_all(cls, function, missed(glance, glimpsed, studied, matches))
        return self._proven(
            index, studied, list(self._typed(index, studied, joined_halves(matches)))
        )

    def _typed(self, index: Index, studied: Study, matches: list[Match]) -> Iterator[Match]:
        """The matches whose results can have the dtype that the original gives them."""
        small = study(index, studied.cls, studied.owner, studied.function, 1, adapt=small_numbers)
        for match in matches:
            changed = change_through_view(studied.function, match)
            if changed is not None:
                reason = (
                    "it shares the memory of another tensor, and one of them is changed in place"
                )
                self._leave_all(
                    studied.cls, studied.function, [(match, Objection(changed, reason))]
                )
                continue
            found = typed(studied, small, match)
            if isinstance(found, Match):
                yield found
                continue
            node = studied.function.body[max(match.statement, match.last)]
            self._leave_all(studied.cls, studied.function, [(match, Objection(node, found))])

    def _proven(self, index: Index, studied: Study, matches: list[Match]) -> MethodPlan | None:
        """The plan, without the matches that do not hold when they are looked at more closely."""
        lookups = table_lookups(studied, matches)
        plan = self._finish(index, studied, matches, lookups) if matches else None
        if plan is None:
            return None
        objections = unproven(index, studied, plan.matches, plan.dead, plan.lookups, plan.guards)
        objections = objections or list(self._overridden(studied, plan))
        if not objections:
            return plan
        self._leave_all(studied.cls, studied.function, objections)
        refused = [match for match, _ in objections]
        return self._proven(
            index, studied, [match for match in plan.matches if match not in refused]
        )

    def _overridden(self, studied: Study, plan: MethodPlan) -> Iterator[Unproven]:
        """Matches whose statements use what another class, or another line, has otherwise."""
        effects = [effect(statement) for statement in studied.function.body]
        arguments = " ".join(text for match in plan.matches for text in match.arguments)
        for number, reason in otherwise(self.index, self.heirs, studied, plan.handled, arguments):
            through = [m for m in plan.matches if number in parts_of(effects, m)]
            for match in through or plan.matches:
                yield match, Objection(studied.function.body[number], reason)

    def _leave_all(
        self, cls: ClassInfo, function: Function, objections: Iterable[Unproven]
    ) -> None:
        for match, objection in objections:
            reason = f"not replaced by {match.helper.name}: {objection.reason}"
            self._leave(cls, function, objection.node, reason, match.helper.name)

    def _leave(
        self, cls: ClassInfo, function: Function, node: ast.AST, reason: str, helper: str = ""
    ) -> None:
        """Report why a method, or what a helper might give in it, is left as it is."""
        model, place = model_of(cls.module.source.module), cls.module.place(node)
        self.state.note(
            Record(model, cls.name, function.name, "left", place, helper, reason=reason)
        )

    def report_tables(self, plan: MethodPlan) -> None:
        """Report the tables that are looked up by position ids and are kept as they are."""
        ids = [m for m in plan.matches if m.helper in (ROTARY_POS_IDS, IMAGE_POS_IDS)]
        names = {match.names[0] for match in ids}
        cls, function = plan.study.cls, plan.study.function
        for node, why in near_tables(self.index, cls, function, names) if names else ():
            self._leave(cls, function, node, f"{why}: kept")

    def _matches(self, cls: ClassInfo, studied: Study) -> list[Match]:
        found: dict[tuple[str, tuple[str, ...]], Match] = {}
        for number, statement in iter_statements(studied.function):
            if self._is_left_to_callee(cls, statement):
                continue
            names = sorted(assigned_names(statement)) + _returned(studied.function, statement)
            for match in match_statement(studied, number, names):
                if RESULT in match.names and match.helper not in RETURNED:
                    continue
                if is_whole(studied, match) or (match.helper.name, match.names) not in found:
                    found[match.helper.name, match.names] = match
        return list(found.values())

    def _is_left_to_callee(self, cls: ClassInfo, statement: ast.stmt) -> bool:
        """A plain call of a method that is itself rewritten keeps its place."""
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Name):
            return True
        if not isinstance(value, ast.Call):
            return False
        found = self.index.method(cls, self_attribute(value.func))
        return found is not None and self.plan(found[0], found[1].name) is not None

    def _finish(
        self,
        index: Index,
        studied: Study,
        matches: list[Match],
        lookups: list[tuple[ast.Subscript, str, str]],
    ) -> MethodPlan | None:
        dead, guards, replaced = _gone(studied, matches, lookups)
        objections = [(m, incomplete(studied, m, dead, replaced)) for m in matches]
        refused = [(match, objection) for match, objection in objections if objection is not None]
        if refused:
            told = [(match, costly(index, studied, match) or why) for match, why in refused]
            self._leave_all(studied.cls, studied.function, told)
            rest = [match for match, objection in objections if objection is None]
            return self._finish(index, studied, rest, lookups) if rest else None
        renames = {}
        for match in matches:
            if match.helper is not POS_EMBED:
                renames.update(canonical_names(match, studied, dead))
        casts = frozenset(n for m in matches for n, cast in zip(m.names, m.casts) if cast)
        return MethodPlan(studied, tuple(matches), dead, tuple(lookups), renames, guards, casts)

    def is_gone(self, function: Function, call: ast.Call) -> bool:
        """Tell whether the statement that builds a table disappears with its lookups."""
        plan = self._plans.get(id(function))
        if plan is None:
            return False
        for number in plan.dead:
            if any(child is call for child in walk(plan.study.function.body[number])):
                return True
        return False


def _returned(function: Function, statement: ast.stmt) -> list[str]:
    """What a statement returns without a name, as far as a call can stand for it that gets one."""
    value = statement.value if isinstance(statement, ast.Return) else None
    if not isinstance(value, (ast.Call, ast.Subscript, ast.BinOp)):
        return []
    taken = {n.id for n in walk(function) if isinstance(n, ast.Name)} | {*parameters(function)}
    return [] if taken & {name for helper in RETURNED for name in helper.outputs} else [RESULT]


def _also_reading(known: Effect, names: frozenset[str]) -> Effect:
    """An effect that reads further names."""
    return replace(known, uses=known.uses | names)


def _gone(
    studied: Study, matches: list[Match], lookups: list[tuple[ast.Subscript, str, str]]
) -> tuple[frozenset[int], Guards, set[int]]:
    """Statements that are dead, the refusals that stay in place of them, and statements whose effect is another."""
    body = studied.function.body
    effects = [effect(statement) for statement in body]
    replaced = {n: effect_without(statement, lookups) for n, statement in enumerate(body)}
    replaced = {n: new for n, new in replaced.items() if new != effects[n]}
    surplus = superseded(effects, matches)
    replaced.update(dict.fromkeys(surplus, NOTHING))
    replaced.update({m.statement: replaced_effect(m) for m in matches})
    numbered = [(n, s) for n, s in iter_statements(studied.function) if understood(studied, n)]
    removable = [n for n, statement in numbered if not isinstance(statement, ast.Return)]
    matched = {match.statement for match in matches}
    removed = dead_statements(effects, removable, replaced) | surplus
    guards = guards_of(studied.function, removed | matched)
    # What a refusal reads has to stay with it.
    kept = {n: _also_reading(replaced.get(n, NOTHING), guards.names(n)) for n in guards.kept}
    dead = dead_statements(effects, removable, {**replaced, **kept}) | surplus
    dead |= kept.keys() & removed
    gone = {name for n in dead | matched for name in assigned_names(body[n])}
    guards = guards_of(studied.function, dead | matched, gone)
    return dead, guards, set(replaced)
