"""Types that are not evaluated, written as strings: one expression each, lines and comments kept."""

from __future__ import annotations

import ast

import pytest

from codegen.expansion.link import quoting


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("int", "int"),
        ('Literal["a"]', "Literal['a']"),
        ("Stone\n    | Pebble", "Stone | Pebble"),
        ("dict[\n    str,  # keys\n    # alone\n    int,\n]", "dict[str, int]"),
        ('Literal[\n    "a#b",  # no comment before\n    "c",\n]', "Literal['a#b', 'c']"),
    ],
)
def test_a_type_is_one_expression_with_its_lines_and_comments(text: str, meant: str) -> None:
    quoted = quoting._quoted(text)
    assert ast.literal_eval(quoted) == meant
    ast.parse(meant, mode="eval")
    assert quoted.count("\n") == text.count("\n")
    assert quoted.count("  #") == sum(word in text for word in ("# keys", "# alone", "# no"))
