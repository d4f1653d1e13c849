"""Names that a module reads and nothing defines."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

_KNOWN = frozenset({*dir(builtins), "__class__", "__file__", "__name__", "__annotations__"})


def unresolved_names(text: str) -> frozenset[str]:
    """Names that are read from the module's scope or the builtins and are in neither.

    A star import may define anything: then nothing counts as unresolved. Raises SyntaxError.
    """
    if any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        for node in ast.walk(ast.parse(text))
    ):
        return frozenset()
    top = symtable.symtable(text, "<module>", "exec")
    return frozenset(_read(top)) - set(_bound(top)) - _KNOWN


def _bound(top: symtable.SymbolTable) -> Iterator[str]:
    """Names that the module binds itself, or a function by ``global``."""
    for symbol in top.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            yield symbol.get_name()
    pending = list(top.get_children())
    while pending:
        table = pending.pop()
        pending += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                yield symbol.get_name()


def _read(top: symtable.SymbolTable) -> Iterator[str]:
    pending = [top]
    while pending:
        table = pending.pop()
        pending += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                yield symbol.get_name()
