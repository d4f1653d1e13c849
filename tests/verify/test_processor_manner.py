"""How the manner is found in which a processor wants to be called: by trying, on stand-ins for processors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from codegen.verify.processors.manner import Manner, Unknown, learn
from codegen.verify.processors.prompts import Prompt, generated

Placeholders = Mapping[str, str | None]
CANDIDATES = {"image": ["<fake>", "<image>", "<s><image></s>"]}


class Stand:
    """A processor that turns ``placeholder`` into two letters, if it is called as it wants to be."""

    def __init__(self, placeholder: str | None = "<image>", **wants: Any) -> None:
        self.placeholder, self.wants = placeholder, wants

    def __call__(
        self, prompt: Prompt, placeholders: Placeholders, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        (name,) = placeholders.values()
        counts = [len(row) for row in prompt.items("image")]
        error = ""
        if any(options.get(key) != value for key, value in self.wants.get("options", {}).items()):
            error = "ValueError: options"
        elif self.wants.get("nested", prompt.nested) != prompt.nested:
            error = "ValueError: nested"
        elif max(counts) > self.wants.get("most", 9):
            error = "ValueError: too many"
        elif self.wants.get("equal") and len(set(counts)) > 1:
            error = "ValueError: unequal"
        texts = prompt.written(placeholders)
        if name is None or self.placeholder is None:
            fits = name is self.placeholder
            return {"error": error, "texts": ["made"] if fits and not error else []}
        became = [
            text.replace(self.placeholder, "xx") if self.placeholder else f"xx{text}"
            for text in texts
        ]
        return {"error": error, "texts": [] if error else became}


def found(stand: Stand) -> Manner:
    manner = learn(CANDIDATES, stand)
    assert isinstance(manner, Manner)
    return manner


def test_a_plain_processor() -> None:
    manner = found(Stand())
    assert manner.placeholders == {"image": "<image>"}
    assert (manner.nested, manner.most, manner.equal) == (None, 3, False)


@pytest.mark.parametrize(
    ("stand", "expected"),
    [
        (Stand(nested=True), {"nested": True}),
        (Stand(nested=False), {"nested": False}),
        (Stand(most=1), {"most": 1}),
        (Stand(equal=True), {"equal": True}),
        (Stand("<s><image></s>"), {"placeholders": {"image": "<s><image></s>"}}),
        (Stand(None), {"placeholders": {"image": None}}),
        (
            Stand(options={"return_tensors": "pt"}),
            {"options": {"do_sample_frames": False, "padding": True, "return_tensors": "pt"}},
        ),
        (Stand(options={"do_sample_frames": None}), {"options": {"padding": True}}),
    ],
    ids=["nested", "flat", "one", "equal", "wrapped", "no text", "tensors", "strict"],
)
def test_what_a_processor_wants_is_found(stand: Stand, expected: dict[str, Any]) -> None:
    manner = found(stand).as_data()
    assert {name: manner[name] for name in expected} == expected


def test_what_takes_the_place_of_a_placeholder_comes_first() -> None:
    class Around(Stand):
        """Writes in front of every text, and expands one placeholder."""

        def __call__(self, *args: Any) -> dict[str, Any]:
            outcome = super().__call__(*args)
            return {**outcome, "texts": [f"<bos>{text}" for text in outcome["texts"]]}

    assert found(Around()).placeholders == {"image": "<image>"}
    assert found(Around("<other>")).placeholders == {"image": "<fake>"}


def test_an_error_is_said_where_nothing_works() -> None:
    manner = learn(CANDIDATES, Stand(options={"odd": 1}))
    assert manner == Unknown("ValueError: options")
    assert learn(CANDIDATES, Stand("<other>")) == Unknown("")


def test_prompts_keep_to_the_manner() -> None:
    prompts = list(generated(["image"], 40, 3, nested=True, most=1, equal=True))
    assert all(prompt.nested for prompt in prompts)
    for prompt in prompts:
        if not prompt.surplus:
            assert len({len(row) for row in prompt.items("image")}) == 1
            assert all(len(row) <= 1 for row in prompt.items("image"))
