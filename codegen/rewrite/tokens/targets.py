"""What assignments of a processor's code bind, made ready to be carried out many times."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.codes import code_of
from codegen.rewrite.tokens.scopes import Instance, Raised, Scope
from codegen.rewrite.tokens.terms import GONE, Term, Unsupported, store

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Target = Callable[["Machine", Scope, Any], None]
"""Binds a value."""
Action = Callable[["Machine", Scope], None]


def target_code(target: ast.expr) -> Target:
    """What binds a target."""
    if isinstance(target, ast.Name):
        return _name(target.id)
    if isinstance(target, ast.Attribute):
        return _attribute(target)
    if isinstance(target, ast.Subscript):
        return _entry(target)
    if isinstance(target, (ast.Tuple, ast.List)):
        return _unpacked(target.elts)
    return _unknown(target)


def _name(name: str) -> Target:
    def bind(machine: Machine, scope: Scope, value: Any) -> None:
        scope.names[name] = value

    return bind


def _attribute(target: ast.Attribute) -> Target:
    owner_of, name = code_of(target.value), target.attr

    def bind(machine: Machine, scope: Scope, value: Any) -> None:
        owner = owner_of(machine, scope)
        if isinstance(owner, Instance):
            owner.attributes[name] = value
        elif isinstance(owner, Term):
            store(owner, name, value)
        else:
            raise Unsupported("an attribute of a plain value")

    return bind


def _entry(target: ast.Subscript) -> Target:
    owner_of, key_of = code_of(target.value), code_of(target.slice)

    def bind(machine: Machine, scope: Scope, value: Any) -> None:
        owner, key = owner_of(machine, scope), key_of(machine, scope)
        if isinstance(owner, Term):
            store(owner, key, value)
        elif isinstance(owner, (list, dict)):
            operators.put(owner, key, value)
        else:
            raise Unsupported("an entry of a plain value")

    return bind


def _unpacked(targets: Sequence[ast.expr]) -> Target:
    starred = next((n for n, item in enumerate(targets) if isinstance(item, ast.Starred)), -1)
    binds = [
        target_code(item.value if n == starred and isinstance(item, ast.Starred) else item)
        for n, item in enumerate(targets)
    ]
    behind = len(targets) - starred - 1

    def bind(machine: Machine, scope: Scope, value: Any) -> None:
        if isinstance(value, Term) and value.length is None:
            found = [machine.world.entry(value, n) for n in range(len(binds))]
        else:
            found = list(machine.entries(value))
        if starred >= 0:
            if len(found) < starred + behind:
                raise Raised("ValueError", "unpack")
            end = len(found) - behind
            found = [*found[:starred], found[starred:end], *found[end:]]
        if len(found) != len(binds):
            raise Raised("ValueError", "unpack")
        for inner, item in zip(binds, found):
            inner(machine, scope, item)

    return bind


def _unknown(target: ast.expr) -> Target:
    def bind(machine: Machine, scope: Scope, value: Any) -> None:
        raise Unsupported(f"assignment to {type(target).__name__}")

    return bind


def deletion(target: ast.expr) -> Action:
    """What ``del target`` does."""
    if isinstance(target, ast.Name):
        name = target.id

        def forget(machine: Machine, scope: Scope) -> None:
            scope.names.pop(name, None)

        return forget
    if isinstance(target, ast.Subscript):
        return _entry_gone(target)
    if isinstance(target, ast.Attribute):
        return _attribute_gone(target)
    return lambda machine, scope: None


def _entry_gone(target: ast.Subscript) -> Action:
    owner_of, key_of = code_of(target.value), code_of(target.slice)

    def forget(machine: Machine, scope: Scope) -> None:
        owner, key = owner_of(machine, scope), key_of(machine, scope)
        if isinstance(owner, Term):
            store(owner, key, GONE)
        else:
            del owner[key]

    return forget


def _attribute_gone(target: ast.Attribute) -> Action:
    owner_of, name = code_of(target.value), target.attr

    def forget(machine: Machine, scope: Scope) -> None:
        owner = owner_of(machine, scope)
        if not isinstance(owner, Instance) or name not in owner.attributes:
            raise Unsupported("del of an attribute")
        owner.attributes[name] = GONE

    return forget
