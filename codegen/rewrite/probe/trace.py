"""What a probe run leaves behind, and the values that only the interpreter makes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from codegen.rewrite.library import Function
from codegen.rewrite.nodes import walk


@dataclass(frozen=True)
class Config:
    """A configuration object; its scalars come from the vocabulary."""

    text: str = "config"


@dataclass(frozen=True)
class Embedding:
    """A learned table, reached by ``text``; ``rows`` is its probe content."""

    text: str
    rows: np.ndarray


@dataclass(frozen=True)
class Bound:
    """A method or function that can be interpreted, with the object it is bound to."""

    target: Any
    name: str


class Return(Exception):
    """Carries the value of a return statement."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Flow(Exception):
    """``break`` or ``continue``."""


class Break(Flow):
    """``break``."""


class Continue(Flow):
    """``continue``."""


@dataclass
class Trace:
    """What a run of a method left behind.

    ``snapshots[i]`` holds the names that top-level statement ``i`` assigned; ``scalars`` the texts of
    attributes that were read as integers; ``lookups`` the subscripts of a rotary table with the text
    of the module that built it (empty for a table built in place);
    ``reasons`` why statement ``i`` was not understood; ``result`` the returned value.
    """

    snapshots: dict[int, dict[str, Any]] = field(default_factory=dict)
    scalars: dict[str, int] = field(default_factory=dict)
    lookups: list[tuple[ast.Subscript, str]] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    embeddings: dict[str, Embedding] = field(default_factory=dict)
    result: Any = None


@lru_cache(maxsize=8192)
def assigned_names(node: ast.AST) -> frozenset[str]:
    """Names that a statement binds or mutates (``x = ``, ``x[...] =``, ``x.append``)."""
    names: set[str] = set()
    for child in walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, (ast.Store, ast.Del)):
            names.add(child.id)
        elif isinstance(child, (ast.Subscript, ast.Attribute)) and isinstance(child.ctx, ast.Store):
            root: ast.expr = child
            while isinstance(root, (ast.Subscript, ast.Attribute)):
                root = root.value
            if isinstance(root, ast.Name):
                names.add(root.id)
        elif (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in ("append", "extend", "insert")
            and isinstance(child.func.value, ast.Name)
        ):
            names.add(child.func.value.id)
    return frozenset(names)


def iter_statements(function: Function) -> Iterator[tuple[int, ast.stmt]]:
    """Top-level statements of a method with their numbers, the docstring left out."""
    for number, statement in enumerate(function.body):
        is_doc = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_doc:
            yield number, statement
