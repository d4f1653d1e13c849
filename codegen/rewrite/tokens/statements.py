"""What statements of a processor's code do, made ready to be carried out many times.

A statement is turned into a function of the machine and the scope once, when it is first reached. What that
gives says how to go on: None with the next statement, else with what stands behind a loop or a call.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from codegen.rewrite.nodes import children, walk
from codegen.rewrite.tokens import limits, operators
from codegen.rewrite.tokens.codes import Code, code_of
from codegen.rewrite.tokens.scopes import Closure, Raised, Scope
from codegen.rewrite.tokens.targets import deletion, target_code
from codegen.rewrite.tokens.terms import Unsupported

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function gives."""

    value: Any


BREAK, CONTINUE = "break", "continue"
Step = Callable[["Machine", Scope], Returned | str | None]
"""Carries out statements; what it gives ends the block around it."""
_NOTHING = Returned(None)


@dataclass(frozen=True, eq=False)
class FunctionCode:
    """A function made ready: what its parameters are, what it does, and whether it gives values one by one.

    ``pairs`` are parameters that can be given by name, with what they are if they are not given.
    """

    plain: tuple[str, ...]
    pairs: tuple[tuple[str, ast.expr | None], ...]
    several: str
    named: str
    body: Step
    is_generator: bool


@lru_cache(maxsize=4096)
def function_code(node: ast.FunctionDef | ast.Lambda) -> FunctionCode:
    """A function made ready to be called many times."""
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args]
    defaults = [*[None] * (len(plain) - len(spec.defaults)), *spec.defaults]
    pairs = [*zip(plain, defaults), *zip(spec.kwonlyargs, spec.kw_defaults)]
    if isinstance(node, ast.Lambda):
        body, is_generator = _result(code_of(node.body)), False
    else:
        body, is_generator = block(node.body), _gives_one_by_one(node)
    return FunctionCode(
        tuple(arg.arg for arg in plain),
        tuple((arg.arg, default) for arg, default in pairs),
        spec.vararg.arg if spec.vararg is not None else "",
        spec.kwarg.arg if spec.kwarg is not None else "",
        body,
        is_generator,
    )


def _result(value: Code) -> Step:
    return lambda machine, scope: Returned(value(machine, scope))


def _gives_one_by_one(node: ast.FunctionDef) -> bool:
    """Whether a function is a generator."""
    if not any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in walk(node)):
        return False
    pending: list[ast.AST] = [*node.body]
    while pending:
        inner = pending.pop()
        if isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(inner, (ast.FunctionDef, ast.Lambda)):
            pending += children(inner)
    return False


def block(nodes: Sequence[ast.stmt]) -> Step:
    """What carries out statements one after the other; each is made ready when it is first reached."""
    steps: list[tuple[int, Step]] = []

    def run(machine: Machine, scope: Scope) -> Returned | str | None:
        if not steps:
            steps.extend([(id(n), _unready(steps, place, n)) for place, n in enumerate(nodes)])
        reached = machine.reached
        for number, step in steps:
            machine.left -= 1
            if machine.left < 0:
                machine.spend()
            reached.add(number)
            end = step(machine, scope)
            if end is not None:
                return end
        return None

    return run


def _unready(steps: list[tuple[int, Step]], place: int, node: ast.stmt) -> Step:
    """A statement that makes itself ready when it is first carried out."""

    def run(machine: Machine, scope: Scope) -> Returned | str | None:
        step = _step(node)
        steps[place] = (id(node), step)
        return step(machine, scope)

    return run


def _step(node: ast.stmt) -> Step:
    make = _STEPS.get(node.__class__)
    if make is not None:
        return make(node)

    def unknown(machine: Machine, scope: Scope) -> None:
        raise Unsupported(f"{type(node).__name__} in line {node.lineno}")

    return unknown


def _nothing(node: ast.stmt) -> Step:
    return lambda machine, scope: None


def _expression(node: ast.Expr) -> Step:
    if isinstance(node.value, ast.Constant):
        return _nothing(node)
    value = code_of(node.value)

    def run(machine: Machine, scope: Scope) -> None:
        value(machine, scope)

    return run


