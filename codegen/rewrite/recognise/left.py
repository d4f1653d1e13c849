"""Loops over sizes that extract leaves: early computations that no helper gives, reported with place and reason."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import partial

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names, iter_statements
from codegen.rewrite.reach import read_names
from codegen.rewrite.recognise.nearest import NEAREST, beside
from codegen.rewrite.recognise.study import (
    Study,
    grid_parameters,
    study,
    understood,
    worth_a_look,
)
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import Vocabulary, is_host_class, torch_name

INDEXING = frozenset(
    ("arange", "bincount", "cartesian_prod", "cumsum", "linspace", "meshgrid", "pad")
    + ("repeat_interleave", "searchsorted", "unique_consecutive")
)
"""Functions and methods of index arithmetic."""
_NO_HELPER = "no helper gives it"
_READING = frozenset(("tolist", "item"))
_COUNTING = frozenset(("torch.arange", "torch.linspace"))


def report_left(state: RewriteState, cls: ClassInfo, name: str, gone: set[ast.stmt]) -> None:
    """Report the loops of a method that depend on sizes only, or read sizes on the host.

    ``gone`` are the statements of loops that something else replaces.
    """
    function, info = cls.methods[name], cls.module
    segment = info.segment(function)
    if "for " not in segment or is_host_class(cls.name):
        return
    early: list[ast.stmt] = []
    reasons: dict[ast.stmt, str] = {}
    if worth_a_look(state.index, info, function):
        glance = study(state.index, cls, cls, function, 1)
        numbered = iter_statements(function)
        early = [n for i, n in numbered if glance is not None and understood(glance, i)]
        given = glance.traces[0].reasons if glance is not None else {}
        reasons = {function.body[number]: f" ({reason})" for number, reason in given.items()}
        unknown = glance.traces[0].unknown if glance is not None else {}
        if unknown:
            names = ", ".join(unknown.values())
            reasons = dict.fromkeys(function.body, f" ({names} in no vocabulary)")
    for node in _loops(function, gone):
        near = partial(_nearest, state, cls, function, node)
        if node in early:
            what = f"whose results no helper gives in this form{near()}"
            _note(state, cls, function, node, what)
        elif _walks_sizes(state.index.vocabulary, function, node) and _makes_indices(node):
            why = reasons.get(node) or near()
            _note(state, cls, function, node, f"with index arithmetic that matches no helper{why}")
        elif "grid" in segment and lists_numbers(node):
            _note(state, cls, function, node, f"read on the host, which matches no helper{near()}")


def _nearest(state: RewriteState, cls: ClassInfo, function: Function, node: ast.AST) -> str:
    """What comes nearest to a loop, in brackets: by what it makes, or by what is said of its method already."""
    path = cls.module.source.path
    told = (
        f" ({NEAREST}{r.helper}, see line {r.location.rpartition(':')[2]})"
        for r in state.records
        if r.helper
        and (r.cls, r.method, r.kind) == (cls.name, function.name, "left")
        and r.location.rpartition(":")[0] == path
    )
    found = beside(state.index, cls, function, node)
    return found if NEAREST in found else next(told, found)


def report_hidden(state: RewriteState, info: ModuleInfo) -> None:
    """Report classes that do not stand at the margin of their file, and compute something of sizes."""
    for outer in info.tree.body:
        if isinstance(outer, ast.ClassDef) or "class " not in info.segment(outer):
            continue
        for node in walk(outer):
            methods = node.body if isinstance(node, ast.ClassDef) else []
            functions = (method for method in methods if isinstance(method, ast.FunctionDef))
            if isinstance(node, ast.ClassDef) and any(
                worth_a_look(state.index, info, function) for function in functions
            ):
                reason = "not looked at: the class stands under a condition or in a function"
                model, place = model_of(info.source.module), info.place(node)
                state.note(Record(model, node.name, "", "left", place, reason=reason))


def report_near(
    state: RewriteState, cls: ClassInfo, function: Function, handled: Collection[int]
) -> None:
    """Report index arithmetic on a grid, outside of loops, that nothing replaces.

    ``handled`` are the numbers of statements that are replaced or removed.
    """
    grid = grid_parameters(state.index, function)[0]
    if not grid or is_host_class(cls.name) or not worth_a_look(state.index, cls.module, function):
        return
    glance = study(state.index, cls, cls, function, 1)
    if glance is None:
        return
    derived, reported = {grid}, set[str]()
    for number, statement in iter_statements(function):
        names = assigned_names(statement)
        if not derived & read_names(statement):
            continue
        loops = any(isinstance(node, (ast.For, ast.While)) for node in walk(statement))
        inner = next(
            (n for n in _simple(statement) if indexes(n) and derived & read_names(n)), None
        )
        early = understood(glance, number)
        renamed = isinstance(getattr(statement, "value", None), ast.Name)
        if early or renamed or inner is not None:
            derived |= names
        made = assigned_names(inner) if inner is not None else frozenset[str]()
        returned = isinstance(inner, ast.Return) and not reported & read_names(inner)
        told = not made & reported and (made or returned)
        if loops or inner is None or number in handled or not told:
            continue
        reported |= made
        if not is_reported(state, cls, function, statement):
            why = _why(glance, number, statement, early)
            if why == _NO_HELPER:
                why += beside(state.index, cls, function, statement)
            _note_near(state, cls, function, inner, why)


def _simple(statement: ast.stmt) -> Iterator[ast.stmt]:
    """A statement, or the simple statements in one that is compound."""
    for node in walk(statement):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


def indexes(node: ast.AST) -> bool:
    """Tell whether a node holds index arithmetic."""
    return any(isinstance(n, ast.Attribute) and n.attr in INDEXING for n in walk(node))


def is_reported(state: RewriteState, cls: ClassInfo, function: Function, node: ast.AST) -> bool:
    """Tell whether it is known already why a statement of a method is left."""
    place = cls.module.place(node)
    return any(
        (r.cls, r.method, r.location, r.kind) == (cls.name, function.name, place, "left")
        for r in state.records
    )


def _why(glance: Study, number: int, statement: ast.stmt, early: bool) -> str:
    """Why a statement that computes from sizes is left."""
    trace = glance.traces[0]
    if isinstance(statement, ast.Return) and not trace.reasons:
        return _NO_HELPER
    if number not in trace.snapshots and not trace.reasons:
        return "the method may return in front of it"
    if early:
        return _NO_HELPER
    if isinstance(statement, ast.If):
        return "a condition decides it that sizes do not decide"
    fields = [text for name, text in trace.unknown.items() if name in ast.unparse(statement)]
    if fields:
        return f"{fields[0]} is in no vocabulary"
    return trace.reasons.get(number, "it takes more than sizes and configuration")


def _note_near(
    state: RewriteState, cls: ClassInfo, function: Function, node: ast.stmt, why: str
) -> None:
    info = cls.module
    what = ", ".join(sorted(assigned_names(node))) or "the result"
    place, model = info.place(node), model_of(info.source.module)
    reason = f"index arithmetic on sizes that gives {what}: {why}: kept"
    state.note(Record(model, cls.name, function.name, "left", place, reason=reason))


def _loops(function: Function, gone: set[ast.stmt]) -> Iterator[ast.For]:
    for statement in function.body:
        if statement not in gone:
            yield from (node for node in walk(statement) if isinstance(node, ast.For))


def _makes_indices(loop: ast.For) -> bool:
    """Tell whether a loop reads numbers on the host, or counts."""
    for node in walk(loop):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and function.attr in _READING:
            return True
        if getattr(function, "id", "") == "int" or (function and torch_name(function) in _COUNTING):
            return True
    return False


def lists_numbers(loop: ast.For) -> bool:
    """Tell whether a loop goes through numbers of a tensor, or begins with taking some."""
    reads = (n for part in (loop.iter, loop.body[0]) for n in walk(part))
    return any(isinstance(n, ast.Attribute) and n.attr == "tolist" for n in reads)


def _walks_sizes(vocabulary: Vocabulary, function: Function, node: ast.For) -> bool:
    """Tell whether a loop goes over the rows of a parameter of sizes, or reads its rows by number."""
    given = {name for name in parameters(function) if vocabulary.is_sizes(name)}
    if {n.id for n in walk(node.iter) if isinstance(n, ast.Name)} & given:
        return True
    rows = [n.value for n in walk(node) if isinstance(n, ast.Subscript)]
    counter = isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range"
    return counter and any(isinstance(row, ast.Name) and row.id in given for row in rows)


def _note(
    state: RewriteState, cls: ClassInfo, function: Function, node: ast.stmt, what: str
) -> None:
    info = cls.module
    reason = f"a loop over sizes {what}: kept"
    model = model_of(info.source.module)
    place = info.place(node)
    state.note(Record(model, cls.name, function.name, "left", place, reason=reason))
