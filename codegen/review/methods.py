"""What a method is by itself: its signature, its operators, and what it does with attributes of its instance."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from codegen.review.names import Naming
from codegen.review.signatures import Parameter, decorators_of, parameters_of
from codegen.review.syntax import below
from codegen.review.weights import Method, Values, Weight, read_registered, read_weight
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


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a method: its lines, in which columns of these it stands, and its node."""

    text: str
    columns: tuple[int, int | None]
    node: ast.stmt = field(compare=False)


def statements_of(method: Method, lines: Sequence[str]) -> list[Statement]:
    """The statements of a method; ``lines`` are those of the text that it was parsed from."""
    return [
        Statement(
            "".join(lines[first_line(item) - 1 : item.end_lineno]),
            (item.col_offset, item.end_col_offset),
            item,
        )
        for item in method.body
    ]


#: The naming of a file, its classes that are modules, and what names of a class stand for.
Known = tuple[Naming, frozenset[str], Values]


def read_method(
    method: Method,
    code: str,
    statements: Sequence[Statement],
    operators: Counter[str],
    known: Known,
) -> MethodFacts:
    """The facts of a method."""
    naming, _, values = known
    values.enter(method)
    events = [*_events(method.args, known)]
    for item in statements:
        if any(mark in item.text for mark in _MARKS):
            plain = None if _is_given(item.node) else _plain_events(item)
            events += _events(item.node, known) if plain is None else plain
    return MethodFacts(
        code,
        parameters_of(method, naming),
        decorators_of(method, naming),
        operators,
        tuple(events),
    )


#: A statement without any of these does nothing with attributes of an instance.
_MARKS = ("self", "register_", "add_module")
#: Statements that are kept: most stand in both states of a method, and many in other models.
_KEPT = 65_536


@lru_cache(maxsize=_KEPT)
def _plain_events(statement: Statement) -> tuple[Event, ...] | None:
    """What a statement does with attributes wherever it stands; None if it may make a weight, which
    depends on the values of names around it."""
    found: list[Event] = []
    for item in (statement.node, *below(statement.node)):
        if _is_given(item) or (isinstance(item, ast.Call) and _registers(item)):
            return None
        if isinstance(item, ast.Attribute) and _is_self(item.value):
            found.append((_DONE.get(type(item.ctx), "erase"), item.attr, None))
    return tuple(found)


def _is_given(node: ast.AST) -> bool:
    """Whether a node gives an attribute of the instance a value."""
    return any(isinstance(each, ast.Attribute) and _is_self(each.value) for each in _targets(node))


def _targets(node: ast.AST) -> Sequence[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) and node.value is not None else []


_DONE: Mapping[type[ast.expr_context], str] = {ast.Load: "read", ast.Store: "define"}


def _events(node: ast.AST, known: Known) -> Iterator[Event]:
    for item in (node, *below(node)):
        if isinstance(item, ast.Attribute) and _is_self(item.value):
            yield _DONE.get(type(item.ctx), "erase"), item.attr, None
        elif isinstance(item, (ast.Assign, ast.AnnAssign)) and item.value is not None:
            for target in _targets(item):
                if isinstance(target, ast.Attribute) and _is_self(target.value):
                    weight = read_weight(item.value, *known)
                    if weight:
                        yield "weight", target.attr, weight
        elif isinstance(item, ast.Call) and _registers(item):
            registered = read_registered(item, known[0], known[2])
            if registered:
                yield "weight", *registered
            yield from (("define", name, None) for name in _given_name(item))


def _registers(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _REGISTER


def _given_name(call: ast.Call) -> Iterator[str]:
    """The attribute that a call registers, kept in the state dict or not."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


_REGISTER = frozenset({"register_buffer", "register_parameter", "add_module"})


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
