"""extract: replace computations that depend on grid sizes and configuration only by helper calls.

First of the passes: later ones look for the helper calls it leaves.

    pos_ids = []
    for t, h, w in grid_thw: ...            rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.merge)
    pos_ids = torch.cat(pos_ids)      ->    rotary = self.rotary(rotary_pos_ids)
    table = self.rotary(max_size)           return rotary
    return table[pos_ids].flatten(1)

A rotary module that builds a table for the largest position becomes a product of position ids and
inverse frequencies, provided that every caller in the tree looks its table up by recognised ids.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from codegen.rewrite.emit.edits import Change, Edit, Redefine, Replace, Site, Substitute
from codegen.rewrite.flow import Effect, dead_statements, effect
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.helpers import (
    BLOCK_ORDER,
    IMAGE_POS_IDS,
    POS_EMBED,
    ROTARY_POS_IDS,
    TEMPORAL_PAIRS,
    WINDOW_INDEX,
)
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import children, walk
from codegen.rewrite.place.extract_audio import extract_audio
from codegen.rewrite.place.extract_positions import extract_positions
from codegen.rewrite.place.extract_samples import extract_samples
from codegen.rewrite.place.flattened import flattened_rows
from codegen.rewrite.place.notes import rounding_note
from codegen.rewrite.place.proof import (
    Unproven,
    costly,
    incomplete,
    missed,
    parts_of,
    unproven,
)
from codegen.rewrite.place.replacements import (
    guard_lines,
    new_lines,
    ordered_rows,
    replaced_effect,
    superseded,
)
from codegen.rewrite.place.rotary import RotaryTables, near_tables, position_forward
from codegen.rewrite.place.views import change_through_view
from codegen.rewrite.probe.probes import small_numbers
from codegen.rewrite.probe.trace import assigned_names, iter_statements
from codegen.rewrite.recognise.effects import NO_GUARDS, Objection
from codegen.rewrite.recognise.elsewhere import report_elsewhere, report_unnamed
from codegen.rewrite.recognise.grids import Match, is_whole, match_statement, typed
from codegen.rewrite.recognise.guards import Guards, guards_of
from codegen.rewrite.recognise.left import report_hidden, report_left, report_near
from codegen.rewrite.recognise.study import Study, study, understood, worth_a_look
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

NOTHING = Effect(frozenset(), frozenset(), frozenset())
JOINT = (WINDOW_INDEX, TEMPORAL_PAIRS)
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


def extract(state: RewriteState) -> None:
    """Rewrite every candidate module of the state."""
    extract_positions(state)
    extract_samples(state)
    planner = Planner(state)
    rotary = RotaryTables(state, planner.is_gone)
    plans: dict[str, list[MethodPlan]] = defaultdict(list)
    gone = extract_audio(state)
    for info in state.candidates():
        report_hidden(state, info)
        for cls in state.classes(info):
            for name in cls.methods:
                plan = planner.plan(cls, name)
                if plan is not None:
                    plans[info.source.module].append(plan)
                if not state.reports:
                    continue
                handled = _handled(plan) if plan is not None else frozenset[int]()
                with state.attempt("extract", cls, cls.methods[name]):
                    if plan is None:
                        report_left(state, cls, name, gone)
                    else:
                        planner.report_tables(plan)
                    report_near(state, cls, cls.methods[name], handled)
                    report_elsewhere(state, cls, cls.methods[name], handled)
                    report_unnamed(state, cls, cls.methods[name], gone)
    rotary.check_callers()
    # A table and the lookups in it change together.
    changes: dict[int, list[Change]] = defaultdict(list)
    for info in state.candidates():
        for plan in plans[info.source.module]:
            for table in planner.tables(plan, rotary) or {id(plan)}:
                changes[table].append(planner.change(plan, rotary))
        for cls in state.classes(info):
            if id(cls.node) in rotary.tables:
                changes[id(cls.node)].append(table_change(info, cls, rotary.buffers[id(cls.node)]))
    for together in changes.values():
        state.propose(joined(together))
    state.settle()


def _also_reading(known: Effect, names: frozenset[str]) -> Effect:
    """An effect that reads further names."""
    return replace(known, uses=known.uses | names)


def _handled(plan: MethodPlan) -> frozenset[int]:
    """Numbers of the statements that a plan replaces or removes."""
    return plan.dead | {m.statement for m in plan.matches} | {m.last for m in plan.matches}


def joined(changes: Sequence[Change]) -> Change:
    """Several changes as one."""
    return Change(
        changes[0].rule,
        tuple(site for change in changes for site in change.sites),
        tuple(helper for change in changes for helper in change.helpers),
        tuple(record for change in changes for record in change.records),
    )


def table_change(info: ModuleInfo, cls: ClassInfo, buffer: str) -> Change:
    """The ``forward(length)`` of a rotary module becomes a ``forward(position_ids)``."""
    record = Record(
        model_of(info.source.module),
        cls.name,
        "forward",
        "extracted",
        info.place(cls.node),
        reason="rotary table replaced by position ids times inverse frequencies",
    )
    site = Site(cls, cls.methods["forward"], (Redefine(position_forward(buffer)),))
    return Change("extract", (site,), records=(record,))


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
        return self._proven(index, studied, list(self._typed(index, studied, self._join(matches))))

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
        lookups = self._lookups(studied, matches)
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
        """Matches whose statements call an own method that a class inheriting them has otherwise."""
        body, index = studied.function.body, self.index
        effects = [effect(statement) for statement in body]
        called = {
            (self_attribute(node.func), number)
            for number in _handled(plan)
            for node in walk(body[number])
            if isinstance(node, ast.Call)
        }
        for name, number in sorted(called):
            own = index.method(studied.cls, name) if name else None
            heirs = self.heirs.of(studied.cls, studied.function.name) if own is not None else ()
            for heir in heirs:
                other = index.method(heir, name)
                if own is not None and (other is None or other[1] is not own[1]):
                    reason = f"{heir.name} inherits it and has another {name}"
                    through = [m for m in plan.matches if number in parts_of(effects, m)]
                    for match in through or plan.matches:
                        yield match, Objection(body[number], reason)
                    break

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
            for match in match_statement(studied, number, sorted(assigned_names(statement))):
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

    @staticmethod
    def _join(matches: list[Match]) -> list[Match]:
        """Make one match of the two results of a joint helper; one alone is not enough."""
        joined = [m for m in matches if m.helper not in JOINT]
        halves = [m for m in matches if m.helper in JOINT]
        for left in halves:
            for right in halves:
                same = left.helper is right.helper and left.arguments == right.arguments
                if same and left.names[0] and right.names[1]:
                    names = (left.names[0], right.names[1])
                    first, last = sorted((left.statement, right.statement))
                    joined.append(Match(first, left.helper, names, left.arguments, last=last))
        return joined

    def _lookups(
        self, studied: Study, matches: list[Match]
    ) -> list[tuple[ast.Subscript, str, str]]:
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

    def _finish(
        self,
        index: Index,
        studied: Study,
        matches: list[Match],
        lookups: list[tuple[ast.Subscript, str, str]],
    ) -> MethodPlan | None:
        body = studied.function.body
        effects = [effect(statement) for statement in body]
        replaced = {n: self._effect(statement, lookups) for n, statement in enumerate(body)}
        replaced = {n: new for n, new in replaced.items() if new != effects[n]}
        surplus = superseded(effects, matches)
        replaced.update(dict.fromkeys(surplus, NOTHING))
        replaced.update({m.statement: replaced_effect(m) for m in matches})
        removable = [n for n, _ in iter_statements(studied.function) if understood(studied, n)]
        matched = {match.statement for match in matches}
        removed = dead_statements(effects, removable, replaced) | surplus
        guards = guards_of(studied.function, removed | matched)
        # What a refusal reads has to stay with it.
        kept = {n: _also_reading(replaced.get(n, NOTHING), guards.names(n)) for n in guards.kept}
        dead = dead_statements(effects, removable, {**replaced, **kept}) | surplus
        dead |= kept.keys() & removed
        gone = {name for n in dead | matched for name in assigned_names(body[n])}
        guards = guards_of(studied.function, dead | matched, gone)
        objections = [(m, incomplete(studied, m, dead, set(replaced))) for m in matches]
        refused = [(match, objection) for match, objection in objections if objection is not None]
        if refused:
            told = [(match, costly(index, studied, match) or why) for match, why in refused]
            self._leave_all(studied.cls, studied.function, told)
            rest = [match for match, objection in objections if objection is None]
            return self._finish(index, studied, rest, lookups) if rest else None
        renames = {}
        for match in matches:
            if match.helper is not POS_EMBED:
                renames.update(self._renames(match, studied, dead))
        casts = frozenset(n for m in matches for n, cast in zip(m.names, m.casts) if cast)
        return MethodPlan(studied, tuple(matches), dead, tuple(lookups), renames, guards, casts)

    @staticmethod
    def _effect(statement: ast.stmt, lookups: list[tuple[ast.Subscript, str, str]]) -> Effect:
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

    @staticmethod
    def _renames(match: Match, studied: Study, dead: frozenset[int]) -> dict[str, str]:
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

    def is_gone(self, function: Function, call: ast.Call) -> bool:
        """Tell whether the statement that builds a table disappears with its lookups."""
        plan = self._plans.get(id(function))
        if plan is None:
            return False
        for number in plan.dead:
            if any(child is call for child in walk(plan.study.function.body[number])):
                return True
        return False

    # -- edits ------------------------------------------------------------------------------------

    def change(self, plan: MethodPlan, rotary: RotaryTables) -> Change:
        """What a plan does to its method."""
        function = plan.study.function
        info = plan.study.owner.module
        kept = {n: guard_lines(info, nodes) for n, nodes in plan.guards.kept.items()}
        edits: list[Edit] = [
            Replace((function.body[number],), kept.get(number, ())) for number in sorted(plan.dead)
        ]
        for match in plan.matches:
            node = function.body[match.statement]
            lines = new_lines(match, function, node, plan.renames)
            edits.append(Replace((node,), (*kept.get(match.statement, ()), *lines)))
        edits += self._lookup_edits(plan, rotary)
        edits += self._rename_edits(plan)
        helpers = [match.helper.name for match in plan.matches]
        if any(m.helper is BLOCK_ORDER and ordered_rows(m, function) for m in plan.matches):
            helpers.append("while_tracing")
        return Change(
            "extract",
            (Site(plan.study.owner, function, tuple(edits)),),
            tuple((info, name) for name in helpers),
            tuple(
                self._record(plan, match)
                for match in plan.matches
                if not isinstance(function.body[match.statement], ast.Return)
            ),
        )

    def tables(self, plan: MethodPlan, rotary: RotaryTables) -> set[int]:
        """The rotary modules, by the ids of their classes, whose tables a plan looks up."""
        found = set()
        for _, origin, _ in plan.lookups:
            target = self.index.submodule(plan.study.cls, origin.rpartition(".")[2])
            table = rotary.table_of(target) if target is not None else None
            if table is not None:
                found.add(id(table.node))
        return found

    def _lookup_edits(self, plan: MethodPlan, rotary: RotaryTables) -> Iterator[Edit]:
        parents = {c: p for p in walk(plan.study.function) for c in children(p)}
        for node, origin, name in plan.lookups:
            ids = name if name in plan.casts else plan.renames.get(name, name)
            target = parents[parents[node]] if isinstance(parents[node], ast.Attribute) else node
            assert isinstance(target, ast.expr)
            kept = origin and not rotary.is_kept(plan.study.cls, origin)
            product = self._product(ids, origin, plan.study.traces[0].buffers[node])
            yield Substitute(target, f"{origin}({ids})" if kept else product)

    @staticmethod
    def _product(ids: str, origin: str, buffer: str) -> str:
        frequencies = f"{origin or 'self'}.{buffer}"
        return f"({ids}.to({frequencies}.device).unsqueeze(-1) * {frequencies}).flatten(1)"

    @staticmethod
    def _rename_edits(plan: MethodPlan) -> Iterator[Edit]:
        gone = plan.dead | {m.statement for m in plan.matches}
        for number, statement in enumerate(plan.study.function.body):
            if number in gone:
                continue
            for node in walk(statement):
                if isinstance(node, ast.Name) and node.id in plan.renames.keys() - plan.casts:
                    yield Substitute(node, plan.renames[node.id])

    @staticmethod
    def _record(plan: MethodPlan, match: Match) -> Record:
        info, function = plan.study.owner.module, plan.study.function
        return Record(
            model_of(info.source.module),
            plan.study.owner.name,
            function.name,
            "extracted",
            info.place(function.body[match.statement]),
            match.helper.name,
            match.helper.outputs,
            reason=rounding_note(plan.study, match),
        )
