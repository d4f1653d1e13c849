"""What has a name in a file and where it stands: classes, methods, functions, what statements bind.

A user asks by such a name (``FILE:CLASS.METHOD``); members as a review compares them, which cover all of
a file, are in ``codegen.review.members``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.text.statements import first_line

_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Named:
    """A class, a function, a method, or a statement of a module that binds ``name``.

    ``name`` is qualified (``Class.method``), ``kind`` class, function, assignment or import;
    ``first`` and ``last`` are its lines, ``header`` the line of its keyword, ``bases`` the source of
    a class's bases, ``docstring`` the lines of its docstring.
    """

    name: str
    kind: str
    first: int
    last: int
    header: int
    body: int
    bases: tuple[str, ...] = ()
    docstring: tuple[int, int] = (0, -1)

    @property
    def owner(self) -> str:
        """The class of a method; "" for what stands in the module."""
        return self.name.rpartition(".")[0]

    def part(self, line: int) -> str:
        """What of a definition a line is: decorator, signature, docstring or body."""
        if self.kind not in ("class", "function"):
            return "body"
        if line < self.header:
            return "decorator"
        if line < self.body:
            return "signature"
        return "docstring" if self.docstring[0] <= line <= self.docstring[1] else "body"


def named_in(text: str) -> list[Named]:
    """Everything with a name in a file, outer ones first; none where it cannot be parsed."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return list(_named(tree.body, ""))


def _named(body: list[ast.stmt], owner: str) -> Iterator[Named]:
    for node in body:
        last = node.end_lineno or node.lineno
        if isinstance(node, _DEFINITIONS):
            name = f"{owner}.{node.name}" if owner else node.name
            is_class = isinstance(node, ast.ClassDef)
            bases = tuple(map(ast.unparse, node.bases)) if isinstance(node, ast.ClassDef) else ()
            inner = node.body[0]
            yield Named(
                name,
                "class" if is_class else "function",
                first_line(node),
                last,
                node.lineno,
                first_line(inner),
                bases,
                _docstring(inner),
            )
            if is_class:
                yield from _named(node.body, name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and not owner:
            names = ", ".join(alias.asname or alias.name for alias in node.names)
            yield Named(names, "import", node.lineno, last, node.lineno, node.lineno)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _named([*node.body, *node.orelse], owner)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            spelled = ast.unparse(target)
            name = f"{owner}.{spelled}" if owner else spelled
            yield Named(name, "assignment", node.lineno, last, node.lineno, node.lineno)


def _docstring(node: ast.stmt) -> tuple[int, int]:
    is_string = (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    return (node.lineno, node.end_lineno or node.lineno) if is_string else (0, -1)


def named_at(found: list[Named], line: int) -> Named | None:
    """The innermost of them that a line belongs to."""
    around = [each for each in found if each.first <= line <= each.last]
    return around[-1] if around else None


def find_named(found: list[Named], name: str) -> Named | None:
    """The last one of a name, which is the one that counts."""
    return next((each for each in reversed(found) if each.name == name), None)
