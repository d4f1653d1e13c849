"""What calls in a processor's code give."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.codes import Code, Makers, code_of
from codegen.rewrite.tokens.containers import elements_of
from codegen.rewrite.tokens.members import attribute
from codegen.rewrite.tokens.natives import method_of_value
from codegen.rewrite.tokens.scopes import Closure, Scope
from codegen.rewrite.tokens.terms import Term, Unsupported

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Arguments = Callable[["Machine", Scope], tuple[list[Any], dict[str, Any]]]
"""Evaluates what a call is given."""

_PLAIN = frozenset((str, list, tuple, dict, set))
"""Types whose attributes are methods, if they are called."""


def _call(node: ast.Call) -> Code:
    function, given = node.func, _arguments(node)
    if not isinstance(function, ast.Attribute):
        called_of = code_of(function)

        def run(machine: Machine, scope: Scope) -> Any:
            called = called_of(machine, scope)
            args, keywords = given(machine, scope)
            machine.spend()
            return machine.apply(called, args, keywords)

        return run
    if isinstance(function.value, ast.Call) and getattr(function.value.func, "id", "") == "super":
        return _super(node, function.attr, given)
    return _method(function, given)


def _method(function: ast.Attribute, given: Arguments) -> Code:
    owner_of, name = code_of(function.value), function.attr
    is_plain = name != "content" and not name.endswith("_token")

    def run(machine: Machine, scope: Scope) -> Any:
        owner = owner_of(machine, scope)
        kind = owner.__class__
        if is_plain and (kind is Term or kind in _PLAIN):
            args, keywords = given(machine, scope)
            machine.spend()
            return method_of_value(machine, owner, name, args, keywords)
        called = attribute(machine, owner, name)
        args, keywords = given(machine, scope)
        machine.spend()
        return machine.apply(called, args, keywords)

    return run


def _arguments(node: ast.Call) -> Arguments:
    """What a call is given."""
    placed = [code_of(item) for item in node.args]
    named = [(item.arg, code_of(item.value)) for item in node.keywords]
    if any(isinstance(item, ast.Starred) for item in node.args) or any(n is None for n, _ in named):
        elements = elements_of(node.args)

        def run(machine: Machine, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
            args = elements(machine, scope)
            keywords: dict[str, Any] = {}
            for name, code in named:
                value = code(machine, scope)
                if name is not None:
                    keywords[name] = value
                elif isinstance(value, dict):
                    keywords.update(value)
                else:
                    keywords[f"**{len(keywords)}"] = value
            return args, keywords

        return run

    def run_plain(machine: Machine, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
        args = [code(machine, scope) for code in placed]
        if not named:
            return args, {}
        return args, {str(name): code(machine, scope) for name, code in named}

    return run_plain


def _super(node: ast.Call, name: str, given: Arguments) -> Code:
    """``super().__init__(...)`` of the mixin: it keeps what it is given under the same names."""
    kept = [(item.id, code_of(item)) for item in node.args if isinstance(item, ast.Name)]
    kept += [(k.arg, code_of(k.value)) for k in node.keywords if k.arg is not None]

    def run(machine: Machine, scope: Scope) -> Any:
        found = machine.subject.behind(node, name)
        if found is not None:
            args, keywords = given(machine, scope)
            return machine.call(Closure(found, owner=machine.instance), args, keywords)
        if name != "__init__":
            raise Unsupported(f"super().{name}")
        for key, code in kept:
            machine.instance.attributes.setdefault(key, code(machine, scope))
        return None

    return run


MAKERS: Makers = {ast.Call: _call}
