"""What stands around convolutions over padded chunks: every condition on both sides."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.audio_helpers import VALID_INDICES
from codegen.rewrite.capture.chunks import (
    PADDED,
    _call,
    _is_frame_mask,
    _law_stride,
    _methods,
    _parts,
    _stride,
    _widened,
    calls_of,
)
from codegen.rewrite.emit.edits import Insert


def function_of(lines: str, head: str = "self, x") -> ast.FunctionDef:
    (found,) = ast.parse(f"def f({head}):\n    {lines}").body
    assert isinstance(found, ast.FunctionDef)
    return found


def call_of(text: str) -> ast.Call:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return call


@pytest.mark.parametrize(
    ("made", "stride"),
    [
        ("nn.Conv1d(1, 2, 3, 2, 1)", 2),
        ("nn.Conv1d(1, 2, 3, padding=1)", 1),
        ("nn.Conv2d(1, 2, kernel_size=3, stride=2, padding=1, bias=False)", 2),
        ("nn.Conv2d(1, config.width, kernel_size=3, stride=4, padding=1)", 4),
        ("nn.Conv1d(1, 2, 5, 2, 1)", 0),
        ("nn.Conv1d(1, 2, 2, 2, 1)", 0),
        ("nn.Conv1d(1, 2, 3, 2, 0)", 0),
        ("nn.Conv1d(1, 2, 3, 2, 2)", 0),
        ("nn.Conv1d(1, 2, 3, 2)", 0),
        ("nn.Conv1d(1, 2, stride=2, padding=1)", 0),
        ("nn.Conv1d(1, 2, config.kernel, 2, 1)", 0),
        ("nn.Conv1d(1, 2, 3, config.stride, 1)", 0),
        ("nn.Conv1d(1, 2, 3, 2, 1, dilation=2)", 0),
        ("nn.Conv1d(1, 2, 3, 2.5, 1)", 0),
    ],
)
def test_what_a_convolution_divides_by(made: str, stride: int) -> None:
    assert _stride(call_of(made)) == stride


@pytest.mark.parametrize(
    ("call", "stride"),
    [
        ("f(x)", 2),
        ("f(x, halved_lengths)", 2),
        ("f(x, other)", 0),
        ("f(x, other.halved_lengths)", 0),
        ("f(x, halved_lengths, y)", 2),
    ],
)
def test_what_a_length_law_divides_by(call: str, stride: int) -> None:
    assert _law_stride(call_of(call)) == stride


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("pass", {PADDED}),
        (f"{PADDED} = {PADDED}.to(x.dtype).contiguous()", {PADDED}),
        (f"{PADDED} = {PADDED}.unsqueeze(1)", {PADDED}),
        (f"{PADDED} = {PADDED}.unsqueeze(2)", set()),
        (f"{PADDED} = {PADDED}.transpose(1, 2)", set()),
        (f"{PADDED} = kept = {PADDED}.transpose(1, 2)", set()),
        (f"kept = {PADDED} = {PADDED}.transpose(1, 2)", set()),
        (f"kept = {PADDED}.transpose(1, 2)", {PADDED}),
        (f"{PADDED} = {PADDED}.to(x.dtype).transpose(1, 2)", set()),
        (f"for part in {PADDED}.split(3): pass", {PADDED, "part"}),
        (f"for part in {PADDED}.chunk(3): pass", {PADDED}),
        ("for part in x.split(3): pass", {PADDED}),
    ],
)
def test_names_of_the_padded_chunks(lines: str, names: set[str]) -> None:
    assert _parts(function_of(lines)) == names


def test_methods_of_an_expression() -> None:
    value = ast.parse("f(x.a(1).unsqueeze(1, 2), y.b)", mode="eval").body
    assert _methods(value) == {"a", "unsqueeze(1, 2)"}


@pytest.mark.parametrize(
    ("lines", "is_mask"),
    [
        ("mask = torch.arange(n) < chunk_lengths[:, None]", True),
        ("mask = (torch.arange(n) < chunk_lengths[:, None]).to(x.dtype)", True),
        ("mask = torch.arange(n) <= chunk_lengths[:, None]", False),
        ("mask = torch.arange(n) > chunk_lengths[:, None]", False),
        ("mask = chunk_lengths[:, None] < torch.arange(n)", False),
        ("mask = torch.arange(n) < x.lengths[:, None]", False),
        ("other = torch.arange(n) < chunk_lengths[:, None]", False),
        ("pass", False),
        ("mask = 1", False),
    ],
)
def test_masks_of_the_frames_of_each_chunk(lines: str, is_mask: bool) -> None:
    mask = ast.parse("mask[:, None]", mode="eval").body
    assert _is_frame_mask(function_of(lines), mask) == is_mask


def test_calls_of_a_name() -> None:
    function = function_of("a = f(1); b = f(2, x=3); c = g.f(4); d = h(5)")
    assert [ast.unparse(call) for call in calls_of(function, "f")] == ["f(1)", "f(2, x=3)"]
    found = [_call(function, name) for name in ("f", "h", "i")]
    assert [ast.unparse(call) if call is not None else None for call in found] == [
        None,
        "h(5)",
        None,
    ]
    assert _call(function_of("a = f(1, x=2)"), "f") is None


def test_indices_that_are_given_count_rows_of_the_real_width() -> None:
    (indices,) = VALID_INDICES.outputs
    (made,) = function_of("x = 1").body
    assert isinstance(made, ast.Assign)
    assert _widened(function_of("pass"), made, 2) == []
    (edit,) = _widened(function_of("pass", f"self, {indices}"), made, 2)
    assert isinstance(edit, Insert) and edit.behind and f"{PADDED}.shape[-1], 2)" in edit.lines[1]
