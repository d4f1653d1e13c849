"""An ``ast`` whose names of definitions and imports are cut out of the text that was parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

from codegen.explain.origins import Traced
from codegen.text.lines import LineMap


@lru_cache(maxsize=1)
def named_ast() -> ModuleType:
    """The module ``ast``, with a ``parse`` that keeps the places of names."""
    module = ModuleType("ast")
    vars(module).update(vars(ast))
    vars(module)["parse"] = _parse
    return module


def _parse(source: str, *arguments: Any, **options: Any) -> Any:
    """``ast.parse``; names of definitions and imports are cut out of the text."""
    tree = ast.parse(source, *arguments, **options)
    if isinstance(source, Traced):
        _cut_names(tree, source)
    return tree


def _cut_names(tree: ast.AST, source: Traced) -> None:
    lines = LineMap(str.__str__(source))
    for node in _statements(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            keyword = "class" if isinstance(node, ast.ClassDef) else "def"
            start = lines.offset(node.lineno, node.col_offset)
            begin = lines.text.index(node.name, lines.text.index(keyword, start) + len(keyword))
            node.name = source[begin : begin + len(node.name)]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            _cut_import(node, source, lines)


def _cut_import(node: ast.Import | ast.ImportFrom, source: Traced, lines: LineMap) -> None:
    for alias in node.names:
        begin = lines.offset(alias.lineno, alias.col_offset)
        if source.startswith(alias.name, begin):
            alias.name = source[begin : begin + len(alias.name)]
        if alias.asname:
            end = lines.offset(alias.end_lineno or 0, alias.end_col_offset or 0)
            alias.asname = source[end - len(alias.asname) : end]
    if isinstance(node, ast.ImportFrom) and node.module:
        begin = lines.offset(node.lineno, node.col_offset) + len("from")
        found = source.find(node.module, begin, lines.offset(*_first(node.names)))
        if found >= 0:
            node.module = source[found : found + len(node.module)]


def _first(names: Sequence[ast.alias]) -> tuple[int, int]:
    return names[0].lineno, names[0].col_offset


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, block, ())
            pending += inner if isinstance(inner, list) else ()
