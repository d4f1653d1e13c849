"""Positions of prompts whose videos have sound: passes over all tokens against one token at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounterWithBackend

from utils import sound_positions
from utils.few_sounds import SoundTokens, count_prompt_by_prompt
from utils.sound_positions import get_positions_with_sound

IMAGE, VIDEO, AUDIO, OPEN, SOUND = 7, 8, 9, 5, 10
TOKENS = SoundTokens(IMAGE, VIDEO, AUDIO, vision_start=OPEN, audio_start=SOUND)
CLOSING = [11, 6]
GRIDS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))


@dataclass(frozen=True)
class Batch:
    """Prompts, grids in tokens, and the mask."""

    ids: torch.Tensor
    images: torch.Tensor | None
    videos: torch.Tensor | None
    mask: torch.Tensor | None

    def given(self, step: float, dtype: torch.dtype, shared: bool = False) -> tuple[Any, ...]:
        """Arguments of the function that looks at one token at a time."""

        def times(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
            return (frame * step * (1 + video % 3)).to(dtype)

        return (self.ids, TOKENS, self.images, self.videos, self.mask, times, shared, dtype)


def count(given_: tuple[Any, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """The helper, with what the other function is given."""
    *inputs, mask, times, shared, dtype = given_
    return get_positions_with_sound(
        *inputs,
        attention_mask=mask,
        frame_times=times,
        delimiters_share_position=shared,
        dtype=dtype,
    )


def equal(found: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> bool:
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(found, expected))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Samples of text, images, videos with and without sound, sounds alone, and ends of nothing."""
    images, videos, rows = [], [], []
    for _ in range(draw(st.integers(1, 3))):
        row = [20] * draw(st.integers(1, 3))
        for kind in draw(st.lists(st.sampled_from("tivmmase"), max_size=5)):
            t, h, w = draw(GRIDS)
            tokens = t * h * w
            if kind == "t":
                row += draw(st.lists(st.sampled_from([20, AUDIO, OPEN, SOUND, 6]), max_size=4))
            elif kind == "i":
                images.append((t, h, w))
                row += [OPEN, *[IMAGE] * tokens, 6]
            elif kind == "v":
                videos.append((t, h, w))
                row += [OPEN, *[VIDEO] * tokens, 6]
            elif kind == "m":
                videos.append((t, h, w))
                mixed = [VIDEO] * tokens + [AUDIO] * draw(st.integers(0, 5))
                row += [OPEN, SOUND, *draw(st.permutations(mixed)), *CLOSING]
            elif kind == "a":
                row += [SOUND, *[AUDIO] * draw(st.integers(1, 4)), 11]
            else:
                row += [OPEN, SOUND, *CLOSING][: draw(st.integers(2, 4))]
        rows.append(row)
    length = max(map(len, rows)) + draw(st.integers(0, 2))
    ids, mask = (torch.zeros(len(rows), length, dtype=torch.int64) for _ in range(2))
    places = draw(st.sampled_from(["left", "right", "mixed"]))
    for number, row in enumerate(rows):
        free = list(range(length))
        if places == "mixed":
            free = sorted(draw(st.permutations(free))[: len(row)])
        at = free[-len(row) :] if places == "left" else free[: len(row)]
        ids[number, at], mask[number, at] = torch.tensor(row), 1
    grids = [torch.tensor(rows) if rows else None for rows in (images, videos)]
    return Batch(ids, *grids, mask if draw(st.integers(0, 4)) else None)


