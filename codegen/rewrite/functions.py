"""Functions and methods as nodes: their parameters, and the attributes of ``self`` that code speaks of."""

from __future__ import annotations

import ast

from codegen.rewrite.nodes import glance
from codegen.rewrite.vocabulary import PARENTS_PARAMETERS

Function = ast.FunctionDef


def is_static(function: Function) -> bool:
    """Whether a method is called without ``self``."""
    return any(
        getattr(node, "id", "") == "staticmethod" for node in glance(function).decorator_list
    )


def self_attribute(node: ast.AST) -> str:
    """``name`` of ``self.name``, else an empty string."""
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    ):
        return node.attr
    return ""


def takes_parents_parameters(function: Function) -> bool:
    """Tell whether an override in a definition spells the parameters of its parent's as ``**super_kwargs``."""
    kwarg = glance(function).args.kwarg
    return kwarg is not None and kwarg.arg == PARENTS_PARAMETERS


def parameters(function: Function) -> list[str]:
    """Names of the ordinary and keyword-only parameters, ``self`` included."""
    args = glance(function).args
    return [a.arg for a in [*args.posonlyargs, *args.args, *args.kwonlyargs]]


def defaults_of(function: Function) -> dict[str, ast.expr]:
    """What parameters are where nothing is given for them, by name."""
    args = function.args
    plain = [*args.posonlyargs, *args.args]
    pairs = [*zip(plain[len(plain) - len(args.defaults) :], args.defaults)]
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults) if d is not None]
    return {arg.arg: default for arg, default in pairs}
