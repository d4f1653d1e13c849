"""Parameters and decorators of functions and classes, as callers rely on them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codegen.review.names import Naming
from codegen.review.syntax import dotted
from codegen.review.weights import Method


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; ``default`` is its source, None where it has none."""

    name: str
    kind: str
    default: str | None


def parameters_of(node: Method, naming: Naming) -> tuple[Parameter, ...]:
    """The parameters of a function in order, without ``self`` and ``cls``."""
    found: list[Parameter] = []
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    for index, item in enumerate(positional):
        default = arguments.defaults[index - missing] if index >= missing else None
        found.append(Parameter(item.arg, "positional", _text(default, naming)))
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*", None))
    for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults):
        found.append(Parameter(item.arg, "keyword", _text(value, naming)))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**", None))
    return tuple(item for item in found if item.name not in ("self", "cls"))


def _text(node: ast.expr | None, naming: Naming) -> str | None:
    return None if node is None else naming.text(dotted(node))


def decorators_of(node: ast.ClassDef | Method, naming: Naming) -> tuple[str, ...]:
    """The decorators of a class or function in order."""
    return tuple(naming.text(dotted(item)) for item in node.decorator_list)
