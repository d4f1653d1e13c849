"""What the runs of a method on prompts show together: its results, what it enters, what was not understood."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import replace

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.effects import Objection


def two_results(trace: Trace) -> tuple[Arr, Arr] | None:
    """The two tensors that a run returned, None if it did not, or if they are not known."""
    result = trace.result
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        return None
    left, right = result
    if not isinstance(left, Arr) or not isinstance(right, Arr) or left.late or right.late:
        return None
    return left, right


def entered_by(traces: Iterable[Trace]) -> set[Function]:
    """The functions that were called on the way."""
    return {f for trace in traces for entered in trace.entered.values() for f in entered}


def callees_of(traces: Iterable[Trace], call: ast.Call) -> Iterable[Function] | None:
    """The functions that a call entered; None if it was not followed."""
    found = [trace.calls[call] for trace in traces if call in trace.calls]
    return set().union(*found) if found else None


def shown_by(traces: Iterable[Trace]) -> tuple[set[ast.AST], dict[ast.AST, set[bool]]]:
    """The statements that ran, and how conditions came out."""
    ran: set[ast.AST] = set()
    outcomes: dict[ast.AST, set[bool]] = {}
    for trace in traces:
        ran.update(node for nodes in trace.ran.values() for node in nodes)
        for (_, node), seen in trace.outcomes.items():
            outcomes.setdefault(node, set()).update(seen)
    return ran, outcomes


def placed(found: Objection, function: Function, traces: Iterable[Trace]) -> Objection:
    """An objection to what a called function does, placed at the method."""
    if found.node in walk(function):
        return found
    for called in entered_by(traces):
        if found.node in walk(called):
            return Objection(function, f"{found.reason} in {called.name}")
    return replace(found, node=function)


def not_understood(function: Function, traces: Collection[Trace]) -> Objection:
    """Why nothing is known of the results."""
    for trace in traces:
        if trace.unknown:
            names = ", ".join(trace.unknown.values())
            return Objection(function, f"it depends on {names}, in no vocabulary")
    for trace in traces:
        for number, reason in trace.reasons.items():
            return Objection(function.body[number], f"not understood: {reason}")
    return Objection(function, "its results depend on what is not known")
