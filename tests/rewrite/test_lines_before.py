"""Which lines of a changed text come from which before: by plain definition, on short texts of few words."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.rewrite.given_lines import _equal, _once_in_both, _opcodes, line_before

WORDS = st.lists(st.sampled_from("abcdefg"), max_size=9)
FEW = settings(max_examples=120, deadline=None, derandomize=True)


def text(words: list[str]) -> str:
    return "\n".join(words)


@given(WORDS, WORDS)
@FEW
def test_parts_cover_both_texts_and_equal_ones_are_equal(here: list[str], there: list[str]) -> None:
    here, there = here or [""], there or [""]  # as a text without a line is split
    a = b = 0
    for tag, start, end, first, last in _opcodes(text(there), text(here)):
        assert (start, first) == (a, b)
        assert tag != "equal" or here[start:end] == there[first:last]
        a, b = end, last
    assert (a, b) == (len(here), len(there))


@given(WORDS, WORDS)
@FEW
def test_equal_beginnings_are_as_long_as_can_be(here: list[str], there: list[str]) -> None:
    size = _equal(here, there)
    assert here[:size] == there[:size] and (
        here[size : size + 1] != there[size : size + 1] or size == len(here)
    )


@given(WORDS, WORDS, st.integers(0, 3), st.integers(0, 3))
@FEW
def test_pairs_of_lines_that_stand_once_are_the_most_in_one_order(
    here: list[str], there: list[str], cut: int, cut_there: int
) -> None:
    mine = (min(cut, len(here)), len(here))
    yours = (0, max(0, len(there) - cut_there))
    found = _once_in_both(here, there, mine, yours)
    left, right = here[slice(*mine)], there[slice(*yours)]
    once = [w for w in left if left.count(w) == 1 and right.count(w) == 1]
    places = [(here.index(w, mine[0]), there.index(w)) for w in once]
    assert {*found} <= {*places}
    assert [*found] == sorted(found) and [n for _, n in found] == sorted(n for _, n in found)
    most = max(
        size
        for size in range(len(places) + 1)
        for chosen in combinations([n for _, n in places], size)
        if [*chosen] == sorted(chosen)
    )
    assert len(found) == most


def test_a_way_that_begins_again_is_no_end_of_the_longest() -> None:
    found = _once_in_both([*"cdae"], [*"xaycde"], (0, 4), (0, 6))
    assert [*found] == [(0, 3), (1, 4), (3, 5)]


def test_a_line_comes_from_its_own_or_the_one_in_front() -> None:
    old, new = text([*"abcdef"]), text([*"abXYcfef"])
    found = [line_before(old, new, n + 1) for n in range(8)]
    assert found == [1, 2, 3, 3, 3, 4, 5, 6]
    assert [line_before("a\nb\nc\nd", "a\nX\nY\nZ\nd", n) for n in range(1, 6)] == [1, 2, 3, 3, 4]
    assert [line_before("a\nb\nc", "a\nc", n) for n in (1, 2, 3)] == [1, 3, 3]
    assert line_before("a", "a", 9) == 9
