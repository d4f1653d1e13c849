"""Names that a module reads and nothing defines."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

#: What every star import holds: most texts need not be parsed to know that they have none.
_STAR = re.compile(r"\bimport[\s\\]*\*")

BUILT_IN = frozenset({*dir(builtins), "__class__", "__file__", "__name__", "__annotations__"})
"""Names that are there without being bound."""


def unresolved_names(text: str) -> frozenset[str]:
    """Names that are read from the module's scope or the builtins and are in neither.

    A star import may define anything: then nothing counts as unresolved. Raises SyntaxError.
    """
    if _STAR.search(text) and any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        for node in ast.walk(ast.parse(text))
    ):
        return frozenset()
    top = symtable.symtable(text, "<module>", "exec")
    return names_read(top) - set(_bound(top)) - BUILT_IN


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


def free_names(text: str) -> frozenset[str]:
    """Names that a text reads from its module, or as one. Raises SyntaxError."""
    return names_read(symtable.symtable(text, "<module>", "exec"))


def names_read(top: symtable.SymbolTable) -> frozenset[str]:
    """Names that a module reads itself, or its functions and classes from it or from the builtins."""
    found: set[str] = set()
    pending = [top]
    while pending:
        table = pending.pop()
        pending += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                found.add(symbol.get_name())
    return frozenset(found)
