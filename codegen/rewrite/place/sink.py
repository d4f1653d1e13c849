"""Move a helper call from a caller into the encoder that receives both the grid and the result.

A step of lift: where a features method computes boundaries and hands them to the encoder as a required
argument beside the grid, the encoder can compute them itself, and the argument becomes optional.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.edits import AddParameters, Change, DropKeyword, Replace, Site, at_top
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.helpers import LIFTED
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, target_of, walk
from codegen.rewrite.place.replaced import replacing
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of


@dataclass(frozen=True)
class Passed:
    """A call of a submodule that passes the helper's result and its grid by keyword."""

    call: ast.Call
    target: ClassInfo
    function: Function
    grid: str


def sink_computations(state: RewriteState) -> None:
    """Apply the move wherever its shape is found."""
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                if "get_" not in info.segment(function) or not any(
                    map(_lifted, glance(function).body)
                ):
                    continue
                with state.attempt("sink", cls, function):
                    for statement in function.body:
                        _sink(state, cls, function, statement)
    state.settle()


def _lifted(statement: ast.stmt) -> str:
    """The helper whose result a statement assigns, if that can be given; empty for anything else."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return ""
    name = getattr(statement.value.func, "id", "")
    return name if name in LIFTED else ""


def _sink(state: RewriteState, cls: ClassInfo, function: Function, statement: ast.stmt) -> None:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return
    name = getattr(statement.value.func, "id", "")
    target = target_of(statement)
    helper = LIFTED.get(name)
    if helper is None or len(helper.outputs) > 1 or not isinstance(target, ast.Name):
        return
    if not statement.value.args:
        return
    grid = getattr(statement.value.args[0], "id", "")
    uses = [
        n
        for n in walk(function)
        if isinstance(n, ast.Name) and n.id == target.id and isinstance(n.ctx, ast.Load)
    ]
    passed = _passed(state, cls, function, target.id, grid)
    if passed is None or len(uses) != 1:
        return
    chain = _chain(state, passed, target.id)
    names = {info.source.module for info in state.candidates()}
    if any(link.target.module.source.module not in names for link in chain):
        return
    caller = Site(cls, function, (Replace((statement,)), DropKeyword(passed.call, target.id)))
    links = [Site(c.target, c.function, (AddParameters((target.id,)),)) for c in chain]
    last = chain[-1]
    computed = at_top(last.function, (f"{target.id} = {helper.name}({last.grid})",))
    state.propose(
        Change(
            "sink",
            (caller, *links, Site(last.target, last.function, (computed,))),
            ((last.target.module, helper.name),),
            (_record(cls, function, statement, helper, chain),),
        )
    )


def _record(
    cls: ClassInfo,
    function: Function,
    statement: ast.stmt,
    helper: Helper,
    chain: Sequence[Passed],
) -> Record:
    """What the report says of a computation that went down a chain of calls."""
    info = cls.module
    return Record(
        model_of(info.source.module),
        cls.name,
        function.name,
        "lifted",
        info.place(statement),
        helper.name,
        helper.outputs,
        (f"{cls.name}.{function.name}", *(f"{c.target.name}.forward" for c in chain)),
        "computed in the encoder instead of its caller",
    )


def _passed(
    state: RewriteState, cls: ClassInfo, function: Function, name: str, grid: str
) -> Passed | None:
    """The call of a submodule with ``name=name`` and the grid, if its ``forward`` requires ``name``."""
    for call in walk(function):
        if not isinstance(call, ast.Call) or not self_attribute(call.func):
            continue
        given = {k.arg: getattr(k.value, "id", "") for k in call.keywords if k.arg}
        if given.get(name) != name or grid not in given.values():
            continue
        target = state.index.submodule(cls, self_attribute(call.func))
        if replacing(state.index, cls, self_attribute(call.func)):
            continue
        found = state.index.method(target, "forward") if target is not None else None
        if found is not None and name in parameters(found[1]):
            key = next(k for k, v in given.items() if v == grid)
            return Passed(call, found[0], found[1], key)
    return None


def _chain(state: RewriteState, passed: Passed, name: str) -> list[Passed]:
    """The called encoder and those it hands both values on to; the last one uses them."""
    chain = [passed]
    while len(chain) < 6:
        link = chain[-1]
        following = _passed(state, link.target, link.function, name, link.grid)
        if following is None:
            break
        chain.append(following)
    return chain
