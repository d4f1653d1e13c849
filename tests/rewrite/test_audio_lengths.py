"""When lengths count as what the convolutions leave of others: as every caller makes them, by value."""

from __future__ import annotations

import pytest

from tests.rewrite.test_edges import case, kinds

TEXT = case("capture/pooling_per_audio")
ALSO = "lengths if lengths is not None else mask.sum(-1)"
MADE = f"after, total = self.audio.output_lengths({ALSO})"
SPELLED = f"feature_lens = {ALSO}"
CALL = "self.audio(rows, feature_lens=feature_lens, after_lens=after)"


def pooling(*changes: tuple[str, str]) -> list[tuple[str, str]]:
    text = TEXT
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return [(kind, reason) for kind, reason in kinds(text, "capture") if "pooling" in reason]


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(MADE, f"after = self.audio.output_lengths({ALSO})[0]"), (", total\n", ", after\n")],
        [(MADE, f"after, total = ({ALSO} - 1) // 2 + 1, 3".replace(ALSO, f"({ALSO})"))],
        [(MADE, f"after, total = (({ALSO}) + 1) // 2, 3")],
        [(CALL, f"self.audio(rows, {ALSO}, after)")],
        [(CALL, "self.audio(rows, feature_lens, after, lengths)")],
        [(SPELLED, "feature_lens = lengths")],
        [(f"({ALSO})\n", "(feature_lens)\n"), (f"        {SPELLED}\n", ""), ("        after,", f"        {SPELLED}\n        after,")],
        [("lengths = (lengths - 1) // 2 + 1\n", "lengths = (lengths - 1).div(2, rounding_mode='floor') + 1\n")],
    ],
)  # fmt: skip
def test_lengths_may_be_made_in_other_words(changes: list[tuple[str, str]]) -> None:
    assert [kind for kind, _ in pooling(*changes)] == ["captured"]


@pytest.mark.parametrize(
    "changes",
    [
        [("(lengths - 1) // 2 + 1", "lengths // 2")],
        [("(lengths - 1) // 2 + 1", "(lengths - 1) // 2 + 2")],
        [("(lengths - 1) // 2 + 1", "(lengths.clamp(max=300) - 1) // 2 + 1")],
        [("after, total =", "total, after =")],
        [(MADE, "after, total = self.audio.output_lengths(mask.sum(-1))")],
        [(MADE, f"{MADE}\n        after = after.flip(0)")],
        [(MADE, f"{MADE}\n        lengths = lengths * 2")],
        [(SPELLED, f"{SPELLED}\n        feature_lens += 1")],
        [(CALL, "self.audio(rows, feature_lens=feature_lens, after_lens=after.flip(0))")],
        [(CALL, "self.audio(rows, feature_lens=feature_lens)")],
        [(CALL, "self.audio(rows, after_lens=after)")],
        [(CALL, "self.audio(rows, feature_lens=after, after_lens=feature_lens)")],
        [("self.audio.output_lengths", "self.output_lengths")],
    ],
)
def test_lengths_that_may_be_others_are_left(changes: list[tuple[str, str]]) -> None:
    ((kind, reason),) = pooling(*changes)
    assert kind == "left"
    assert "TinyModel is not seen to give" in reason


def test_without_a_caller_nothing_is_known_of_lengths() -> None:
    start = TEXT.index("\n\nclass TinyModel")
    found = [r for k, r in kinds(TEXT[:start], "capture") if k == "left" and "pooling" in r]
    assert "no caller tells that after_lens is feature_lens behind the convolutions" in found[0]


def test_a_second_caller_has_to_show_it_too() -> None:
    start = TEXT.index("\n\nclass TinyModel")
    other = (
        TEXT[start:]
        .replace("TinyModel", "OtherModel")
        .replace("after_lens=after", "after_lens=lengths")
    )
    found = [r for k, r in kinds(TEXT + other, "capture") if k == "left" and "pooling" in r]
    assert len(found) == 1 and "OtherModel is not seen to give" in found[0]


_HEIR = """

class SmallModel(TinyModel):
    def get_audio_features(self, rows, mask=None):
        return self.audio(rows, feature_lens=mask.sum(-1))
"""
_OWN = """

class SmallAudioEncoder(TinyAudioEncoder):
    def forward(self, rows, feature_lens=None):
        return rows * feature_lens.shape[0]
"""


@pytest.mark.parametrize(("own", "kind"), [(_OWN, "captured"), ("", "left")])
def test_an_heir_of_a_caller_calls_what_takes_the_place_of_its_encoder(own: str, kind: str) -> None:
    """Expansion puts the encoder of the child's name there: only without one the parent's is reached."""
    found = [k for k, reason in kinds(TEXT + own + _HEIR, "capture") if "pooling" in reason]
    assert found == [kind]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("behind = (feature_lens - 1) // 2 + 1", "captured"),
        ("behind = self.output_lengths(feature_lens)[0]", "captured"),
        ("behind = self.output_lengths(feature_lens)[1]", "left"),
        ("behind = feature_lens // 2", "left"),
        ("behind = after_lens", "left"),
        ("feature_lens = feature_lens + 1", "left"),
        ("after_lens = after_lens.flip(0)", "left"),
    ],
)
def test_lengths_may_be_made_in_the_encoder(line: str, kind: str) -> None:
    name = "behind" if "behind" in line else "after_lens"
    changes = (
        "        pieces = rows.split(after_lens",
        f"        {line}\n        pieces = rows.split({name}",
    )
    assert [found for found, _ in pooling(changes)] == [kind]
