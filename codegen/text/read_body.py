"""Read a class statement by statement, in the order in which Python executes its body."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from codegen.text.classes import Class, Function
from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.read_classes import Reader, class_head
from codegen.text.statements import Statement, split_block


@dataclass(frozen=True, slots=True)
class BodyItem:
    """One statement of a class body with the comments in front of it; a ``def`` also in parts."""

    statement: Statement
    function: Function | None = None

    @property
    def node(self) -> ast.stmt:
        """The statement; each item has exactly one."""
        return self.statement.nodes[0]


@dataclass(frozen=True, slots=True)
class ClassBody:
    """A class with its statements in order.

    ``head`` holds everything but the members, ``docstring`` the string that Python takes for it,
    ``footer`` the comments behind the last statement. ``node`` is the syntax tree of the text.
    """

    head: Class
    docstring: Statement | None
    items: tuple[BodyItem, ...]
    footer: str
    node: ast.ClassDef
    text: str


def read_body(text: str) -> ClassBody:
    """Read one class (leading lines included, not indented) statement by statement.

    Statements that share a line come apart; ``pass`` and ``...`` are left out.
    """
    node = next(item for item in ast.parse(text).body if isinstance(item, ast.ClassDef))
    reader = Reader(text, lex(text), LineMap(text))
    outer, _ = split_block(reader.lines, [node], 1, len(reader.lines.starts) - 1)
    last = reader.lines.line_at(max(outer[0].end - 1, 0))
    header_end = reader.header_end(node.lineno, node.name)
    statements, footer = reader.block(node.body, header_end, last)
    items: list[BodyItem] = []
    docstring = None
    for statement in (part for whole in statements for part in reader.apart(whole)):
        item = statement.nodes[0]
        if item is node.body[0] and is_string(item):
            docstring = statement
        elif isinstance(item, ast.Pass) or _is_constant(item, ...):
            continue
        elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            items.append(BodyItem(statement, reader.function(statement)))
        else:
            items.append(BodyItem(statement))
    head = replace(class_head(reader, node), lead=outer[0].lead)
    return ClassBody(head, docstring, tuple(items), footer, node, text)


def is_string(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_constant(node: ast.stmt, value: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and node.value.value is value
    )
