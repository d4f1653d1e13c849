"""The comparison of processors: what counts as equal, mended, predicted, and what is a miss."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.rewrite.tokens.asking import HELPER, WORKED_ON
from codegen.run.verification import left_expansions
from codegen.verify.processors import compare, format_processors
from codegen.verify.processors.prompts import KEYWORDS, generated, singles

PLACEHOLDER = {"image": "<image>"}


def outcome(pieces: list[Any], became: list[str], **values: Any) -> dict[str, Any]:
    """What is recorded of one call with one text, the items of which became something."""
    new = iter(became)
    text = "".join(piece if isinstance(piece, str) else next(new) for piece in pieces)
    prompt = "".join(piece if isinstance(piece, str) else "<image>" for piece in pieces)
    known = {"digest": "d", "error": "", "changed": False, "texts": [text], "routed": True}
    items = sum(not isinstance(piece, str) for piece in pieces)
    return {"prompt": [prompt], "pieces": [pieces], "items": items, **known, **values}


def recorded(*outcomes: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A record of a processor for which image 0 becomes ``x`` and image 1 ``yy``."""
    known = {
        "image 0": outcome(["a ", ["image", 0], " b"], ["x"]),
        "image 1": outcome(["a ", ["image", 1], " b"], ["yy"]),
    }
    whole = {"model": "tiny", "why": "", "placeholders": PLACEHOLDER, "singles": known}
    return {**whole, "outcomes": [*outcomes], "others": [COUNTS], **values}


COUNTS = {"prompt": ["counts"], "texts": [], "digest": "c", "error": ""}
BATCH = ["", ["image", 1], " and ", ["image", 0]]
GOOD = outcome(BATCH, ["yy", "x"])


def test_equal_processors_hold_and_single_items_predict_the_batch() -> None:
    (result,) = compare([recorded(GOOD)], [recorded(GOOD)])
    assert result.ok and result.same == result.prompts == 4
    assert (result.routed, result.expanded) == (1, 1)
    assert (result.predicted, result.predictable) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"texts": ["yy and y"]},
        {"digest": "e"},
        {"error": "ValueError: no"},
        {"changed": True},
        {"routed": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_difference_is_a_miss(change: dict[str, Any]) -> None:
    (result,) = compare([recorded(GOOD)], [recorded({**GOOD, **change})])
    assert not result.ok and result.note
    assert "MISS" in format_processors([result])


def test_a_bare_error_of_an_iterator_may_become_one_that_says_what_is_wrong() -> None:
    bare = {**GOOD, "error": "StopIteration: ", "texts": []}
    said = {**bare, "error": "ValueError: placeholders '<image>' in the texts: 2"}
    (result,) = compare([recorded(bare)], [recorded(said)])
    assert result.ok and result.mended == 1
    (other,) = compare([recorded(bare)], [recorded({**bare, "error": "KeyError: 1"})])
    assert not other.ok


def test_what_is_built_before_has_to_be_built_after() -> None:
    broken = {"model": "tiny", "why": "ImportError: no"}
    assert not compare([recorded(GOOD)], [broken])[0].ok
    (never,) = compare([broken], [broken])
    assert never.ok and not never.built
    assert "not built: tiny: ImportError: no" in format_processors([never])


def test_a_batch_that_single_items_never_predicted_is_not_asked_for() -> None:
    odd = outcome(BATCH, ["depends", "on both"])
    (result,) = compare([recorded(odd)], [recorded(odd)])
    assert result.ok and result.predictable == 0


def test_other_methods_are_compared_as_well() -> None:
    other = recorded(GOOD, others=[{**COUNTS, "digest": "d"}])
    (result,) = compare([recorded(GOOD)], [other])
    assert not result.ok and "counts" in result.note


def test_an_expansion_beside_the_helper_needs_a_reason() -> None:
    beside = recorded({**GOOD, "routed": False})
    (result,) = compare([beside], [beside])
    assert not result.ok and "no pass says why" in result.note
    (left,) = compare([beside], [beside], {"tiny": "processing_tiny.py:3: depends on neighbours"})
    assert left.ok and "depends on neighbours" in format_processors([left])


def test_texts_that_the_original_changes_may_change_where_its_loop_is_left() -> None:
    changing = recorded({**GOOD, "changed": True, "routed": False})
    (result,) = compare([changing], [changing], {"tiny": "processing_tiny.py:3: odd"})
    assert result.ok and not result.kept and "as was" in format_processors([result])
    (moved,) = compare([changing], [recorded({**GOOD, "changed": True})])
    assert not moved.ok
    (new,) = compare([recorded(GOOD)], [changing], {"tiny": "processing_tiny.py:3: odd"})
    assert not new.ok


@pytest.mark.parametrize(
    ("placeholder", "became", "reason"),
    [
        (None, "x", "texts or images, never both"),
        ("", "x", "have no placeholder"),
        ("<image>", "<image>", "stays what it is"),
    ],
)
def test_exceptions_are_told_by_their_form(placeholder: Any, became: str, reason: str) -> None:
    singles_ = {f"image {n}": outcome(["a ", ["image", n], " b"], [became]) for n in (0, 1)}
    beside = recorded(
        {**GOOD, "routed": False},
        placeholders={"image": placeholder},
        singles=singles_,
    )
    (result,) = compare([beside], [beside])
    assert result.ok and reason in result.exempt


def test_what_is_written_around_every_prompt_is_expected_around_those_of_a_batch() -> None:
    def around(made: dict[str, Any]) -> dict[str, Any]:
        return {**made, "texts": [f"<s>{text}\n" for text in made["texts"]]}

    plain = recorded(GOOD)
    singles_ = {name: around(single) for name, single in plain["singles"].items()}
    whole = {**plain, "singles": singles_, "outcomes": [around(GOOD)]}
    (result,) = compare([whole], [whole])
    assert (result.predicted, result.predictable) == (1, 1)


def test_prompts_are_the_same_every_time_and_hold_too_few_and_too_many_items() -> None:
    first, again = (list(generated(["image", "video"], 24, 7)) for _ in range(2))
    assert first == again != list(generated(["image", "video"], 24, 8))
    assert {prompt.surplus for prompt in first} == {-1, 0, 1}
    assert {prompt.nested for prompt in first} == {True, False}
    for modality in KEYWORDS:
        for prompt in singles(modality):
            assert sum(map(len, prompt.items(modality))) == 1


def test_remarks_on_what_was_moved_are_no_reason_to_expand_beside_the_helper() -> None:
    def about(model: str, kind: str, reason: str) -> dict[str, str]:
        place = f"{model}.py:3"
        cls = f"{model}Processor"
        return {
            **{"model": model, "cls": cls, "kind": kind, "helper": HELPER},
            **{"location": place, "reason": reason},
        }

    report = [
        about("pine", "extracted", "in one pass"),
        about("pine", "left", "a text with <x> in it was changed before"),
        about("oak", "extracted", "in one pass"),
        about("oak", "left", WORKED_ON),
        about("elm", "left", "it cannot be followed"),
    ]
    assert left_expansions(report) == {
        "oak": f"oak.py:3: {WORKED_ON}",
        "elm": "elm.py:3: it cannot be followed",
    }
