"""A method of the folded class: what it inherits of the parent's, and the parent's body in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.expansion.fold.inline import Inline
from codegen.expansion.fold.replaced import Replaced, attributes_read, plan_replacements
from codegen.expansion.merge import MARKER
from codegen.text.classes import Function, adjust_indent, last_name
from codegen.text.lexer import lex
from codegen.text.read_body import BodyItem
from codegen.text.scoping import is_generator
from codegen.text.statements import Statement

_Function = ast.FunctionDef | ast.AsyncFunctionDef
#: Decorators that hold for the very function they stand on.
_NOT_INHERITED = frozenset({"abstractmethod", "overload", "final", "override"})


@dataclass(frozen=True, slots=True)
class Noted:
    """An assignment that took the place of one which the parent reads: lines of either text."""

    attribute: str
    line: int
    parent_line: int
    read_line: int


def override(own: BodyItem, inherited: BodyItem | None) -> Function:
    """A method of the definition with the decorators, docstring and comments that it inherits."""
    function = own.function
    assert function is not None
    if re.search(rf"@{MARKER}\b", function.decorators):
        return replace(function, decorators="", after_decorators="")
    above = inherited.function if inherited else None
    if above is None or inherited is None:
        return function
    changes: dict[str, object] = {}
    if not function.lead.strip():
        changes["lead"] = above.lead
    if not function.decorators and _alike(own.node, inherited.node):
        changes["decorators"] = kept_decorators(inherited)
    documented = docstring_of(above)
    if documented and not docstring_of(function):
        moved = adjust_indent(documented, above.indent, function.indent)
        changes["body"] = (replace(moved, lead=""), *function.body)
    return replace(function, **changes)  # type: ignore[arg-type]


def _alike(own: ast.stmt, inherited: ast.stmt) -> bool:
    """Whether decorators that fit one function fit the other, too."""
    assert isinstance(own, _Function) and isinstance(inherited, _Function)
    if type(own) is not type(inherited) or is_generator(own) != is_generator(inherited):
        return False
    # def make(self, size): ...      over a static or class method: it is for an instance now
    binding = {last_name(each) for each in inherited.decorator_list}
    listed = [*own.args.posonlyargs, *own.args.args]
    for_instances = bool(listed) and listed[0].arg == "self"
    return not (for_instances and binding & {"staticmethod", "classmethod"})


def kept_decorators(item: BodyItem) -> str:
    """The decorators of a parent's method without those that are only about that very function."""
    function, node = item.function, item.node
    assert function is not None and isinstance(node, _Function)
    lines = function.decorators.split("\n")
    first = node.decorator_list[0].lineno if node.decorator_list else 0
    kept = []
    for index, decorator in enumerate(node.decorator_list):
        final = index == len(node.decorator_list) - 1
        start = decorator.lineno - first
        end = len(lines) - 1 if final else node.decorator_list[index + 1].lineno - first
        if last_name(decorator) not in _NOT_INHERITED:
            kept += lines[start:end]
    return "".join(f"{line}\n" for line in kept)


def docstring_of(function: Function) -> Statement | None:
    """The docstring of a function, however it is quoted."""
    if not function.body:
        return None
    first = function.body[0]
    node = first.nodes[0]
    is_string = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if not is_string or len(first.nodes) > 1 or not isinstance(node.value.value, str):  # type: ignore[attr-defined]
        return None
    return first


def inlined(
    function: Function,
    inherited: BodyItem,
    plan: Inline,
    call: Statement,
    values: dict[str, str],
    methods: Mapping[str, ast.stmt],
    replaces: bool,
) -> tuple[Function, list[Noted]]:
    """The method with the parent's statements in place of its ``super()`` call.

    ``values`` are the sources of the values to bind, ``methods`` those of the finished class,
    ``replaces`` whether assignments behind the call may take the place of the parent's.
    """
    above = inherited.function
    assert above is not None
    index = function.body.index(call)
    before, after = function.body[:index], function.body[index + 1 :]
    statements = [item for item in above.body if item is not docstring_of(above)]
    chosen = Replaced({}, frozenset(), frozenset(), {})
    if (
        replaces
        and function.name == "__init__"
        and all(item.node for item in (*statements, *after))
    ):
        chosen = plan_replacements(
            above.parameters.positional[0].name,
            [item.nodes[0] for item in statements],
            [item.nodes[0] for item in after],
            attributes_read(methods),
        )
    inner = f"{function.indent}    "
    bound = [
        Statement("", f"{inner}{name} = {values[name]}", (), 0, 0) for name, _ in plan.bindings
    ]
    merged = []
    for place, statement in enumerate(statements):
        if place in chosen.moved:
            merged.append(after[chosen.moved[place]])
        elif place not in chosen.dropped:
            merged.append(adjust_indent(statement, above.indent, function.indent))
    kept = [item for number, item in enumerate(after) if number not in chosen.gone]
    behind = [*bound, *merged, *kept]
    body = [*before, *_led(call, behind or [Statement("", f"{inner}pass", (), 0, 0)], inner)]
    noted = [
        Noted(
            _target(after[number]), after[number].line, statements[place].line, chosen.read[number]
        )
        for place, number in chosen.moved.items()
        if number in chosen.read
    ]
    return replace(function, body=tuple(body)), noted


def _led(call: Statement, statements: list[Statement], indent: str) -> list[Statement]:
    """The comments in front of the call and behind it stay in front of what stands there now."""
    lead = call.lead if call.lead.strip() else ""
    for start, end in lex(call.text).comments:
        lead += f"{indent}{call.text[start:end].strip()}\n"
    if not lead:
        return statements
    return [replace(statements[0], lead=lead + statements[0].lead), *statements[1:]]


def _target(statement: Statement) -> str:
    node = statement.nodes[0]
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[attr-defined]
    return ast.unparse(target)
