"""How the parameters of a method that counts positions are understood, and what its statements say of its results."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.positions import (
    MOST_TRIED,
    Roles,
    _like,
    _made,
    _returned,
    is_near,
    roles_of,
)
from codegen.rewrite.recognise.traces import two_results
from codegen.rewrite.values import Source
from tests.rewrite.test_rules import DictLibrary

np = pytest.importorskip("numpy")
INDEX = Index(DictLibrary({}), lambda _: True)
END = "\n    return a, b"


def function_of(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(text).body
    assert isinstance(found, ast.FunctionDef)
    return found


def found(head: str, end: str = "a, b") -> list[Roles]:
    return [*roles_of(INDEX, function_of(f"def f(self, {head}):\n    return {end}"))]


def test_parameters_are_known_by_their_names() -> None:
    head = "input_ids, mm_token_type_ids, image_grid_thw=None, video_grid_thw=None"
    (roles,) = found(f"{head}, attention_mask=None, second_per_grid_ts=None")
    assert (roles.types, roles.images, roles.videos) == (
        "mm_token_type_ids",
        "image_grid_thw",
        "video_grid_thw",
    )
    assert (roles.mask, roles.seconds, roles.others) == (
        "attention_mask",
        "second_per_grid_ts",
        ("input_ids",),
    )
    (roles,) = found("mm_token_type_ids, video_grid_thw")
    assert (roles.images, roles.videos, roles.mask, roles.seconds, roles.others) == (
        "",
        "video_grid_thw",
        "",
        "",
        (),
    )
    (roles,) = found("mm_token_type_ids, image_grid_thw")
    assert (roles.images, roles.videos) == ("image_grid_thw", "")
    (roles,) = found("mm_token_type_ids, video_grid_thw, image_grid_thw")
    assert (roles.images, roles.videos) == ("image_grid_thw", "video_grid_thw")


def test_of_unknown_names_each_may_be_the_types() -> None:
    head = "input_ids, image_grid_thw, kinds, others"
    assert [roles.types for roles in found(head)] == ["kinds", "others"]
    assert {roles.others for roles in found(head)} == {("input_ids",)}
    many = ", ".join(f"n{number}" for number in range(MOST_TRIED + 2))
    assert len(found(f"image_grid_thw, {many}")) == MOST_TRIED


@pytest.mark.parametrize(
    ("head", "end"),
    [
        ("kinds, sizes", "a, b"),
        ("kinds, image_grid_thw, video_grid_thw, other_grid_thw", "a, b"),
        ("kinds, image_grid_thw", "a"),
        ("kinds, image_grid_thw", "a, b, c"),
        ("kinds, image_grid_thw", "a, b.c"),
        ("kinds, image_grid_thw", "f(a, b)"),
    ],
)
def test_what_is_no_candidate(head: str, end: str) -> None:
    assert found(head, end) == []


def test_what_is_returned() -> None:
    names = _returned(function_of("def f(self):\n    return a, b"))
    assert [name.id for name in names] == ["a", "b"]
    assert _returned(function_of("def f(self):\n    return [a, b]")) == []
    assert _returned(function_of("def f(self):\n    return a, b\n    x = 1")) == []


@pytest.mark.parametrize(
    ("head", "body", "is_so"),
    [
        ("input_ids, image_grid_thw", "x = arange(3)\n        return a, b", True),
        ("mm_token_type_ids, image_grid_thw", "x = arange(3)\n        return a, b", True),
        ("words, image_grid_thw", "x = arange(3)\n        return a, b", False),
        ("input_ids, sizes", "x = arange(3)\n        return a, b", False),
        ("input_ids, image_grid_thw", "x = other(3)\n        return a, b", False),
        ("input_ids, image_grid_thw", "x = arange(3)\n        return a", False),
        ("input_ids, image_grid_thw", "x = arange(3)\n        return a, b, c", False),
        ("input_ids, image_grid_thw", "x = arange(3)", False),
        (
            "input_ids, image_grid_thw",
            "if arange(3):\n            return a\n        return a, b",
            False,
        ),
        (
            "input_ids, image_grid_thw",
            "if arange(3):\n            return b, a\n        return a, b",
            True,
        ),
    ],
)
def test_what_is_near(head: str, body: str, is_so: bool) -> None:
    text = f"class A:\n    def f(self, {head}):\n        {body}\n"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    cls = ClassInfo(info, info.classes["A"])
    assert is_near(INDEX, cls, cls.methods["f"]) == is_so


POSITIONS = "a = torch.zeros(3, dtype=ids.dtype, device=ids.device)"
AHEAD = "b = torch.tensor(c, device=ids.device)"


@pytest.mark.parametrize(
    ("positions", "ahead", "words"),
    [
        (POSITIONS, AHEAD, ""),
        (POSITIONS.replace("dtype=ids.dtype, ", ""), AHEAD, "not of one input"),
        (POSITIONS.replace("ids.dtype", "other.dtype"), AHEAD, "not of one input"),
        (POSITIONS.replace("ids.", "aaa."), AHEAD.replace("ids.", "aaa."), "not of one input"),
        (POSITIONS.replace("ids.", "zzz."), AHEAD.replace("ids.", "zzz."), "not of one input"),
        (POSITIONS, AHEAD.replace("ids.", "other."), "on the device of ids"),
        (POSITIONS, AHEAD.replace("ids.", "a."), "on the device of ids"),
        (POSITIONS, "b = torch.tensor(c)", "on the device of ids"),
        (POSITIONS, AHEAD.replace(")", ", dtype=ids.dtype)"), "on the device of ids"),
        (f"{POSITIONS}.float()", AHEAD, "it converts what it computes"),
        (POSITIONS, f"x = a.int()\n    {AHEAD}", "it converts what it computes"),
        (POSITIONS, f"x = a.double()\n    {AHEAD}", "it converts what it computes"),
        (POSITIONS, f"x = a.half()\n    {AHEAD}", "it converts what it computes"),
        (POSITIONS, f"x = a.dtype\n    {AHEAD}", "the dtype of more than its positions"),
        ("a = 1", AHEAD, "not of one input"),
        ("a = [torch.zeros(3, dtype=ids.dtype, device=ids.device)]", AHEAD, "not of one input"),
    ],
)
def test_whose_dtype_and_device_the_results_have(positions: str, ahead: str, words: str) -> None:
    function = function_of(f"def f(self, ids, other):\n    {positions}\n    {ahead}{END}")
    like = _like(function, (), {"ids", "other"})
    assert like == "ids" if not words else isinstance(like, Objection) and words in like.reason
    entered = function_of("def g(x):\n    return x.half()")
    if not words:
        also = _like(function, (entered,), {"ids"})
        assert isinstance(also, Objection) and "converts" in also.reason


@pytest.mark.parametrize(
    ("lines", "call"),
    [
        ("a = f(x=1)", "f(x=1)"),
        ("a = f(x=1)\n    a = g(y=2)", "g(y=2)"),
        ("a = g(f(x=1))", "f(x=1)"),
        ("a = f(1)", None),
        ("a = f(x=1)\n    a = [g(y=2)]", None),
        ("a = f(x=1)\n    a = [g(y=2) for _ in z]", None),
        ("a = b = f(x=1)", None),
        ("b = f(x=1)", None),
        ("self.a = f(x=1)", None),
    ],
)
def test_the_call_that_makes_what_a_name_holds(lines: str, call: str | None) -> None:
    made = _made(function_of(f"def f(self):\n    {lines}"), "a")
    assert (ast.unparse(made) if made is not None else None) == call


def test_results_are_two_known_tensors() -> None:
    known, late = Arr(np.arange(3)), Arr(np.arange(3), True)
    for result, is_so in (
        ((known, known), True),
        ([known, known], True),
        ((known,), False),
        ((known, known, known), False),
        ((known, 3), False),
        ((3, known), False),
        ((late, known), False),
        ((known, late), False),
        (known, False),
        (None, False),
    ):
        trace = Trace()
        trace.result = result
        assert (two_results(trace) is not None) == is_so
