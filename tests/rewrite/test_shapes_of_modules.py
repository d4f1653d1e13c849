"""The shape of a rotary module, what names mean in two files, and what is put in the place of a module."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.place.called import Called
from codegen.rewrite.place.hoist import ids_call, meaning, names_outside, rotary_forward
from codegen.rewrite.place.replaced import replacing
from codegen.rewrite.values import Source
from tests.rewrite.test_rules import DictLibrary

FORWARD = """\
    def forward(self, grid_thw, unit):
        \"\"\"Words.\"\"\"
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, unit)
        angles = (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1)
        both = torch.cat((angles, angles), dim=-1)
        return both.cos(), both.sin()
"""


def class_of(text: str, name: str = "A") -> ClassInfo:
    info = ModuleInfo.parse(Source("tiny.py", "models.tiny.modeling_tiny", text))
    return ClassInfo(info, info.classes[name])


@pytest.mark.parametrize(
    ("old", "new", "is_one"),
    [
        ("", "", True),
        ('        """Words."""\n', "", True),
        ("grid_thw, unit)\n        angles", "grid_thw, 2)\n        angles", True),
        ("grid_thw, unit)\n        angles", "grid_thw, self.unit)\n        angles", True),
        ("grid_thw, unit)\n        angles", "grid_thw, 2.5)\n        angles", False),
        ("grid_thw, unit)\n        angles", "grid_thw, True)\n        angles", False),
        ("grid_thw, unit)\n        angles", "grid_thw, unit + 1)\n        angles", False),
        ("grid_thw, unit)\n        angles", "grid_thw, unit=unit)\n        angles", False),
        ("rotary_pos_ids = get", "rotary_pos_ids = kept = get", False),
        ("rotary_pos_ids = get_rotary_pos_ids", "rotary_pos_ids = get_block_permutation", False),
        ("rotary_pos_ids = get", "ids = get", False),
        ("return both.cos(), both.sin()", "return both", True),
        ("return both.cos(), both.sin()", "both = both.cos()\n        return both", True),
        ("return both.cos(), both.sin()", "return both, grid_thw", False),
        ("return both.cos(), both.sin()", "return both, rotary_pos_ids", False),
        ("return both.cos(), both.sin()", "return both, unit", False),
        ("return both.cos(), both.sin()", "return both, self.x", False),
        ("return both.cos(), both.sin()", "return", False),
        ("return both.cos(), both.sin()", "both = both", False),
        ("        both = ", "        if unit: pass\n        both = ", False),
        ("        both = ", "        both += 1\n        both = ", False),
        (" * self.inv_freq", " * self.other", False),
        (" * self.inv_freq", " + self.inv_freq", False),
        (
            "angles, angles",
            "angles, (rotary_pos_ids.unsqueeze(-1) * self.inv_freq).flatten(1)",
            False,
        ),
        ("grid_thw, unit):", "grid_thw, unit, *more):", False),
        ("grid_thw, unit):", "grid_thw, unit, **more):", False),
        ("    def forward", "    @wrapped\n    def forward", False),
        ("    def forward", "    def other", False),
    ],
)
def test_the_shape_of_a_rotary_module(old: str, new: str, is_one: bool) -> None:
    text = FORWARD.replace(old, new, 1) if old else FORWARD
    assert text != FORWARD or not old
    found = rotary_forward(class_of(f"import torch\n\n\nclass A:\n{text}"), ("inv_freq",))
    assert (found is not None) == is_one
    if found is not None:
        assert found.buffer == "inv_freq" and found.arguments[0] == "grid_thw"


def test_the_statement_that_names_the_result_goes_with_it() -> None:
    text = FORWARD.replace("both.cos(), both.sin()", "both")
    found = rotary_forward(class_of(f"import torch\n\n\nclass A:\n{text}"), ("inv_freq",))
    assert found is not None and ast.unparse(found.result).startswith("torch.cat(")
    assert [ast.unparse(node.targets[0]) for node in found.body] == ["angles"]


@pytest.mark.parametrize(
    ("line", "is_call"),
    [
        ("rotary_pos_ids = get_rotary_pos_ids(x)", True),
        ("rotary_pos_ids = get_image_pos_ids(x, y)", True),
        ("rotary_pos_ids = other(x)", False),
        ("rotary_pos_ids = get_rotary_pos_ids", False),
        ("rotary_pos_ids: object = get_rotary_pos_ids(x)", False),
        ("self.rotary_pos_ids = get_rotary_pos_ids(x)", False),
    ],
)
def test_calls_that_give_position_ids(line: str, is_call: bool) -> None:
    assert (ids_call(ast.parse(line).body[0]) is not None) == is_call


def test_names_outside_of_a_part() -> None:
    whole = ast.parse("f(a, g(b), b)", mode="eval").body
    assert isinstance(whole, ast.Call)
    assert names_outside(whole, whole.args[1]) == {"f", "a", "b"}
    assert names_outside(whole, whole.args[0]) == {"f", "g", "b"}
    assert names_outside(whole, whole) == set()


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("torch", "torch"),
        ("np", "numpy"),
        ("os", "os"),
        ("a", "x.y.a"),
        ("b", "x.y.c"),
        ("d", "models.e.d"),
        ("F", "models.tiny.modeling_tiny.F"),
        ("g", "models.tiny.modeling_tiny.g"),
        ("h", ""),
        ("path", ""),
    ],
)
def test_what_a_name_means_in_a_file(name: str, means: str) -> None:
    text = "import torch\nimport numpy as np, os.path\nfrom x.y import a, c as b\nfrom ..e import d\nclass F: pass\ndef g(): pass\nh = 1\n"
    info = ModuleInfo.parse(Source("tiny.py", "models.tiny.modeling_tiny", text))
    assert meaning(info, name) == means


@pytest.mark.parametrize(
    ("lines", "method"),
    [
        ("self.part = other", "swap"),
        ("self.part, x = other", "swap"),
        ("self.part = Part(2)", ""),
        ("self.part: object = Part(2)", ""),
        ("self.part = Piece(2)", "swap"),
        ("self.part = x = Part(2)", ""),
        ("x = self.part", ""),
        ("self.part.x = other", ""),
        ("self.other = other", ""),
        ("setattr(self, 'part', other)", "swap"),
        ('setattr(self, "part", other)', "swap"),
        ("setattr(self, 'other', other)", ""),
        ("setattr(other, 'part', other)", ""),
        ("setattr(self, name, other)", ""),
        ("setattr()", ""),
        ("getattr(self, 'part')", ""),
        ("del self.other", ""),
    ],
)
def test_what_puts_another_module_in_the_place_of_one(lines: str, method: str) -> None:
    text = "class Part: pass\nclass Piece: pass\nclass A:\n    def __init__(self):\n        self.part = Part(1)\n        self.number = 1\n"
    text += f"    def keep(self):\n        return self.part\n    def swap(self, other, name):\n        {lines}\n"
    for heir in ("", "class B(A): pass\n"):
        index = Index(DictLibrary({"models/tiny/modeling_tiny.py": text + heir}), lambda _: True)
        cls = index.resolve("models.tiny.modeling_tiny", "B" if heir else "A")
        assert cls is not None
        assert replacing(index, cls, "part") == method
        assert replacing(index, cls, "number") == replacing(index, cls, "missing") == ""


ENTERED = """
from .modeling_other import helper, missing
def plain(x): pass
class Part:
    def forward(self, x): pass
