"""Offsets by plain definition: they lead from each text to the next, whatever two passes and a change made of it."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest

from codegen.rewrite.tokens.offsets import _equal_runs, chained, moved, one_pass, wrong

IMAGES = ("image", ("<i>",), ("<v>x", "", "XX<v>"))
VIDEOS = ("video", ("<v>", "<w>"), ("12345", "6", "", "7", "8"))


def entry(
    span: tuple[int, int], new_span: tuple[int, int], text: str, new: str
) -> dict[str, object]:
    return {
        "type": "image",
        "span": span,
        "new_span": new_span,
        "text": text,
        "replacement": new,
    }


def test_one_pass_takes_the_forms_of_each_kind_in_the_order_of_the_text() -> None:
    texts = ["a<w>b<i><v>", 7, "<i>"]
    made, offsets = one_pass(texts, [IMAGES, VIDEOS])
    assert made == ["a12345b<v>x6", 7, ""]
    assert [[(e["type"], e["span"], e["new_span"]) for e in found] for found in offsets] == [
        [("video", (1, 4), (1, 6)), ("image", (5, 8), (7, 11)), ("video", (8, 11), (11, 12))],
        [],
        [("image", (0, 3), (0, 0))],
    ]
    assert [e["replacement"] for e in offsets[0]] == ["12345", "<v>x", "6"]
    assert one_pass(["a"], []) == (["a"], [[]])


def test_too_few_replacements_end_the_pass() -> None:
    with pytest.raises(StopIteration):
        one_pass(["<i><i>"], [("image", ("<i>",), ("a",))])


def test_the_first_kind_of_a_form_takes_it() -> None:
    made, _ = one_pass(["<i>"], [IMAGES, ("other", ("<i>",), ("no",))])
    assert made == ["<v>x"]


@pytest.mark.parametrize("seed", range(40))
def test_chained_offsets_lead_from_the_first_text_to_the_last(seed: int) -> None:
    drawn = random.Random(seed)
    text = "".join(drawn.choices(["<i>", "<v>", "<w>", "a", "bc"], k=7))
    images = (
        "image",
        ("<i>",),
        [drawn.choice(["<v>", "x<w>y", "", "<v><v>", "zz"]) for _ in range(7)],
    )
    videos = ("video", ("<v>", "<w>"), [drawn.choice(["", "1", "12345", "<i>"]) for _ in range(30)])
    (between,), (first,) = one_pass([text], [images])
    (last,), (second,) = one_pass([between], [videos])
    found = chained(first, second)
    assert all(last[slice(*e["new_span"])] == e["replacement"] for e in found)
    assert all(text[slice(*e["span"])] == e["text"] for e in found)
    # Each placeholder of the text has one, in order; what the images brought along has none.
    assert [e["text"] for e in found] == _placeholders(text)
    assert [e["span"][0] for e in found] == sorted(e["span"][0] for e in found)


def _placeholders(text: str) -> list[str]:
    return [text[n : n + 3] for n, letter in enumerate(text) if letter == "<"]


def test_moved_offsets_follow_what_stays_and_are_empty_for_what_is_gone() -> None:
    old = "a<i><i>b"
    entries = [entry((1, 4), (1, 7), "<q>", "<i><i>")]
    assert moved(entries, old, "xx a<i><i>b") == [entry((1, 4), (4, 10), "<q>", "<i><i>")]
    assert moved(entries, old, "a<i>-<i>b") == [entry((1, 4), (1, 8), "<q>", "<i>-<i>")]
    assert moved(entries, old, "ab") == [entry((1, 4), (0, 0), "<q>", "")]


ENTRY = entry((1, 4), (1, 3), "<i>", "XY")


@pytest.mark.parametrize(
    ("offsets", "before", "after", "reason"),
    [
        ([[ENTRY]], ["a<i>b"], ["aXYb"], ""),
        ([[], [ENTRY]], ["", "a<i>b"], ["", "aXYb"], ""),
        ([[ENTRY]], ["a<i>b", "c"], ["aXYb", "c"], "for every text"),
        ([[ENTRY]], ["a<i>b"], ["aXYb", "c"], "for every text"),
        ([[ENTRY]], ["ab<i>"], ["aXYb"], "changed in front"),
        ([[ENTRY]], ["a<i>b"], ["abXY"], "changed behind"),
        ([[ENTRY]], ["a<i><i>"], ["aXY<i>"], "for every placeholder"),
        ([[ENTRY], []], ["a<i>b", "<i>"], ["aXYb", "<i>"], "for every placeholder"),
        ([[]], ["<i"], ["<i"], ""),
    ],
)
def test_wrong_offsets_are_told(
    offsets: list[list[dict[str, object]]], before: list[str], after: list[str], reason: str
) -> None:
    found = wrong(offsets, before, after, ["<i>"])
    assert reason in found and bool(found) == bool(reason)


def test_a_longer_placeholder_is_found_before_its_beginning() -> None:
    whole = entry((0, 4), (0, 1), "<i>>", "X")
    assert wrong([[whole]], ["<i>>"], ["X"], ["<i>", "<i>>"]) == ""
    assert wrong([[]], ["<i>"], ["<i>"], []) == ""


@pytest.mark.parametrize("seed", range(60))
def test_a_text_in_another_is_found_where_the_best_alignment_has_it(seed: int) -> None:
    draw = random.Random(seed)
    letters = "abcd"[: 1 + seed % 4]
    inner, before, behind = (
        "".join(draw.choice(letters) for _ in range(draw.randrange(1, 8))) for _ in range(3)
    )
    texts = (inner, f"({before}{inner}{behind})")  # nothing is equal at both ends
    old, new = texts if seed % 8 < 4 else texts[::-1]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    places = {a + n: b + n for a, b, size in matcher.get_matching_blocks() for n in range(size)}
    entries = [entry((n, n + 1), (n, n + 1), "<i>", letter) for n, letter in enumerate(old)]
    spans = [made["new_span"] for made in moved(entries, old, new)]
    assert spans == [(places[n], places[n] + 1) if n in places else (0, 0) for n in range(len(old))]


@pytest.mark.parametrize("seed", range(6))
def test_words_that_stand_in_both_are_where_an_alignment_has_them(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        one, other = ([chance.choice("abcd") for _ in range(chance.randrange(8))] for _ in range(2))
        runs = [run for run in _equal_runs(one, other) if run[2]]
        assert all(one[a : a + size] == other[b : b + size] for a, b, size in runs)
        ends = [(0, 0), *((a + size, b + size) for a, b, size in runs)]
        assert all(a >= x and b >= y for (a, b, _), (x, y) in zip(runs, ends))
        head = next(
            (n for n, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other))
        )
        rest, rest_of_other = one[head:][::-1], other[head:][::-1]
        pairs = enumerate(zip(rest, rest_of_other))
        tail = next((n for n, (a, b) in pairs if a != b), min(len(rest), len(rest_of_other)))
        between = one[head : len(one) - tail], other[head : len(other) - tail]
        found = SequenceMatcher(None, *between, autojunk=False).get_matching_blocks()
        assert sum(size for *_, size in runs) == head + tail + sum(block.size for block in found)
