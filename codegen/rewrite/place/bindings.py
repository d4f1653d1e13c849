"""What a call binds, and what an expression of the called method is in terms of its caller.

All of it is a question of trees: an argument is carried to the caller only if every name in it is a
parameter that the call gives, an attribute of the called object, or a number.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.reach import ENTRY, Reaching

_PURE_METHODS = frozenset(
    (
        "to",
        "cpu",
        "cuda",
        "long",
        "int",
        "size",
        "contiguous",
        "type",
        "detach",
        "clone",
        "prod",
        "sum",
    )
    + ("flatten", "reshape", "view", "squeeze", "unsqueeze", "index_select", "repeat_interleave")
)
_NOT_BOUND = {"self", "int"}
"""Names in arguments that mean the same everywhere, or that a caller has another word for."""
_PURE = (
    *(ast.Name, ast.Attribute, ast.Constant, ast.Subscript, ast.Slice, ast.Tuple, ast.List),
    *(ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context, ast.keyword),
)


GIVEN = "given_inputs"
"""Leaves out what is not given: ``self.visual(x, grid, **given_inputs(cu_seqlens=cu_seqlens))``."""


def given_of(call: ast.Call) -> ast.Call | None:
    """``given_inputs(...)`` that a call expands, None where it does not."""
    for keyword in call.keywords:
        value = keyword.value if keyword.arg is None else None
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == GIVEN:
            return value
    return None


def given_names(call: ast.Call) -> frozenset[str]:
    """Names of the keywords that a call gives, those that it expands of ``given_inputs`` among them."""
    inner = given_of(call)
    keywords = (*call.keywords, *(inner.keywords if inner is not None else ()))
    return frozenset(keyword.arg for keyword in keywords if keyword.arg is not None)


def bound_arguments(call: ast.Call, function: Function) -> dict[str, ast.expr] | None:
    """Parameters of a method with the expressions that a call gives; None where that is not certain."""
    args = function.args
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    plain = [arg.arg for arg in (*args.posonlyargs, *args.args)][1:]
    if len(call.args) > len(plain):
        return None
    bound = dict(zip(plain, call.args))
    known = {*plain, *(arg.arg for arg in args.kwonlyargs)}
    bound.update({k.arg: k.value for k in call.keywords if k.arg in known and k.arg is not None})
    return bound


def carried(argument: str, bound: Mapping[str, ast.expr], this: str) -> str | None:
    """An argument of a helper as the caller writes it, None where it cannot.

    ``this`` is what the caller calls the object whose method it calls.
    """
    tree = ast.parse(argument, mode="eval").body
    names = {n.id for n in walk(tree) if isinstance(n, ast.Name)}
    if not is_pure(tree) or names - _NOT_BOUND - bound.keys():
        return None
    new = {name: bound[name] for name in names - _NOT_BOUND}
    if not all(is_pure(value) for value in new.values()):
        return None
    return ast.unparse(_Carrier(new, ast.parse(this, mode="eval").body).visit(tree))


class _Carrier(ast.NodeTransformer):
    def __init__(self, new: Mapping[str, ast.expr], this: ast.expr) -> None:
        self._new = {**new, "self": this}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._new.get(node.id, node)


def is_pure(node: ast.expr) -> bool:
    """Tell whether an expression can be evaluated once more without any effect."""
    for child in walk(node):
        if isinstance(child, ast.Call):
            function = child.func
            if isinstance(function, ast.Name) and function.id == "int":
                continue
            if not isinstance(function, ast.Attribute) or function.attr not in _PURE_METHODS:
                return False
        elif not isinstance(child, _PURE):
            return False
    return True


def names_in(arguments: Iterable[str]) -> frozenset[str]:
    """Names that some argument texts read, ``self`` left out."""
    trees = [ast.parse(argument, mode="eval") for argument in arguments]
    names = {n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return frozenset(names - _NOT_BOUND)


def own_attributes(arguments: Iterable[str]) -> frozenset[str]:
    """Attributes of ``self`` that some argument texts read first."""
    trees = [ast.parse(argument, mode="eval") for argument in arguments]
    return frozenset(
        n.attr
        for tree in trees
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "self"
    )


def stored_attributes(function: Function) -> frozenset[str]:
    """Attributes of ``self`` that a method assigns."""
    return frozenset(
        n.attr
        for n in walk(function)
        if isinstance(n, ast.Attribute)
        and not isinstance(n.ctx, ast.Load)
        and isinstance(n.value, ast.Name)
        and n.value.id == "self"
    )


def is_of_entry(
    reaching: Reaching, function: Function, statement: ast.stmt, arguments: Iterable[str]
) -> bool:
    """Tell whether argument texts mean at a statement what they mean when the method is entered."""
    arguments = tuple(arguments)
    entry = frozenset({ENTRY})
    if own_attributes(arguments) & stored_attributes(function):
        return False
    return all(reaching.definitions(statement, name) == entry for name in names_in(arguments))
