"""What functions of the passes answer, in words that can be read, and tables of that: see :mod:`tests.rewrite.asked`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from itertools import islice
from types import GeneratorType
from typing import Any

import libcst as cst
import numpy as np

from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.state import RewriteState
from tests.rewrite.asked import spelled

#: Answers are told so deep, so many items of each, and in so many characters.
DEPTH, LENGTH, WIDTH = 4, 12, 240


# -- answers as lines ----------------------------------------------------------------------------


def answer(function: Callable[..., Any], values: Mapping[str, Any]) -> str:
    """What a function says."""
    try:
        text = said(function(**values))
        for state in values.values():
            if isinstance(state, RewriteState):
                text += "".join(f"; {r.kind}: {r.reason}" for r in state.records)
    except Exception as error:
        text = f"! {type(error).__name__}"
    return text.strip() if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


def said(value: Any, depth: int = DEPTH) -> str:
    """An answer in words."""
    if isinstance(value, ast.AST):
        return f"`{spelled(value)}`" if hasattr(value, "lineno") else type(value).__name__
    if isinstance(value, cst.CSTNode):
        return f"`{cst.Module([]).code_for_node(value).strip()}`"
    if isinstance(value, (ClassInfo, ModuleInfo)):
        return value.name if isinstance(value, ClassInfo) else value.source.path
    if isinstance(value, int) and value > 1 << 32:
        return "the number of a node"
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if depth == 0:
        return "..."
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    if isinstance(value, Mapping):
        pairs = [(said(k, depth - 1), said(v, depth - 1)) for k, v in islice(value.items(), LENGTH)]
        return f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(said(item, depth - 1) for item in value))}}}"
    if isinstance(value, (list, tuple, GeneratorType, filter, map)):
        return f"[{', '.join(said(item, depth - 1) for item in islice(value, LENGTH))}]"
    if is_dataclass(value) and not isinstance(value, type):
        inner = (said(getattr(value, f.name), depth - 1) for f in fields(value))
        return f"{type(value).__name__}({', '.join(inner)})"
    return type(value).__name__


# -- the table -----------------------------------------------------------------------------------

Table = dict[str, dict[str, str]]
"""Answers by function and input."""


def read_table(lines: Sequence[str]) -> Table:
    """What is recorded: below the name of a function inputs, each with the answer below it."""
    table: Table = {}
    question = ""
    for line in lines:
        if line.startswith("## "):
            entries = table.setdefault(line.removeprefix("## "), {})
        elif line.startswith("    "):
            entries[question] = line.strip()
        else:
            question = line
    return table


def table_lines(table: Table) -> Iterator[str]:
    """The lines of a table."""
    for name, entries in table.items():
        if entries:
            yield f"## {name}"
            for question, told in entries.items():
                yield question
                yield f"    {told}"
