"""Edits as values: what a rule wants done, said of the ``ast`` nodes of one method.

A rule decides and describes; only :mod:`codegen.rewrite.emit.write` turns descriptions into text.
Lines of code in an edit are written as at the left margin, four spaces for each level.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.values import Record


@dataclass(frozen=True, slots=True)
class Replace:
    """Lines in the place of statements of one block; without lines the statements are removed."""

    statements: tuple[ast.stmt, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Insert:
    """Lines in front of a statement, or behind it. The statement may be a method of a class."""

    anchor: ast.stmt
    lines: tuple[str, ...]
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """``if test: lines  else: statements``, for neighbours in one block."""

    statements: tuple[ast.stmt, ...]
    test: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ElseIf:
    """``elif test: lines`` in front of the ``else`` of an if statement."""

    node: ast.If
    test: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Substitute:
    """Another expression in the place of one."""

    node: ast.expr
    new: str


@dataclass(frozen=True, slots=True)
class Enclose:
    """``function(node, arguments...)`` in the place of an expression, one argument a line."""

    node: ast.expr
    function: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddKeywords:
    """Further arguments of a call (``name=value`` or ``**name``), in front of its ``**`` arguments."""

    call: ast.Call
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropKeyword:
    """A call without one of its keywords."""

    call: ast.Call
    name: str


@dataclass(frozen=True, slots=True)
class AddParameters:
    """Optional tensor parameters of the method; one that exists without default gets None."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LetOut:
    """The default None for parameters that have none, in annotation and docstring, too."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddOption:
    """A further parameter of the method, written with its default, behind those that can be given by place."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Describe:
    """Entries for parameters in the docstring of the method, if it has such entries."""

    names: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Redefine:
    """Another definition in the place of the method; its decorators and comments stay."""

    lines: tuple[str, ...]


Edit = (
    Replace
    | Insert
    | Branch
    | ElseIf
    | Substitute
    | Enclose
    | AddKeywords
    | DropKeyword
    | AddParameters
    | LetOut
    | AddOption
    | Describe
    | Redefine
)


def nodes_of(edit: Edit) -> Iterator[ast.stmt | ast.expr]:
    """The nodes that an edit speaks of."""
    return (item for item in _items(edit) if isinstance(item, (ast.stmt, ast.expr)))


def texts_of(edit: Edit) -> Iterator[str]:
    """The texts that an edit writes, or speaks of."""
    return (item for item in _items(edit) if isinstance(item, str))


def _items(edit: Edit) -> Iterator[object]:
    for name in edit.__slots__:
        value = getattr(edit, name)
        yield from value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True, slots=True)
class Site:
    """A statement in the body of a class, usually a method, and what is done to it."""

    cls: ClassInfo
    node: ast.stmt
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What one application of a rule does: all of it is written, or nothing.

    ``helpers`` are the functions that the modules have to import, ``records`` what is reported once
    the change is made.
    """

    rule: str
    sites: tuple[Site, ...]
    helpers: tuple[tuple[ModuleInfo, str], ...] = ()
    records: tuple[Record, ...] = ()


def body_start(function: Function) -> ast.stmt:
    """The first statement of a function behind its docstring; the docstring if it is alone."""
    first = function.body[0]
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return function.body[1] if is_docstring and len(function.body) > 1 else first


def at_top(function: Function, lines: tuple[str, ...]) -> Insert:
    """Lines at the top of a function, behind its docstring."""
    first = body_start(function)
    alone = first is function.body[0] and ast.get_docstring(function, clean=False) is not None
    return Insert(first, lines, behind=alone)


def behind_class(cls: ClassInfo, lines: tuple[str, ...]) -> Site:
    """A further method at the end of a class."""
    last = cls.node.body[-1]
    # A class on one line is written anew as a whole.
    node = cls.node if last.lineno == cls.node.lineno else last
    return Site(cls, node, (Insert(last, ("", *lines), behind=True),))
