"""Types of a module with ``from __future__ import annotations``, for a file that does not have it.

There every type stays unevaluated, and is what it would be as a string; so that is how it is written.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from io import StringIO

from codegen.expansion.model import SourceFile
from codegen.text.lexer import Lexed, name_tokens
from codegen.text.lines import LineMap

#: By these names code asks for types as they are written, strings or not.
_ASKING = frozenset({"__annotations__", "get_annotations", "getfullargspec"})
_ASKING |= {"annotation", "return_annotation", "get_type_hints", "__annotate__"}
_PRINTED = re.compile(r"\b(?:str|repr|print|format)\(\s*(?:\w+\.)*signature\(")


def asks_for_types(lexed: Lexed) -> bool:
    """Whether code of a module looks at types while it runs: evaluated ones are no strings then."""
    names = name_tokens(lexed.code)
    shown = "signature" in names and not names & {"parameters", "bind", "bind_partial"}
    shown = shown or _PRINTED.search(lexed.code) is not None
    return shown or bool(_ASKING & names) or {"fields", "type"} <= names


@lru_cache(maxsize=32)
def with_quoted_types(source: SourceFile, asked: bool = False) -> SourceFile:
    """The source with its types as strings, and without that import; line by line as it was.

    Where code asks for types, strings and ``None`` become strings, too, as they are there.
    """
    text, lines = source.text, LineMap(source.text)
    tree = ast.parse(text)
    edits = [
        (*lines.span(node), _quoted(lines.source(node))) for node in _types(tree, False, asked)
    ]
    edits += [
        (*lines.span(node), "pass")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    pieces, done = [], 0
    for start, end, new in sorted(edits):
        pieces += [text[done:start], new]
        done = end
    return replace(source, text="".join([*pieces, text[done:]]))


def _types(node: ast.AST, in_function: bool, constants: bool) -> Iterator[ast.expr]:
    """The types in some code that are not evaluated, and would be without the import."""
    if isinstance(node, ast.arg) and node.annotation is not None:
        found = [node.annotation]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
        found = [node.returns]
    elif isinstance(node, ast.AnnAssign) and not (
        in_function and isinstance(node.target, ast.Name)
    ):
        found = [node.annotation]
    else:
        found = []
    yield from (each for each in found if constants or not isinstance(each, ast.Constant))
    inner = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    inner = inner or (in_function and not isinstance(node, ast.ClassDef))
    for child in ast.iter_child_nodes(node):
        if child not in found:
            yield from _types(child, inner, constants)


def _quoted(text: str) -> str:
    """A type as a string. One over several lines is one line, as Python spells it where it is not
    evaluated: a string with line breaks is no expression. The lines behind it are kept, with their comments."""
    kept = text.count("\n")
    lines = _comments(text)
    if kept or '"' in text:
        text = ast.unparse(ast.parse(f"({text})", mode="eval"))  # with quotes as Python writes them
    marks = '"' if '"' not in text else "'"
    plain = "\\" not in text and marks not in text
    string = f"{marks}{text}{marks}" if plain else repr(text)
    return f"({string}{lines})" if kept else string


def _comments(text: str) -> str:
    """What is left of the lines of an expression without its code."""
    lines = [""] * (text.count("\n") + 1)
    for token in tokenize.generate_tokens(StringIO(f"({text})").readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = f"  {token.string}"
    return "\n".join(lines)
