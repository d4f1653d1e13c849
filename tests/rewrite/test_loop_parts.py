"""The statements that loops over texts are made of, each beside what only looks like it."""

from __future__ import annotations

import ast
from typing import TypeVar

import pytest

from codegen.rewrite.tokens.inline import _two_forms
from codegen.rewrite.tokens.replacing import Parts, last_value, looked_for, searched
from codegen.rewrite.tokens.splits import _collected, _joins, _split_of, _subject

Kind = TypeVar("Kind", bound=ast.AST)


def only(text: str, kind: type[Kind]) -> Kind:
    """The only statement of a text."""
    (node,) = ast.parse(text).body
    assert isinstance(node, kind)
    return node


def shown(node: ast.AST | None) -> str | None:
    return ast.unparse(node) if node is not None else None


LOOP = only("for text in texts: pass", ast.For)
TEXT = Parts("text", LOOP)


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        ("P in text", "P"),
        ("self.a + 'b' in text", "self.a + 'b'"),
        ("P not in text", None),
        ("P in other", None),
        ("P in texts", None),
        ("P in Text", None),
        ("P in text in other", None),
        ("P in text != other", None),
        ("P == text", None),
        ("text", None),
        ("f(P in text)", None),
        ("P in text and Q in text", None),
    ],
)
def test_what_is_looked_for(test: str, wanted: str | None) -> None:
    node = ast.parse(test, mode="eval").body
    assert shown(searched(node, "text")) == wanted
    assert shown(looked_for(only(f"while {test}: pass", ast.While), "text", ())) == wanted


@pytest.mark.parametrize(
    ("loop", "before", "wanted"),
    [
        ("for _ in range(text.count(P)): f()", "", "P"),
        ("for i in range(text.count(P)): f(j)", "", "P"),
        ("for i in range(text.count(P)): f(i)", "", None),
        ("for _ in range(other.count(P)): f()", "", None),
        ("for _ in range(text.index(P)): f()", "", None),
        ("for _ in range(text.count(P), 2): f()", "", None),
        ("for _ in reversed(text.count(P)): f()", "", None),
        ("for _ in text.count(P): f()", "", None),
        ("for _ in range(number): f()", "number = text.count(P)", "P"),
        ("for _ in range(number): f()", "number = other.count(P)", None),
        ("for _ in range(number): f()", "other = text.count(P)", None),
        ("for _ in range(number): f()", "number = text.count(P)\nnumber = text.count(Q)", None),
        ("for _ in range(number): f()", "number = len(text)", None),
        ("for _ in range(number): f()", "", None),
        ("for _ in number: f()", "number = text.count(P)", None),
        ("for _ in range(3): f()", "", None),
    ],
)
def test_what_is_counted(loop: str, before: str, wanted: str | None) -> None:
    found = looked_for(only(loop, ast.For), "text", ast.parse(before).body)
    assert shown(found) == wanted


@pytest.mark.parametrize(
    ("line", "limited", "free"),
    [
        ("text = text.replace(P, r, 1)", True, False),
        ("text = text.replace(P, r)", False, True),
        ("text = text.replace(P, r, 2)", False, False),
        ("text = text.replace(P, r, 1, 1)", False, False),
        ("text = text.replace(P)", False, False),
        ("text = other.replace(P, r, 1)", False, False),
        ("other = text.replace(P, r, 1)", False, False),
        ("text = other = text.replace(P, r, 1)", False, False),
        ("text = text.remove(P, r, 1)", False, False),
        ("text = replace(P, r, 1)", False, False),
        ("text += text.replace(P, r, 1)", False, False),
        ("text.replace(P, r, 1)", False, False),
        ("text = text.replace(P, r, count)", False, False),
    ],
)
def test_what_replaces(line: str, limited: bool, free: bool) -> None:
    (node,) = ast.parse(line).body
    found = TEXT.replacement(node, True), TEXT.replacement(node, False)
    assert (found[0] is not None, found[1] is not None) == (limited, free)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("out.append(text)", "out"),
        ("self.out.append(text)", "self.out"),
        ("out.append(other)", ""),
        ("out.append(text, text)", ""),
        ("out.append()", ""),
        ("out.extend(text)", ""),
        ("append(text)", ""),
        ("out = text", ""),
    ],
)
def test_what_collects(line: str, wanted: str) -> None:
    (node,) = ast.parse(line).body
    assert TEXT.appended(node) == wanted


FORM = (
    "if {test}:\n    text = text.replace({first}, {one}, 1)\n"
    "else:\n    text = text.replace({last}, {other}, 1)"
)
LONG = {"test": "'<' + P in text", "first": "'<' + P", "last": "P", "one": "r", "other": "r"}


