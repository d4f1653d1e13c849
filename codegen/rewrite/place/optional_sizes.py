"""Let callers leave sizes out where nothing reads them once everything that follows from them is given.

A step of lift, behind all that bring inputs in:

    def forward(self, x, grid_thw: Tensor, *, ids=None):    def forward(self, x, grid_thw: Tensor | None = None, *, ...):
        if ids is None:                                  ->      if ids is None:
            ids = get_rotary_pos_ids(grid_thw, ...)                  ids = get_rotary_pos_ids(grid_thw, ...)

Parameters keep their places. One that comes in front of another without default keeps having none; where it is
read in any case, the report says where.
"""

from __future__ import annotations

import ast

from codegen.rewrite.emit.edits import Change, LetOut, Site
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.helpers import is_input
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, walk
from codegen.rewrite.place.absent import AbsentReads, Call
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import is_host_class


def let_sizes_out(state: RewriteState) -> None:
    """Give such parameters of all methods the default None."""
    reads, heirs = AbsentReads(state.index), Heirs(state.index, state.inheriting())
    for info in state.candidates():
        for cls in state.classes(info):
            for function in () if is_host_class(cls.name) else cls.methods.values():
                if _sizes_without_default(state, function):
                    with state.attempt("sizes", cls, function):
                        _look_at(state, reads, heirs, cls, function)
    state.settle()


def required(function: Function) -> list[str]:
    """Parameters that can be given by place and have no default, in order."""
    spec = glance(function).args
    plain = [*spec.posonlyargs, *spec.args]
    return [arg.arg for arg in plain[: len(plain) - len(spec.defaults)]]


def _sizes_without_default(state: RewriteState, function: Function) -> list[str]:
    spec = glance(function).args
    named = [a.arg for a, default in zip(spec.kwonlyargs, spec.kw_defaults) if default is None]
    return [n for n in (*required(function), *named) if _is_sizes(state, n)]


def _is_sizes(state: RewriteState, name: str) -> bool:
    return state.index.vocabulary.is_sizes(name) and not is_input(name)


def _look_at(
    state: RewriteState, reads: AbsentReads, heirs: Heirs, cls: ClassInfo, function: Function
) -> None:
    names = parameters(function)
    inputs = frozenset(name for name in names if is_input(name))
    if not inputs and not _hands_keywords_on(function):
        return
    call = Call(frozenset(name for name in names if _is_sizes(state, name)), inputs)
    needed: dict[str, ast.expr] = {}
    for heir in (*heirs.of(cls, function.name), cls):
        needed.update(reads.of(heir, function, call))
    known = {node.id for node in walk(function) if isinstance(node, ast.Name)}
    free = [n for n in _sizes_without_default(state, function) if n in known and n not in needed]
    later = required(function)
    while later and later[-1] in free:
        later.pop()
    out = tuple(name for name in free if name not in later)
    if inputs:
        for name in _sizes_without_default(state, function):
            if name in needed:
                why = f"{_said(function, needed[name])} reads it, whatever else is given"
                _note_left(state, cls, function, needed[name], f"{name} has to be given: {why}")
            elif name in free and name not in out:
                why = f"{later[-1]} behind it has no default"
                _note_left(
                    state, cls, function, function, f"{name} has to be given, None at least: {why}"
                )
    if out:
        record = _record(cls, function, "lifted", function, f"may be left out: {_READ}", out)
        state.propose(Change("sizes", (Site(cls, function, (LetOut(out),)),), (), (record,)))


def _said(function: Function, node: ast.expr) -> str:
    """The first line of the innermost statement that an expression stands in."""
    holders = [s for s in walk(function) if isinstance(s, ast.stmt) and node in walk(s)]
    innermost = holders[-1] if holders else node
    return ast.unparse(innermost).partition("\n")[0][:90]


_READ = "read only to compute what is not given"


def _hands_keywords_on(function: Function) -> bool:
    """Tell whether a method takes further keywords and gives them, or some of them, to what it calls."""
    spread = any(keyword.arg is None for call in calls_in(function) for keyword in call.keywords)
    return spread and function.args.kwarg is not None


def _note_left(
    state: RewriteState, cls: ClassInfo, function: Function, node: ast.AST, reason: str
) -> None:
    state.note(_record(cls, function, "left", node, reason))


def _record(
    cls: ClassInfo,
    function: Function,
    kind: str,
    node: ast.AST,
    reason: str,
    names: tuple[str, ...] = (),
) -> Record:
    info = cls.module
    path = (f"{cls.name}.{function.name}",) if names else ()
    model, place = model_of(info.source.module), info.place(node)
    return Record(
        model,
        cls.name,
        function.name,
        kind,
        place,
        parameters=names,
        path_taken=path,
        reason=reason,
    )
