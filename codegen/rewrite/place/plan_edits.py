"""What plans of extraction do to methods, and to the rotary modules whose tables they look up, as edits."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.emit.edits import Change, Edit, Redefine, Replace, Site, Substitute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import children, walk
from codegen.rewrite.place.notes import rounding_note
from codegen.rewrite.place.planner import MethodPlan
from codegen.rewrite.place.replacements import new_lines, ordered_rows, refusal_lines
from codegen.rewrite.place.rotary import RotaryTables, position_forward
from codegen.rewrite.probe.trace import RESULT
from codegen.rewrite.recognise.grids import Match
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vision_helpers import BLOCK_ORDER


def method_change(plan: MethodPlan, rotary: RotaryTables) -> Change:
    """What a plan does to its method."""
    function = plan.study.function
    info = plan.study.owner.module
    kept = {n: refusal_lines(info, nodes) for n, nodes in plan.guards.kept.items()}
    edits: list[Edit] = [
        Replace((function.body[number],), kept.get(number, ())) for number in sorted(plan.dead)
    ]
    for match in plan.matches:
        node = function.body[match.statement]
        lines = new_lines(match, function, node, plan.renames)
        edits.append(Replace((node,), (*kept.get(match.statement, ()), *lines)))
    edits += _lookup_edits(plan, rotary)
    edits += _rename_edits(plan)
    helpers = [match.helper.name for match in plan.matches]
    if any(m.helper is BLOCK_ORDER and ordered_rows(m, function) for m in plan.matches):
        helpers.append("while_tracing")
    return Change(
        "extract",
        (Site(plan.study.owner, function, tuple(edits)),),
        tuple((info, name) for name in helpers),
        tuple(
            _record(plan, match)
            for match in plan.matches
            if match.names == (RESULT,)
            or not isinstance(function.body[match.statement], ast.Return)
        ),
    )


def tables_of(index: Index, plan: MethodPlan, rotary: RotaryTables) -> set[int]:
    """The rotary modules, by the ids of their classes, whose tables a plan looks up."""
    found = set()
    for _, origin, _ in plan.lookups:
        target = index.submodule(plan.study.cls, origin.rpartition(".")[2])
        table = rotary.table_of(target) if target is not None else None
        if table is not None:
            found.add(id(table.node))
    return found


def _lookup_edits(plan: MethodPlan, rotary: RotaryTables) -> Iterator[Edit]:
    parents = {c: p for p in walk(plan.study.function) for c in children(p)}
    for node, origin, name in plan.lookups:
        ids = name if name in plan.casts else plan.renames.get(name, name)
        target = parents[parents[node]] if isinstance(parents[node], ast.Attribute) else node
        assert isinstance(target, ast.expr)
        kept = origin and not rotary.is_kept(plan.study.cls, origin)
        product = _product(ids, origin, plan.study.traces[0].buffers[node])
        yield Substitute(target, f"{origin}({ids})" if kept else product)


def _product(ids: str, origin: str, buffer: str) -> str:
    frequencies = f"{origin or 'self'}.{buffer}"
    return f"({ids}.to({frequencies}.device).unsqueeze(-1) * {frequencies}).flatten(1)"


def _rename_edits(plan: MethodPlan) -> Iterator[Edit]:
    gone = plan.dead | {m.statement for m in plan.matches}
    for number, statement in enumerate(plan.study.function.body):
        if number in gone:
            continue
        for node in walk(statement):
            if isinstance(node, ast.Name) and node.id in plan.renames.keys() - plan.casts:
                yield Substitute(node, plan.renames[node.id])


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


def joined(changes: Sequence[Change]) -> Change:
    """Several changes as one."""
    return Change(
        changes[0].rule,
        tuple(site for change in changes for site in change.sites),
        tuple(helper for change in changes for helper in change.helpers),
        tuple(record for change in changes for record in change.records),
    )
