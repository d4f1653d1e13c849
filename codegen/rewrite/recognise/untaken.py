"""Sizes that come to a method by no parameter of their own: what is computed of them is reported, not looked at.

    def forward(self, rows, *grids):                 def forward(self, rows, **kwargs):
        for t, h, w in grids[0].tolist(): ...            grid_thw = kwargs.pop("grid_thw")

A helper would have to be given them by name, and callers would have to be found by it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import read_names
from codegen.rewrite.recognise.left import indexes, is_reported, lists_numbers
from codegen.rewrite.signs import TELLING, entries_of, uses_as_sizes
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import FEATURES_METHODS, Vocabulary, is_host_class

_TAKING = frozenset(("get", "pop", "setdefault"))
"""Methods of keywords that give one of them."""


def report_untaken(
    state: RewriteState, cls: ClassInfo, function: Function, gone: Collection[ast.stmt]
) -> None:
    """Report index arithmetic on sizes that a method takes out of ``*args`` or ``**kwargs``.

    ``gone`` are statements that something else replaces.
    """
    segment = cls.module.segment(function)
    if is_host_class(cls.name) or not any(word in segment for word in (*TELLING, "tolist")):
        return
    args = glance(function).args
    if not (args.vararg or args.kwarg) or not _is_run(state, cls, function):
        return
    vocabulary = state.index.vocabulary
    taken = dict(_taken(vocabulary, function))
    for statement in function.body:
        spelled = _read_in(vocabulary, statement, taken, function)
        if not spelled:
            continue
        taken |= dict.fromkeys(assigned_names(statement) - taken.keys(), spelled)
        node = next(_computing(statement), None)
        if statement in gone or is_reported(state, cls, function, statement):
            continue
        if node is not None:
            reason = (
                f"index arithmetic on sizes that come as {spelled}, which is no parameter of its "
                "own: not looked at"
            )
            model, place = model_of(cls.module.source.module), cls.module.place(node)
            state.note(Record(model, cls.name, function.name, "left", place, reason=reason))
            return


def _is_run(state: RewriteState, cls: ClassInfo, function: Function) -> bool:
    """Tell whether a call of a module runs a method: what only prepares inputs runs on the host anyway."""
    forward = state.index.method(cls, "forward")
    if function.name in ("forward", *FEATURES_METHODS):
        return True
    calls = calls_in(glance(forward[1])) if forward is not None else ()
    return any(self_attribute(call.func) == function.name for call in calls)


def _taken(vocabulary: Vocabulary, function: Function) -> Iterator[tuple[str, str]]:
    """Local names that hold such sizes, or entries of them, and how what they come as is spelled."""
    args, named = function.args, set(parameters(function))
    if args.vararg is not None:
        entries = [*entries_of(function, args.vararg.arg)]
        if vocabulary.is_sizes(args.vararg.arg) or any(
            vocabulary.is_sizes(name) or uses_as_sizes(function, name)
            for name in (args.vararg.arg, *entries)
        ):
            yield from ((name, f"*{args.vararg.arg}") for name in (args.vararg.arg, *entries))
    for node in walk(function) if args.kwarg is not None else ():
        if isinstance(node, ast.Assign):
            key = next((k for n in walk(node.value) if (k := _key(n, function))), "")
            names = assigned_names(node) - named if key else ()
            if vocabulary.is_sizes(key) or any(uses_as_sizes(function, name) for name in names):
                yield from ((name, _spelled(function, key)) for name in sorted(names))


def _key(node: ast.AST, function: Function) -> str:
    """``"grid_thw"`` of ``kwargs["grid_thw"]`` and ``kwargs.pop("grid_thw", None)``, else empty."""
    assert function.args.kwarg is not None
    holder: ast.expr | None = None
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        holder, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        holder, key = (node.func.value if node.func.attr in _TAKING else None), node.args[0]
    if getattr(holder, "id", "") != function.args.kwarg.arg or not isinstance(key, ast.Constant):
        return ""
    return key.value if isinstance(key.value, str) else ""


def _spelled(function: Function, key: str) -> str:
    assert function.args.kwarg is not None
    return f'{function.args.kwarg.arg}["{key}"]'


def _read_in(
    vocabulary: Vocabulary, statement: ast.stmt, taken: Mapping[str, str], function: Function
) -> str:
    """How sizes that a statement reads come to the method; empty where it reads none of these."""
    names = read_names(statement) & taken.keys()
    if names:
        return taken[min(names)]
    keys = (_key(n, function) for n in walk(statement)) if function.args.kwarg else ()
    key = next((key for key in keys if vocabulary.is_sizes(key)), "")
    return _spelled(function, key) if key else ""


def _computing(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Index arithmetic in a statement, or a loop over the numbers of a tensor."""
    for node in walk(statement):
        if not isinstance(node, ast.stmt):
            continue
        arithmetic = not hasattr(node, "body") and indexes(node)
        if arithmetic or isinstance(node, ast.For) and lists_numbers(node):
            yield node
