"""Offsets through several passes: they lead from the first texts to the last."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from utils.processing_utils import get_text_with_replacements
from utils.replacement_offsets import chain_offsets, move_offsets

PIECES = st.lists(st.sampled_from(["<i>", "<v>", "a", "é", " ", "<"]), max_size=8).map("".join)
NEW = st.sampled_from(["", "x", "<j><j>", "[<v>]", "<v><v>", "\n<k>"])


def passes(texts: list[str], first: list[str], second: list[str]) -> tuple[list[str], list]:
    """Texts and offsets of a pass for ``<i>`` and one for ``<v>``, also for those that the first brought."""
    found: list = []
    for token, new in (("<i>", first), ("<v>", second)):
        count = sum(text.count(token) for text in texts)
        made = [new[n % len(new)] for n in range(count)]
        texts, offsets = get_text_with_replacements(
            texts, image_token=token, images_replacements=made, return_replacement_offsets=True
        )
        chain_offsets(found, offsets)
    return texts, found


@given(st.lists(PIECES, max_size=3), st.lists(NEW, min_size=1), st.lists(NEW, min_size=1))
def test_offsets_of_two_passes_lead_from_the_first_text_to_the_last(texts, first, second) -> None:
    made, found = passes(texts, first, second)
    for old, new, entries in zip(texts, made, found):
        parts, done, end = [], 0, 0
        for entry in entries:
            (a, b), (c, d) = entry["span"], entry["new_span"]
            assert old[a:b] == entry["text"] and new[c:d] == entry["replacement"]
            assert old[done:a] == new[end:c]
            parts += [old[done:a], entry["replacement"]]
            done, end = b, d
        assert "".join([*parts, old[done:]]) == new
        assert "<i>" not in old or any(entry["text"] == "<i>" for entry in entries)


def test_what_was_not_asked_for_is_not_made() -> None:
    found: list = []
    chain_offsets(found, [])
    assert found == []


@given(PIECES, st.sampled_from(["", "<s>", "<s><s>"]), st.sampled_from(["", "\n", "</s>"]))
def test_offsets_follow_what_is_put_around_a_text(text, front, back) -> None:
    count = text.count("<i>")
    (made,), offsets = get_text_with_replacements(
        [text], "<i>", [f"({n})" for n in range(count)], return_replacement_offsets=True
    )
    offsets = offsets or [[]]
    move_offsets(offsets, [made], [front + made + back])
    for entry in offsets[0]:
        start, end = entry["new_span"]
        assert (front + made + back)[start:end] == entry["replacement"]
        assert start - len(front) == made.index(entry["replacement"])


def test_offsets_follow_what_is_put_between_two_replacements() -> None:
    (made,), offsets = get_text_with_replacements(
        ["<i> a <i>"], "<i>", ["xx", "yy"], return_replacement_offsets=True
    )
    move_offsets(offsets, [made], ["xx<s> a yy"])
    assert [entry["new_span"] for entry in offsets[0]] == [(0, 2), (8, 10)]


@given(
    st.lists(st.sampled_from(["<i>", "word", " ", "<f>", "\n", "a<b"]), max_size=9),
    st.integers(0, 2),
)
def test_offsets_follow_what_is_cleaned_up_between_and_inside_of_replacements(parts, count) -> None:
    text = "".join(parts)
    new = ("<f>" + "<u>" * count + "<f>") * 2
    (made,), offsets = get_text_with_replacements(
        [text], "<i>", [new] * text.count("<i>"), return_replacement_offsets=True
    )
    final = re.sub(r"<f>(?=[^\s<])", "<f> ", made.replace("<f><f>", "<f>"))
    offsets = offsets or [[]]
    move_offsets(offsets, [made], [final])
    done = 0
    for entry in offsets[0]:
        start, end = entry["new_span"]
        assert done <= start <= end
        assert final[start:end] == entry["replacement"]
        assert entry["replacement"].count("<u>") == 2 * count
        done = end
