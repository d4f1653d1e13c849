"""A library as passes have left it, and where lines of changed texts come from."""

from __future__ import annotations

import pytest

from codegen.rewrite.given_lines import line_before
from codegen.rewrite.registry import OverlaidLibrary, without_captured
from codegen.rewrite.values import Record
from tests.rewrite.test_rules import DictLibrary

BASE = DictLibrary({"models/a/modeling_a.py": "b = 1\n", "models/b/modeling_b.py": "y\n"})
A, B = "models.a.modeling_a", "models.b.modeling_b"


@pytest.mark.parametrize("text", ["a = 1\n", "c = 1\n", ""])
def test_a_text_that_differs_is_an_edit(text: str) -> None:
    library = OverlaidLibrary(BASE, {}).over({A: text})
    assert library.edits() == {"models/a/modeling_a.py": text}
    source = library.read(A)
    assert source is not None and (source.text, source.path) == (text, "models/a/modeling_a.py")
    other = library.read(B)
    assert other is not None and other.text == "y\n"


def test_a_text_that_is_as_it_was_is_none() -> None:
    library = OverlaidLibrary(BASE, {}).over({A: "a\n"}).over({A: "b = 1\n", "models.none": "x"})
    assert library.edits() == {}
    assert library.read("models.none") is None


def test_fewer_modules_may_be_changed_and_all_read() -> None:
    library = OverlaidLibrary(BASE, {})
    assert set(library.modules()) == {A, B}
    assert set(library.only([B, "models.none"]).modules()) == {B}
    assert library.only([]).modules() == {}
    assert library.only([B]).read(A) is not None


def record(kind: str, method: str, **more: str) -> Record:
    return Record("tiny", "A", method, kind, "a.py:1", **more)


def test_what_was_left_and_then_captured_is_not_reported_as_left() -> None:
    records = [record("left", "f"), record("captured", "f"), record("left", "g")]
    assert without_captured(records) == records[1:]
    recognised = [record("left", "f", helper="get_vision_cu_seqlens"), record("captured", "f")]
    assert without_captured(recognised) == recognised


OLD = "a\nb\nc\nd\ne"


@pytest.mark.parametrize(
    "new, lines",
    [
        (OLD, [1, 2, 3, 4, 5]),
        ("a\nnew\nb\nc\nd\ne", [1, 2, 2, 3, 4, 5]),
        ("a\nc\nd\ne", [1, 3, 4, 5]),
        ("a\nx\ny\nz\nd\ne", [1, 2, 3, 3, 4, 5]),
    ],
)
def test_the_line_that_a_line_comes_from_or_stands_behind(new: str, lines: list[int]) -> None:
    assert [line_before(OLD, new, n + 1) for n in range(len(lines))] == lines


def test_lines_that_occur_often_are_told_apart() -> None:
    """In a file of some hundred lines, blank ones are most of it."""
    old = "".join(f"x{n}\n\n" for n in range(200)) + "".join(["same\n"] * 100)
    new = "first\n" + old
    for line in (2, 3, 150, 299, 401, 450, 500):
        assert line_before(old, new, line) == line - 1
