"""Which calls of features methods get keywords that are given for other inputs."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.place.clashes import _clash, clashing_call
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Settings
from tests.rewrite.test_rules import DictLibrary

CALL = "self.get_image_features(x, {}, **kwargs)"
#: The body of a method, and the line of the call that gets keywords a second time, 0 for none.
BODIES = {
    f"return {CALL.format('grid')}": 0,
    f"a = {CALL.format('grid')}\nreturn a + {CALL.format('grid')}": 0,
    f"a = {CALL.format('grid')}\nreturn a + {CALL.format('grid.flip(0)')}": 3,
    f"a = {CALL.format('grid')}\nreturn a + {CALL.format('image_grid_thw=grid')}": 0,
    f"a = {CALL.format('image_grid_thw=other')}\nreturn a + {CALL.format('image_grid_thw=grid')}": 3,
    f"a = {CALL.format('grid')}\ngrid = other\nreturn a + {CALL.format('grid')}": 4,
    f"a = {CALL.format('grid')}\ngrid.clamp_(max=3)\nreturn a + {CALL.format('grid')}": 4,
    f"if y:\n    return {CALL.format('grid')}\nelse:\n    return {CALL.format('other')}": 0,
    f"if y:\n    a = {CALL.format('grid')}\nif x:\n    return {CALL.format('other')}": 5,
    f"if y:\n    a = {CALL.format('grid')}\n    b = {CALL.format('other')}\nelse:\n    a = b": 4,
    f"for grid in grids:\n    a = {CALL.format('grid')}": 3,
    f"for y in grids:\n    a = {CALL.format('grid')}": 0,
    f"while y:\n    a = {CALL.format('grid')}\n    grid = grid[1:]": 3,
    f"return [{CALL.format('grid')} for grid in grids]": 2,
    f"return [{CALL.format('grid')} for y in grids]": 0,
    f"a = {CALL.format('grid')}\nreturn self.get_image_features(x, other)": 0,
    f"a = {CALL.format('grid')}\nreturn self.get_image_features(x, other, **more)": 0,
    f"a = {CALL.format('grid')}\nreturn self.get_video_features(x, other, **kwargs)": 0,
    f"a = {CALL.format('grid')}\nreturn self.part.get_image_features(x, other, **kwargs)": 3,
    f"a = {CALL.format('grid')}\nreturn get_image_features(x, other, **kwargs)": 0,
}


@pytest.mark.parametrize("body", BODIES)
def test_a_second_call_for_other_inputs_is_found(body: str) -> None:
    inner = "\n".join(f"    {line}" for line in body.split("\n"))
    (function,) = ast.parse(f"def forward(self, x, grid, **kwargs):\n{inner}\n").body
    assert isinstance(function, ast.FunctionDef)
    found = _clash(function, "get_image_features")
    assert (0 if found is None else found.lineno) == BODIES[body]


def test_a_method_without_keywords_gives_none_on() -> None:
    text = "def forward(self, x, grid, other, kwargs):\n" + "".join(
        f"    {CALL.format(size)}\n" for size in ("grid", "other")
    )
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    assert _clash(function, "get_image_features") is None


TWICE = f"""
    def forward(self, x, grid, **kwargs):
        return {CALL.format("grid")} + {CALL.format("grid[1:]")}
"""
FEATURES = """
class {}:
    def get_image_features(self, x, grid_thw, **kwargs):
        return self.visual(x, grid_thw, **kwargs)
"""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a": FEATURES.format("A") + TWICE}, "A"),
        ({"a": FEATURES.format("A") + f"class B(A):\n{TWICE}"}, "B"),
        ({"a": FEATURES.format("A"), "b": f"from .modeling_a import A\nclass C(A):{TWICE}"}, "C"),
        ({"a": FEATURES.format("A"), "b": FEATURES.format("D") + TWICE}, ""),
        ({"a": FEATURES.format("A")}, ""),
    ],
)
def test_it_is_looked_for_where_the_method_is_called(files: dict[str, str], found: str) -> None:
    texts = {f"models/tiny/modeling_{name}.py": text for name, text in files.items()}
    state = RewriteState(DictLibrary(texts), Settings())
    cls = state.index.resolve("models.tiny.modeling_a", "A")
    assert cls is not None
    clash = clashing_call(state, cls, "get_image_features")
    assert ("" if clash is None else clash[0].name) == found