class Layer:
    def forward(self, x): pass
class Base:
    def inherited(self, x): pass
class A(Base):
    def __init__(self):
        self.part = Part()
        self.layers = nn.ModuleList([Layer() for _ in range(2)])
    def own(self, x): pass
    @staticmethod
    def alone(x): pass
    def start(self, layer, x):
        for layer in self.layers: {0}
class Heir(A):
    def own(self, x): pass
"""


@pytest.mark.parametrize(
    ("call", "entered"),
    [
        ("self.own(x)", ["own True", "own True"]),
        ("self.inherited(x)", ["inherited True"]),
        ("self.alone(x)", ["alone False"]),
        ("self.part(x)", ["forward True"]),
        ("layer(x)", ["forward True"]),
        ("plain(x)", ["plain False"]),
        ("helper(x)", ["helper False"]),
        ("missing(x)", []),
        ("unknown(x)", []),
        ("x(x)", []),
        ("self.part.forward(x)", []),
        ("other.own(x)", []),
    ],
)
def test_what_a_call_may_enter(call: str, entered: list[str]) -> None:
    files = {
        "models/tiny/modeling_tiny.py": ENTERED.format(call),
        "models/tiny/modeling_other.py": "def helper(x): pass\n",
    }
    index = Index(DictLibrary(files), lambda _: True)
    classes = [index.resolve("models.tiny.modeling_tiny", name) for name in ("A", "Heir")]
    cls, heir = (found for found in classes if found is not None)
    called = Called(index, Heirs(index, [cls, heir]))
    function = cls.methods["start"]
    called.start(cls, function)
    (node,) = (n for n in ast.walk(function) if isinstance(n, ast.Call))
    found = called.by(function, node)
    assert [f"{f.name} {is_bound}" for f, is_bound in found] == entered
