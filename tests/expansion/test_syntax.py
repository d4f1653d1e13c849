"""Source text as a space: the lexer against tokenize, and slices that lose nothing."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import io
import json.decoder
import sys
import tokenize
import typing
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.text.indent import normalize_indent
from codegen.text.lexer import lex, name_tokens
from codegen.text.read_classes import parse_class
from codegen.text.statements import LineMap, split_block

REAL_SOURCES = [argparse, ast, dataclasses, inspect, json.decoder, tokenize, typing]

words = st.sampled_from(["lit", "LIT_2", "né", "a b", "#", "x # y", "\\\\", "\\n", "0", "{}"[:0]])
fields = st.sampled_from(
    ["{var}", "{var!r}", "{var:>8}", "{var:{width}}", "{{lit}}", "{call(var, key=1)}", "{var=}"]
)
PREFIXES = ["", "r", "b", "u", "Rb", "f", "F", "rf"]


@st.composite
def string_literals(draw: st.DrawFn) -> str:
    """A string literal with any prefix and quotes; f-strings have replacement fields."""
    prefix, quote = draw(st.sampled_from(PREFIXES)), draw(st.sampled_from(['"', "'", '"""', "'''"]))
    formatted = "f" in prefix.lower()
    other = "'" if '"' in quote else '"'
    parts = [words, st.just(other)]
    if len(quote) == 3:
        parts += [st.just("\n"), st.just(f"{quote[0]} ")]
    if formatted:
        parts += [fields, st.just(f"{{var[{other}key{other}]}}")]
    pieces = draw(st.lists(st.one_of(parts), max_size=6))
    content = "".join(pieces)
    if "b" in prefix.lower():
        content = content.encode("ascii", "ignore").decode()
    return f"{prefix}{quote}{content} {quote}"


comments = st.sampled_from(["", "  # note", '  # it\'s "quoted"', '  # """', "  #"])


@st.composite
def modules(draw: st.DrawFn, depth: int = 0, unit: str = "    ") -> str:
    """A block of statements with comments, blank lines, strings and nested blocks."""
    pad = unit * depth
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        lines += draw(
            st.lists(st.sampled_from(["", f"{pad}# above", "# at the margin"]), max_size=3)
        )
        kind = draw(st.integers(0, 5 if depth < 2 else 2))
        note = draw(comments)
        if kind == 0:
            lines.append(f"{pad}name = {draw(string_literals())}{note}")
        elif kind == 1:
            lines.append(f"{pad}call(\n  1,{note}\n{pad}){draw(comments)}")
        elif kind == 2:
            lines.append(f"{pad}one = 1; two = 2{note}")
        else:
            header = {3: "def run(self, x=')'):", 4: "class Inner(Base):", 5: "if name:"}[kind]
            if kind != 5:
                lines += [f"{pad}@mark({draw(string_literals())})"] * draw(st.integers(0, 2))
            lines.append(f"{pad}{header}{note}")
            lines.append(draw(modules(depth=depth + 1, unit=unit)).rstrip("\n"))
            if kind == 5 and draw(st.booleans()):
                lines += [f"{pad}else:", f"{pad}{unit}pass"]
    lines += draw(st.lists(st.sampled_from(["", f"{pad}# below"]), max_size=2))
    return "\n".join(lines) + "\n"


Region = tuple[int, int]


def python_regions(text: str) -> tuple[list[Region], list[Region], list[Region]]:
    """Comments, strings and whole f-strings by the standard tokenizer; strings inside are left out."""
    comments: list[Region] = []
    strings: list[Region] = []
    formatted: list[Region] = []
    lines, depth, opened = LineMap(text), 0, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start = lines.start_of(token.start[0]) + token.start[1]
        end = lines.start_of(token.end[0]) + token.end[1]
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":  # Python 3.12 takes f-strings apart
            opened, depth = (start, 1) if depth == 0 else (opened, depth + 1)
        elif name == "FSTRING_END":
            depth -= 1
            formatted += [(opened, end)] if depth == 0 else []
        elif name == "COMMENT":
            comments.append((start, end))
        elif name == "STRING" and depth == 0:
            prefix = token.string[: min(map(token.string.find, "\"'"), key=lambda at: at % 99)]
            (formatted if "f" in prefix.lower() else strings).append((start, end))
    return comments, strings, formatted


def check_lexer(text: str) -> None:
    lexed = lex(text)
    comments, strings, formatted = python_regions(text)
    assert list(lexed.comments) == comments
    inside = [
        found for found in lexed.strings if any(a < found[0] < found[1] < b for a, b in formatted)
    ]
    assert [found for found in lexed.strings if found not in inside] == strings
    for start, end in lexed.fstring_literals:
        assert any(a <= start < end <= b for a, b in formatted)
    expected, done = "", 0
    for start, end in sorted((*lexed.comments, *lexed.strings, *lexed.fstring_literals)):
        assert done <= start < end
        expected += text[done:start] + " " * (end - start)
        done = end
    assert lexed.code == expected + text[done:]
    read = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert read <= name_tokens(lexed.code)


