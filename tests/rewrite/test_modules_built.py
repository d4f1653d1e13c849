"""What modules and functions are, by how they are built and where they come from."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from codegen.rewrite.capture.multiplied import Flow, Kind, Refused
from codegen.rewrite.capture.rowwise import Rows
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from tests.rewrite.test_rules import DictLibrary

TINY = """
class Plain(nn.Module):
    def __init__(self, config, number=0):
        self.number = number

    def forward(self, rows):
        return rows * 2


class Mixing(nn.Module):
    def forward(self, rows):
        return rows.mean(0)


class Bare(nn.Module):
    pass


class Tiny(nn.Module):
    def __init__(self, config):
        self.layers = {made}

    def forward(self, rows):
        return self.layers(rows)
"""


def tiny(made: str) -> tuple[Index, ModuleInfo, ClassInfo]:
    text = TINY.replace("{made}", made)
    index = Index(DictLibrary({"models/tiny/modeling_tiny.py": text}), lambda _: True)
    info = index.get("models.tiny.modeling_tiny")
    assert info is not None
    return index, info, ClassInfo(info, info.classes["Tiny"])


@pytest.mark.parametrize(
    ("made", "batched", "is_so"),
    [
        ("nn.Linear(2, 2)", False, True),
        ("torch.nn.GELU()", False, True),
        ("ACT2FN[config.act]", False, True),
        ("ABC[config.act]", False, False),
        ("ACT2FNS[config.act]", False, False),
        ("ZZZ[config.act]", False, False),
        ("config.act", False, False),
        ("Plain(config)", False, True),
        ("Mixing(config)", False, False),
        ("Bare(config)", False, False),
        ("Gone(config)", False, False),
        ("Tiny(config)", False, False),
        ("nn.Sequential(nn.Linear(2, 2), Plain(config))", False, True),
        ("nn.Sequential(nn.Linear(2, 2), Mixing(config))", False, False),
        ("nn.Sequential(Mixing(config), nn.Linear(2, 2))", False, False),
        ("nn.Sequential(*parts)", False, False),
        ("nn.Sequential()", False, False),
        ("nn.Conv1d(2, 2, 3)", False, False),
        ("nn.Conv1d(2, 2, 3)", True, True),
        ("nn.Softmax(0)", False, False),
    ],
)
def test_modules_that_keep_rows_apart(made: str, batched: bool, is_so: bool) -> None:
    index, _, cls = tiny(made)
    rows = Rows(index, cls, cls.methods["forward"], batched)
    assert rows._is_row_wise(cls, ast.parse(made, mode="eval").body) == is_so


KIND = ("types", "full")
EITHER = "nn.ModuleList([{} for i in range(config.depth)])"
CHOSEN = EITHER.format('Plain(config, i) if config.types[i] == "full" else Bare(config)')


@pytest.mark.parametrize(
    ("made", "kind", "built"),
    [
        (EITHER.format("Plain(config, i)"), None, ("Plain", "number")),
        (EITHER.format("Plain(config, i)"), KIND, ("Plain", "number")),
        (EITHER.format("Plain(config)"), None, ("Plain", "")),
        (EITHER.format("Plain(config, i + 1)"), None, ("Plain", "")),
        (EITHER.format("Plain(i, i)"), None, ("Plain", "")),
        (EITHER.format("Plain(config, i)").replace("range(config.depth)", "names"), None, ("Plain", "")),
        (EITHER.format("Bare(config, i)"), None, ("Bare", "")),
        (CHOSEN, KIND, ("Plain", "number")),
    ],
)  # fmt: skip
def test_layers_and_their_parameter_that_is_their_number(
    made: str, kind: Kind, built: tuple[str, str]
) -> None:
    _, info, cls = tiny(made)
    layer, number = Flow(info.source, cls)._built("layers", kind)
    assert (layer.name, number) == built


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (CHOSEN, None),
        (CHOSEN, ("types", "other")),
        (CHOSEN, ("kinds", "full")),
        (CHOSEN.replace("types[i]", "types[0]"), KIND),
        (CHOSEN.replace("==", "!="), KIND),
        (EITHER.format("Gone(config, i)"), None),
        (EITHER.format("tiny.Plain(config, i)"), None),
        (EITHER.format("Plain(config, i) for j in x"), None),
        ("nn.ModuleList([Plain(config, 0), Plain(config, 1)])", None),
        ("Plain(config)", None),
    ],
)
def test_layers_of_which_it_is_not_known_what_they_are(made: str, kind: Kind) -> None:
    _, info, cls = tiny(made)
    with pytest.raises(Refused):
        Flow(info.source, cls)._built("layers", kind)


FILES = {
    "models/tiny/modeling_tiny.py": """
from ..other.modeling_other import twice as doubled, gone
from ..other.modular_other import half
from ..other.helpers import thrice

def own(x):
    return doubled(x) + 1

class Tiny:
    def run(self, n):
        return {call}
""",
    "models/other/modeling_other.py": "def twice(x):\n    return x * 2\n",
    "models/other/modular_other.py": "def half(x):\n    return inner(x) // 2\n\ndef inner(x):\n    return x + 1\n",
    "models/other/helpers.py": "def thrice(x):\n    return x * 3\n",
}


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("doubled(n)", 10),
        ("own(n)", 11),
        ("half(n)", 3),
        ("doubled(half(n))", 6),
        ("thrice(n)", None),
        ("gone(n)", None),
        ("twice(n)", None),
        ("inner(n)", None),
    ],
)
def test_functions_of_other_models_are_entered(call: str, value: int | None) -> None:
    path = "models/tiny/modeling_tiny.py"
    index = Index(DictLibrary({**FILES, path: FILES[path].replace("{call}", call)}), lambda _: True)
    cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
    assert cls is not None
    given: dict[str, Any] = {"n": 5}
    meter = Meter(steps=20_000, size=1 << 20)
    trace = Interpreter(index, 0, 10, meter).run(cls, cls.methods["run"], cls, given)
    assert (trace.result if isinstance(trace.result, int) else None) == value
