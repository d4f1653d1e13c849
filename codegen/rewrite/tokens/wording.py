"""Pieces of a processor's source under other names, as the author wrote them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping, Sequence
from textwrap import dedent

from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.modules import ModuleInfo
from codegen.text.lexer import lex
from codegen.text.lines import split_lines

MAX_LINE = 119


def modality_of(token: str) -> str:
    """Which kind of item a placeholder stands for, by its name."""
    low = token.lower()
    return next((name for name in ("video", "audio") if name in low), "image")


def lines_of(info: ModuleInfo, statements: Sequence[ast.stmt]) -> list[str]:
    """The lines of statements at the left margin, without comments: these stay where they stood."""
    found: list[str] = []
    for node in statements:
        found += split_lines(dedent(without_comments(info.segment(node))))
    return [line.rstrip("\n") for line in found if line.strip()]


def without_comments(text: str) -> str:
    """A text without its comments, and without the lines that held nothing else."""
    for start, end in reversed(lex(text).comments if "#" in text else []):
        line = text.rfind("\n", 0, start) + 1
        if text[line:start].strip():
            text = text[: len(text[:start].rstrip())] + text[end:]
        else:
            text = text[:line] + text[end + 1 :]
    return text


def expression(info: ModuleInfo, node: ast.expr) -> str:
    """An expression as it is written, on one line."""
    found = _written(info, node)
    joined = _on_one_line(found) if found is not None and "#" not in found else None
    return ast.unparse(node) if joined is None else joined


def _on_one_line(text: str) -> str | None:
    """An expression without its line breaks; None where one is part of a string, or of the meaning."""
    if "\n" not in text:
        return text
    whole = f"({text})"
    lines, made = split_lines(whole), ""
    last, previous = (1, 0), "("
    for token in tokenize.generate_tokens(io.StringIO(whole).readline):
        if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
            continue
        gap = _between(lines, last, token.start)
        if "\n" in gap:
            closes = token.string in (")", "]", "}")
            made = made.rstrip().removesuffix(",") if closes else made.rstrip()
            gap = "" if closes or previous in ("(", "[", "{") else " "
        made += gap + _between(lines, token.start, token.end)
        last, previous = token.end, token.string
    if "\n" in made or ast.dump(ast.parse(made)) != ast.dump(ast.parse(whole)):
        return None
    return made[1:-1].strip()


def without_brackets(target: ast.expr) -> str:
    """The target of a loop as it stands behind ``for``."""
    written = ast.unparse(target)
    return written[1:-1] if isinstance(target, ast.Tuple) and written.startswith("(") else written


def segment(info: ModuleInfo, node: ast.expr) -> str:
    """An expression as it is written, over as many lines, at the left margin and without comments."""
    lines = info.text.lines[node.lineno - 1 : node.end_lineno]
    found = _written(info, node) or ast.unparse(node)
    margin = " " * (len(lines[0]) - len(lines[0].lstrip())) if lines else ""
    return without_comments(dedent(margin + found))


def _written(info: ModuleInfo, node: ast.expr) -> str | None:
    """The text of an expression; None of one that was made and stands nowhere."""
    return info.text.source(node) if getattr(node, "end_lineno", None) is not None else None


def renamed(
    text: str, names: Mapping[str, str], calls: Mapping[str, str], sentinels: Mapping[str, str]
) -> str:
    """A text with other names, other expressions in the place of calls, and units for sentinels."""
    for call, new in calls.items():
        text = text.replace(call, new)
    for sentinel, unit in sentinels.items():
        text = _with_unit(text, sentinel, unit)
    if not any(name in text for name in names):
        return text
    made: list[str] = []
    last, lines = (1, 0), split_lines(text)
    previous = ""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError):
        return text
    for token in tokens:
        if token.type == tokenize.NAME and previous != "." and token.string in names:
            made.append(_between(lines, last, token.start))
            made.append(names[token.string])
            last = token.end
        previous = token.string
    made.append(_between(lines, last, (len(lines) + 1, 0)))
    return "".join(made)


def _with_unit(text: str, sentinel: str, unit: str) -> str:
    """A text with an expression in the place of a string, alone or as a part of a longer one."""
    if sentinel not in text:
        return text
    found = lex(text)
    splices = []
    inner = (
        "'" not in unit and '"' not in unit
    )  # before Python 3.12 no quote may be in an f-string twice
    for start, end in found.strings:
        made = _string_with_unit(text[start:end], sentinel, unit, inner)
        splices += [Splice(start, end, made)] if made else []
    for start, end in found.fstring_literals if inner else ():
        made = text[start:end].replace(sentinel, f"{{{unit}}}")
        splices.append(Splice(start, end, made))
    return spliced(text, splices)


def _string_with_unit(literal: str, sentinel: str, unit: str, inner: bool) -> str:
    """What stands for a string with a sentinel; empty where it has none, or its text cannot be kept."""
    value = ast.literal_eval(literal)
    if value == sentinel:
        return unit
    plain = literal[0] in "'\"" and literal[:3] not in ("'''", '"""')
    kept = plain and not any(char in literal for char in "\\{}")
    return (
        f"f{literal}".replace(sentinel, f"{{{unit}}}")
        if kept and inner and sentinel in literal
        else ""
    )


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    parts = [lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1]]
    if end[0] <= len(lines):
        parts.append(lines[end[0] - 1][: end[1]])
    return "".join(parts)


def call_lines(target: str, function: str, arguments: Sequence[str]) -> list[str]:
    """``target = function(arguments)`` on one line where it fits below two levels, else one argument a line."""
    flat = f"{target} = {function}({', '.join(arguments)})"
    if len(flat) + 16 <= MAX_LINE:
        return [flat]
    return [f"{target} = {function}(", *(f"    {item}," for item in arguments), ")"]


def placeholder_of(kind: str) -> str:
    """The name of the placeholder of a kind of item where it is not always the same."""
    return f"{kind}_placeholder"


def wrapped(target: str, value: ast.IfExp) -> list[str]:
    """``target = a if test else b``, in brackets and over its parts where it is too long for a line."""
    flat = f"{target} = {ast.unparse(value)}"
    if len(flat) + 16 <= MAX_LINE:
        return [flat]
    first, test, last = map(ast.unparse, (value.body, value.test, value.orelse))
    return [f"{target} = (", f"    {first}", f"    if {test}", f"    else {last}", ")"]
