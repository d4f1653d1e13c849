"""Strings that keep their places do what strings do, and every place is where its character is."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from codegen.explain.align import aligned
from codegen.explain.origins import SOURCES, Traced, joined, offset, respelled, substituted
from codegen.explain.passed import by_pass, passed

TEXTS = st.text(alphabet="ab, \n.x", max_size=30)


def traced(text: str) -> Traced:
    return SOURCES.traced("some.py", text)


def check(result: str, expected: str, source: str) -> None:
    """The result is the expected string, made of characters that stand where they say."""
    assert result == expected
    assert isinstance(result, Traced)
    assert len(result.places) == len(result)
    for char, place in zip(str.__str__(result), result.places):
        assert source[offset(place)] == char


@given(TEXTS, st.integers(-3, 30), st.integers(-3, 30))
def test_cuts(text: str, start: int, end: int) -> None:
    check(traced(text)[start:end], text[start:end], text)


@given(TEXTS)
def test_what_strings_offer(text: str) -> None:
    cut = traced(text)
    check(cut.strip(), text.strip(), text)
    check(cut.lstrip("a"), text.lstrip("a"), text)
    check(cut.rstrip("b\n"), text.rstrip("b\n"), text)
    check(cut.removeprefix("a"), text.removeprefix("a"), text)
    check(cut.removesuffix("a"), text.removesuffix("a"), text)
    for own, plain in zip(cut.split(","), text.split(",")):
        check(own, plain, text)
    for own, plain in zip(cut.rsplit(None, 1), text.rsplit(None, 1)):
        check(own, plain, text)
    assert cut.split("\n") == text.split("\n")
    assert cut.partition(".") == text.partition(".")
    assert cut.rpartition(".") == text.rpartition(".")
    assert cut.replace("a", "yy") == text.replace("a", "yy")
    assert substituted(re.compile("a+"), "z", cut) == re.sub("a+", "z", text)


def test_text_between_two_cuts_took_the_place_of_what_stood_there() -> None:
    source = traced("class AlphaModel(Base):")
    new = joined("", [source[:6], "Beta", source[11:]])
    assert new == "class BetaModel(Base):"
    assert isinstance(new, Traced)
    assert [offset(place) for place in new.places[6:10]] == [6, 7, 8, 10]
    check(source[:6] + source[6:], "class AlphaModel(Base):", "class AlphaModel(Base):")


def test_text_between_cuts_of_two_files_has_no_place() -> None:
    new = joined(" and ", [SOURCES.traced("one.py", "left"), SOURCES.traced("two.py", "right")])
    assert isinstance(new, Traced)
    assert list(new.places[4:9]) == [0] * 5


def test_what_begins_and_ends_alike_keeps_its_place() -> None:
    new = respelled("BetaConfig", traced("AlphaConfig"))
    assert isinstance(new, Traced)
    assert [offset(place) for place in new.places[-6:]] == [5, 6, 7, 8, 9, 10]


def test_lines_that_a_pass_left_or_touched_keep_their_places() -> None:
    """What it wrote anew has none, even where words of it stood in what it replaced."""
    source = "def f(x):\n    kind = x.kind\n    y = x * 2 + offset(x, 1)\n    return y * x\n"
    draft = traced(source)
    done = "def f(x):\n    y = x * 2 + moved(x, 1)\n    return fused(x.kind, y)\n"
    new = passed(draft, done)
    assert new == done
    written = [place != by_pass(" ").places[0] for place in new.places]
    of = {word: written[done.index(word)] for word in ("def", "x * 2", "(x, 1)", "moved", "fused")}
    assert of == {"def": True, "x * 2": True, "(x, 1)": True, "moved": False, "fused": False}
    assert not written[done.index("x.kind")]
    for char, place, own in zip(done, new.places, written):
        assert not own or source[offset(place)] == char


def test_words_are_found_behind_a_formatter() -> None:
    old = "import b\nfrom a import (y, x)\n\nvalue = call( 'text',\n  other )\n"
    new = 'from a import x, y\n\nimport b\n\n\nvalue = call(\n    "text",\n    other,\n)\n'
    pairs = aligned(old, new)
    for word in ("a", "b", "x", "y", "value", "call", "text", "other"):
        here = re.search(rf"\b{word}\b", new)
        there = re.search(rf"\b{word}\b", old)
        assert here is not None and there is not None
        assert pairs[here.start()] == there.start()
