"""Text edits by offset."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.emit.edits import Edit, apply_edits
from codegen.text.lines import LineMap


def test_edits_apply_in_any_order() -> None:
    assert apply_edits("abcdef", [Edit(4, 5, "X"), Edit(0, 1, ""), Edit(2, 2, "-")]) == "b-cdXf"


def test_edit_inside_a_larger_one_is_dropped() -> None:
    assert apply_edits("abcdef", [Edit(1, 5, "_"), Edit(2, 3, "X")]) == "a_f"


def test_crossing_edits_are_an_error() -> None:
    with pytest.raises(ValueError, match="overlap"):
        apply_edits("abcdef", [Edit(0, 3, "x"), Edit(2, 5, "y")])


def test_spans_count_characters_not_bytes() -> None:
    text = LineMap("x = 'é' + y\n")
    node = ast.parse(text.text).body[0]
    assert isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp)
    assert text.source(node.value.right) == "y"


def test_statement_lines_take_leading_comments() -> None:
    text = LineMap("a = 1\n# why\n# how\nb = 2\nc = 3\n")
    start, end = text.statement_lines(ast.parse(text.text).body[1])
    assert text.text[start:end] == "# why\n# how\nb = 2\n"