@given(modules())
def test_lexer_agrees_with_tokenize(text: str) -> None:
    check_lexer(text)
    assert not name_tokens(lex(text).code) & {"lit", "LIT_2", "né", "note", "above", "below"}


@pytest.mark.parametrize("module", REAL_SOURCES, ids=lambda module: module.__name__)
def test_lexer_agrees_with_tokenize_on_real_modules(module: ModuleType) -> None:
    check_lexer(inspect.getsource(module))


def check_slices(text: str) -> None:
    """Slices of a module, and of every block in it, give back their text."""
    lines = LineMap(text)
    tree = ast.parse(text)
    statements, footer = split_block(lines, tree.body, 1, len(lines.starts) - 1)
    joined = "".join(f"{item.lead}{item.text}\n" for item in statements) + footer
    assert joined.rstrip("\n") == text.rstrip("\n")
    for statement in statements:
        assert text[statement.start : statement.end] == statement.text
        assert not statement.text.startswith("\n") and statement.nodes
        assert not [line for line in statement.lead.splitlines() if not _is_free(line)]
        inner = getattr(statement.node, "body", None)
        if isinstance(statement.node, (ast.ClassDef, ast.FunctionDef)) and isinstance(inner, list):
            _check_block(lines, statement.node, lines.line_at(max(statement.end - 1, 0)))


def _is_free(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _check_block(lines: LineMap, node: ast.ClassDef | ast.FunctionDef, last: int) -> None:
    body = node.body
    first = body[0].lineno
    decorators = getattr(body[0], "decorator_list", None)
    first = decorators[0].lineno if decorators else first
    if first == node.lineno:
        return
    statements, footer = split_block(lines, body, first, last)
    joined = "".join(f"{item.lead}{item.text}\n" for item in statements) + footer
    assert joined.rstrip("\n") == lines.text[lines.start_of(first) : lines.end_of(last)].rstrip(
        "\n"
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is that of Python 3.12")
def test_type_parameters_stay_with_their_function() -> None:
    check_methods("class Box[T]:\n    def get[S: (int, str)](self, key: S) -> T:\n        ...\n")


@given(modules())
def test_slices_lose_nothing(text: str) -> None:
    check_slices(text)
    check_slices(text.rstrip("\n"))


@pytest.mark.parametrize("module", REAL_SOURCES, ids=lambda module: module.__name__)
def test_slices_of_real_modules_lose_nothing(module: ModuleType) -> None:
    check_slices(inspect.getsource(module))


def check_methods(text: str) -> None:
    """A method put together again from its parts means the same, and keeps its comments."""
    parsed, _ = parse_class(text)
    for _, method in parsed.methods:
        again = method.text()
        original = f"class _:\n{method.source}\n"
        assert ast.dump(ast.parse(f"class _:\n{again}")) == ast.dump(ast.parse(original))
        wanted = [original[start:end] for start, end in lex(original).comments]
        kept = again.removeprefix(method.lead)
        assert [kept[start:end] for start, end in lex(kept).comments] == wanted


@given(modules(depth=1))
def test_methods_survive_being_taken_apart(body: str) -> None:
    check_methods(f"class Norm(Base):\n{body}")


@pytest.mark.parametrize("module", REAL_SOURCES, ids=lambda module: module.__name__)
def test_real_methods_survive_being_taken_apart(module: ModuleType) -> None:
    text = inspect.getsource(module)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            check_methods("\n".join(text.split("\n")[node.lineno - 1 : node.end_lineno]) + "\n")


@given(st.sampled_from(["  ", "   ", "\t", "      "]).flatmap(lambda unit: modules(unit=unit)))
def test_other_indentation_is_normalized(text: str) -> None:
    normal = normalize_indent(text)
    tree = ast.parse(normal)
    assert ast.dump(tree) == ast.dump(ast.parse(text))
    assert len(lex(normal).comments) == len(lex(text).comments)
    assert normal.count("\n") == text.count("\n")
    rows = normal.split("\n")
    for level, node in _statements(tree.body, 0):
        if not rows[node.lineno - 1][: node.col_offset].strip():
            assert node.col_offset == 4 * level
    assert normalize_indent(normal) == normal


def _statements(body: list[ast.stmt], level: int) -> Iterator[tuple[int, ast.stmt]]:
    for node in body:
        yield level, node
        for name in ("body", "orelse"):
            yield from _statements(getattr(node, name, []), level + 1)


@given(modules())
def test_usual_indentation_is_left_alone(text: str) -> None:
    assert normalize_indent(text) == text
