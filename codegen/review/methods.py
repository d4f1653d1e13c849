"""What a method is by itself: its signature, its operators, and what it does with attributes of its instance."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.review.names import Naming
from codegen.review.signatures import Parameter, decorators_of, parameters_of
from codegen.review.syntax import below
from codegen.review.weights import Method, Values, Weight, read_registered, read_weight
from codegen.text.lines import split_lines
from codegen.text.statements import first_line

#: What a method does with an attribute of its instance: read, define, erase, or weight.
Event = tuple[str, str, "Weight | None"]


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """A method by itself: its lines, and what it does with attributes, in order."""

    code: str
    signature: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    operators: Counter[str]
    events: tuple[Event, ...]


def read_method(
    method: Method,
    code: str,
    operators: Counter[str],
    known: tuple[Naming, frozenset[str], Values],
) -> MethodFacts:
    """The facts of a method; ``known`` are the naming, the classes of the file that are modules, and what
    names of the class stand for."""
    naming, _, values = known
    values.enter(method)
    return MethodFacts(
        code,
        parameters_of(method, naming),
        decorators_of(method, naming),
        operators,
        tuple(_events(method, code, known)),
    )


#: A statement without any of these does nothing with attributes of an instance.
_MARKS = ("self", "register_", "add_module")


def _speaking(method: Method, code: str) -> Iterator[ast.AST]:
    """The parts of a method that can speak of an attribute of its instance, in order."""
    lines = split_lines(code)
    first = first_line(method)
    yield method.args
    for item in method.body:
        text = "".join(
            lines[first_line(item) - first : (item.end_lineno or item.lineno) - first + 1]
        )
        if any(mark in text for mark in _MARKS):
            yield item
    yield from method.decorator_list


def _events(
    method: Method, code: str, known: tuple[Naming, frozenset[str], Values]
) -> Iterator[Event]:
    for item in (each for part in _speaking(method, code) for each in (part, *below(part))):
        if isinstance(item, ast.Attribute) and _is_self(item.value):
            kinds = {ast.Load: "read", ast.Store: "define"}
            yield kinds.get(type(item.ctx), "erase"), item.attr, None
        elif isinstance(item, (ast.Assign, ast.AnnAssign)) and item.value is not None:
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and _is_self(target.value):
                    weight = read_weight(item.value, *known)
                    if weight:
                        yield "weight", target.attr, weight
        elif isinstance(item, ast.Call):
            registered = read_registered(item, known[0], known[2])
            if registered:
                yield "weight", *registered
            yield from (("define", name, None) for name in _given_name(item))


def _given_name(call: ast.Call) -> Iterator[str]:
    """The attribute that a call registers, kept in the state dict or not."""
    func, first = call.func, call.args[0] if call.args else None
    registers = isinstance(func, ast.Attribute) and func.attr in _REGISTER
    if registers and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


_REGISTER = frozenset({"register_buffer", "register_parameter", "add_module"})


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
