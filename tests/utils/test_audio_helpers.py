"""Audio helpers against loop definitions in plain Python, over random lengths."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import modeling_audio_utils as audio

RANDOM = settings(deadline=None, max_examples=60)

LAWS = [(4, audio.halved_lengths), (50, audio.chunked_eighth_lengths)]


def apply_law(law: audio.LengthLaw, length: int) -> int:
    """Count rows after the convolutions with plain integers."""
    if law is audio.halved_lengths:
        return (length - 1) // 2 + 1
    rest = length % 100
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return rest + 13 * (length // 100)


def cut(lens: list[int], chunk: int) -> list[int]:
    """Cut every audio into chunks, the last one shorter."""
    return [min(chunk, length - at) for length in lens for at in range(0, length, chunk)]


@st.composite
def audios(draw: st.DrawFn) -> tuple[list[int], int, audio.LengthLaw]:
    """Draw lengths of some audios with a window size and a law; full chunks often."""
    n_window, law = draw(st.sampled_from(LAWS))
    length = st.one_of(
        st.integers(1, 10 * n_window), st.integers(1, 5).map(lambda k: k * 2 * n_window)
    )
    return draw(st.lists(length, min_size=1, max_size=6)), n_window, law


@pytest.mark.parametrize(
    ("length", "rows"),
    [(0, 0), (1, 1), (8, 1), (9, 2), (37, 5), (99, 13), (100, 13), (101, 14), (200, 26)],
)
def test_chunked_eighth_lengths(length: int, rows: int) -> None:
    assert audio.chunked_eighth_lengths(torch.tensor([length])).tolist() == [rows]


def test_halved_lengths_count_the_rows_of_a_convolution() -> None:
    lengths = torch.arange(1, 40)
    conv = torch.nn.Conv1d(1, 1, kernel_size=3, stride=2, padding=1)
    expected = [conv(torch.zeros(1, 1, int(n))).shape[-1] for n in lengths]
    assert audio.halved_lengths(lengths).tolist() == expected


@RANDOM
@given(audios(), st.sampled_from([torch.int32, torch.int64]))
def test_chunk_lengths(case: tuple[list[int], int, audio.LengthLaw], dtype: torch.dtype) -> None:
    lens, n_window, _ = case
    expected = cut(lens, 2 * n_window)
    lengths = torch.tensor(lens, dtype=dtype)
    result = audio.get_chunk_lengths(lengths, n_window)
    assert result.tolist() == expected
    assert result.dtype == torch.int64
    bound = sum(lens) // (2 * n_window) + len(lens)
    filled = audio.get_chunk_lengths(lengths, n_window, num_chunks=bound)
    assert filled.tolist() == expected + [0] * (bound - len(expected))


@RANDOM
@given(audios(), st.sampled_from([torch.float32, torch.bfloat16]))
def test_chunk_and_pad_features(
    case: tuple[list[int], int, audio.LengthLaw], dtype: torch.dtype
) -> None:
    lens, n_window, _ = case
    features = torch.randn(3, sum(lens), generator=torch.Generator().manual_seed(0)).to(dtype)
    sizes = cut(lens, 2 * n_window)
    expected = features.new_zeros(len(sizes), 3, max(sizes))
    for row, chunk in zip(expected, features.split(sizes, dim=1), strict=True):
        row[:, : chunk.shape[1]] = chunk
    padded, lengths = audio.chunk_and_pad_features(features, torch.tensor(lens), n_window)
    assert torch.equal(padded, expected)
    assert lengths.tolist() == sizes
    bound = sum(lens) // (2 * n_window) + len(lens)
    padded, lengths = audio.chunk_and_pad_features(
        features, torch.tensor(lens), n_window, num_chunks=bound, max_chunk_length=max(sizes)
    )
    assert torch.equal(padded[: len(sizes)], expected)
    assert not padded[len(sizes) :].any()
    assert lengths.tolist() == sizes + [0] * (bound - len(sizes))


def test_padding_does_not_depend_on_values_that_are_not_numbers() -> None:
    features = torch.full((2, 13), float("nan"))
    padded, _ = audio.chunk_and_pad_features(features, torch.tensor([10, 3]), 4)
    assert padded.isnan().sum() == 26
    assert (padded[1:, :, 3:] == 0).all()


@RANDOM
@given(audios(), st.integers(0, 20))
def test_cleared_columns_are_worth_a_narrower_padding(
    case: tuple[list[int], int, audio.LengthLaw], excess: int
) -> None:
    lens, n_window, _ = case
    sizes = cut(lens, 2 * n_window)
    chunks = torch.tensor([*sizes, 0])
    narrow = torch.randn(len(chunks), 3, max(sizes), generator=torch.Generator().manual_seed(0))
    wide = torch.nn.functional.pad(narrow, (0, excess))
    torch.manual_seed(0)
    total = 1
    with torch.no_grad():
        for stride in (1, 2, 2):
            convolution = torch.nn.Conv1d(3, 3, kernel_size=3, stride=stride, padding=1)
            total *= stride
            narrow, wide = convolution(narrow), convolution(wide)
            wide = audio.clear_beyond_longest(wide, chunks, total)
            torch.testing.assert_close(wide[..., : narrow.shape[-1]], narrow)
            assert not wide[..., narrow.shape[-1] :].any()


@RANDOM
@given(audios())
def test_valid_indices(case: tuple[list[int], int, audio.LengthLaw]) -> None:
    lens, n_window, law = case
    rows = [apply_law(law, size) for size in cut(lens, 2 * n_window)]
    width = max(rows)
    expected = [chunk * width + j for chunk, count in enumerate(rows) for j in range(count)]
    chunks = audio.get_chunk_lengths(torch.tensor(lens), n_window)
    assert audio.get_valid_indices(chunks, law).tolist() == expected
    filled = torch.nn.functional.pad(chunks, (0, 3))
    result = audio.get_valid_indices(filled, law, num_valid=len(expected), max_length=width)
    assert result.tolist() == expected


@RANDOM
@given(audios())
def test_widened_indices(case: tuple[list[int], int, audio.LengthLaw]) -> None:
    lens, n_window, law = case
    stride = 2 if law is audio.halved_lengths else 8
    chunks = audio.get_chunk_lengths(torch.tensor(lens), n_window)
    narrow = audio.get_valid_indices(chunks, law)
    full = audio.get_valid_indices(torch.nn.functional.pad(chunks, (0, 1), value=2 * n_window), law)
    wide = audio.widen_valid_indices(narrow, chunks, 2 * n_window, stride)
    assert wide.tolist() == full[: len(narrow)].tolist()


@RANDOM
@given(audios())
def test_cu_seqlens_of_chunks(case: tuple[list[int], int, audio.LengthLaw]) -> None:
    lens, n_window, law = case
    chunks = audio.get_chunk_lengths(torch.tensor(lens), n_window)
    sizes = [apply_law(law, size) for size in cut(lens, 2 * n_window)]
    expected = [0, *itertools.accumulate(sizes)]
    result = audio.get_audio_cu_seqlens(chunks, length_law=law)
    assert result.tolist() == expected
    assert result.dtype == torch.int32
    filled = audio.get_audio_cu_seqlens(chunks, length_law=law, num_segments=expected[-1])
    assert filled.tolist() == expected + [expected[-1]] * (expected[-1] - len(sizes))


@RANDOM
@given(audios(), st.integers(1, 5))
def test_cu_seqlens_of_windows(
    case: tuple[list[int], int, audio.LengthLaw], chunks_per_window: int
) -> None:
    lens, n_window, law = case
    chunks = audio.get_chunk_lengths(torch.tensor(lens), n_window)
    window = max(apply_law(law, int(size)) for size in chunks) * chunks_per_window
    sizes = [size for length in lens for size in cut([apply_law(law, length)], window)]
    expected = [0, *itertools.accumulate(sizes)]
    arguments = (chunks, torch.tensor(lens), chunks_per_window * 2 * n_window, n_window)
    result = audio.get_audio_cu_seqlens(*arguments, length_law=law)
    assert result.tolist() == expected
    assert result.dtype == torch.int32
    filled = audio.get_audio_cu_seqlens(*arguments, length_law=law, num_segments=expected[-1])
    assert filled.tolist() == expected + [expected[-1]] * (expected[-1] - len(sizes))


@pytest.mark.parametrize(
    ("lens", "expected"),
    [([20, 37], [0, 3, 8]), ([230, 37, 100, 451], [0, 26, 30, 35, 48, 74, 100, 107])],
)
def test_cu_seqlens_of_windows_use_the_longest_chunk(lens: list[int], expected: list[int]) -> None:
    lengths = torch.tensor(lens)
    chunks = audio.get_chunk_lengths(lengths, 50)
    assert audio.get_audio_cu_seqlens(chunks, lengths, 200, 50).tolist() == expected


@RANDOM
@given(audios())
def test_pool_indices(case: tuple[list[int], int, audio.LengthLaw]) -> None:
    lens, _, law = case
    expected, start = [], 0
    for length in lens:
        rows = apply_law(law, length)
        expected += range(start, start + rows - 1, 2)
        start += rows
    assert audio.get_pool_indices(torch.tensor(lens), law).tolist() == expected
    result = audio.get_pool_indices(torch.tensor(lens), law, num_pooled=len(expected))
    assert result.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pool_indices_average_like_a_pooling_layer(dtype: torch.dtype) -> None:
    lens = torch.tensor([21, 3, 8, 30])
    rows = audio.halved_lengths(lens).tolist()
    hidden = torch.randn(sum(rows), 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    pool = torch.nn.AvgPool1d(2, stride=2)
    expected = torch.cat([pool(part.t()[None])[0].t() for part in hidden.split(rows)])
    first = audio.get_pool_indices(lens)
    assert torch.equal((hidden[first] + hidden[first + 1]) / 2, expected)


@pytest.mark.parametrize("lengths", [[5], [8], [21, 3, 8, 30], [7, 9, 13]])
def test_chunks_pass_gradients_to_the_features(lengths: list[int]) -> None:
    features = torch.randn(3, sum(lengths), requires_grad=True)
    padded, chunk_lengths = audio.chunk_and_pad_features(features, torch.tensor(lengths), 4)
    weight = torch.randn_like(padded)
    (padded * weight).sum().backward()
    # Each frame is in one chunk, at one place.
    expected = [w[:, :n] for w, n in zip(weight, chunk_lengths.tolist())]
    torch.testing.assert_close(features.grad, torch.cat(expected, dim=1))


def test_chunks_that_do_not_exist_leave_windows_as_they_are() -> None:
    lengths = torch.tensor([8, 3])
    expected = audio.get_audio_cu_seqlens(torch.tensor([8, 3]), lengths, 8, 4)
    filled = audio.get_audio_cu_seqlens(torch.tensor([8, 3, 0, 0]), lengths, 8, 4)
    assert filled.tolist() == expected.tolist()


ONE = {
    "pool": lambda lengths: audio.get_pool_indices(lengths, num_pooled=2),
    "windows": lambda lengths: audio.get_audio_cu_seqlens(lengths, lengths, 16, 4, num_segments=3),
    "chunks": lambda lengths: audio.get_chunk_lengths(lengths, 2, num_chunks=4),
    "valid": lambda lengths: audio.get_valid_indices(lengths, num_valid=4, max_length=4),
}


@pytest.mark.parametrize("name", ONE)
def test_a_single_audio_is_captured_without_reading_it(name: str) -> None:
    """Eagerly there are short cuts for one; in a graph its values cannot be read."""
    lengths = torch.tensor([8])
    found = torch.compile(ONE[name], fullgraph=True, backend="eager")(lengths)
    assert found.tolist() == ONE[name](lengths).tolist()
