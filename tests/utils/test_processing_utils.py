"""Placeholder expansion against a plain definition, one character at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.processing_utils import (
    get_text_with_replacements,
    next_item,
    placeholder_positions,
    pop_offsets_option,
)

TOKENS = {"image": "<image>", "video": "<vid>", "audio": "<|a|>"}
#: Texts in which placeholders, parts of them, and what regular expressions and formats trip over occur often.
texts = st.lists(
    st.lists(
        st.sampled_from(
            [
                *TOKENS.values(),
                "<image",
                "image>",
                "<",
                "|a|>",
                "a",
                "é",
                "\n",
                "\\g<0>",
                "{}",
                "%s",
                "\u2028",
                " ",
                "x" * 700,
                "<" * 9,
            ]
        ),
        max_size=12,
    ).map("".join),
    max_size=4,
)
fillings = st.text("ab<>|\\1g", max_size=6)


def expand_plainly(text, tokens, replacements):  # type: ignore[no-untyped-def]
    """The definition: walk over every text; where a placeholder stands, take the next replacement."""
    left = {name: list(values) for name, values in replacements.items() if values}
    expanded, offsets = [], []
    for content in text:
        new, found, at = "", [], 0
        while at < len(content):
            name = next((n for n in left if content.startswith(tokens[n], at)), None)
            if name is None:
                new, at = new + content[at], at + 1
                continue
            value, token = left[name].pop(0), tokens[name]
            found.append(
                {
                    "type": name,
                    "span": (at, at + len(token)),
                    "new_span": (len(new), len(new) + len(value)),
                    "text": token,
                    "replacement": value,
                }
            )
            new, at = new + value, at + len(token)
        expanded.append(new)
        offsets.append(found)
    return expanded, offsets


def call(text, tokens, replacements, **options):  # type: ignore[no-untyped-def]
    return get_text_with_replacements(
        text,
        tokens["image"],
        replacements.get("image"),
        tokens["video"],
        replacements.get("video"),
        tokens["audio"],
        replacements.get("audio"),
        **options,
    )


@given(texts, st.sets(st.sampled_from(list(TOKENS))), st.data())
def test_as_defined(text: list[str], names: set[str], data: st.DataObject) -> None:
    replacements = {
        name: data.draw(st.lists(fillings, min_size=n, max_size=n))
        for name in TOKENS
        if name in names and (n := sum(content.count(TOKENS[name]) for content in text))
    }
    before = list(text)
    expected, offsets = expand_plainly(text, TOKENS, replacements)
    assert call(text, TOKENS, replacements) == (expected, [])
    assert call(tuple(text), TOKENS, replacements, return_replacement_offsets=True) == (
        expected,
        offsets,
    )
    assert text == before
    for old, new, found in zip(text, expected, offsets):
        for item in found:
            assert old[slice(*item["span"])] == item["text"]
            assert new[slice(*item["new_span"])] == item["replacement"]


@given(texts, st.sets(st.sampled_from(list(TOKENS)), min_size=1), st.data())
def test_any_mismatch_is_a_value_error(
    text: list[str], names: set[str], data: st.DataObject
) -> None:
    counts = {name: sum(content.count(TOKENS[name]) for content in text) for name in names}
    lengths = {name: data.draw(st.integers(1, 6)) for name in names}
    replacements = {name: ["x"] * length for name, length in lengths.items()}
    if counts == lengths:
        call(text, TOKENS, replacements)
        return
    with pytest.raises(ValueError) as raised:
        call(text, TOKENS, replacements)
    named = [name for name in names if repr(TOKENS[name]) in str(raised.value)]
    assert len(named) == 1 and counts[named[0]] != lengths[named[0]]
    assert str(counts[named[0]]) in str(raised.value) and str(lengths[named[0]]) in str(
        raised.value
    )
    if all(counts[name] <= lengths[name] for name in names):
        kept = {name: ["x"] * counts[name] for name in names}
        surplus = call(text, TOKENS, replacements, allow_surplus=True)
        assert surplus == expand_plainly(text, TOKENS, replacements)[:1] + ([],)
        assert surplus[0] == call(text, TOKENS, kept)[0]


MISMATCHES = {
    "placeholders '<image>' in the texts: 2, image replacements: 1; text 1 has the first placeholder without one": (
        ["<image>", "<image>"],
        {"image": ["a"]},
    ),
    "placeholders '<image>' in the texts: 1, image replacements: 2; text 1 has the last placeholder": (
        ["x", "<image>", "y"],
        {"image": ["a", "b"]},
    ),
    "placeholders '<|a|>' in the texts: 0, audio replacements: 1; no text has a placeholder": (
        ["x"],
        {"audio": ["a"]},
    ),
    "placeholders '<vid>' in the texts: 2, video replacements: 1; text 0 has the first placeholder without one": (
        ["<vid><image><vid>", "x"],
        {"image": ["a"], "video": ["b"]},
    ),
    "placeholders '<vid>' in the texts: 0, video replacements: 1; no text has a placeholder": (
        ["x", "<image>"],
        {"image": ["a"], "video": ["b"]},
    ),
}


@pytest.mark.parametrize("message", MISMATCHES)
def test_messages_name_placeholder_counts_and_text(message: str) -> None:
    text, replacements = MISMATCHES[message]
    with pytest.raises(ValueError) as raised:
        call(text, TOKENS, replacements)
    assert str(raised.value) == message


def test_a_placeholder_that_begins_another() -> None:
    """At one place image comes first, wherever the other modalities stand."""
    tokens = {"image": "<a>", "video": "<a><b>", "audio": "<a"}
    replacements = {"image": ["I", "J"], "video": ["V"], "audio": ["A"]}
    text = ["<a><b><a>", "<a"]
    expected = expand_plainly(text, tokens, {"image": ["I", "J"], "audio": ["A"]})
    del replacements["video"]
    assert call(text, tokens, replacements)[0] == expected[0] == ["I<b>J", "A"]


def test_one_placeholder_for_two_modalities_is_refused() -> None:
    tokens = {**TOKENS, "video": TOKENS["image"]}
    with pytest.raises(ValueError, match="video and image have one placeholder, '<image>'"):
        call(["<image>"], tokens, {"image": ["a"], "video": ["b"]})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("<image>", "<image>", ["a"]), TypeError, "not a single string"),
        ((["x"], None, ["a"]), ValueError, "the image placeholder is not given"),
        ((["x"], "", ["a", "b"]), ValueError, "the image placeholder is empty"),
        (([["x"]], "<image>", ["a"]), AttributeError, "'list' object has no attribute 'replace'"),
        (([None], "<image>", ["a"]), TypeError, "'NoneType' is not iterable"),
        (([["x"]], "<image>", None), TypeError, "text 0 is no string but list"),
    ],
)
def test_refused(arguments: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        get_text_with_replacements(*arguments)  # type: ignore[arg-type]


def test_iterables_are_taken_once() -> None:
    made = iter(["a", "b"])
    assert get_text_with_replacements(["<image>", "<image>"], "<image>", made)[0] == ["a", "b"]


def test_without_items_placeholders_stay() -> None:
    """Engines send texts and items apart."""
    text = ["<image> and <vid>"]
    assert call(text, TOKENS, {"image": []}) == (text, [])
    assert call(text, TOKENS, {"video": ["v"]})[0] == ["<image> and v"]
    assert call(text, TOKENS, {}, return_replacement_offsets=True) == (text, [[]])


OPTION = "return_text_replacement_offsets"


@pytest.mark.parametrize(
    ("keywords", "wanted"),
    [
        ({}, False),
        ({"text_kwargs": {}}, False),
        ({"text_kwargs": None}, False),
        ({OPTION: True}, True),
        ({OPTION: False}, False),
        ({"text_kwargs": {OPTION: True}}, True),
        ({"text_kwargs": {OPTION: False}}, False),
        ({"text_kwargs": {OPTION: True}, OPTION: False}, False),
    ],
)
def test_the_option_is_taken_out_and_off_unless_it_is_asked_for(
    keywords: dict[str, object], wanted: bool
) -> None:
    given = {**keywords, "padding": True}
    nested = given.get("text_kwargs")
    before = dict(nested) if isinstance(nested, dict) else nested
    assert pop_offsets_option(given) is wanted
    assert OPTION not in given and given["padding"] is True
    assert OPTION not in (given.get("text_kwargs") or {})
    assert nested == before, "what the caller gave stays as it is"


def test_the_next_item_is_taken_or_its_lack_said() -> None:
    items = iter([1, 2])
    assert [next_item(items, "<image>") for _ in range(2)] == [1, 2]
    with pytest.raises(ValueError, match="more placeholders '<image>' in the texts than items"):
        next_item(items, "<image>")


def test_placeholders_are_found_where_they_begin() -> None:
    assert placeholder_positions("<i>é<i><i", "<i>") == [0, 4]
