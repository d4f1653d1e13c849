"""Names that a method reads from its module, told from its tree: sooner than by :mod:`symtable`, which reads the text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.nodes import walk

_SCOPES = frozenset((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda))
_OTHERWISE = frozenset(
    (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal, ast.NamedExpr)
    + (ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.Match)
)
"""What binds names in other ways than plain statements do, or says where they are looked up."""


def plain_reads(function: ast.FunctionDef) -> frozenset[str] | None:
    """Names that a method and its head read from the module, or that Python has itself.

    None where names are bound in unusual ways, so that it has to be told scope by scope.
    """
    head = [node for part in _head(function) for node in walk(part)]
    if any(_scopes(node) for node in head):
        return None
    read = {node.id for node in head if node.__class__ is ast.Name}
    above = {id(node) for node in head}
    names, inner = list[ast.Name](), list[ast.AST]()
    for node in walk(function):
        kind = node.__class__
        if kind is ast.Name:
            if id(node) not in above:
                names.append(node)  # type: ignore[arg-type]
        elif kind in _SCOPES:
            inner.append(node)
        elif kind in _OTHERWISE and node is not function:
            return None
    if function.name in read:
        return None
    scopes = [_scope(node) for node in inner]
    targets = {place for _, _, places in scopes for place in places}
    bound = {arg.arg for arg in _given(function.args)}
    bound |= {n.id for n in names if n.ctx.__class__ is not ast.Load and id(n) not in targets}
    for node in names:
        if node.id in bound or node.ctx.__class__ is not ast.Load or node.id in read:
            continue
        if not any(node.id in own and id(node) in region for own, region, _ in scopes):
            read.add(node.id)
    return frozenset(read)


def _head(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What is evaluated where a function is defined."""
    spec = function.args
    annotations = [arg.annotation for arg in _given(spec)]
    for part in (*annotations, *spec.defaults, *spec.kw_defaults, function.returns):
        if part is not None:
            yield part
    yield from function.decorator_list


def _given(spec: ast.arguments) -> list[ast.arg]:
    """The parameters of a function, however they are given."""
    several = [arg for arg in (spec.vararg, spec.kwarg) if arg is not None]
    return [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *several]


def _scopes(node: ast.AST) -> bool:
    """Whether a node has a scope of its own, or binds a name around it."""
    return node.__class__ in _SCOPES or isinstance(node, ast.NamedExpr)


def _scope(node: ast.AST) -> tuple[set[str], set[int], set[int]]:
    """What a comprehension or lambda binds, the nodes for which it does, and those that bind."""
    if isinstance(node, ast.Lambda):
        return {arg.arg for arg in _given(node.args)}, {*map(id, walk(node.body))}, set()
    assert isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))
    targets = [n for g in node.generators for n in walk(g.target) if _is_bound(n)]
    region = {*map(id, walk(node))}.difference(map(id, walk(node.generators[0].iter)))
    return {n.id for n in targets}, region, {*map(id, targets)}  # type: ignore[attr-defined]


def _is_bound(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
