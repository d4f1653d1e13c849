"""Arguments of calls, in the words of the caller."""

from __future__ import annotations

import ast

from codegen.rewrite.functions import Function, parameters
from codegen.text.lines import LineMap


def bind_arguments(call: ast.Call, function: Function, text: LineMap) -> dict[str, str]:
    """Parameter names of a method with the texts a call gives for them."""
    names = parameters(function)[1:]
    bound = {name: text.source(arg) for name, arg in zip(names, call.args)}
    bound.update({k.arg: text.source(k.value) for k in call.keywords if k.arg})
    return bound


def substitute(argument: str, bound: dict[str, str], this: str) -> str | None:
    """A helper argument as the caller writes it; None if the caller does not give it."""
    if argument.startswith("self."):
        return this + argument[len("self") :]
    if argument.isidentifier():
        return bound.get(argument)
    return argument
