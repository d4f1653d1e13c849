"""Pieces of code with other expressions in them, and the names they read: found in their trees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.nodes import walk
from codegen.text.lexer import lex, name_tokens
from codegen.text.lines import LineMap

_HEADS = ("", "if 1:\n", "(")
"""What may stand in front of a piece so that it parses: statements, statements with a margin, an expression."""


def swapped(text: str, new: Callable[[ast.expr], str | None]) -> str:
    """A piece of code with new text for the expressions that get one; as it is where it does not parse."""
    made = _parsed(text)
    if made is None:
        return text
    head, lines, tree = made
    splices = [
        Splice(start - len(head), end - len(head), put)
        for node, put in _outermost(tree, new)
        for start, end in [lines.span(node)]
        if _stands_at(lines.text[start:end], node)
    ]
    return spliced(text, splices)


def names_in(text: str) -> set[str]:
    """The names in a piece of code; if it does not parse, all words in it that may be names."""
    made = _parsed(text)
    if made is None:
        return name_tokens(lex(text).code)
    return {node.id for node in walk(made[2]) if isinstance(node, ast.Name)}


def _parsed(text: str) -> tuple[str, LineMap, ast.Module] | None:
    for head in _HEADS:
        whole = f"{head}{text}" + ("\n)" if head == "(" else "")
        try:
            return head, LineMap(whole), ast.parse(whole)
        except (SyntaxError, ValueError):
            continue
    return None


def _outermost(
    tree: ast.AST, new: Callable[[ast.expr], str | None]
) -> Iterator[tuple[ast.expr, str]]:
    for child in ast.iter_child_nodes(tree):
        put = new(child) if isinstance(child, ast.expr) else None
        if put is not None and isinstance(child, ast.expr):
            yield child, put
        else:
            yield from _outermost(child, new)


def _stands_at(text: str, node: ast.expr) -> bool:
    """Whether that is the text of a node: before Python 3.12 places in strings over several lines are wrong."""
    try:
        return ast.dump(ast.parse(f"({text}\n)", mode="eval").body) == ast.dump(node)
    except (SyntaxError, ValueError):
        return False
