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

from collections import defaultdict

from codegen.rewrite.emit.edits import Change
from codegen.rewrite.place.extract_audio import extract_audio
from codegen.rewrite.place.extract_positions import extract_positions
from codegen.rewrite.place.extract_samples import extract_samples
from codegen.rewrite.place.plan_edits import joined, method_change, table_change, tables_of
from codegen.rewrite.place.planner import MethodPlan, Planner
from codegen.rewrite.place.rotary import RotaryTables
from codegen.rewrite.recognise.elsewhere import report_elsewhere, report_unnamed
from codegen.rewrite.recognise.left import report_hidden, report_left, report_near
from codegen.rewrite.recognise.untaken import report_untaken
from codegen.rewrite.state import RewriteState


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
                handled = plan.handled if plan is not None else frozenset[int]()
                with state.attempt("extract", cls, cls.methods[name]):
                    if plan is None:
                        report_left(state, cls, name, gone)
                    else:
                        planner.report_tables(plan)
                    report_near(state, cls, cls.methods[name], handled)
                    report_elsewhere(state, cls, cls.methods[name], handled)
                    report_unnamed(state, cls, cls.methods[name], gone)
                    report_untaken(state, cls, cls.methods[name], gone)
    rotary.check_callers()
    # A table and the lookups in it change together.
    changes: dict[int, list[Change]] = defaultdict(list)
    for info in state.candidates():
        for plan in plans[info.source.module]:
            for table in tables_of(state.index, plan, rotary) or {id(plan)}:
                changes[table].append(method_change(plan, rotary))
        for cls in state.classes(info):
            if id(cls.node) in rotary.tables:
                changes[id(cls.node)].append(table_change(info, cls, rotary.buffers[id(cls.node)]))
    for together in changes.values():
        state.propose(joined(together))
    state.settle()