@pytest.mark.parametrize(
    ("change", "is_it"),
    [
        ({}, True),
        ({"test": "'<' + P in other"}, False),
        ({"test": "'>' + P in text"}, False),
        ({"first": "'>' + P"}, False),
        ({"last": "Q"}, False),
        ({"one": "s"}, False),
        ({"other": "s"}, False),
        ({"one": "s", "last": "Q"}, False),
        ({"one": "s", "other": "s"}, True),
    ],
)
def test_a_placeholder_with_or_without_its_ends(change: dict[str, str], is_it: bool) -> None:
    node = only(FORM.format(**{**LONG, **change}), ast.If)
    found = _two_forms(TEXT, node)
    assert (found is not None) == is_it
    if found is not None:
        assert [ast.unparse(call.args[0]) for call in found] == ["'<' + P", "P"]


@pytest.mark.parametrize(
    "more", ["\n    f()", "\nf()", ""], ids=["behind the second", "behind both", "no second"]
)
def test_two_forms_and_nothing_else(more: str) -> None:
    text = FORM.format(**LONG)
    text = text + more if more else text.partition("else")[0]
    assert _two_forms(TEXT, ast.parse(text).body[0]) is None or more == "\nf()"


@pytest.mark.parametrize(
    ("loop", "wanted"),
    [
        ("for i, s in enumerate(r): text += s + parts[i + 1]", "r"),
        ("for (i, s) in enumerate(self.r): text += s + parts[i + 1]", "self.r"),
        ("for i, s in enumerate(r, 1): text += s + parts[i + 1]", ""),
        ("for i, s in zip(r): text += s + parts[i + 1]", ""),
        ("for i, s in r: text += s + parts[i + 1]", ""),
        ("for i, s in enumerate(r): text += s + parts[i]", ""),
        ("for i, s in enumerate(r): text += parts[i + 1] + s", ""),
        ("for i, s in enumerate(r): other += s + parts[i + 1]", ""),
        ("for i, s in enumerate(r): text += s + others[i + 1]", ""),
        ("for i, s in enumerate(r): text += i + parts[s + 1]", ""),
        ("for i, s in enumerate(r):\n    text += s + parts[i + 1]\n    f()", ""),
        ("for i in enumerate(r): text += s + parts[i + 1]", ""),
        ("for i, s, t in enumerate(r): text += s + parts[i + 1]", ""),
        ("for i, s in other(r): text += s + parts[i + 1]", ""),
        ("text += s + parts[i + 1]", ""),
    ],
)
def test_what_joins_parts(loop: str, wanted: str) -> None:
    (node,) = ast.parse(loop).body
    assert _joins(node, "text", "parts") == wanted


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("text in texts", ("text", "texts")),
        (
            "text, s in zip(texts, sizes)",
            ("text", "[text for text, *_ in zip(texts, sizes)]"),
        ),
        ("text, s in enumerate(texts)", ("", "")),
        ("text, s in zipped(texts, sizes)", ("", "")),
        ("self.text, s in zip(texts, sizes)", ("", "")),
        ("text in f(texts)", ("", "")),
        ("text, s in texts", ("", "")),
    ],
)
def test_what_a_loop_goes_through(head: str, wanted: tuple[str, str]) -> None:
    assert _subject(only(f"for {head}: pass", ast.For)) == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("parts = text.split(P)", "P"),
        ("parts = text.split()", None),
        ("parts = text.split(P, 1)", None),
        ("parts = other.split(P)", None),
        ("parts = text.rsplit(P)", None),
        ("parts = more = text.split(P)", None),
        ("text.split(P)", None),
        ("parts = split(P)", None),
    ],
)
def test_what_is_split(line: str, wanted: str | None) -> None:
    (node,) = ast.parse(line).body
    assert shown(_split_of(node, "text")) == wanted


def test_what_is_collected_has_a_name() -> None:
    assert _collected(ast.parse("out.append(text)").body[0]) == "out"
    assert _collected(ast.parse("f(text)").body[0]) == ""


GIVEN = """
def f(self, x):
    a = 1
    b = None
    c = None
    c = 2
    d = 3
    d = None
    self.a = 4
    use(a)
    a = 5
"""


@pytest.mark.parametrize(
    ("name", "line", "wanted"),
    [
        *(("a", 10, "1"), ("a", 12, "5"), ("a", 3, None), ("a", 4, "1"), ("b", 10, "None")),
        *(("c", 10, "2"), ("c", 6, "None"), ("d", 10, "3"), ("x", 10, None), ("a", 0, None)),
    ],
)
def test_what_a_name_was_given_last(name: str, line: int, wanted: str | None) -> None:
    function = only(GIVEN, ast.FunctionDef)
    before = ast.Pass(lineno=line)
    assert shown(last_value(function, name, before)) == wanted
