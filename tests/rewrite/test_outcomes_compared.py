"""When two calls of a processor count as the same: prompt by prompt, by what each did."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegen.rewrite.tokens import without_call
from codegen.rewrite.tokens.outcomes import Outcome
from codegen.rewrite.tokens.prompts import ITEMS, Prompt, has_no_text
from codegen.rewrite.tokens.terms import Unsupported
from codegen.rewrite.tokens.whole import CHECK

GOOD = Outcome("b", "", "", ("one",), "", frozenset({"<image>"}), frozenset())
Side = Callable[[Prompt], Outcome | str]


def compared(
    monkeypatch: pytest.MonkeyPatch, old: Side, new: Side, asked: list[Prompt] | None = None
) -> str:
    """What is said of two sides that do with a prompt what is given here."""
    (call,) = ast.parse("def __call__(self, images=None, text=None): ...").body
    arguments = {"text": ["<image>"], **dict.fromkeys(ITEMS, [1])}

    def prompt_of(_: Any, __: Any, ___: Any, number: int, ____: bool) -> tuple[Prompt, None]:
        return Prompt(number, arguments, True), None

    def outcome(side: Side, prompt: Prompt) -> Outcome | str:
        if asked is not None and side is old:
            asked.append(prompt)
        return side(prompt)

    monkeypatch.setattr(without_call, "prompt_of", prompt_of)
    monkeypatch.setattr(without_call, "_outcome", outcome)
    return without_call._differs(old, new, call, ["<image>"])  # type: ignore[arg-type]


def only(number: int, other: Outcome | str, rest: Outcome | str = GOOD) -> Side:
    return lambda prompt: other if prompt.number == number else rest


def always(outcome: Outcome | str) -> Side:
    return lambda _: outcome


def test_the_same_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Prompt] = []
    assert compared(monkeypatch, always(GOOD), lambda _: GOOD, asked) == ""
    assert len(asked) == 60
    without = {p.number for p in asked if not ITEMS & p.arguments.keys()}
    assert without == {n for n in range(60) if n % 5 == 4}


@pytest.mark.parametrize("number", [0, 1, 59])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"result": "a"}, "a prompt gives another result"),
        ({"result": "c"}, "a prompt gives another result"),
        ({"raised": "ValueError"}, "a prompt raises ValueError, before nothing"),
        ({"message": "m"}, "a prompt raises nothing, before nothing"),
        ({"trace": ()}, "the parts of the processor get something else"),
        ({"trace": ("zero",)}, "the parts of the processor get something else"),
        ({"trace": ("one", "two")}, "the parts of the processor get something else"),
        (
            {"trace": ("one", CHECK)},
            "that truncation cuts off no placeholder, only the library's own call checks",
        ),
    ],
)
def test_one_prompt_with_another_outcome_is_enough(
    monkeypatch: pytest.MonkeyPatch, number: int, change: dict[str, Any], said: str
) -> None:
    other = replace(GOOD, **change)
    assert compared(monkeypatch, always(GOOD), only(number, other)) == said


def test_a_check_that_is_gone_is_no_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = replace(GOOD, trace=("one", CHECK))
    said = compared(monkeypatch, always(checked), always(GOOD))
    assert said == "the parts of the processor get something else"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"replaced": frozenset()}, "(0 of 8)"),
        ({"raised": "ValueError", "message": "m"}, "(0 of 8)"),
        ({"raised": "ValueError", "message": "m", "replaced": frozenset()}, "(0 of 8)"),
    ],
)
def test_what_replaces_nothing_or_raises_shows_little(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str
) -> None:
    same = always(replace(GOOD, **change))
    said = compared(monkeypatch, same, same)
    assert said == f"too few prompts went through it to compare {why}"


@pytest.mark.parametrize(("count", "said"), [(8, ""), (7, "(7 of 8)"), (1, "(1 of 8)")])
def test_so_many_prompts_have_to_agree(
    monkeypatch: pytest.MonkeyPatch, count: int, said: str
) -> None:
    nothing = replace(GOOD, replaced=frozenset())
    side: Side = lambda prompt: GOOD if prompt.number < count else nothing  # noqa: E731
    assert compared(monkeypatch, side, side).endswith(said)
    assert bool(compared(monkeypatch, side, side)) == bool(said)


def test_what_cannot_be_followed_is_told_where_too_little_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = "too few prompts went through it to compare (0 of 8)"
    nothing = replace(GOOD, replaced=frozenset())

    def with_text(outcome: Outcome | str) -> Side:
        return lambda prompt: nothing if has_no_text(prompt.number) else outcome

    odd, so_is_it, good = with_text("it is odd"), with_text("so is it"), with_text(GOOD)
    assert compared(monkeypatch, odd, good) == f"{few}: it is odd"
    assert compared(monkeypatch, good, so_is_it) == f"{few}: so is it"
    assert compared(monkeypatch, odd, so_is_it) == f"{few}: it is odd"
    rest: Side = lambda prompt: "it is odd" if prompt.number > 20 else GOOD  # noqa: E731
    assert compared(monkeypatch, rest, rest) == ""


def test_without_a_text_nothing_more_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "it takes no images without a text"
    assert compared(monkeypatch, only(3, "it is odd"), always(GOOD)) == said
    raising = replace(GOOD, raised="ValueError")
    assert compared(monkeypatch, only(3, "it is odd"), only(3, raising)) == ""
    assert compared(monkeypatch, always(GOOD), only(3, "it is odd")) == ""
    assert compared(monkeypatch, only(4, "it is odd"), always(GOOD)) == ""


def test_a_prompt_that_cannot_be_made_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def prompt_of(*_: Any) -> Any:
        raise Unsupported("its texts are odd")

    monkeypatch.setattr(without_call, "prompt_of", prompt_of)
    nothing: Any = None
    assert without_call._differs(nothing, nothing, nothing, []) == "its texts are odd"