@given(
    batch=batches(),
    step=st.sampled_from([1.0, 25.0, 6.5, 0.7345]),
    dtype=st.sampled_from([torch.int64, torch.float32]),
    shared=st.booleans(),
)
@example(Batch(torch.tensor([[20, 5, 10, 10, 9, 11]]), None, None, None), 1.0, torch.int64, True)
@settings(max_examples=150, deadline=None)
def test_passes_over_all_tokens_give_the_same_bit_for_bit(
    batch: Batch, step: float, dtype: torch.dtype, shared: bool
) -> None:
    given_ = batch.given(step, dtype, shared)
    outcomes: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_positions, "FEW_TOKENS", 0)
        for function in (count, lambda given_: count_prompt_by_prompt(*given_)):
            try:
                outcomes.append(function(given_))
            except (RuntimeError, ValueError) as problem:
                outcomes.append(type(problem))
    found, expected = outcomes
    if isinstance(expected, tuple):
        assert isinstance(found, tuple) and equal(found, expected)
    else:
        assert found is expected


def sounding(times: int = 1) -> Batch:
    """Two videos with sound, one without, an image and a sound, some times in each of two samples."""
    row = [20, 21, OPEN, *[IMAGE] * 6, 6, 20, OPEN, SOUND, VIDEO, VIDEO, AUDIO, AUDIO]
    row += [VIDEO, VIDEO, AUDIO, *CLOSING, OPEN, SOUND, *[AUDIO] * 4, VIDEO, *CLOSING]
    row += [22, OPEN, *[VIDEO] * 8, 6, SOUND, *[AUDIO] * 5, 11]
    images, videos = [(1, 2, 3)], [(2, 1, 2), (1, 1, 1), (2, 2, 2)]
    ids = torch.tensor([[0, *row * times], [*row * times, 0]])
    grids = torch.tensor(images * 2 * times), torch.tensor(videos * 2 * times)
    return Batch(ids, *grids, (ids != 0).long())


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_long_prompts_are_not_counted_token_by_token(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_ = sounding(3).given(25.0, dtype, True)
    expected = count_prompt_by_prompt(*given_)
    monkeypatch.setattr(sound_positions, "count_prompt_by_prompt", None)
    assert equal(count(given_), expected)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        pytest.param(0.37, None, id="times that add up inexactly"),
        pytest.param(1.0, "images", id="an image too many"),
        pytest.param(1.0, "videos", id="a video too many"),
        pytest.param(1.0, "sizes", id="a video of another size"),
        pytest.param(1.0, "mask", id="nothing but padding"),
    ],
)
def test_what_does_not_fit_is_left_to_the_other_way(
    step: float, change: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = sounding(3)
    assert batch.images is not None and batch.videos is not None and batch.mask is not None
    if change == "sizes":
        batch.videos[0, 2] += 1
    elif change == "mask":
        batch.mask[1] = 0
    elif change:
        grids = {"images": batch.images, "videos": batch.videos}
        grids[change] = grids[change][:-1]
        batch = Batch(batch.ids, grids["images"], grids["videos"], batch.mask)
    asked: list[Any] = []
    monkeypatch.setattr(sound_positions, "count_prompt_by_prompt", lambda *a: asked.append(a) or a)
    count(batch.given(step, torch.float32))
    assert len(asked) == 1


def test_a_graph_counts_other_prompts_too() -> None:
    dtype = torch.float32
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("eager")

    def function(*tensors: torch.Tensor) -> Any:
        return count(Batch(*tensors).given(25.0, dtype, True))

    compiled = torch.compile(function, fullgraph=True, backend=counter, dynamic=True)
    for times in (2, 5):
        batch = sounding(times)
        inputs = (batch.ids, batch.images, batch.videos, batch.mask)
        assert equal(compiled(*inputs), count(batch.given(25.0, dtype, True)))
    assert counter.frame_count == 1


def test_a_graph_refuses_a_mask_of_another_shape() -> None:
    batch = sounding()
    assert batch.mask is not None
    narrow = Batch(batch.ids, batch.images, batch.videos, batch.mask[:, 1:])
    torch._dynamo.reset()
    compiled = torch.compile(lambda: count(narrow.given(1.0, torch.int64)), backend="eager")
    with pytest.raises(ValueError, match="attention_mask has another shape"):
        compiled()
