"""What operators and conditions in a processor's code give."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.codes import Code, Makers, code_of
from codegen.rewrite.tokens.scopes import FAILURES, Scope, failed
from codegen.rewrite.tokens.terms import Term, Unsupported, derived, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine


def _binary(node: ast.BinOp) -> Code:
    left_of, right_of, name = code_of(node.left), code_of(node.right), type(node.op).__name__
    binary = operators.binary

    def run(machine: Machine, scope: Scope) -> Any:
        left, right = left_of(machine, scope), right_of(machine, scope)
        try:
            return binary(machine.world, name, left, right)
        except FAILURES as error:
            raise failed(error) from None

    return run


def _unary(node: ast.UnaryOp) -> Code:
    operand, kind = code_of(node.operand), node.op.__class__
    if kind is ast.Not:
        return lambda machine, scope: not machine.truth(operand(machine, scope))

    def run(machine: Machine, scope: Scope) -> Any:
        value = operand(machine, scope)
        if isinstance(value, Term):
            return derived(kind.__name__, value)
        if kind is ast.USub:
            return -value
        if kind is ast.Invert and isinstance(value, bool):
            return term("Invert", value)  # what was compared may have been tensors
        raise Unsupported("an operator")

    return run


def _boolean(node: ast.BoolOp) -> Code:
    parts, ends_at = [code_of(part) for part in node.values], isinstance(node.op, ast.Or)

    def run(machine: Machine, scope: Scope) -> Any:
        value: Any = None
        for part in parts:
            value = part(machine, scope)
            if machine.truth(value) == ends_at:
                return value
        return value

    return run


def _compare(node: ast.Compare) -> Code:
    first = code_of(node.left)
    others = [(type(op).__name__, code_of(item)) for op, item in zip(node.ops, node.comparators)]
    compare = operators.compare

    def run(machine: Machine, scope: Scope) -> bool:
        left = first(machine, scope)
        for name, code in others:
            right = code(machine, scope)
            try:
                holds = compare(machine.world, name, left, right)
            except FAILURES as error:
                raise failed(error) from None
            if not holds:
                return False
            left = right
        return True

    return run


def _conditional(node: ast.IfExp) -> Code:
    test, body, other = code_of(node.test), code_of(node.body), code_of(node.orelse)

    def run(machine: Machine, scope: Scope) -> Any:
        return (body if machine.truth(test(machine, scope)) else other)(machine, scope)

    return run


MAKERS: Makers = {
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
}
