"""Calls of features methods that one set of keywords goes to although they are for different inputs.

    first = self.get_image_features(pixel_values, grid_thw, **kwargs)
    again = self.get_image_features(pixel_values, grid_thw.flip(0), **kwargs)

Results that are given by a prefixed name are those of one grid: no such method may take them out of its keywords.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, of_kinds, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.state import RewriteState


def clashing_call(
    state: RewriteState, cls: ClassInfo, name: str
) -> tuple[ClassInfo, Function, ast.Call] | None:
    """A call of a features method of a class that gets the keywords of another call of it for other inputs.

    Looked for in the file of the class, and in the classes that inherit the method, wherever they stand.
    """
    method, calling = state.index.method(cls, name), set(state.index.mentioning(f".{name}("))
    for other in state.inheriting():
        if other.module.source.module not in calling:
            continue
        if other.module is not cls.module and state.index.method(other, name) != method:
            continue
        for function in other.methods.values():
            found = _clash(function, name)
            if found is not None:
                return other, function, found
    return None


def _clash(function: Function, name: str) -> ast.Call | None:
    """The call in a method that gets keywords a second time."""
    given = function.args.kwarg.arg if function.args.kwarg is not None else ""
    if not given:
        return None
    numbers = [n for n, call in enumerate(calls_in(glance(function))) if _gets(call, name, given)]
    if not numbers:
        return None
    calls = [calls_in(function)[number] for number in numbers]
    inputs = [_inputs(call) for call in calls]
    assigned = assigned_names(function)
    for number, call in enumerate(calls):
        for before, other in zip(inputs, calls[:number]):
            # Names that are assigned may stand for something else in front of each call.
            same = inputs[number] == before and not _names(call) & assigned
            if not same and not _is_instead(function, call, other):
                return call
        if any(_names(call) & changed for changed in _changed_by_loops(function, call)):
            return call
    return None


def _gets(call: ast.Call, name: str, given: str) -> bool:
    """Whether a call is of a method of that name and expands the keywords of the method that it stands in."""
    stars = (keyword.value for keyword in call.keywords if keyword.arg is None)
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return called == name and any(isinstance(star, ast.Name) and star.id == given for star in stars)


def _sizes(call: ast.Call) -> Sequence[ast.expr]:
    """What tells of which sizes the inputs are: all arguments but the first, which are rows."""
    return [*call.args[1:], *(k.value for k in call.keywords if k.arg is not None)]


def _inputs(call: ast.Call) -> tuple[str, ...]:
    return tuple(map(ast.dump, _sizes(call)))


def _names(call: ast.Call) -> set[str]:
    return {n.id for size in _sizes(call) for n in walk(size) if isinstance(n, ast.Name)}


def _is_instead(function: Function, call: ast.Call, other: ast.Call) -> bool:
    """Whether one of two calls is made where the other is not: on the two sides of a condition."""
    for node in of_kinds(function, ast.If):
        assert isinstance(node, ast.If)
        sides = [{c for s in side for c in calls_in(s)} for side in (node.body, node.orelse)]
        if any(call in one and other in two for one, two in (sides, sides[::-1])):
            return True
    return False


def _changed_by_loops(function: Function, call: ast.Call) -> Iterator[set[str]]:
    """The names that each loop around a call assigns."""
    for loop in of_kinds(function, ast.For, ast.While, ast.ListComp, ast.GeneratorExp):
        if any(node is call for node in walk(loop)):
            stored = (n for n in walk(loop) if isinstance(n, ast.Name))
            yield {n.id for n in stored if not isinstance(n.ctx, ast.Load)}
