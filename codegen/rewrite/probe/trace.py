"""What a probe run leaves behind, and the values that only the interpreter makes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function
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


@dataclass(slots=True)
class Bound:
    """A method or function that can be interpreted, with the object it is bound to.

    Not frozen: every call makes one, and that would take three times as long.
    """

    target: Any
    name: str


class Return(Exception):
    """Carries the value of a return statement."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Refused(Exception):
    """The code raises on the probe; the message says where."""


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
    of the module that built it (empty for a table built in place), ``buffers`` what holds its frequencies;
    ``reasons`` why statement ``i`` was not understood; ``result`` the returned value; ``unknown`` the
    fields of configurations that no vocabulary knows, with the texts that they were read by.

    Evidence is kept by the top-level statement in which something happened: ``outcomes`` how each
    condition came out there, ``ran`` the statements below it, ``entered`` the functions it called,
    ``numbers`` the constants it read. ``fields`` are the values of configuration fields; ``calls`` are the functions that each known call entered (none
    for a learned table); ``samples`` the points at which calls read a table between its entries;
    ``errors`` what statements failed with. ``stopped`` is the statement at which the run ended because it
    ``cost`` too much or the code ``refused`` the probe.
    """

    snapshots: dict[int, dict[str, Any]] = field(default_factory=dict)
    scalars: dict[str, int] = field(default_factory=dict)
    lookups: list[tuple[ast.Subscript, str]] = field(default_factory=list)
    buffers: dict[ast.Subscript, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    embeddings: dict[str, Embedding] = field(default_factory=dict)
    result: Any = None
    outcomes: dict[tuple[int, ast.AST], set[bool]] = field(default_factory=dict)
    ran: dict[int, set[ast.AST]] = field(default_factory=dict)
    entered: dict[int, set[Function]] = field(default_factory=dict)
    numbers: dict[int, set[float]] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    calls: dict[ast.Call, set[Function]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    asked_tracing: bool = False
    samples: dict[ast.Call, Any] = field(default_factory=dict)
    errors: list[type[Exception]] = field(default_factory=list)
    stopped: int = -1
    cost: str = ""
    refused: str = ""


RESULT = "return"
"""What snapshots call the value that a ``return`` at the margin of a method gives: no name can be that."""

_NAMING = frozenset(
    (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.alias)
    + (ast.Name, ast.Subscript, ast.Attribute, ast.Call)
)


@lru_cache(maxsize=8192)
def assigned_names(node: ast.AST) -> frozenset[str]:
    """Names that a statement binds or mutates (``x = ``, ``x[...] =``, ``x.append``, ``x.clamp_``)."""
    names: set[str] = set()
    for child in walk(node):
        if child.__class__ not in _NAMING:
            continue
        if isinstance(child, ast.Name):
            if child.ctx.__class__ is not ast.Load:
                names.add(child.id)
        elif isinstance(child, (ast.Subscript, ast.Attribute)):
            if child.ctx.__class__ is ast.Store:
                names.add(root_name(child))
        elif isinstance(child, ast.Call):
            if isinstance(child.func, ast.Attribute) and mutates(child.func.attr):
                names.add(root_name(child.func.value))
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(child.name)
        elif isinstance(child, ast.alias):
            names.add((child.asname or child.name).partition(".")[0])
    return frozenset(names - {""})


_MUTATORS = frozenset(
    ("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse")
    + ("update", "setdefault", "add", "discard", "popitem")
)


def mutates(method: str) -> bool:
    """Tell whether a method of that name changes what it is called on: of lists, and ``clamp_``."""
    return method in _MUTATORS or (method.endswith("_") and not method.startswith("_"))


def root_name(node: ast.expr) -> str:
    """``x`` of ``x``, ``x[i].y`` and ``x.view(-1)[i]``, else an empty string."""
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def iter_statements(function: Function) -> Iterator[tuple[int, ast.stmt]]:
    """Top-level statements of a method with their numbers, the docstring left out."""
    for number, statement in enumerate(function.body):
        is_doc = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_doc:
            yield number, statement
