"""Expressions of a processor's code, made ready to be evaluated many times.

An expression is turned into a function of the machine and the scope once: what is known from how it is written
is looked up then, what depends on values when it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.scopes import Scope
from codegen.rewrite.tokens.terms import Unsupported

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Code = Callable[["Machine", Scope], Any]
"""Evaluates an expression.

Raises:
    Unsupported: it cannot be followed.
    Raised: the program would fail.
"""
Makers = Mapping[type, Callable[[Any], Code]]
"""What makes the code of a kind of expression."""


def code_of(node: ast.expr) -> Code:
    """What evaluates an expression."""
    make = _makers().get(node.__class__)
    return make(node) if make is not None else _unknown(node)


@lru_cache(maxsize=2048)
def known_code(node: ast.expr) -> Code:
    """What evaluates an expression that stands by itself: a default, a value of a file or class."""
    return code_of(node)


@cache
def _makers() -> Makers:
    """The makers of all kinds of expressions, each of which is made of others of any kind."""
    from codegen.rewrite.tokens import calls, comprehensions, containers, expressions, operations

    modules = (expressions, containers, operations, calls, comprehensions)
    return {kind: make for module in modules for kind, make in module.MAKERS.items()}


def _unknown(node: ast.expr) -> Code:
    def run(machine: Machine, scope: Scope) -> Any:
        raise Unsupported(f"{type(node).__name__} in line {node.lineno}")

    return run