def _return(node: ast.Return) -> Step:
    if node.value is None:
        return lambda machine, scope: _NOTHING
    return _result(code_of(node.value))


def _function(node: ast.FunctionDef) -> Step:
    def run(machine: Machine, scope: Scope) -> None:
        scope.names[node.name] = Closure(node, scope)

    return run


def _assign(node: ast.Assign) -> Step:
    value_of, bind, *more = code_of(node.value), *map(target_code, node.targets)

    def run(machine: Machine, scope: Scope) -> None:
        value = value_of(machine, scope)
        bind(machine, scope, value)
        for bind_too in more:
            bind_too(machine, scope, value)

    return run


def _annotated(node: ast.AnnAssign) -> Step:
    if node.value is None:
        return _nothing(node)
    value_of, bind = code_of(node.value), target_code(node.target)

    def run(machine: Machine, scope: Scope) -> None:
        bind(machine, scope, value_of(machine, scope))

    return run


def _augmented(node: ast.AugAssign) -> Step:
    old_of, new_of = code_of(node.target), code_of(node.value)  # the context plays no part
    bind, name = target_code(node.target), type(node.op).__name__

    def run(machine: Machine, scope: Scope) -> None:
        old, new = old_of(machine, scope), new_of(machine, scope)
        if isinstance(old, list) and name == "Add":
            more = list(machine.entries(new))
            limits.entries(len(old) + len(more))
            old += more
            bind(machine, scope, old)  # a part of a list is another list
            return
        bind(machine, scope, operators.binary(machine.world, name, old, new))

    return run


def _if(node: ast.If) -> Step:
    test, body, other = code_of(node.test), block(node.body), block(node.orelse)

    def run(machine: Machine, scope: Scope) -> Returned | str | None:
        return (body if machine.truth(test(machine, scope)) else other)(machine, scope)

    return run


def _while(node: ast.While) -> Step:
    test, body, other = code_of(node.test), block(node.body), block(node.orelse)

    def run(machine: Machine, scope: Scope) -> Returned | str | None:
        while machine.truth(test(machine, scope)):
            machine.spend()
            end = body(machine, scope)
            if end is BREAK:
                return None
            if end is not None and end is not CONTINUE:
                return end
        return other(machine, scope)

    return run


def _for(node: ast.For) -> Step:
    items, bind = code_of(node.iter), target_code(node.target)
    body, other = block(node.body), block(node.orelse)

    def run(machine: Machine, scope: Scope) -> Returned | str | None:
        for item in machine.looped(items(machine, scope)):
            machine.spend()
            bind(machine, scope, item)
            end = body(machine, scope)
            if end is BREAK:
                return None
            if end is not None and end is not CONTINUE:
                return end
        return other(machine, scope)

    return run


def _raise(node: ast.Raise) -> Step:
    made = node.exc
    arguments = [code_of(item) for item in made.args] if isinstance(made, ast.Call) else []
    raised = made.func if isinstance(made, ast.Call) else made
    kind = raised.id if isinstance(raised, ast.Name) else ast.unparse(raised) if raised else ""

    def run(machine: Machine, scope: Scope) -> None:
        if made is None:
            raise Unsupported("an exception raised again")
        said = [operators.text(item(machine, scope)) for item in arguments]
        raise Raised(kind, "".join(said))

    return run


def _assert(node: ast.Assert) -> Step:
    test = code_of(node.test)

    def run(machine: Machine, scope: Scope) -> None:
        if not machine.truth(test(machine, scope)):
            raise Raised("AssertionError")

    return run


def _delete(node: ast.Delete) -> Step:
    gone = [deletion(target) for target in node.targets]

    def run(machine: Machine, scope: Scope) -> None:
        for forget in gone:
            forget(machine, scope)

    return run


_STEPS: Mapping[type, Callable[[Any], Step]] = {
    ast.Expr: _expression,
    ast.Pass: _nothing,
    ast.Import: _nothing,
    ast.ImportFrom: _nothing,
    ast.Return: _return,
    ast.Break: lambda node: lambda machine, scope: BREAK,
    ast.Continue: lambda node: lambda machine, scope: CONTINUE,
    ast.FunctionDef: _function,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _delete,
}
