"""Classes and functions as values whose parts can be recombined."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from codegen.text.lexer import lex
from codegen.text.statements import Statement, reindent


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its source, and whatever follows it up to the next one.

    ``after`` starts with the comma if there is one, and keeps comments and line breaks.
    """

    name: str
    text: str
    after: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """A parameter list in the order of its kinds; ``opening`` is the layout behind the ``(``."""

    positional_only: tuple[Parameter, ...] = ()
    positional: tuple[Parameter, ...] = ()
    star: Parameter | None = None
    keyword_only: tuple[Parameter, ...] = ()
    catch_all: Parameter | None = None
    opening: str = ""

    def text(self) -> str:
        """Source between the parentheses."""
        ordered = [*self.positional_only]
        if self.positional_only:
            ordered.append(Parameter("/", "/", ", "))
        ordered += self.positional
        ordered += [self.star] if self.star else []
        ordered += self.keyword_only
        ordered += [self.catch_all] if self.catch_all else []
        pieces = [self.opening]
        for index, parameter in enumerate(ordered):
            after = parameter.after
            if index < len(ordered) - 1 and not after.lstrip().startswith(","):
                after = ", " + after.lstrip()
            pieces += [parameter.text, after]
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class Function:
    """A function definition in parts; all texts carry the indentation of their source.

    ``body`` holds every statement, ``docstrings`` those of them that are docstrings.
    """

    name: str
    lead: str
    decorators: str
    decorator_names: tuple[str, ...]
    after_decorators: str
    keyword: str
    type_parameters: str
    parameters: Parameters
    returns: str
    colon: str
    docstrings: tuple[Statement, ...]
    body: tuple[Statement, ...]
    footer: str
    indent: str
    source: str

    def text(self) -> str:
        """Source of the whole definition, leading lines included."""
        returns = f" -> {self.returns}" if self.returns else ""
        body = "".join(f"{statement.lead}{statement.text}\n" for statement in self.body)
        return (
            f"{self.lead}{self.decorators}{self.after_decorators}{self.indent}{self.keyword} "
            f"{self.name}{self.type_parameters}({self.parameters.text()}){returns}:{self.colon}\n"
            f"{body}{self.footer}"
        )


@dataclass(frozen=True, slots=True)
class Base:
    """A base class: its source text, and whether it is a plain or dotted name."""

    text: str
    plain: bool
    dotted: bool


@dataclass(frozen=True, slots=True)
class Class:
    """A class definition in parts. ``attributes`` and ``methods`` are keyed, in source order.

    ``repeated`` are methods that redefine another one without a decorator, with their lines;
    ``others`` the lines of statements that are neither (of a method that a third one replaces, too).
    """

    name: str
    lead: str
    decorators: str
    after_decorators: str
    bases: tuple[Base, ...]
    keywords: tuple[str, ...]
    type_parameters: str
    docstrings: tuple[Statement, ...]
    attributes: tuple[tuple[str, Statement], ...]
    methods: tuple[tuple[str, Function], ...]
    repeated: tuple[tuple[str, int], ...] = ()
    others: tuple[int, ...] = ()

    def header(self) -> str:
        """The ``class`` line with decorators and leading lines."""
        arguments = ", ".join([*(base.text for base in self.bases), *self.keywords])
        listed = f"({arguments})" if arguments else ""
        return (
            f"{self.lead}{self.decorators}{self.after_decorators}"
            f"class {self.name}{self.type_parameters}{listed}:\n"
        )


def is_docstring(statement: Statement) -> bool:
    """A string in triple double quotes, alone on its line, wherever it stands in a body."""
    node = statement.node
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    source = statement.text.strip()
    opening = source.lstrip("rRbBuU")
    return (
        isinstance(node.value.value, (str, bytes))
        and opening.startswith('"""')
        and source.count('"""') == 2
    )


def adjust_indent(statement: Statement, old: str, new: str) -> Statement:
    """Move a statement to another indentation (strings keep their content)."""
    if old == new:
        return statement
    strings = lex(statement.text).strings
    return replace(
        statement,
        lead=reindent(statement.lead, old, new, ()),
        text=reindent(statement.text, old, new, strings),
    )


def last_name(node: ast.expr) -> str:
    """The last part of the name that a decorator or a base goes by."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
