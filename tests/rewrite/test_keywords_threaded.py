"""Which methods hand keywords on and which calls take them; which processors can add tensors: both sides of each condition."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.emit.edits import AddKeywords, Substitute
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.place.further import _handed, _tuple
from codegen.rewrite.place.processors import (
    _entry,
    _holds_processor,
    _is_processor,
    _passes_local_grid,
    own_returns,
    replaced_grid,
)
from codegen.rewrite.place.thread import (
    features_edits,
    hands_on,
    is_packed,
    is_threaded,
    modality_of,
    shares_keywords,
    split_edits,
    takes_prefixed,
)
from codegen.rewrite.values import Source


def function_of(head: str, lines: str = "pass", name: str = "forward") -> ast.FunctionDef:
    (found,) = ast.parse(f"def {name}({head}):\n    {lines}").body
    assert isinstance(found, ast.FunctionDef)
    return found


def call_of(text: str) -> ast.Call:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return call


@pytest.mark.parametrize(
    ("line", "is_so"),
    [
        ("precomputed, kwargs = split_precomputed(kwargs)", True),
        ("precomputed, more = split_precomputed(more)", True),
        ("others, kwargs = split_precomputed(kwargs)", False),
        ("precomputed, kwargs = split(kwargs)", False),
        ("precomputed, kwargs = split_precomputed(kwargs, 1)", False),
        ("precomputed, kwargs = split_precomputed()", False),
        ("precomputed = split_precomputed(kwargs)", False),
        ("precomputed, kwargs = kwargs", False),
        ("x = 1", False),
    ],
)
def test_keywords_that_have_been_split(line: str, is_so: bool) -> None:
    assert is_threaded(function_of("self, **kwargs", line)) == is_so


@pytest.mark.parametrize(
    ("head", "is_so"),
    [
        ("self, pixels, image_grid_thw", True),
        ("self, *, audio_feature_lengths=None", True),
        ("self, pixels", False),
        ("self, grid_thw_of", False),
        ("self, **grid_thw", False),
    ],
)
def test_packed_inputs(head: str, is_so: bool) -> None:
    assert is_packed(function_of(head)) == is_so


@pytest.mark.parametrize(
    ("head", "lines", "is_so"),
    [
        ("self, **kwargs", "self.visual(x, **kwargs)", True),
        ("self, **kwargs", "self.visual(x, **encoder_inputs(kwargs, 'image'))", True),
        ("self, **more", "self.visual(x, **more)", True),
        ("self, **kwargs", "self.visual(x, **more)", False),
        ("self, **kwargs", "self.visual(x, a=kwargs)", False),
        ("self, **kwargs", "self.visual(x)", False),
        ("self, kwargs", "self.visual(x, **kwargs)", False),
    ],
)
def test_methods_that_hand_keywords_on(head: str, lines: str, is_so: bool) -> None:
    assert hands_on(function_of(head, lines)) == is_so


@pytest.mark.parametrize(
    ("name", "head", "lines", "is_so"),
    [
        ("get_image_features", "self, image_grid_thw, **kwargs", "self.visual(x, **kwargs)", True),
        ("get_video_features", "self, video_grid_thw, **kwargs", "self.visual(x, **kwargs)", True),
        ("get_other_features", "self, image_grid_thw, **kwargs", "self.visual(x, **kwargs)", False),
        ("get_image_features", "self, pixels, **kwargs", "self.visual(x, **kwargs)", False),
        ("get_image_features", "self, image_grid_thw, **kwargs", "self.visual(x)", False),
        ("get_image_features", "self, image_grid_thw, kwargs", "self.visual(x, **kwargs)", False),
    ],
)
def test_methods_that_share_keywords(name: str, head: str, lines: str, is_so: bool) -> None:
    assert shares_keywords(function_of(head, lines, name)) == is_so


@pytest.mark.parametrize(
    ("call", "modality"),
    [
        ("f(x, image_grid_thw)", "image"),
        ("f(x, grid_thw=video_grid_thw)", "video"),
        ("f(image_grid_thw, video_grid_thw)", ""),
        ("f(image_grid_thw, image_grid_hw)", "image"),
        ("f(image_sizes)", ""),
        ("f(grid_thw)", ""),
        ("f(self.image_grid_thw)", ""),
        ("f(my_image_grid_thw)", ""),
        ("f()", ""),
    ],
)
def test_the_modality_of_a_call(call: str, modality: str) -> None:
    assert modality_of(call_of(call)) == modality


def test_calls_that_can_be_handed_prefixed_keywords() -> None:
    image, none = call_of("f(image_grid_thw)"), call_of("f(grid)")
    taker = function_of("self, **kwargs")
    assert takes_prefixed(taker, [image]) and takes_prefixed(taker, [])
    assert not takes_prefixed(taker, [image, none])
    assert not takes_prefixed(function_of("self"), [image])
    assert not takes_prefixed(function_of("self, **kwargs", name="other"), [image])


def test_keywords_are_split_at_the_top() -> None:
    call = call_of("f(x)")
    first, second = split_edits(function_of("self, **more"), [(call, "precomputed")])
    assert "precomputed, more = split_precomputed(more)" in str(first)
    assert second == AddKeywords(call, ("**precomputed",))
    assert split_edits(function_of("self, **more"), []) == []
    assert split_edits(function_of("self"), [(call, "precomputed")]) == []


def test_the_prefix_is_removed_for_own_modules_only() -> None:
    lines = "self.visual(x, **kwargs); other(**kwargs); self.plain(x); self.both(**f(kwargs))"
    (edit,) = features_edits(function_of("self, **kwargs", lines), "image")
    assert isinstance(edit, Substitute) and edit.new == 'encoder_inputs(kwargs, "image")'


@pytest.mark.parametrize(
    ("call", "is_handed"),
    [
        ('self.visual(x, **encoder_inputs(kwargs, "image"))', True),
        ('self.visual(x, a=1, **encoder_inputs(kwargs, "image"))', True),
        ('self.visual(x, **more, **encoder_inputs(kwargs, "image"))', True),
        ('visual(x, **encoder_inputs(kwargs, "image"))', False),
        ('self.visual(x, **encoder_inputs(kwargs, "image", only=()))', False),
        ("self.visual(x, **encoder_inputs(kwargs))", False),
        ('self.visual(x, **others(kwargs, "image"))', False),
        ('self.visual(x, a=encoder_inputs(kwargs, "image"))', False),
        ("self.visual(x, **kwargs)", False),
        ("self.visual(x)", False),
    ],
)
def test_calls_that_are_given_all_keywords_of_a_modality(call: str, is_handed: bool) -> None:
    assert (_handed(call_of(call)) is not None) == is_handed


def test_names_in_a_tuple() -> None:
    assert [_tuple(names) for names in ([], ["a"], ["a", "b"])] == ["()", '("a",)', '("a", "b")']


@pytest.mark.parametrize(
    ("base", "is_so"),
    [
        ("ProcessorMixin", True),
        ("TinyProcessor", True),
        ("TinyImage", False),
        ("OtherProcessor", False),
        ("ImageProcessor", False),
        ("Unknown", False),
    ],
)
def test_which_classes_are_processors(base: str, is_so: bool) -> None:
    text = "from a.processing_utils import ProcessorMixin\nfrom a.tiny.processing_tiny import TinyProcessor, TinyImage\n"
    text += f"from a.tiny.other import OtherProcessor\nfrom a.image_processing import ImageProcessor\nclass A(x.B, {base}): pass\n"
    assert _is_processor(ModuleInfo.parse(Source("a.py", "a.b", text)), "A") == is_so
    assert _holds_processor("a.processing_x", "XProcessor")
    assert not _holds_processor("a.processing_x", "X") and not _holds_processor("a.x", "XProcessor")


@pytest.mark.parametrize(
    ("lines", "is_so"),
    [
        ("grid = f(image_grid_thw); self.get_image_features(x, grid)", True),
        ("self.get_image_features(x, image_grid_thw)", False),
        ("self.get_image_features(x)", False),
        ("self.get_image_features(x, image_grid_thw[:1])", False),
        ("self.other(x, grid)", False),
        ("get_image_features(x, grid)", False),
    ],
)
def test_models_that_encode_another_grid(lines: str, is_so: bool) -> None:
    assert _passes_local_grid(function_of("self, x, image_grid_thw", lines)) == is_so


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ('grid = inputs["image_grid_thw"]\n    inputs["image_grid_thw"] = other', "grid"),
        (
            'grid = inputs["image_grid_thw"]\n    grid = None\n    inputs["image_grid_thw"] = other',
            "grid",
        ),
        ('grid = inputs["image_grid_thw"]', ""),
        ('grid = inputs["image_grid_thw"]\n    others["image_grid_thw"] = other', ""),
        ('grid = inputs["other"]\n    inputs["image_grid_thw"] = other', ""),
        ('grid = inputs["image_grid_thw"]\n    inputs["other"] = other', ""),
        ('grid = inputs["image_grid_thw"]\n    grid = x\n    inputs["image_grid_thw"] = other', ""),
        ('inputs["image_grid_thw"] = other', ""),
    ],
)
def test_the_grid_that_belongs_to_the_pixels(lines: str, name: str) -> None:
    assert replaced_grid(function_of("self, inputs, others", lines)) == name


def test_entries_and_returns() -> None:
    texts = ('a["k"]', 'a["j"]', 'a.b["k"]', "a[k]", "a")
    assert [_entry(ast.parse(t, mode="eval").body, "k") for t in texts] == ["a", "", "", "", ""]
    lines = "if x:\n        return 1\n    def g():\n        return 2\n    for y in x:\n        return 3\n    return 4"
    found = own_returns(function_of("x", lines))
    assert [ast.unparse(node.value) for node in found if node.value is not None] == ["1", "3", "4"]
