"""When prompts have shown enough of a processor, and why they have not: by what each of them did."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite.tokens.prompts import has_no_text
from codegen.rewrite.tokens.tally import LACK, MORE, PAST, TOO_FEW, WANTED, Tally

STATEMENTS = ast.parse("a = 1\nb = 2").body
TEXT = next(number for number in range(20) if not has_no_text(number))
NO_TEXT = next(number for number in range(20) if has_no_text(number))
WORDS = f"{TOO_FEW} went through it to compare"


def prompt(items: int = 1, fits: bool = True, number: int = TEXT) -> Any:
    return SimpleNamespace(number=number, fits=fits, items=items)


def did(reached: str = "", replaced: str = "", raised: str = "") -> Any:
    """What a run did: the statements that it came to, by their names, and what it replaced."""
    lines = {id(s) for s in STATEMENTS if ast.unparse(s)[0] in reached}
    return SimpleNamespace(reached=lines, replaced=set(replaced.split()), raised=raised)


def add(tally: Tally, reached: str, replaced: str = "", raised: str = "", items: int = 1) -> None:
    outcome = did(reached, replaced, raised)
    tally.add(prompt(items), outcome, outcome)


@pytest.mark.parametrize(
    ("kinds", "wanted"), [(["i"], WANTED), (["i", "v"], WANTED + MORE), (["iv"], WANTED + MORE)]
)
def test_more_placeholders_want_more_prompts(kinds: list[str], wanted: int) -> None:
    tally = Tally(STATEMENTS)
    tally.expect(kinds)
    for number in range(wanted):
        assert not tally.is_enough
        assert tally.lack.startswith(f"{WORDS} ({number} of {wanted})")
        add(tally, "ab", "i v")
    assert tally.is_enough


def test_every_statement_has_to_run_and_every_placeholder_to_be_replaced() -> None:
    tally = Tally(STATEMENTS)
    tally.expect(["i", "v"])
    for _ in range(20):
        add(tally, "a", "i")
    assert not tally.is_enough and tally.lack.endswith("; line 2 never ran")
    add(tally, "b")
    assert not tally.is_enough and tally.lack.endswith("; v was never replaced")
    add(tally, "b", "v", raised="ValueError")
    assert tally.is_enough


def test_what_raises_or_comes_to_nothing_that_is_compared_is_none() -> None:
    tally = Tally(STATEMENTS)
    for _ in range(20):
        add(tally, "ab", "i", raised="ValueError")
    assert tally.lack == f"{WORDS} (0 of {WANTED}); line 1 never ran"
    for _ in range(20):
        add(tally, "", "i")
    assert tally.lack == f"{WORDS} (0 of {WANTED}); line 1 never ran"


def test_where_items_were_lacking_a_prompt_with_several_has_to_go_through() -> None:
    tally = Tally(STATEMENTS)
    lacking = did("ab", raised=next(iter(LACK)))
    assert not tally.is_comparable(prompt(items=2), lacking)
    for _ in range(20):
        add(tally, "ab", "i")
    assert not tally.is_enough and tally.lack.endswith("; none with several items did")
    add(tally, "ab", items=2)
    assert not tally.is_enough
    tally.add(prompt(items=2, fits=False), did("ab", "i"), did("ab", "i"))
    assert not tally.is_enough
    add(tally, "ab", "i", items=2)
    assert tally.is_enough


@pytest.mark.parametrize(
    ("raised", "fits", "items", "is_comparable", "is_lacking"),
    [
        (True, True, 1, False, False),
        (True, True, 2, False, True),
        (True, False, 2, True, False),
        (False, True, 2, True, False),
    ],
)
def test_what_lacks_items_is_not_compared(
    raised: bool, fits: bool, items: int, is_comparable: bool, is_lacking: bool
) -> None:
    tally = Tally(STATEMENTS)
    outcome = did("ab", raised=next(iter(LACK)) if raised else "")
    assert tally.is_comparable(prompt(items, fits), outcome) == is_comparable
    for _ in range(20):
        add(tally, "ab", "i")
    assert tally.is_enough != is_lacking


def test_another_error_is_compared() -> None:
    assert "ValueError" not in LACK
    assert Tally(STATEMENTS).is_comparable(prompt(2), did("ab", raised="ValueError"))


def test_prompts_without_a_text_are_skipped_once_three_of_them_were_in_vain() -> None:
    tally = Tally(STATEMENTS)
    add(tally, "ab", "i")
    for _ in range(3):
        assert not tally.skips(NO_TEXT)
        assert tally.is_comparable(prompt(number=NO_TEXT), did(raised="TypeError"))
    assert tally.skips(NO_TEXT) and not tally.skips(TEXT)
    tally.is_comparable(prompt(number=NO_TEXT), did())
    assert not tally.skips(NO_TEXT)


def test_prompts_that_come_to_nothing_are_skipped_where_others_do() -> None:
    tally = Tally(STATEMENTS)
    for _ in range(PAST):
        assert not tally.skips(TEXT)
        tally.is_comparable(prompt(), did())
    assert not tally.skips(TEXT)
    add(tally, "ab", "i")
    assert tally.skips(TEXT) and not tally.skips(NO_TEXT)
    tally.is_comparable(prompt(), did("a"))
    assert not tally.skips(TEXT)


def test_what_cannot_be_followed_a_dozen_times_is_given_up() -> None:
    tally = Tally(STATEMENTS)
    assert not any(tally.gives_up(TEXT, "a with") for _ in range(12))
    assert not any(tally.gives_up(TEXT, "a star") for _ in range(11))
    assert tally.lack == "it cannot be followed: a with"
    assert tally.gives_up(TEXT, "a with")
    add(tally, "ab", "i")
    assert not tally.gives_up(TEXT, "a with")
    assert tally.lack.startswith(WORDS)
